internal import ArgumentParser
internal import Canary
internal import Capture
internal import GitStore
internal import Judge
internal import SnapshotModel

struct CanaryList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the canaries that the store keeps, newest first.",
        discussion: """
            EXAMPLE
              understudy canary list

            EXIT STATUS
              0   the list was printed, even if it is empty
              6   a record is damaged
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @OptionGroup var options: Options

    private struct Row: Encodable {
        var id: String, result: String, change: String, snapshot: String, started: String
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let records = try CanaryRecord.all(in: store, of: session.system.name, with: store.reader())
        let rows = records.map { record in
            Row(
                id: record.verdict.id, result: record.verdict.result.rawValue, change: record.verdict.change,
                snapshot: record.verdict.snapshot.description, started: record.evidence.started)
        }
        try session.output.result(rows) {
            rows.isEmpty
                ? "none: 'understudy canary' makes one"
                : table(rows.map { [$0.id, $0.result, $0.started, $0.change] })
        }
    }
}
