internal import FileTree
internal import Programs
internal import SnapshotModel
internal import SQLite
internal import SystemPackage

/// Starts, stops and probes a master with the workers of this host.
struct BuildbotLifecycle: Lifecycle {
    /// A base directory and the program that starts it.
    struct Place {
        var directory: FilePath
        var program: String
        var processes: BuildbotProcesses { BuildbotProcesses(directory: directory) }
        var log: FilePath { directory.appending("twistd.log") }
        /// Where a failure can be looked into: a restore that does not start is taken back, with its log.
        var whereToLook: String {
            "the words are those of \(log), which a restore that is taken back takes along; --no-start leaves one in place, to be "
                + "started by hand"
        }
    }

    /// The master.
    var master: Place
    /// The workers of this host.
    var workers: [Place]
    /// The Python environment, nil when the programs are found by `PATH`.
    var environment: FilePath?
    /// Where the web interface answers.
    var url: String?
    /// How the site starts and stops it, where that is not Buildbot's own way.
    var service: ServiceCommands?
    /// The master's SQLite database, nil when it has another.
    var database: FilePath?
    /// How long processes may take to end before they are killed.
    var grace: Duration = .seconds(30)

    private var places: [Place] { [master] + workers }

    func isRunning() async throws -> Bool {
        for place in places where try !place.processes.running().isEmpty { return true }
        return false
    }

    func isComplete() async throws -> Bool {
        for place in places where try place.processes.running().isEmpty { return false }
        return true
    }

    func start() async throws {
        var missing = places
        if let service {
            try await service.start()
            // The stop ended the workers too; those that are not the service's business are started here. What is, may
            // take a moment.
            missing = try workers.filter { try Files.exists($0.directory) }
            for _ in 0..<25 {
                guard try missing.contains(where: { try $0.processes.running().isEmpty }) else { return }
                try await Task.sleep(for: .milliseconds(200))
            }
        }
        for place in missing where try place.processes.running().isEmpty {
            try await start(place)
        }
    }

    private func start(_ place: Place) async throws {
        guard let status = try Files.status(place.directory) else {
            throw DriverFailure(
                "cannot start \(place.directory): it is not there", hint: "restore it first")
        }
        var name = place.program
        var arguments = ["start", place.directory.string]
        if let environment {
            name = environment.appending("bin/python").string
            arguments.insert(environment.appending("bin").appending(place.program).string, at: 0)
        }
        var variables: [String: String] = [:]
        let account = ThisHost.account(status.owner)
        if let account {
            variables = ["HOME": account.home, "USER": account.name, "LOGNAME": account.name]
        }
        var program = Program(
            name, arguments, environment: variables, directory: place.directory, limit: .seconds(120))
        // A master that root runs would leave files that its own user cannot write.
        if ThisHost.isRoot, status.owner != 0 {
            program.user = (owner: status.owner, group: account?.group ?? status.group)
            // As a login would give them: of one the socket of Docker may be.
            program.hasGroupsOfUser = account != nil
        }
        let before = try Files.status(place.log)
        let outcome = try await program.run()
        guard outcome.status != 0 else { return }
        // Two things look alike: a server that gave up and is about to end, and one that is slow on a busy host.
        for _ in 0..<50 {
            guard try !place.processes.running().isEmpty else { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        guard try place.processes.running().isEmpty else { return }
        let after = try Files.status(place.log)
        guard let after, after.inode != before?.inode || after.size != before?.size else {
            // It ended before it had a log; what stands there is of an earlier start.
            let words = PythonText.lines(outcome.output + outcome.errorOutput).filter { !$0.isEmpty }
            throw DriverFailure(
                "\(place.program) cannot start \(place.directory), and wrote no log: "
                    + words.suffix(4).joined(separator: "; "),
                hint: "run '\(place.program) start \(place.directory)' by hand")
        }
        throw DriverFailure(
            "\(place.program) cannot start \(place.directory): \(try lastWords(of: place))",
            hint: place.whereToLook)
    }

    func stop() async throws {
        if let service, try await isRunning() { try await service.stop() }
        // A master whose database is gone never ends when asked; there is nothing left that it could save.
        let isBereft = try database.map { try !Files.exists($0) } ?? !Files.exists(master.directory)
        let grace = isBereft ? min(grace, .seconds(3)) : grace
        // All at once: each waits for its own end.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for place in places {
                group.addTask { try await place.processes.stop(grace: grace) }
            }
            try await group.waitForAll()
        }
    }

