package import Drivers
internal import FileTree
package import Judge
package import Programs
internal import SnapshotModel
internal import Synchronization
internal import SystemPackage

/// A shadow: a copy of a component, and the sandbox in which its programs run.
package final class Room: ShadowRoom {
    /// The side of a canary that it is on.
    package let arm: Arm
    /// The copy.
    package let copy: ShadowCopy
    /// What was changed in the copy so that it can do no harm.
    package let fixes: [Fix]
    private let driver: any ShadowDriver
    private let logs: FilePath
    private let hostPlaces: [FilePath]
    private let neighbours: [StagedComponent.StagedRoot]
    private let packages: FilePath
    private let launcher: FilePath
    private let hostName: String
    private let user: (owner: UInt32, group: UInt32)?
    private let allowance: Allowance
    private let state = Mutex(State())

    private struct State {
        var count = 0
        var server: SandboxProcess?
        var database: SandboxProcess?
        package var checks: [InsideView.Check] = []
    }

    /// A shadow; `packages` has a directory `snapshot` and a directory `change` with archives.
    init(
        _ arm: Arm, _ copy: ShadowCopy, fixes: [Fix], driver: any ShadowDriver, logs: FilePath,
        packages: FilePath,
        hostPlaces: [FilePath], neighbours: [StagedComponent.StagedRoot], launcher: FilePath,
        hostName: String,
        user: (owner: UInt32, group: UInt32)?, allowance: Allowance
    ) {
        self.arm = arm
        self.copy = copy
        self.fixes = fixes
        self.driver = driver
        self.logs = logs
        self.packages = packages
        self.hostPlaces = hostPlaces
        self.neighbours = neighbours
        self.launcher = launcher
        self.hostName = hostName
        self.user = user
        self.allowance = allowance
    }

    /// How the shadow went beyond what it may use since it began; nil when it did not.
    private var breach: Breach? {
        get throws {
            var breach = try allowance.breach
            breach?.arm = arm
            return breach
        }
    }

    /// The most memory that it used at once, in bytes; nil when nobody knows.
    package var peak: Int64? { get throws { try allowance.peak } }

    /// What was checked about the isolation, once something has run.
    package var checks: [InsideView.Check] { state.withLock(\.checks) }

    private func sandbox(writesEverywhere: Bool) throws -> Sandbox {
        var mounts = hostPlaces.map { Sandbox.Mount($0, at: $0) }
        mounts += neighbours.map { Sandbox.Mount($0.staged, at: FilePath($0.root.path)) }
        mounts.append(.init(packages, at: ShadowCopy.packagePlace))
        mounts.append(.init(copy.socketDirectory, at: ShadowCopy.socketPlace, isWritable: true))
        if case .own(let database) = copy.database {
            mounts += try database.cluster.places.map { Sandbox.Mount($0, at: $0) }
            mounts.append(.init(database.socket, at: PostgreSQLCluster.socketPlace))
        }
        for root in copy.staged.roots {
            // What was made from packages is changed by a change, and not by what runs.
            mounts.append(
                .init(
                    root.staged, at: FilePath(root.root.path),
                    isWritable: writesEverywhere || root.root.kind == .directory))
        }
        return Sandbox(launcher: launcher, mounts: mounts, hostName: hostName, user: user)
    }

    /// Starts the database server of the copy, which then runs beside all that is run here, until ``stop()``.
    private func startDatabase() async throws {
        guard case .own(let database) = copy.database, state.withLock({ $0.database == nil }) else { return }
        let process = try await DatabaseCopy.start(
            database, launcher: launcher, hostName: hostName, user: user, within: allowance,
            log: newLog("database"))
        state.withLock { $0.database = process }
    }

    private func newLog(_ name: String) -> FilePath {
        let number = state.withLock { state in
            state.count += 1
            return state.count
        }
        return logs.appending("\(number)-\(name)")
    }

    /// Runs a program in isolation to its end.
    package func run(_ program: Program) async throws -> Program.Outcome {
        try await run(program, writesEverywhere: false)
    }

    /// Runs a program that may change what was made from packages.
    package func install(_ program: Program) async throws -> Program.Outcome {
        try await run(program, writesEverywhere: true)
    }

    private func run(_ program: Program, writesEverywhere: Bool) async throws -> Program.Outcome {
        try await startDatabase()
        let words = program.arguments.first.flatMap { $0.hasPrefix("-") ? nil : $0 } ?? program.name
        let name = FilePath(words).lastComponent?.string ?? "program"
        do {
            return try await SandboxProcess.run(
                program, in: sandbox(writesEverywhere: writesEverywhere), within: allowance,
                log: newLog(name), attest: { checks in state.withLock { $0.checks = checks } })
        } catch var breach as Breach {
            breach.arm = arm
            throw breach
        }
    }

    /// Lets `body` work with the running server, no longer than that is within what the shadow may use.
    ///
    /// Throws a ``Breach`` when it went beyond that, whatever came of the work.
    package func withinLimits<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        if let breach = try breach { throw breach }
        let result = await withTaskGroup(of: Swift.Result<Result, any Error>?.self) { group in
            group.addTask {
                do { return Swift.Result.success(try await body()) } catch { return .failure(error) }
            }
            group.addTask {
                // Cancelled when the work is first. What cannot be read now cannot be read afterwards either, and is said then.
                while (try? self.breach) == .some(nil) {
                    do { try await Task.sleep(for: .milliseconds(100)) } catch { break }
                }
                return nil
            }
            var result = await group.next() ?? nil
            group.cancelAll()
            // What was cancelled comes to its end too.
            while let other = await group.next() { result = result ?? other }
            return result
        }
        if let breach = try breach { throw breach }
        guard let result else { preconditionFailure("the work has an outcome, whatever ends it") }
        return try result.get()
    }

    /// How much a server may write while it boots; all of that is held in memory.
    private static let logLimit = 128 << 20

    /// Everything that the server has written; throws a ``Breach`` when that is too much to be read.
    package func log() throws -> String {
        try state.withLock(\.server)?.words(limit: Self.logLimit) ?? ""
    }

    private var hasServer: Bool { state.withLock { $0.server != nil } }

    package var isServerRunning: Bool { state.withLock(\.server)?.isRunning ?? false }

    /// Boots the server and waits until it serves, ends or takes longer than `limit`, in which preparations do not count.
    ///
    /// A server that does not come up is a result, and so is one that uses more than it may; throws only when the shadow itself
    /// cannot be had.
    package func boot(_ attempt: Int, limit: Duration) async throws -> Boot {
        let clock = ContinuousClock()
        let began = clock.now
        func failed(_ failure: String) async -> Boot {
            await stop()
            return Boot(
                arm: arm, attempt: attempt, succeeded: false, failure: failure,
                seconds: seconds(clock.now - began))
        }
        do {
            let boot = try await booted(attempt, limit: limit)
            if let breach = try breach { throw breach }
            return boot
        } catch let breach as Breach where breach.isItsOwn {
            return await failed("\(breach) (\(breach.hint))")
        } catch let failure as ShadowFailure where failure.code == .timedOut {
            return await failed(failure.description)
        } catch is HTTPFailure {
            return await failed("it served, and does not answer any more")
        } catch let error where (error is DriverFailure || error is DecodingError) && hasServer {
            // It runs, and answers what no server of its kind does.
            return await failed("what it answers cannot be read: \(error)")
        }
    }

    private func booted(_ attempt: Int, limit: Duration) async throws -> Boot {
        for name in try Files.names(copy.socketDirectory) {
            try Files.remove(copy.socketDirectory.pushing(FilePath(bytes: name)))
        }
        let clock = ContinuousClock()
        let began = clock.now
        for program in driver.preparations(copy) {
            let outcome = try await run(program)
            guard outcome.status != 0 else { continue }
            let words = outcome.output.split(whereSeparator: \.isNewline).suffix(5).joined(separator: "; ")
            return Boot(
                arm: arm, attempt: attempt, succeeded: false,
                failure: "\(program.arguments.prefix(2).last ?? program.name) fails: \(words)",
                seconds: seconds(clock.now - began))
        }
        try await startDatabase()
        // What the preparations take has limits of its own.
        let deadline = clock.now + limit
        let server = try await SandboxProcess.start(
            try await driver.server(copy), in: sandbox(writesEverywhere: false), within: allowance,
            log: newLog("server"))
        state.withLock { state in
            state.server = server
            state.checks = server.checks
        }
        var isServing = false
        var surrender: String?
        while clock.now < deadline, server.isRunning, !isServing, surrender == nil {
            surrender = try driver.bootFailure(in: self)
            isServing = try await driver.isServing(in: self)
            if !isServing { try await Task.sleep(for: .milliseconds(50)) }
        }
        let taken = seconds(clock.now - began)
        if let breach = try breach { throw breach }
        let (observations, capabilities) = try await driver.observe(in: self, isServing: isServing)
        var failure: String?
        if !isServing {
            failure =
                surrender
                ?? (server.isRunning
                    ? "it does not serve within \(limit)" : "it ended while starting: \(server.lastWords)")
        }
        return Boot(
            arm: arm, attempt: attempt, succeeded: isServing, failure: failure, seconds: taken,
            observations: observations, capabilities: capabilities)
    }

    /// Ends the server, and the database server beside it.
    package func stop() async {
        let (server, database) = state.withLock { state in
            defer { (state.server, state.database) = (nil, nil) }
            return (state.server, state.database)
        }
        await server?.stop()
        await database?.stop()
    }
}

/// A duration in seconds.
package func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
}
