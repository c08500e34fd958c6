internal import FileTree
internal import Judge
internal import Programs
internal import SQLite
internal import SnapshotModel
internal import SystemPackage

/// What a promotion asks of production itself.
extension BuildbotShadow {
    func migrated() throws -> [(root: String, path: FilePath)] {
        guard let file = try driver.databaseFile() else { return [] }
        let path = driver.master.appending(file)
        if try Files.exists(path) {
            // A master that was killed leaves a log: the last to close the database puts it in, as the next start would.
            do throws(SQLiteFailure) {
                let database = try Database(path, .writing)
                try database.rows("SELECT count(*) FROM sqlite_master")
            } catch {
                throw DriverFailure(
                    error.description, hint: "find out who else has it open, and promote again")
            }
        }
        return [("master", path)]
    }

    func migrate() async throws {
        guard let environment = driver.environment, try Files.exists(driver.master) else { return }
        do {
            try await python(
                [
                    environment.appending("bin/buildbot").string, "upgrade-master", "--quiet",
                    driver.master.string,
                ], environment
            ).runSuccessfully()
        } catch let failure as ProgramFailure {
            throw DriverFailure(
                "the database of \(driver.master) cannot be migrated: \(failure)",
                hint: "look at what upgrade-master says")
        }
    }

    private var liveLog: FilePath { driver.master.appending("twistd.log") }

    /// How much of a log is read at once.
    private static let logPiece = 16 << 20

    func complaints(after mark: inout LogMark) throws -> [Observation] {
        var found: [Observation] = []
        while true {
            let new = try Files.readNew(liveLog, since: mark.inode, mark.offset, limit: Self.logPiece)
            if let inode = mark.inode, new?.inode != inode {
                // Twisted gives a full log another name: what was written to it last is there.
                let rest = try Files.readNew(
                    driver.master.appending("twistd.log.1"), since: inode, mark.offset, limit: Self.logPiece)
                if let rest, rest.inode == inode { mark.held += rest.bytes }
            }
            guard let new else {
                mark = LogMark()
                return found
            }
            mark.inode = new.inode
            mark.offset = new.offset
            let log = TwistedLog(new: mark.held + new.bytes)
            mark.held = log.unfinished
            found += log.complaints.filter { !found.contains($0) }
            guard new.bytes.count == Self.logPiece else { return found }
        }
    }
}

/// Builds that are asked for in production.
extension BuildbotShadow {
    /// How often production is asked how a build goes.
    private static let pause = Duration.milliseconds(500)
    /// How long a build may take to end when it is cancelled.
    private static let patience = Duration.seconds(60)

    private func rest() throws -> BuildbotREST {
        guard let url = driver.component.text("url") else {
            throw DriverFailure(
                "a build cannot be asked for: the system file does not say where the web interface answers",
                hint: "add 'url' to the component")
        }
        return BuildbotREST(probe: HTTPProbe(url, limit: .seconds(30)))
    }

    /// The builder of a name, and the first scheduler by name through which it can be asked for.
    private func target(_ job: String, _ rest: BuildbotREST) async throws -> (builder: Int, scheduler: String)
    {
        let (builders, schedulers): ([BuildbotREST.Builder], [BuildbotREST.ForceScheduler])
        do {
            builders = try await rest.builders()
            schedulers = try await rest.forceSchedulers()
        } catch is BuildbotREST.Closed {
            throw DriverFailure(
                "a build cannot be asked for: \(rest.probe.base) wants a login",
                hint: "name no 'smoke' in the policy, or open the interface to this host")
        }
        guard let builder = builders.first(where: { $0.name == job && !$0.masterids.isEmpty }) else {
            throw DriverFailure(
                "production has no builder '\(job)'", hint: "look at 'smoke' in policies/canary.yaml")
        }
        let names = schedulers.filter { $0.enabled && $0.builder_names.contains(job) }.map(\.name)
        guard let scheduler = names.min() else {
            throw DriverFailure(
                "no build of '\(job)' can be asked for: production has no ForceScheduler for it",
                hint: "add one to the configuration, or name another builder in 'smoke'")
        }
        return (builder.builderid, scheduler)
    }

    func obstacle(toBuilding job: String) async throws -> String? {
        do {
            _ = try await target(job, try rest())
            return nil
        } catch let failure as DriverFailure {
            return "\(failure); \(failure.hint)"
        } catch let failure as HTTPFailure {
            return failure.description
        }
    }

    func build(_ job: String, limit: Duration) async throws -> JobRun {
        let rest = try rest()
        let target = try await askedTwice { try await self.target(job, rest) }
        let request = try await rest.force(target.builder, through: target.scheduler)
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if let row = try await askedTwice({ try await rest.request(request) }), row.complete {
                let build = try await askedTwice { try await rest.build(for: request) }
                let outcome: ProbeRun.Outcome =
                    switch row.results {
                    case 0, 1: .passed
                    case 2: .failed
                    default: .errored
                    }
                return JobRun(
                    outcome: outcome,
                    seconds: build.flatMap { row in row.complete_at.map { Double($0 - row.started_at) } },
                    signature: outcome == .passed
                        ? nil
                        : build.map { "build \($0.number): \($0.state_string)" } ?? "result \(row.results)")
            }
            try await Task.sleep(for: Self.pause)
        }
        try await rest.cancel(request)
        // What a stop of the master interrupts is made again by the one that comes back, unasked: a step ends when it likes.
        let patience = ContinuousClock.now + Self.patience
        var isOver = false
        while !isOver, ContinuousClock.now < patience {
            try await Task.sleep(for: Self.pause)
            isOver = try await askedTwice { try await rest.request(request) }?.complete ?? true
        }
        return JobRun(
            outcome: .errored, seconds: nil,
            signature: "it did not end within \(limit), and "
                + (isOver ? "was cancelled" : "not when it was cancelled: it is made again after a restart"))
    }
}
