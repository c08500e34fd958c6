internal import ArgumentParser

struct DriverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "driver",
        abstract: "For those who write commands for the driver 'command'.",
        discussion: """
            EXAMPLE
              understudy driver check artifactory

            EXIT STATUS
              0   the commands keep the contract, as far as was checked
              1   they do not
              10  there is no store
              64  wrong usage, a mistake in the system file, or another driver
            """,
        subcommands: [DriverCheck.self])
}
