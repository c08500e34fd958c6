internal import ArgumentParser
internal import Canary
internal import Capture
internal import Git
internal import GitStore
internal import SnapshotModel

struct ChangeList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the proposed changes.",
        discussion: """
            EXAMPLE
              understudy change list

            EXIT STATUS
              0   the list was printed, even if it is empty
              6   a change is damaged
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @OptionGroup var options: Options

    private struct Row: Encodable {
        var name: String
        var commit: String
        var author: String
        var time: String
        var description: String
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let reader = try store.reader()
        let rows = try store.changes(of: session.system.name).map { change in
            let commit = try store.commit(change.commit, with: reader)
            return Row(
                name: change.name, commit: change.commit.description, author: commit.author,
                time: CivilTime(seconds: commit.time).iso8601, description: commit.subject)
        }
        try session.output.result(rows) {
            rows.isEmpty
                ? "none: 'understudy change new' makes one"
                : table(
                    rows.map { row in
                        [row.name, row.time, row.author, row.description].map { printable($0.utf8) }
                    })
        }
    }
}
