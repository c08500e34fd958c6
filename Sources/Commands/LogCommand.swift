internal import Capture
internal import ArgumentParser
internal import Git
internal import GitStore
internal import SnapshotModel

struct LogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Show when readable state changed: configuration, job definitions, locks.",
        discussion: """
            EXAMPLE
              understudy log
              understudy log jenkins/files/home/jobs/deploy/config.xml

            Stock git shows the same with differences: git -C STORE log -p SYSTEM -- PATH

            EXIT STATUS
              0   the history was printed, even if it is empty
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "Only changes of this path, as git spells it.")
    var path: String?

    @OptionGroup var options: Options

    private struct Row: Encodable {
        var commit: String
        var time: String
        var author: String
        var message: String
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let reader = try store.reader()
        var rows: [Row] = []
        var next = try store.reference("refs/heads/\(session.system.name)")
        while let id = next {
            let commit = try store.commit(id, with: reader)
            next = commit.parents.first
            let before = try next.flatMap { try object(try store.commit($0, with: reader).tree, reader) }
            guard try path == nil || object(commit.tree, reader) != before else { continue }
            rows.append(
                Row(
                    commit: id.description, time: CivilTime(seconds: commit.time).iso8601,
                    author: commit.author,
                    message: commit.message))
        }
        try session.output.result(rows) {
            rows.map { row in
                let lines = row.message.split(separator: "\n", omittingEmptySubsequences: false)
                let body = lines.dropFirst().filter { !$0.isEmpty }.map { "    \(printable($0.utf8))" }
                let head =
                    "\(row.time)  \(printable((lines.first ?? "").utf8))  (\(printable(row.author.utf8)))"
                return ([head] + body).joined(separator: "\n")
            }
            .joined(separator: "\n")
        }
    }

    /// What stands at the path in a tree, nil when nothing does.
    private func object(_ tree: ObjectID, _ reader: ObjectReader) throws -> ObjectID? {
        guard let path else { return nil }
        return try reader.entry(path, of: tree)?.id
    }
}
