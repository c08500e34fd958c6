internal import ArgumentParser

struct DriverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "driver",
        abstract: "For those who write commands for the driver 'command'.",
        subcommands: [DriverCheck.self])
}
