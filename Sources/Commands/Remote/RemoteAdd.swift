internal import ArgumentParser
internal import GitStore

struct RemoteAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a place for a copy of the store.",
        discussion: """
            The repository must exist before the first push; it should be bare, empty, and used for nothing else. Do not \
            put a password into the address: git's credential helpers and ssh keys are used as they are set up.

            EXAMPLE
              understudy remote add offsite ssh://backup@vault/srv/acme.git
              understudy remote add disk /mnt/backup/acme.git

            EXIT STATUS
              0   it was added
              7   refused: the name is taken, or the address is invalid
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "A name for it.")
    var name: String

    @Argument(help: "Where it is: the address of a git repository, or the path of a directory.")
    var url: String

    @OptionGroup var options: Options

    func run() async throws {
        let session = try Session(options)
        let remote = try await Remotes(session.store()).add(Remote(name: name, url: url))
        try session.output.result(RemoteList.Row(remote)) {
            "added \(name); 'understudy push \(name)' sends everything to it"
        }
    }
}
