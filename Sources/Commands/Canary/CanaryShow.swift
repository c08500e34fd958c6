internal import ArgumentParser
internal import Canary
internal import Capture
internal import GitStore
internal import SystemPackage

struct CanaryShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show the verdict of a canary and its evidence.",
        discussion: """
            EXAMPLE
              understudy canary show latest
              understudy canary show 20261126T0212 --report pages/

            EXIT STATUS
              0   the report was printed, whatever the verdict
              6   a record is damaged
              7   there is no such canary, or there are several
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "The canary: its id, a unique prefix of it, or 'latest'.")
    var id: String

    @Option(help: "Write the reports to this directory: HTML, JSON, JUnit.", completion: .directory)
    var report: String?

    @OptionGroup var options: Options

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let (record, _) = try CanaryRecord.find(
            id, in: store, of: session.system.name, with: store.reader())
        let reports = CanaryReports(record.evidence, record.verdict)
        if let report { try reports.write(to: FilePath(report)) }
        try session.output.result(reports.document) { reports.text }
    }
}
