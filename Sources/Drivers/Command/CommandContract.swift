internal import FileTree
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// The commands of a component, run as docs/command-driver.md says.
struct CommandContract: Sendable {
    /// The commands, by the key of the system file.
    enum Step: String, CaseIterable, Sendable {
        case capture, restore, start, stop, running, ready, healthy, version

        /// One line for people.
        var help: String {
            switch self {
            case .capture: "fills the directory it runs in with the tool's state"
            case .restore: "makes the tool's state what the directory it runs in holds"
            case .start: "starts the tool"
            case .stop: "stops the tool"
            case .running: "ends with 0 when the tool runs; else 'ready' is asked"
            case .ready: "ends with 0 when the tool serves its users"
            case .healthy: "ends with 0 when nothing is wrong, and says what is"
            case .version: "prints the tool's version"
            }
        }
    }

    /// The component's name.
    let component: String
    private let commands: [Step: String]
    /// How long a command may take.
    let limit: Duration

    init(_ component: Component) throws {
        self.component = component.name
        var commands: [Step: String] = [:]
        for step in Step.allCases { commands[step] = component.text(step.rawValue) }
        self.commands = commands
        guard (commands[.start] == nil) == (commands[.stop] == nil) else {
            throw DriverFailure(
                "component '\(component.name)' has only one of 'start' and 'stop'",
                hint: "give both, or neither for a tool that need not stop while it is restored")
        }
        guard commands[.start] == nil || commands[.running] ?? commands[.ready] != nil else {
            throw DriverFailure(
                "component '\(component.name)' has 'start', and nothing says whether it runs",
                hint: "give 'running' or 'ready'")
        }
        guard let seconds = Self.seconds(component.text("limit") ?? "10m") else {
            throw DriverFailure(
                "component '\(component.name)': 'limit' is not a time",
                hint: "write a number with s, m or h, as 10m")
        }
        limit = .seconds(seconds)
    }

    private static func seconds(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600]
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()), number > 0,
            number <= 1_000_000
        else { return nil }
        return number * unit
    }

    /// Whether there is a command for a step.
    func has(_ step: Step) -> Bool { commands[step] != nil }

    /// Runs the command of a step and returns its end, nil when the component has none.
    ///
    /// `lock` is a file that the command, and whoever runs it after us, holds while it runs: a command that outlives us is
    /// waited for.
    func run(_ step: Step, in directory: FilePath, lock: FilePath? = nil) async throws -> Program.Outcome? {
        guard let command = commands[step] else { return nil }
        let seconds = limit.components.seconds
        // `timeout` ends all that the command started; we only wait for it.
        let timed = ["timeout", "--kill-after=10", "\(seconds)", "/bin/sh", "-c", command]
        let words = lock.map { ["flock", "--close", "--timeout", "\(seconds)", $0.string] + timed } ?? timed
        var program = Program(
            words[0], Array(words.dropFirst()),
            environment: environment(step, directory), directory: directory, limit: .seconds(2 * seconds + 60)
        )
        // Nobody waits for those.
        program.endsWithUs = step == .start || step == .stop
        let outcome = try await program.run()
        guard outcome.status != 124, outcome.status != 137 else {
            throw failure(step, "did not end within \(seconds) seconds, and was ended")
        }
        return outcome
    }

    /// Runs the command of a step, which must succeed.
    func succeed(_ step: Step, in directory: FilePath, lock: FilePath? = nil) async throws {
        guard let outcome = try await run(step, in: directory, lock: lock), outcome.status != 0 else {
            return
        }
        throw failure(step, "ended with status \(outcome.status): \(Self.words(outcome))")
    }

    /// Runs the command of a step and kills it, with all that it started, after a while.
    func kill(_ step: Step, in directory: FilePath, after milliseconds: Int) async throws {
        guard let command = commands[step] else { return }
        let seconds = "\(milliseconds / 1000).\(String(1000 + milliseconds % 1000).dropFirst())"
        // 137 says that it was killed, anything else that it was faster.
        _ = try await Program(
            "timeout", ["--signal=KILL", seconds, "/bin/sh", "-c", command],
            environment: environment(step, directory),
            directory: directory
        ).run()
    }

    private func environment(_ step: Step, _ directory: FilePath) -> [String: String] {
        [
            "UNDERSTUDY_DIRECTORY": directory.string, "UNDERSTUDY_COMPONENT": component,
            "UNDERSTUDY_STEP": step.rawValue,
        ]
    }

    /// The last words of a command.
    static func words(_ outcome: Program.Outcome) -> String {
        let text = outcome.errorOutput.isEmpty ? outcome.output : outcome.errorOutput
        let lines = text.split(whereSeparator: \.isNewline).suffix(5).map { printable($0.utf8) }
        return lines.isEmpty ? "it said nothing" : lines.joined(separator: "; ")
    }

    private func failure(_ step: Step, _ words: String) -> DriverFailure {
        DriverFailure(
            "component '\(component)': the command '\(step.rawValue)' \(words)",
            hint: "run it by hand in an empty directory: \(commands[step] ?? "")")
    }
}
