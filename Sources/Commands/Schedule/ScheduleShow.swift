internal import ArgumentParser
internal import Configuration
internal import Nightly

struct ScheduleShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show whether the night is scheduled, and how.",
        discussion: """
            EXAMPLE
              understudy schedule show

            EXIT STATUS
              0   it is scheduled as these options say
              7   it is not, or differently
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @OptionGroup var wishes: ScheduleWishes

    @OptionGroup var schedule: ScheduleOptions

    @OptionGroup var options: Options

    func run() async throws {
        let session = try Session(options)
        let wanted = try await schedule.schedule(session, wishes)
        let result = try ScheduleResult(wanted, commands: [], store: session.description.store)
        try session.output.result(result) {
            let files = result.files.map { "\($0.path): \(words($0.found))" }
            let isThere = result.files.contains { $0.found != "missing" }
            return (files + (isThere ? result.userWords : [])).joined(separator: "\n")
        }
        if !result.isInstalled { throw ExitCode(ExitStatus.refused.rawValue) }
    }

    private func words(_ found: String) -> String {
        switch found {
        case "same": "as 'schedule install' would write it"
        case "missing": "not there ('understudy schedule install')"
        default: "other than what 'schedule install' would write with these options"
        }
    }
}
