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

            A damaged store is not pruned. With --forget only the named snapshots are given up, of which something is \
            damaged or missing and which no remote can heal; 'understudy verify --all --heal' then puts damaged packs aside.

            EXAMPLE
              understudy prune --dry-run
              understudy prune
              understudy prune --forget 20261123T232601Z-0e73

            EXIT STATUS
              0   what the policy does not keep is gone, or there was nothing to forget
              1   somebody else moved a reference in the meantime, or there is no
                  such snapshot
              6   the store is damaged: nothing was removed
              7   stock git keeps reflogs or work trees in the store; or a snapshot to
                  forget is whole, the newest (complete) one or being restored, or a remote
                  that may heal it cannot be read: nothing was removed
              10  there is no store
              11  another process writes to the store
              64  wrong usage, or a mistake in the system file or the policy
            """)

    @Flag(help: "Print what would be kept, forgotten and freed, and change nothing.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Forget this snapshot, of which something is damaged or missing, and nothing else; repeatable.",
            valueName: "id"))
    var forget: [String] = []

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
        guard forget.isEmpty else { return try await forgetDamaged(session) }
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

    /// Gives up snapshots that are damaged for good, so that the rest can be healed and pruned.
    private func forgetDamaged(_ session: Session) async throws {
        let system = session.system.name
        let store = try session.store()
        let lock = dryRun ? nil : try store.lock(purpose: "understudy prune")
        let all = try store.snapshots(of: system)
        // By whole ids: what their commits say cannot be read, it may be.
        let named = try Set(forget).sorted().map { (text) -> SnapshotReference in
            guard let found = all.first(where: { $0.id.description == text }) else {
                throw StoreFailure(
                    .noSuchSnapshot, "there is no snapshot '\(text)'",
                    hint: "give the whole id: 'understudy snapshots' lists them")
            }
            return found
        }
        if let journal = try Journal.read(store.localDirectory), ![.done, .undone].contains(journal.phase),
            named.contains(where: { $0.id.description == journal.snapshot })
        {
            throw CommandFailure(
                .refused, "a restore of the snapshot \(journal.snapshot) is not finished",
                hint: "'understudy undo' puts back what stood there before it")
        }
        session.output.progress("looking for what is damaged")
        try await store.forgetDamaged(
            named, of: system, author: session.author, time: Clock.now.seconds, holding: lock)
        session.output.endProgress()
        let result = Result(
            kept: all.filter { !named.contains($0) }.map { .init(id: $0.id.description, reasons: []) },
            forgotten: named.map(\.id.description), freed: .init(objects: 0, bytes: 0),
            copied: .init(objects: 0, bytes: 0), dryRun: dryRun)
        try session.output.result(result) {
            """
            \(dryRun ? "would forget" : "forgot") \(named.count) of \(counted(all.count, "snapshot"))
            \(table(result.forgotten.map { ["  forget", $0] }))
            'understudy verify --all --heal' puts damaged packs aside, and 'understudy prune' frees the space
            """
        }
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
