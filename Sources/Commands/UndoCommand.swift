internal import ArgumentParser
internal import GitStore
internal import Restore
internal import SnapshotModel

struct UndoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo",
        abstract: "Undo the last restore or promotion.",
        discussion: """
            Puts back what the last completed restore or promotion replaced, and starts what ran before it. What changed \
            since then goes, so it says how long ago that was, and takes a safety snapshot of what is there first, as \
            'restore' does. If a restore was interrupted ('understudy status' says so), it only puts back what stood there \
            before that one.

            EXAMPLE
              understudy undo --dry-run
              understudy undo

            EXIT STATUS
              0   the previous state is back, also after an interrupted restore
              1   it failed, or not everything that ran before is up again
              7   there is nothing that can be undone, another user wrote its journal, or
                  what is there now cannot be saved
              10  there is no store
              11  another process writes to the store
              64  wrong usage, or a mistake in the system file
            """)

    @Flag(help: "Print what would be exchanged and do nothing.")
    var dryRun = false

    @Flag(help: "Undo it also if what is there now cannot be saved before.")
    var unsaved = false

    @OptionGroup var options: Options

    /// What was done about a restore that was interrupted, instead of taking one back.
    private struct Recovered: Encodable {
        var recovered: [String]
    }

    /// What would be done about one.
    private struct WouldRecover: Encodable {
        var wouldRecover: String
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let undo = Undo(session.system, store: store)
        var report: Undo.Report
        if dryRun {
            if let words = try Recovery.running(store) {
                throw CommandFailure(
                    .locked, words, hint: "wait until it is done: 'understudy status' says what it left")
            }
            if let found = try Recovery.look(store.localDirectory) {
                let words = "\(found.words); with 'understudy undo' \(found.wayBack)"
                return try session.output.result(WouldRecover(wouldRecover: words)) { words }
            }
            report = try await undo.plan()
        } else {
            let lock = try store.lock(purpose: "understudy undo")
            let recovered = try await session.recover(store)
            try recovered.check()
            guard recovered.words == nil else {
                session.output.endProgress()
                return try session.output.result(Recovered(recovered: recovered.lines)) {
                    recovered.lines.joined(separator: "\n  note: ")
                }
            }
            report = try await undo.run(
                author: session.author, allowsUnsaved: unsaved, holding: lock,
                progress: { session.output.progress($0) })
            report.notes = recovered.notes + report.notes
        }
        session.output.endProgress()
        try session.output.result(report) { words(report) }
    }

    private func words(_ report: Undo.Report) -> String {
        let what = report.verdict.map { "the promotion of \($0)" } ?? "the restore of \(report.snapshot)"
        let age = report.ageSeconds.map { ", \(shown(seconds: Double($0))) ago" } ?? ""
        var lines = ["\(dryRun ? "would undo" : "undid") \(what), begun \(report.began)\(age)"]
        lines += report.paths.map { "  \($0)" } + report.applied.map { "  \($0)" }
        lines += report.started.map { "  \(dryRun ? "starts" : "started") \($0)" }
        lines += report.reloaded.map { "  \(dryRun ? "reloads" : "reloaded") \($0)" }
        if dryRun {
            lines.append("  what changed there since then goes; it is saved in a safety snapshot first")
        }
        lines += report.notes.map { "  note: \($0)" }
        if let safety = report.safety {
            lines.append("  what changed there since then went; the state before it is snapshot \(safety)")
        }
        return lines.joined(separator: "\n")
    }
}
