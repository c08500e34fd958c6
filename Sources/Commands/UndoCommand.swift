internal import ArgumentParser
internal import GitStore
internal import Restore

struct UndoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo",
        abstract: "Take the last restore or promotion back.",
        discussion: """
            EXAMPLE
              understudy undo --dry-run
              understudy undo

            EXIT STATUS
              0   the trees of before are there again
              1   it failed
              7   there is nothing that can be taken back
              10  there is no store
              11  another process writes to the store
              64  wrong usage, or a mistake in the system file
            """)

    @Flag(help: "Say what would be exchanged and do nothing.")
    var dryRun = false

    @OptionGroup var options: Options

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let undo = Undo(session.system, store: store)
        let report: Undo.Report
        if dryRun {
            report = try undo.plan()
        } else {
            let lock = try store.lock(purpose: "understudy undo")
            try await session.recover(store)
            report = try await undo.run(holding: lock, progress: { session.output.progress($0) })
        }
        session.output.endProgress()
        try session.output.result(report) {
            let verb = dryRun ? "would take" : "took"
            return
                ([
                    "\(verb) \(report.verdict.map { "the promotion of \($0)" } ?? "the restore of \(report.snapshot)") back"
                ] + report.paths.map { "  \($0)" }
                + report.applied.map { "  \($0)" } + report.started.map { "  started \($0)" }
                + report.reloaded.map { "  reloaded \($0)" }
                + report.notes.map { "  note: \($0)" }).joined(separator: "\n")
        }
    }
}
