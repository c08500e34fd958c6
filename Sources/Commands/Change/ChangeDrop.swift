internal import ArgumentParser
internal import Canary
internal import Capture
internal import Git
internal import GitStore
internal import Restore
internal import SnapshotModel

struct ChangeDrop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Forget proposed changes.",
        discussion: """
            What was rehearsed stays with its verdict, and can be promoted until that expires.

            EXAMPLE
              understudy change drop grid-view

            EXIT STATUS
              0   they were forgotten
              7   there is no such change; none was forgotten
              10  there is no store
              11  another process writes to the store
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "The names.")
    var names: [String]

    @OptionGroup var options: Options

    private struct Row: Encodable {
        var name: String
        var commit: String
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let lock = try store.lock(purpose: "change")
        let proposals = Proposals(
            OpenedStore(session.system, store: store, reader: try store.reader(), identities: nil))
        let found = try names.map { try proposals.find($0) }
        for change in found { try store.dropChange(change, system: session.system.name, holding: lock) }
        let rows = found.map { Row(name: $0.name, commit: $0.commit.description) }
        try session.output.result(rows) {
            rows.map { "forgot \(printable($0.name.utf8)), which was commit \($0.commit)" }
                .joined(separator: "\n")
        }
    }
}
