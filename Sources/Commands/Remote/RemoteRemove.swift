internal import ArgumentParser
internal import GitStore

struct RemoteRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Forget a remote; what is there stays there.",
        discussion: """
            EXAMPLE
              understudy remote remove offsite

            EXIT STATUS
              0   it was removed
              7   refused: there is no remote of that name
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "Its name.")
    var name: String

    @OptionGroup var options: Options

    private struct Result: Encodable {
        var removed: String
    }

    func run() async throws {
        let session = try Session(options)
        try await Remotes(session.store()).remove(name)
        try session.output.result(Result(removed: name)) { "removed \(name); the copy itself is as it was" }
    }
}
