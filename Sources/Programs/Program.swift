internal import Cfiles
internal import Glibc
package import SystemPackage
internal import Subprocess
internal import Synchronization

/// One run of another program.
package struct Program: Sendable {
    /// The program: a path, or a name that `PATH` finds.
    package var name: String
    /// Its arguments; they can be seen by every user of the host, so a secret is never among them.
    package var arguments: [String]
    /// Its whole environment; nothing is inherited that is not named here.
    package var environment: [String: String]
    /// The directory it runs in, nil for ours.
    package var directory: FilePath?
    /// What it reads.
    package var input: [UInt8]
    /// The user and group it runs as, nil for ours.
    package var user: (owner: UInt32, group: UInt32)?
    /// Whether it has the other groups that this host gives that user, who must be known here; else it has none.
    package var hasGroupsOfUser = false
    /// Whether ``run()`` ends it when Ctrl-C, SIGTERM or a terminal that hangs up ends this process: else it goes on, and does
    /// behind the back of whoever comes next what it was told to do.
    package var endsWithUs = false
    /// How long it may take.
    package var limit: Duration
    /// How many bytes of each output are kept; a program that writes more fails.
    package var outputLimit: Int

    /// A run with the usual environment: `PATH`, and a fixed language.
    package init(
        _ name: String, _ arguments: [String], environment: [String: String] = [:],
        directory: FilePath? = nil,
        input: [UInt8] = [], user: (owner: UInt32, group: UInt32)? = nil, limit: Duration = .seconds(60),
        outputLimit: Int = 1 << 20
    ) {
        self.name = name
        self.arguments = arguments
        self.environment = Self.usualEnvironment.merging(environment) { _, given in given }
        self.directory = directory
        self.input = input
        self.user = user
        self.limit = limit
        self.outputLimit = outputLimit
    }

    /// What every program needs and no secret can be in.
    package static let usualEnvironment = [
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
    ]

    /// Those variables of our own environment that are set, for a program that must find what its user set up.
    package static func inherited(_ names: [String]) -> [String: String] {
        var variables: [String: String] = [:]
        for name in names {
            if let value = unsafe getenv(name) { variables[name] = unsafe String(cString: value) }
        }
        return variables
    }

    /// What came of a run that ended by itself.
    package struct Outcome: Sendable {
        /// The exit status; 128 and the signal's number when a signal ended it.
        package var status: Int32
        /// What it wrote to standard output.
        package var output: String
        /// What it wrote to standard error.
        package var errorOutput: String

        /// An outcome.
        package init(status: Int32, output: String, errorOutput: String) {
            self.status = status
            self.output = output
            self.errorOutput = errorOutput
        }
    }

    /// Runs it to its end.
    ///
    /// Any exit status is a result. Throws a ``ProgramFailure`` when it could not be started, or did not end in time.
    package func run() async throws -> Outcome {
        try await withinLimit { try await execute() }
    }

    private func withinLimit(_ body: @escaping @Sendable () async throws -> Outcome) async throws -> Outcome {
        try await withThrowingTaskGroup(of: Outcome?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let outcome = first else {
                throw ProgramFailure("\(name) did not end within \(limit)")
            }
            return outcome
        }
    }

    /// Runs it to its end, and throws a ``ProgramFailure`` with its own words when its status is not 0.
    @discardableResult package func runSuccessfully() async throws -> Outcome {
        let outcome = try await run()
        guard outcome.status == 0 else {
            let words = outcome.errorOutput.isEmpty ? outcome.output : outcome.errorOutput
            throw ProgramFailure("\(name) ended with status \(outcome.status)\(lastLines(words))")
        }
        return outcome
    }

    /// Runs it to its end with files instead of pipes, for more than fits into memory, and throws as
    /// ``runSuccessfully()`` does.
    ///
    /// We open the files, so the program's user need not be able to: `input` must be there, `output` is made anew with mode
    /// 0600; without one, the program reads or writes nothing.
    package func runSuccessfully(reading input: FilePath?, writing output: FilePath?) async throws {
        let outcome = try await withinLimit { try await execute(reading: input, writing: output) }
        guard outcome.status == 0 else {
            throw ProgramFailure(
                "\(name) ended with status \(outcome.status)\(lastLines(outcome.errorOutput))")
        }
    }

    @concurrent private func execute(reading input: FilePath?, writing output: FilePath?) async throws
        -> Outcome
    {
        do {
            let source = try FileDescriptor.open(input ?? "/dev/null", .readOnly)
            let target: FileDescriptor
            do {
                target = try FileDescriptor.open(
                    output ?? "/dev/null", .writeOnly, options: output == nil ? [] : [.create, .truncate],
                    permissions: [.ownerRead, .ownerWrite])
            } catch {
                try source.close()
                throw error
            }
            let result = try await Subprocess.run(
                command.executable, arguments: command.arguments, environment: variables,
                workingDirectory: directory,
                platformOptions: options,
                input: .fileDescriptor(source, closeAfterSpawningProcess: true),
                output: .fileDescriptor(target, closeAfterSpawningProcess: true),
                error: .string(limit: outputLimit))
            return Outcome(
                status: status(result.terminationStatus), output: "", errorOutput: result.standardError)
        } catch let error as SubprocessError {
            throw ProgramFailure("cannot run \(name): \(error)")
        } catch let error as Errno {
            throw ProgramFailure("cannot run \(name): a file for it cannot be opened: \(error)")
        }
    }

    /// The program and its arguments, through `setpriv` when it runs as somebody else.
    ///
    /// Not by `PlatformOptions.userID`: that calls setuid between fork and exec, and setuid waits there, now and then, for a
    /// lock of the C library that another thread held at the fork.
    private var command: (executable: Executable, arguments: Arguments) {
        guard let user else {
            return (name.contains("/") ? .path(FilePath(name)) : .name(name), Arguments(arguments))
        }
        let groups = hasGroupsOfUser ? "--init-groups" : "--clear-groups"
        let options = ["--reuid=\(user.owner)", "--regid=\(user.group)", groups, "--", name]
        return (.name("setpriv"), Arguments(options + arguments))
    }

    private var options: PlatformOptions {
        var options = PlatformOptions()
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(5))]
        return options
    }

    private var variables: Environment {
        var variables: [Environment.Key: String] = [:]
        for (key, value) in environment {
            variables[Environment.Key(stringLiteral: key)] = value
        }
        return .custom(variables)
    }

    @concurrent private func execute() async throws -> Outcome {
        // From a file in memory, and not through a pipe: a program may end before it has read everything, or anything.
        let file = FileDescriptor(rawValue: unsafe cfiles_memory_file("input"))
        guard file.rawValue >= 0 else {
            throw ProgramFailure("cannot run \(name): \(Errno(rawValue: errno))")
        }
        // It is in memory: there is nothing that closing could lose.
        defer { try? file.close() }
        do {
            try file.writeAll(input)
            try file.seek(offset: 0, from: .start)
            let ending = EndingWithUs()
            defer { ending.hasEnded() }
            let result = try await Subprocess.run(
                command.executable, arguments: command.arguments,
                environment: variables,
                workingDirectory: directory,
                platformOptions: options,
                input: .fileDescriptor(file, closeAfterSpawningProcess: false),
                output: .string(limit: outputLimit),
                error: .string(limit: outputLimit)
            ) { execution in
                if endsWithUs { ending.begin(execution.processIdentifier.value) }
            }
            return Outcome(
                status: status(result.terminationStatus), output: result.standardOutput,
                errorOutput: result.standardError)
        } catch let error as SubprocessError {
            throw ProgramFailure("cannot run \(name): \(error)")
        } catch let error as Errno {
            throw ProgramFailure("cannot run \(name): its input cannot be kept: \(error)")
        }
    }

    private func status(_ termination: TerminationStatus) -> Int32 {
        switch termination {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
    }
}

