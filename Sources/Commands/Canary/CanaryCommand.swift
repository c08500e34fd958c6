internal import ArgumentParser

struct CanaryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "canary",
        abstract: "Rehearse a change on two isolated shadows, and judge it.",
        discussion: """
            Without a subcommand it is 'canary run'.

            EXAMPLE
              understudy canary --plugin buildbot-grid-view@4.3.0 \\
                  --identity recovery.key
              understudy canary show latest --report pages/

            EXIT STATUS
              that of the subcommand
            """,
        subcommands: [CanaryRunCommand.self, CanaryList.self, CanaryShow.self, CanaryRejudge.self],
        defaultSubcommand: CanaryRunCommand.self)
}
