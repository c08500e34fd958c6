internal import ArgumentParser
internal import Capture
internal import Configuration
internal import GitStore
internal import SnapshotModel

struct PullCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Fetch what a remote has and this store lacks: history, snapshots, evidence.",
        discussion: """
            History only moves forward, and no snapshot here is replaced. Snapshots come oldest first: if the connection \
            breaks, what arrived stays and the next pull goes on. Where the system file names signers, only what one \
            of them signed is taken, and history as far as that stands on it.

            EXAMPLE
              understudy pull offsite

            EXIT STATUS
              0   everything that the remote has is here
              1   the remote failed
              6   something fetched is not signed by a trusted signer; it is named, and was
                  not taken
              7   refused: something there contradicts what is here, or there is no such
                  remote
              10  there is no store
              11  another process writes to the store
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "The remote; may be left out when there is only one.")
    var remote: String?

    @Flag(help: "Print what would be fetched, and fetch nothing.")
    var dryRun = false

    @OptionGroup var options: Options

    private struct Result: Encodable {
        var name: String
        var url: String
        var snapshots: [String]
        var isHistoryNew: Bool
        var isEvidenceNew: Bool
        var lost: [String]
        /// What came and was not taken, and why.
        var problems: [String]
        var dryRun: Bool
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let chosen = try await Remotes(store).named(remote.map { [$0] } ?? [])
        guard chosen.count == 1, let remote = chosen.first else {
            throw CommandFailure(
                .usage, "the store has \(chosen.count) remotes",
                hint: "name one of \(chosen.map(\.name).joined(separator: ", "))")
        }
        let lock = dryRun ? nil : try store.lock(purpose: "understudy pull")
        session.output.progress("looking at \(remote.name)")
        let signers = session.description.signers
        let signatures =
            signers.isEmpty || dryRun
            ? nil : try SignatureVerification(store, system: session.system.name, signers: signers)
        let pull = Pull(store, system: session.system.name, signatures: signatures)
        let plan = try await pull.plan(remote, now: Clock.now.seconds)
        guard plan.conflicts.isEmpty else {
            throw CommandFailure(
                .refused, plan.conflicts.joined(separator: "\n       "),
                hint:
                    "somebody changed it there, or here: 'understudy verify --all' says whether this store is whole"
            )
        }
        var problems: [String] = []
        if let lock {
            problems = try await pull.run(plan, holding: lock) { session.output.progress($0) }
        }
        session.output.endProgress()
        let result = Result(
            name: remote.name, url: remote.shownURL, snapshots: plan.snapshots.map(\.description),
            isHistoryNew: plan.bringsHistory, isEvidenceNew: !plan.evidence.isEmpty, lost: plan.lost,
            problems: problems, dryRun: dryRun)
        try session.output.result(result) { words(result) }
        if !problems.isEmpty { throw ExitCode(ExitStatus.verification.rawValue) }
    }

    private func words(_ result: Result) -> String {
        let what = transferWords(
            result.snapshots.count, history: result.isHistoryNew, evidence: result.isEvidenceNew)
        guard result.problems.isEmpty else {
            return (["NOT TAKEN from \(result.name), all else is here:"] + result.problems.map { "  \($0)" })
                .joined(separator: "\n")
        }
        let line =
            what.isEmpty
            ? "everything that \(result.name) has is here"
            : "\(dryRun ? "would get" : "got") \(what) from \(result.name)"
        return ([line] + result.lost.map { "NOTE: \($0): it was there when this host looked last" })
            .joined(separator: "\n")
    }
}
