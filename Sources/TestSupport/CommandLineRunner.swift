internal import FileTree
package import Programs
package import SystemPackage

/// Runs the built binary as a user would, in a directory of its own.
package struct CommandLineRunner: Sendable {
    /// The working directory.
    package let directory: FilePath
    private let binary: FilePath

    /// Where ``initialize(_:)`` puts the recovery key, and where the other commands are told to find it.
    package static let recoveryKey = "recovery.key"

    /// A runner in a directory.
    ///
    /// Throws a ``FixtureFailure`` when the binary is not beside the tests.
    package init(_ directory: FilePath) throws {
        self.directory = directory
        binary = try Self.builtBinary()
    }

    /// The binary beside the tests.
    package static func builtBinary() throws -> FilePath {
        // The test runner is .build/debug/<package>PackageTests.xctest, or its own helper with that file as argument.
        let places = CommandLine.arguments.map {
            FilePath($0).removingLastComponent().appending("understudy")
        }
        guard let binary = try places.first(where: { try Files.status($0)?.kind == .file }) else {
            throw FixtureFailure("there is no understudy beside \(CommandLine.arguments)")
        }
        return try Files.resolved(binary)
    }

    /// What the binary finds in its environment: where the recovery key is, once there is one.
    private var environment: [String: String] {
        get throws {
            let key = directory.appending(Self.recoveryKey)
            return try Files.exists(key) ? ["UNDERSTUDY_IDENTITY": key.string] : [:]
        }
    }

    /// Runs `init` so that the recovery key is in a file of the working directory.
    @discardableResult
    package func initialize(_ arguments: String...) async throws -> String {
        try await Program(
            binary.string, ["init", "--recovery-key", Self.recoveryKey] + arguments, directory: directory,
            limit: .seconds(120), outputLimit: 1 << 24
        ).runSuccessfully().output
    }

    /// The public half of the recovery key.
    package func recipient() throws -> String {
        let text = String(decoding: try Files.read(directory.appending(Self.recoveryKey)), as: UTF8.self)
        guard let start = text.firstRange(of: "age1") else {
            throw FixtureFailure("\(Self.recoveryKey) names no public key")
        }
        return String(text[start.lowerBound...].prefix { $0 != "\n" })
    }

    /// Runs a command and returns what came of it, whatever its status.
    @discardableResult
    package func run(_ arguments: String...) async throws -> Program.Outcome {
        try await Program(
            binary.string, arguments, environment: environment, directory: directory, limit: .seconds(120),
            outputLimit: 1 << 24
        ).run()
    }

    /// Runs a command that may take long and returns what came of it, whatever its status.
    @discardableResult
    package func run(_ arguments: [String], limit: Duration) async throws -> Program.Outcome {
        try await Program(
            binary.string, arguments, environment: environment, directory: directory, limit: limit,
            outputLimit: 1 << 24
        ).run()
    }

    /// Runs a command that must succeed, and returns its standard output.
    @discardableResult
    package func succeed(_ arguments: String...) async throws -> String {
        let outcome = try await Program(
            binary.string, arguments, environment: environment, directory: directory, limit: .seconds(120),
            outputLimit: 1 << 24
        ).runSuccessfully()
        return outcome.output
    }

    /// Runs a command under another program, `strace` or `bwrap` with their options, and returns what came of it.
    @discardableResult
    package func run(under program: [String], _ arguments: [String]) async throws -> Program.Outcome {
        try await Program(
            program[0], program.dropFirst() + [binary.string] + arguments, environment: environment,
            directory: directory, limit: .seconds(120), outputLimit: 1 << 24
        ).run()
    }

    /// Runs a command for a while and kills it without warning; what came of it, which may be its own end.
    @discardableResult
    package func kill(after milliseconds: Int, _ arguments: [String]) async throws -> Program.Outcome {
        let seconds = "\(milliseconds / 1000).\(String(1000 + milliseconds % 1000).dropFirst())"
        return try await Program(
            "timeout", ["--signal=KILL", seconds, binary.string] + arguments, environment: environment,
            directory: directory, limit: .seconds(120)
        ).run()
    }

    /// A copy of the binary in the working directory, for users who may not enter the build directory.
    package func copyOfBinary() async throws -> FilePath {
        let copy = directory.appending("understudy")
        try await Program("cp", [binary.string, copy.string]).runSuccessfully()
        try Files.setMode(copy, 0o755)
        return copy
    }

    /// What rsync finds different between two trees: names, contents, modes, owners, times, links, ACLs, attributes.
    package func differences(_ left: FilePath, _ right: FilePath) async throws -> String {
        try await Program(
            "rsync", ["-naHAXc", "--delete", "--itemize-changes", left.string + "/", right.string + "/"],
            limit: .seconds(120), outputLimit: 1 << 22
        ).runSuccessfully().output
    }

    /// Throws unless stock git finds the store sound.
    package func checkStore(_ store: FilePath) async throws {
        try await Program("git", ["-C", store.string, "fsck", "--full", "--strict"], limit: .seconds(120))
            .runSuccessfully()
    }
}
