internal import ArgumentParser
internal import FileTree
internal import Nightly
internal import Programs
internal import SystemPackage

struct ScheduleRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove the timer.",
        discussion: """
            EXAMPLE
              understudy schedule remove

            EXIT STATUS
              0   nothing is scheduled any more, or nothing was
              1   a file cannot be removed, or systemd refuses
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @OptionGroup var schedule: ScheduleOptions

    @Flag(help: "Print what would be removed, and do nothing.")
    var dryRun = false

    @OptionGroup var options: Options

    func run() async throws {
        let session = try Session(options)
        let wanted = try await schedule.schedule(session, nil)
        var result = try ScheduleResult(wanted, commands: wanted.removal)
        result.files.removeAll { $0.found == "missing" }
        if result.files.isEmpty { result.commands = [] }
        if !dryRun {
            for command in result.commands {
                try await Program(command[0], Array(command.dropFirst())).runSuccessfully()
            }
            for file in result.files {
                try Files.remove(FilePath(file.path))
                try Files.syncDirectory(FilePath(file.path).removingLastComponent())
            }
        }
        try session.output.result(result) {
            guard !result.files.isEmpty else { return "nothing is scheduled" }
            return result.files.map { "\(dryRun ? "would remove" : "removed") \($0.path)" }.joined(
                separator: "\n")
        }
    }
}