/// Another program could not do what was asked of it.
package struct ProgramFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which program, and what came of it.
    package var description: String

    /// A failure.
    package init(_ description: String) {
        self.description = description
    }

    /// Whether the program found no room on a disk.
    package var isDiskFull: Bool { Self.saysDiskIsFull(description) }

    /// Whether words of a program, in the language that programs have by themselves, say that a disk is full; git has some of its
    /// own.
    package static func saysDiskIsFull(_ words: String) -> Bool {
        ["No space left on device", "Disk quota exceeded", "Out of diskspace"].contains { words.contains($0) }
    }
}

/// A process that is ended when a signal ends ours, from when it has begun until it has ended.
private final class EndingWithUs: Sendable {
    private let process = Mutex<Int32>(0)

    func begin(_ number: Int32) {
        process.withLock { $0 = number }
        cfiles_end_when_interrupted(number)
    }

    func hasEnded() {
        let number = process.withLock { $0 }
        if number > 0 { cfiles_has_ended(number) }
    }
}

/// The last lines of a program's words, after a colon, if it said any: enough to see why, not enough to flood a terminal.
private func lastLines(_ text: String) -> String {
    // What indents a line at a program's own terminal means nothing in one of ours.
    let lines = text.split(whereSeparator: \.isNewline).suffix(5).map {
        $0.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
    return lines.isEmpty ? "" : ": \(lines.joined(separator: "; "))"
}
