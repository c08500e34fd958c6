internal import FileTree
package import Programs
package import SystemPackage

/// Kills a command at every interesting instant, and says what must hold afterwards to whoever gives the checks.
///
/// Two kinds of instant: before the n-th call that changes something on the disk, every n of every such call, and after
/// a random delay within the time that the command takes.
package struct CrashLoop {
    /// When a command is killed, or which of its calls fails.
    package enum Instant: Hashable, Sendable, CustomStringConvertible {
        /// On entry to the n-th call of a kind in any thread, of those with a path when one is named.
        case call(String, number: Int, on: String? = nil)
        /// So many milliseconds after the start.
        case delay(Int)

        /// For messages.
        package var description: String {
            switch self {
            case .call(let name, let number, let path):
                "at \(name) \(number)" + (path.map { " on \($0)" } ?? "")
            case .delay(let milliseconds): "after \(milliseconds) ms"
            }
        }
    }

    /// The calls that change something on the disk, or make a change last.
    package static let calls = [
        "openat", "write", "writev", "pwrite64", "fsync", "fdatasync", "syncfs", "rename", "renameat2",
        "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "ftruncate", "fchmod", "flock",
    ]

    private let runner: CommandLineRunner
    private var random: SplitMix

    /// A loop of commands that `runner` runs.
    package init(_ runner: CommandLineRunner, seed: UInt64) {
        self.runner = runner
        random = SplitMix(state: seed)
    }

    /// Runs a command to its end and returns the instants at which it can be killed, `count` of them: a fourth of them by
    /// delay, the others spread over all calls.
    package mutating func instants(of arguments: [String], count: Int) async throws -> [Instant] {
        let clock = ContinuousClock()
        let began = clock.now
        let all = try await calls(Self.calls, of: arguments)
        // Looking on makes a command at least twice as slow.
        let milliseconds = Int((clock.now - began) / .milliseconds(2))
        let chosen = all.shuffled(using: &random).prefix(count - count / 4)
        let delays = (chosen.count..<count).map { _ in
            Instant.delay(Int.random(in: 1...max(2, milliseconds), using: &random))
        }
        return chosen + delays
    }

    /// Runs a command to its end and returns all its calls of some kinds on files below the working directory.
    package func calls(_ names: [String], of arguments: [String]) async throws -> [Instant] {
        let log = runner.directory.appending("calls")
        let outcome = try await runner.run(
            under: [
                "strace", "-f", "-y", "--seccomp-bpf", "-qq", "-o", log.string, "-e",
                "trace=\(names.joined(separator: ","))",
            ], arguments)
        guard outcome.status == 0 else {
            throw FixtureFailure("\(arguments) ended with status \(outcome.status): \(outcome.errorOutput)")
        }
        var seen: [String: Int] = [:]
        var all: [Instant] = []
        // Where the same number of another thread is a call of the loader's, the program would not even start; with a path it
        // is none.
        var elsewhere: Set<Instant> = []
        for line in String(decoding: try Files.read(log), as: UTF8.self).split(separator: "\n") {
            // `PROCESS NAME(ARGUMENTS…`; strace counts the calls of each thread.
            // Numbers of processes are padded to five places.
            let process = line.prefix { $0 != " " }
            let words = line.dropFirst(process.count).drop { $0 == " " }
            guard let end = words.firstIndex(of: "("), names.contains(String(words[..<end])) else { continue }
            let call = words[..<end]
            let places = words.replacing("AT_FDCWD<\(runner.directory)>", with: "")
            let paths = Self.paths(of: places)
            for path in Set([""] + paths.map(\.spelling)) {
                seen["\(process) \(call) \(path)", default: 0] += 1
            }
            func instant(on path: String?) -> Instant {
                let number = seen["\(process) \(call) \(path ?? "")", default: 0]
                return .call(String(call), number: number, on: path)
            }
            if !places.contains(runner.directory.string) {
                elsewhere.insert(instant(on: nil))
                continue
            }
            // strace finds no renaming by its path.
            let path =
                call.hasPrefix("rename")
                ? nil : try paths.last { try Files.exists(FilePath($0.whole)) || isSteady($0.whole) }
            let found = instant(on: path?.spelling)
            if !all.contains(found) { all.append(found) }
        }
        try Files.remove(log)
        return all.filter { !elsewhere.contains($0) }
    }

    /// Runs a command with one of its calls failing, and returns what came of it, and whether the call was made.
    package func run(
        _ arguments: [String], failing instant: Instant, with error: String
    ) async throws -> (outcome: Program.Outcome, hasFailed: Bool) {
        guard case .call(let name, let number, let path) = instant else {
            throw FixtureFailure("only a call can fail, not a delay")
        }
        let log = runner.directory.appending("calls")
        let outcome = try await runner.run(
            under: Self.injecting("error=\(error)", name, number, path, log), arguments)
        let text = String(decoding: try Files.read(log), as: UTF8.self)
        try Files.remove(log)
        return (outcome, text.contains("(INJECTED)"))
    }

    /// Runs a command and kills it at an instant; false when it was over before.
    package func kill(_ arguments: [String], at instant: Instant) async throws -> Bool {
        switch instant {
        case .delay(let milliseconds):
            return try await runner.kill(after: milliseconds, arguments).status == 128 + 9
        case .call(let name, let number, let path):
            let outcome = try await runner.run(
                under: Self.injecting("signal=KILL", name, number, path, "/dev/null"), arguments)
            return outcome.status == 128 + 9
        }
    }

    /// What runs a program so that something happens to one of its calls, which are written to `log`.
    ///
    /// Without `--seccomp-bpf`: strace 6.1 lets nothing happen with it but to the first call of a thread.
    private static func injecting(
        _ what: String, _ name: String, _ number: Int, _ path: String?, _ log: FilePath
    ) -> [String] {
        [
            "strace", "-f", "-qq", "-o", log.string, "-e", "trace=\(name)", "-e",
            "inject=\(name):\(what):when=\(number)",
        ] + (path.map { ["-P", $0] } ?? [])
    }

    /// The paths by which strace finds a call, as it spells them and from the root: of descriptors, and of names in them.
    ///
    /// `NAME(12</directory>, "name", …`, `NAME(12</file>, …` or `NAME("/file", "/other", …`.
    private static func paths(of words: Substring) -> [(spelling: String, whole: String)] {
        let arguments = words[..<(words.firstRange(of: ") = ")?.lowerBound ?? words.endIndex)]
        var directory = ""
        var paths: [(spelling: String, whole: String)] = []
        for match in arguments.matches(of: /\d<([^>]+)>|"([^"]+)"/) {
            if let path = match.1.map({ String($0) }) {
                directory = path
                paths.append((path, path))
            } else if let name = match.2.map({ String($0) }) {
                // What follows the descriptor in `write(12</file>, "text", …` is no name.
                guard directory.isEmpty || arguments.prefix(while: { $0 != "(" }).contains("at") else {
                    break
                }
                paths.append((name, name.hasPrefix("/") ? name : "\(directory)/\(name)"))
            }
        }
        return paths
    }

    /// Whether another run will give something the same path: there is no random number, digest or snapshot's name in it.
    private func isSteady(_ path: String) -> Bool {
        path.dropFirst(runner.directory.length).firstMatch(of: /[0-9a-f]{16}|[0-9]{8}T/) == nil
    }

    /// What a killed command left in a store that the next one should have taken away.
    package static func leftovers(in store: FilePath) throws -> [String] {
        var found: [String] = []
        func look(_ directory: FilePath) throws {
            for name in try Files.names(directory).map({ String(decoding: $0, as: UTF8.self) }) {
                let path = directory.appending(name)
                let isLeft =
                    name.hasSuffix(".lock") || name.hasSuffix(".tmp") || name.hasPrefix("tmp_")
                    || name.hasPrefix("scratch-") || name.hasPrefix("artifacts-")
                if isLeft { found.append(path.string) }
                if try Files.status(path)?.kind == .directory { try look(path) }
            }
        }
        try look(store)
        return found
    }
}
