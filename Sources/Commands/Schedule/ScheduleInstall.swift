internal import ArgumentParser
internal import Configuration
internal import FileTree
internal import Nightly
internal import Programs
internal import SystemPackage

struct ScheduleInstall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Install the timer.",
        discussion: """
            EXAMPLE
              understudy schedule install --at 02:17 --dry-run
              understudy schedule install --at 02:17

            EXIT STATUS
              0   the night is scheduled, or was already
              1   a file cannot be written, or systemd does not accept it
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @OptionGroup var wishes: ScheduleWishes

    @OptionGroup var schedule: ScheduleOptions

    @Flag(help: "Print what would be written and run, and do nothing.")
    var dryRun = false

    @OptionGroup var options: Options

    func run() async throws {
        let session = try Session(options)
        let wanted = try await schedule.schedule(session, wishes)
        let result = try ScheduleResult(wanted, commands: wanted.commands, store: session.description.store)
        if !dryRun {
            for file in wanted.files { try write(file) }
            for command in wanted.commands {
                try await Program(command[0], Array(command.dropFirst())).runSuccessfully()
            }
        }
        try session.output.result(result) {
            dryRun
                ? result.plan
                : (result.files.map { "wrote \($0.path)" } + result.userWords).joined(separator: "\n")
        }
    }

    private func write(_ file: Schedule.File) throws {
        do throws(FileFailure) {
            try Files.makeDirectories(file.path.removingLastComponent())
            try Files.replace(file.path, with: Array(file.text.utf8), mode: 0o644)
        } catch {
            guard error.reason == .permissionDenied else { throw error }
            throw CommandFailure(
                .failed, "\(error)",
                hint:
                    "run it with sudo, and name who runs the night with --user; or write the files with --directory DIR for "
                    + "somebody else to install")
        }
    }
}