    func waitUntilReady(limit: Duration) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        var missing = "its master is not active"
        while clock.now < deadline {
            guard try !master.processes.running().isEmpty else {
                throw DriverFailure(
                    "the master \(master.directory) ended while starting: \(try lastWords(of: master))",
                    hint: master.whereToLook)
            }
            do {
                if try await isActive() {
                    let waiting = try await unconnectedOwnWorkers()
                    guard !waiting.isEmpty else { return }
                    missing = "not connected yet: \(waiting.joined(separator: ", "))"
                }
            } catch let failure as HTTPFailure {
                missing = failure.description
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw DriverFailure(
            "Buildbot in \(master.directory) is not ready after \(limit): \(missing); its log: \(try lastWords(of: master))",
            hint: master.whereToLook)
    }

    func problems() async throws -> [String] {
        guard try !master.processes.running().isEmpty else {
            return ["the master \(master.directory) does not run"]
        }
        var problems: [String] = []
        for worker in workers where try worker.processes.running().isEmpty {
            problems.append("the worker \(worker.directory) does not run")
        }
        if try await !isActive() { problems.append("the master \(master.directory) is not active") }
        return problems
    }

    func absent() async throws -> [String] {
        guard let url else { return [] }
        let rest = BuildbotREST(probe: HTTPProbe(url))
        let workers: [BuildbotREST.Worker]
        let builders: [BuildbotREST.Builder]
        do {
            workers = try await rest.workers()
            builders = try await rest.builders()
        } catch is BuildbotREST.Closed {
            // Whoever may not ask is not told.
            return []
        }
        var absent: [String] = []
        for worker in workers where !worker.configured_on.isEmpty && worker.connected_to.isEmpty {
            absent.append("worker \(worker.name) is not connected")
        }
        for builder in builders where !builder.masterids.isEmpty {
            let isServed = workers.contains { worker in
                !worker.connected_to.isEmpty
                    && worker.configured_on.contains { $0.builderid == builder.builderid }
            }
            if !isServed { absent.append("builder \(builder.name) has no connected worker") }
        }
        return absent
    }

    func missing() throws -> [Refusal] { try service?.missing() ?? [] }

    func obstacles(to captured: CapturedComponent) async throws -> [Refusal] {
        let missing = try self.missing()
        for place in places {
            if let process = try place.processes.running().first {
                return missing + [
                    Refusal(
                        "\(place.directory) is in use by process \(process)", hint: "stop it, then try again")
                ]
            }
        }
        guard let url, let port = localPort(of: url), try ListeningPorts.contains(port) else {
            return missing
        }
        return missing + [
            Refusal(
                "port \(port) of \(url) is in use by another program",
                hint: "find it with 'ss -ltnp', stop it, then try again")
        ]
    }

    /// Whether this very master says that it is active since it was started.
    ///
    /// A restored database holds the row of the master as it was: only an entry that is newer than the process counts.
    private func isActive() async throws -> Bool {
        guard let process = try master.processes.running().first,
            let started = try BuildbotProcesses.started(process)
        else { return false }
        let names = try masterNames(master.directory, host: ThisHost.name)
        if let url {
            do {
                return try await BuildbotREST(probe: HTTPProbe(url)).masters().contains { row in
                    names.contains(row.name) && row.active && (row.last_active ?? 0) >= started - 2
                }
            } catch is BuildbotREST.Closed {
                // The interface asks for a login; the database says the same.
            }
        }
        guard let database else { return true }
        let rows = try Database(database, .reading).rows("SELECT name, active, last_active FROM masters")
        return rows.contains { row in
            names.contains(row[0] ?? "") && row[1] == "1" && (row[2].flatMap(Int64.init) ?? 0) >= started - 2
        }
    }

    /// Workers of this host that the master does not see; remote ones come when they come.
    private func unconnectedOwnWorkers() async throws -> [String] {
        let own = try workers.compactMap { try TacFile.read(in: $0.directory)?.workerName }
        guard !own.isEmpty else { return [] }
        var connected: Set<String> = []
        if let url {
            do {
                for worker in try await BuildbotREST(probe: HTTPProbe(url)).workers()
                where !worker.connected_to.isEmpty { connected.insert(worker.name) }
                return own.filter { !connected.contains($0) }
            } catch is BuildbotREST.Closed {
                // As above.
            }
        }
        guard let database else { return [] }
        let rows = try Database(database, .reading).rows(
            "SELECT w.name FROM connected_workers c JOIN workers w ON w.id = c.workerid")
        connected.formUnion(rows.compactMap { $0[0] })
        return own.filter { !connected.contains($0) }
    }

    /// What a log says of why.
    private func lastWords(of place: Place) throws -> String {
        guard let bytes = try Files.readIfPresent(place.log) else { return "there is no twistd.log" }
        return TwistedLog.lastWords(String(decoding: bytes.suffix(1 << 16), as: UTF8.self))
    }
}

/// The names that a master in a directory may call itself by: the path as given, and as the kernel resolves it.
func masterNames(_ directory: FilePath, host: String) throws -> [String] {
    var names = ["\(host):\(directory)"]
    if try Files.exists(directory) { names.append("\(host):\(try Files.resolved(directory))") }
    return names
}

/// The port of an address on this host, nil for other hosts.
private func localPort(of url: String) -> UInt16? {
    guard let start = url.firstRange(of: "://")?.upperBound else { return nil }
    let authority = url[start...].prefix { $0 != "/" }
    let host: Substring
    let rest: Substring
    if authority.first == "[" {
        host = authority.dropFirst().prefix { $0 != "]" }
        rest = authority.dropFirst(host.count + 2)
    } else {
        host = authority.prefix { $0 != ":" }
        rest = authority.dropFirst(host.count)
    }
    guard ["127.0.0.1", "localhost", "::1", "0.0.0.0"].contains(host) else { return nil }
    if rest.first == ":" { return UInt16(rest.dropFirst()) }
    return url.hasPrefix("https") ? 443 : 80
}

/// TCP ports of this host that somebody listens on.
private enum ListeningPorts {
    static func contains(_ port: UInt16) throws -> Bool {
        let digits = String(port, radix: 16, uppercase: true)
        let ending = ":" + String(repeating: "0", count: 4 - digits.count) + digits
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let bytes = try Files.readIfPresent(FilePath(table)) else { continue }
            for line in PythonText.lines(String(decoding: bytes, as: UTF8.self)) {
                let fields = line.split(separator: " ")
                if fields.count > 3, fields[1].hasSuffix(ending), fields[3] == "0A" { return true }
            }
        }
        return false
    }
}
