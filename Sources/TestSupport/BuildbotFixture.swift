internal import Drivers
internal import FileTree
internal import FoundationEssentials
internal import Glibc
internal import Programs
package import SystemPackage

/// A real Buildbot on loopback: a master, workers, and a git repository that it polls.
///
/// Made from `Tests/Fixtures/buildbot`; the programs come from `.venv/buildbot`, which `scripts/buildbot-environment`
/// makes, or from where `UNDERSTUDY_TEST_BUILDBOT` says.
package struct BuildbotFixture: Sendable {
    /// The directory that holds everything.
    package let directory: FilePath
    /// The Python environment that it runs in.
    package var environment: FilePath
    /// The names of the workers.
    package let workerNames: [String]
    /// The web interface's port, or that of a proxy in front of it.
    package var port: UInt16

    /// Where the packages of its Python environment are.
    package var packages: FilePath { get throws { try Self.packages(of: environment) } }
    /// The master's base directory.
    package var master: FilePath { directory.appending("master") }
    /// The workers' base directories.
    package var workers: [FilePath] { workerNames.map { directory.appending($0) } }
    /// The repository that it polls.
    package var repository: FilePath { directory.appending("repository") }
    /// A file with a line for each deployment that was made.
    package var deployments: FilePath { directory.appending("deployments") }
    /// The address of the web interface.
    package var url: String { "http://127.0.0.1:\(port)/" }

    /// The Python environment to test with, nil when it was not made.
    package static var availableEnvironment: FilePath? {
        let given = unsafe getenv("UNDERSTUDY_TEST_BUILDBOT").map { unsafe String(cString: $0) }
        let path = given.map { FilePath($0) } ?? packageRoot.appending(".venv/buildbot")
        // What cannot be looked at is not available.
        return (try? Files.exists(path.appending("bin/buildbot"))) == true ? path : nil
    }

    /// Real wheels that canaries are tried with, beside the environment; nil when they were not fetched.
    package static var availableWheels: FilePath? {
        let place = availableEnvironment.map { FilePath($0.string + ".wheels") }
        // What cannot be looked at is not available.
        return place.flatMap { (try? Files.exists(FilePath($0.string + ".fetched"))) == true ? $0 : nil }
    }

    /// Whether there is a Buildbot to test with.
    package static var isAvailable: Bool { availableEnvironment != nil }
    /// What a skipped test says.
    package static let whySkipped = "SKIPPED: no Buildbot to test with; run scripts/buildbot-environment"

    /// The files that installations are made from.
    package static var templates: FilePath { packageRoot.appending("Tests/Fixtures/buildbot") }

    /// Where the packages of a Python environment are, whichever Python made it.
    package static func packages(of environment: FilePath) throws -> FilePath {
        let library = environment.appending("lib")
        let names = try Files.names(library).filter { $0.starts(with: "python3".utf8) }
        guard names.count == 1, let name = names.first else {
            throw FixtureFailure("\(library) does not hold one python3*, but \(names.count)")
        }
        return library.appending(String(decoding: name, as: UTF8.self)).appending("site-packages")
    }

    private static var packageRoot: FilePath {
        FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
    }

    /// Runs `body` with a new installation, not yet started, and ends every process in it afterwards.
    ///
    /// `database` is the address of its state, as SQLAlchemy spells it; else that is SQLite.
    package static func with<Result>(
        workers: [String] = ["w1"], relocatable: Bool = true, database: String = "sqlite:///state.sqlite",
        _ body: (BuildbotFixture) async throws -> Result
    ) async throws -> Result {
        // More of them at once than processors make each other time out.
        await places.enter()
        defer { Task { await places.leave() } }
        return try await withTemporaryDirectory { directory in
            do {
                let fixture = try await BuildbotFixture(
                    directory, workers: workers, relocatable: relocatable, database: database)
                let result = try await body(fixture)
                try await endProcesses(in: directory)
                return result
            } catch {
                try await endProcesses(in: directory)
                throw error
            }
        }
    }

    private init(
        _ directory: FilePath, workers: [String], relocatable: Bool, database: String
    ) async throws {
        guard let environment = Self.availableEnvironment else { throw FixtureFailure(Self.whySkipped) }
        self.directory = directory
        self.environment = environment
        workerNames = workers
        let ports = try await Self.freePorts(2)
        port = ports[0]
        try await makeRepository()
        let flags = relocatable ? ["--relocatable", "--quiet"] : ["--quiet"]
        try await run("buildbot", ["create-master", "--db=\(database)"] + flags + [master.string])
        try Files.makeDirectory(master.appending("secrets"), mode: 0o700)
        for (name, secret) in [("deploy-token", "hunter2")] + workers.map({ ("worker-\($0)", "pass-\($0)") })
        {
            try Files.replace(master.appending("secrets/\(name)"), with: Array(secret.utf8), mode: 0o600)
        }
        let values = [
            "@PORT@": String(port), "@WORKER_PORT@": String(ports[1]),
            "@WORKERS@": workers.joined(separator: " "),
            "@DATABASE@": database, "@REPOSITORY@": repository.string, "@DEPLOYMENTS@": deployments.string,
        ]
        try Files.makeDirectory(master.appending("jobs"))
        let templates = Self.templates
        for name in ["master.cfg", "jobs/builders.py"] {
            var text = String(decoding: try Files.read(templates.appending(name)), as: UTF8.self)
            for (key, value) in values { text.replace(key, with: value) }
            try Files.replace(master.appending(name), with: Array(text.utf8))
        }
        for (name, path) in zip(workers, self.workers) {
            try await run(
                "buildbot-worker",
                ["create-worker"] + flags
                    + ["--maxdelay=2", path.string, "127.0.0.1:\(ports[1])", name, "pass-\(name)"])
        }
    }

    /// The end of a system file in which it is the component `ci`, with its environment, beside the repository that it builds.
    package var components: String {
        """
        components:
          ci:
            driver: buildbot
            master: \(master)
            workers: [\(workers[0])]
            environment: \(environment)
            url: \(url)
          sources: {driver: files, paths: [\(repository)]}

        """
    }

    /// The lines that describe it as a component in a system file, with commands that start and stop it.
    package func component(_ name: String, more: [String] = []) -> String {
        let bin = environment.appending("bin")
        let starts =
            ["\(bin)/buildbot start \(master)"] + workers.map { "\(bin)/buildbot-worker start \($0)" }
        let stops = ["\(bin)/buildbot stop \(master)"] + workers.map { "\(bin)/buildbot-worker stop \($0)" }
        let lines = [
            "driver: buildbot", "master: \(master)",
            "workers: [\(workers.map(\.string).joined(separator: ", "))]",
            "url: \(url)", "service:", "  start: \"\(starts.joined(separator: " && "))\"",
            "  stop: \"\(stops.joined(separator: "; "))\"",
        ]
        return "  \(name):\n" + (lines + more).map { "    \($0)\n" }.joined()
    }

    /// Starts the master and the workers, and waits until they serve.
    package func start() async throws {
        // On a loaded machine both give up waiting for their own logs too early; what counts is who is connected.
        try await launch("buildbot", master)
        for worker in workers { try await launch("buildbot-worker", worker) }
        for _ in 0..<300 {
            do {
                let connected = try await rows("workers?field=connected_to&field=name", "workers")
                if connected.count == workers.count, connected.allSatisfy({ !$0.connections.isEmpty }) {
                    return
                }
            } catch is HTTPFailure {
                // It does not listen yet.
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw FixtureFailure("the workers did not connect: \(try log())")
    }

    /// Ends the master, the workers and what they run.
    package func stop() async throws {
        try await Self.endProcesses(in: directory)
    }

    /// Adds a commit to the repository.
    package func commit(_ file: String, _ text: String) async throws {
        try Files.replace(repository.appending(file), with: Array(text.utf8))
        try await git(["add", "."])
        try await git(["commit", "--quiet", "--message", "Change \(file)"])
    }

    /// Asks for a build and gives the number of the set that it belongs to.
    package func force(_ builder: String, seconds: Int = 0) async throws -> Int {
        struct Answer: Decodable {
            struct Failure: Decodable { var message: String }
            var error: Failure?
        }
        let before = try await rows("buildsets?order=-bsid&limit=1", "buildsets").first?.bsid ?? 0
        let body = """
            {"jsonrpc": "2.0", "id": 1, "method": "force", "params": {"builderNames": ["\(builder)"], \
            "reason": "test", "seconds": "\(seconds)"}}
            """
        let answer = try await HTTPProbe(url, limit: .seconds(10)).post("/api/v2/forceschedulers/force", body)
        let decoded = try JSONDecoder().decode(Answer.self, from: Data(answer.body.utf8))
        guard answer.status == 200, decoded.error == nil else {
            throw FixtureFailure("cannot force \(builder): \(answer.body)")
        }
        for _ in 0..<100 {
            let sets = try await rows("buildsets?bsid__gt=\(before)", "buildsets")
            if let set = sets.first(where: { $0.reason?.contains("test") == true })?.bsid { return set }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw FixtureFailure("a forced build of \(builder) did not appear")
    }

    /// Asks for a build, waits for its end, and gives its result: 0 is success.
    package func build(_ builder: String) async throws -> Int {
        let set = try await force(builder)
        for _ in 0..<600 {
            if let row = try await rows("buildsets/\(set)", "buildsets").first, row.complete == true {
                return row.results ?? -1
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw FixtureFailure("a build of \(builder) did not end: \(try log())")
    }

    /// The end of the master's log.
    package func log() throws -> String {
        let bytes = try Files.readIfPresent(master.appending("twistd.log")) ?? []
        return String(decoding: bytes.suffix(3000), as: UTF8.self)
    }

    /// Waits until a build set that a change made has ended, after the set `last`, and gives its result: 0 is success.
    package func resultOfChange(after last: Int) async throws -> Int {
        for _ in 0..<600 {
            let sets = try await rows("buildsets?bsid__gt=\(last)&complete=true", "buildsets")
            if let set = sets.first(where: { $0.reason?.contains("'commits'") == true }) {
                return set.results ?? -1
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw FixtureFailure("no change was built: \(try log())")
    }

    /// The number of the last build set.
    package func lastBuildSet() async throws -> Int {
        try await rows("buildsets?order=-bsid&limit=1", "buildsets").first?.bsid ?? 0
    }

    /// The number of the last build of a builder, 0 when there is none.
    package func lastBuild(of builder: String) async throws -> Int {
        try await rows("builders/\(builder)/builds?order=-number&limit=1", "builds").first?.number ?? 0
    }

    /// How many deployments were made.
    package func deploymentCount() throws -> Int {
        try (Files.readIfPresent(deployments) ?? []).count { $0 == UInt8(ascii: "\n") }
    }

    private struct Row: Decodable {
        struct Connection: Decodable { var masterid: Int }
        var bsid: Int?
        var number: Int?
        var reason: String?
        var complete: Bool?
        var results: Int?
        var connected_to: [Connection]?
        var connections: [Connection] { connected_to ?? [] }
    }

    private func rows(_ query: String, _ key: String) async throws -> [Row] {
        struct Answer: Decodable {
            var workers: [Row]?
            var buildsets: [Row]?
            var builds: [Row]?
        }
        let answer = try await HTTPProbe(url).get("/api/v2/\(query)", attempts: 8)
        guard answer.status == 200 else { throw FixtureFailure("\(query): \(answer.status) \(answer.body)") }
        let decoded = try JSONDecoder().decode(Answer.self, from: Data(answer.body.utf8))
        switch key {
        case "workers": return decoded.workers ?? []
        case "builds": return decoded.builds ?? []
        default: return decoded.buildsets ?? []
        }
    }

    private func makeRepository() async throws {
        try Files.makeDirectory(repository)
        try await git(["init", "--quiet", "--initial-branch", "main"])
        try await commit("hello.txt", "hello\n")
    }

    /// Runs git as nobody in particular, in the repository or another directory, and returns what it prints.
    @discardableResult
    package func git(_ arguments: [String], in directory: FilePath? = nil) async throws -> String {
        let settings = ["-c", "user.name=Fixture", "-c", "user.email=fixture@example.org"]
        return try await Program(
            "git", settings + arguments,
            environment: [
                "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent",
            ],
            directory: directory ?? repository
        ).runSuccessfully().output
    }

    private func run(_ program: String, _ arguments: [String]) async throws {
        try await self.program(program, arguments).runSuccessfully()
    }

    /// Starts a base directory, whatever its starter thinks of it.
    private func launch(_ program: String, _ base: FilePath) async throws {
        _ = try await self.program(program, ["start", base.string]).run()
    }

    private func program(_ name: String, _ arguments: [String]) -> Program {
        let command = environment.appending("bin").appending(name).string
        return Program(
            environment.appending("bin/python").string, [command] + arguments,
            environment: ["HOME": directory.string, "PYTHONDONTWRITEBYTECODE": "1"], directory: directory)
    }

    private static let places = Places(2)

    /// Ports that nobody used a moment ago.
    package static func freePorts(_ count: Int) async throws -> [UInt16] {
        let question = """
            import socket
            sockets = [socket.socket() for _ in range(\(count))]
            for s in sockets: s.bind(('127.0.0.1', 0))
            print(*[s.getsockname()[1] for s in sockets])
            """
        let outcome = try await Program("/usr/bin/python3", ["-c", question]).runSuccessfully()
        return outcome.output.split { $0 == " " || $0 == "\n" }.compactMap { UInt16($0) }
    }

    /// Kills everything that works in a directory: servers, and what their builds have started.
    package static func endProcesses(in directory: FilePath) async throws {
        var rounds = 0
        while true {
            let numbers = try processes(in: directory)
            guard !numbers.isEmpty else { return }
            for number in numbers { kill(number, rounds < 100 ? SIGTERM : SIGKILL) }
            rounds += 1
            guard rounds < 200 else {
                throw FixtureFailure("processes \(numbers) in \(directory) do not end")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private static func processes(in directory: FilePath) throws -> [Int32] {
        try Files.names("/proc").compactMap { name in
            guard let number = Int32(String(decoding: name, as: UTF8.self)), number != getpid() else {
                return nil
            }
            // A process that ended meanwhile works nowhere.
            let place = try? Files.linkTarget(FilePath("/proc/\(number)/cwd"))
            return place?.starts(with: directory.byteArray) == true ? number : nil
        }
    }
}

/// The fixture could not do what a test asked of it.
package struct FixtureFailure: Error, CustomStringConvertible {
    /// What went wrong.
    package var description: String

    init(_ description: String) { self.description = description }
}

/// Lets so many in at once.
private actor Places {
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) {
        free = count
    }

    func enter() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func leave() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
