internal import ArgumentParser
internal import GitStore

struct RemoteList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the remotes.",
        discussion: """
            EXAMPLE
              understudy remote list

            EXIT STATUS
              0   they were listed
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @OptionGroup var options: Options

    /// A remote, for people and programs.
    struct Row: Encodable {
        var name: String
        var url: String

        init(_ remote: Remote) {
            name = remote.name
            url = remote.shownURL
        }
    }

    func run() async throws {
        let session = try Session(options)
        let rows = try await Remotes(session.store()).list().map { Row($0) }
        try session.output.result(rows) {
            rows.isEmpty
                ? "no remotes yet: 'understudy remote add NAME URL' adds one"
                : table(rows.map { [$0.name, $0.url] })
        }
    }
}
