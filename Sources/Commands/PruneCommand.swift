internal import ArgumentParser
internal import Capture
internal import Configuration
internal import FileTree
internal import GitStore
internal import Restore
internal import SnapshotModel
internal import SystemPackage

struct PruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Forget the snapshots that the retention policy does not keep, and free their space.",
        discussion: """
            The policy is policies/retention.yaml. History, evidence and foreign references are never touched; a record says \
            what was forgotten. It can be killed at any moment; the next prune goes on. The next snapshot reads every file \
            once.

            EXAMPLE
              understudy prune --dry-run
              understudy prune

            EXIT STATUS
              0   what the policy does not keep is gone, or there was nothing to forget
              1   somebody else moved a reference in the meantime
              6   the store is damaged: nothing was removed
              7   stock git keeps reflogs or work trees in the store: nothing was removed
              10  there is no store
              11  another process writes to the store
              64  wrong usage, or a mistake in the system file or the policy
            """)

    @Flag(help: "Print what would be kept, forgotten and freed, and change nothing.")
    var dryRun = false

    @OptionGroup var options: Options

    private struct Result: Encodable {
        struct Kept: Encodable {
            var id: String
            var reasons: [String]
        }

        struct Amount: Encodable {
            var objects: Int
            var bytes: Int64
        }

        var kept: [Kept]
        var forgotten: [String]
        var freed: Amount
        var copied: Amount
        var dryRun: Bool
    }

    func run() async throws {
        let session = try Session(options)
        let policy = try RetentionPolicy.read(for: session.description)
        let store = try session.store()
        let lock = dryRun ? nil : try store.lock(purpose: "understudy prune")
        session.output.progress("looking at every pack")
        let plan = try store.planPrune(
            of: session.system.name, policy: policy, now: Clock.now.seconds, needed: try needed(store))
        if let lock {
            session.output.progress("pruning")
            do {
                try await store.prune(
                    plan, author: session.author, time: Clock.now.seconds, holding: lock)
            } catch let error as FileFailure
                where error.reason == .noSpace || error.reason == .diskQuotaExceeded
            {
                throw CommandFailure(
                    .failed, "the disk is full: \(error)",
                    hint:
                        "the snapshots are forgotten, and no object is removed: free some space and prune again"
                )
            }
        }
        session.output.endProgress()
        let result = Result(
            kept: plan.retention.kept.map { .init(id: $0.id.description, reasons: $0.reasons) },
            forgotten: plan.retention.forgotten.map(\.description),
            freed: .init(objects: plan.freedObjects, bytes: plan.freedBytes),
            copied: .init(objects: plan.copiedObjects, bytes: plan.copiedBytes), dryRun: dryRun)
        try session.output.result(result) { words(result) }
    }

    /// The snapshot of the last restore, as long as that may be completed, repeated or taken back.
    private func needed(_ store: SnapshotStore) throws -> [SnapshotID: String] {
        guard let journal = try Journal.read(store.localDirectory), journal.phase != .undone,
            let id = SnapshotID(journal.snapshot)
        else { return [:] }
        return [id: journal.phase == .done ? "last restored" : "a restore of it is not finished"]
    }

    private func words(_ result: Result) -> String {
        let rows =
            result.kept.map { ["  keep", $0.id, $0.reasons.joined(separator: ", ")] }
            + result.forgotten.map { ["  forget", $0, ""] }
        let verb = dryRun ? "would free" : "freed"
        let copied =
            result.copied.objects > 0
            ? "; \(result.copied.objects) objects, \(shown(bytes: result.copied.bytes)), move to a new pack"
            : ""
        return """
            \(dryRun ? "would forget" : "forgot") \(result.forgotten.count) of \
            \(counted(result.kept.count + result.forgotten.count, "snapshot"))
            \(table(rows.sorted { $0[1] < $1[1] }))
            \(verb) \(result.freed.objects) objects, \(shown(bytes: result.freed.bytes))\(copied)
            """
    }
}
