internal import ArgumentParser
internal import Capture
internal import Configuration
internal import Drill
internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Reports
internal import Restore
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

struct RunbookCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runbook",
        abstract: "Print the page to hang on the wall: what to do when the system is gone.",
        discussion: """
            From the system file and the last green drill or proven restore, whichever is newer: the one command, which key \
            opens the store, what to expect minute by minute, what depends on what, what to check afterwards. Markdown, or \
            with --format html one printable file. Keep it where it can be read when nothing else can.

            EXAMPLE
              understudy runbook --output runbook.md
              understudy runbook --format html --key-place "the safe in room 12" \\
                  --output runbook.html

            EXIT STATUS
              0   the page was printed or written
              1   the file cannot be written
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @Option(help: "The file to write; standard output when left out.", completion: .file())
    var output: String?

    @Option(
        help: "Where the recovery key is kept, for the page; if left out, the page has a line to fill in.")
    var keyPlace: String?

    @OptionGroup var options: Options

    private struct Result: Encodable { var markdown: String }

    func run() async throws {
        let session = try Session(options, documents: [.markdown, .html])
        let store = try session.store()
        let parts = session.system.components
        let runbook = Runbook(
            system: session.system.name, host: session.system.host, file: try absolute(session.file).string,
            store: session.description.store.string,
            copies: try await Remotes(store).list().map(\.shownURL),
            recipients: session.description.recipients.map(\.description), keyCheck: try store.keyCheck(),
            keyPlace: keyPlace, components: session.description.components,
            started: Set(parts.filter { $0.driver.lifecycle != nil }.map(\.component.name)),
            leftStopped: parts.filter { $0.driver.lifecycle == nil && $0.driver.shadow != nil }
                .map(\.component.name),
            measured: try measurement(store, session.system.name), made: Clock.now.seconds)
        let page = runbook.page
        let text = options.format == .html ? page.html : page.markdown
        guard let output else {
            return try session.output.result(
                Result(markdown: page.markdown), text: { text }, document: { _ in text })
        }
        try Files.replace(FilePath(output), with: Array(text.utf8))
        try session.output.result(
            Result(markdown: page.markdown), text: { "wrote \(output)" }, document: { _ in "wrote \(output)" }
        )
    }

    /// The newer of the last green drill and the last whole restore that was proven.
    private func measurement(_ store: SnapshotStore, _ system: String) throws -> Runbook.Measurement? {
        let reader = try store.reader()
        let drill = try store.reports(DrillHistory.kind, as: DrillReport.self, of: system, with: reader)
            .first { $0.report.isGreen }
        let restore = try store.reports(
            RestoreReport.kind, as: Runbook.Measurement.Restore.self, of: system, with: reader
        )
        .first { $0.report.proven }
        guard let restore, restore.record.time >= drill?.record.time ?? 0 else {
            return drill.map { Runbook.Measurement($0.report) }
        }
        return Runbook.Measurement(restore.report, ended: restore.record.time)
    }
}
