internal import ArgumentParser

struct RemoteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remote",
        abstract: "List and change the places where copies of the store are.",
        discussion: """
            A remote is a git remote of the store: any git server, or a bare repository in a directory ('git init --bare \
            DIR' makes one). 'git -C STORE remote' shows the same.

            EXAMPLE
              understudy remote add offsite ssh://backup@vault/srv/acme.git
              understudy remote list

            EXIT STATUS
              0   done
              7   refused: there is no such remote, the name is taken, or the address is
                  invalid
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """,
        subcommands: [RemoteList.self, RemoteAdd.self, RemoteRemove.self])
}
