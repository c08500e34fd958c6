package import Capture
internal import Drivers
internal import FileTree
package import Git
package import GitStore
package import Judge
internal import Programs
internal import Restore
package import Sealing
internal import Shadow
internal import SnapshotModel
internal import SQLite
package import SystemPackage

/// Restores a snapshot into isolation, puts it to work, and says what of it does not come back.
///
/// Production is not touched, and nothing leaves the shadow. A check that fails does not stop the others.
package final class Drill {
    private let system: DeliverySystem
    private let store: SnapshotStore
    private let reader: ObjectReader
    let stored: StoredSnapshot
    private let identities: [Identity]?
    let launcher: FilePath
    let limits: ShadowLimits
    private let parent: FilePath
    private let jobs: [String]
    let progress: @Sendable (String) -> Void
    private var report: DrillReport
    /// Those of ``jobs`` that nothing booted so far has, nil before anything is.
    private var lacking: [String]?

    /// How long a build may take.
    private static let limit = Duration.seconds(180)

    /// A drill; `jobs` are the names of jobs that must run green, `limits` what a shadow may use, and the shadow's directory is
    /// made in `parent`, whose path is short.
    package init(
        _ system: DeliverySystem, store: SnapshotStore, reader: ObjectReader, snapshot: StoredSnapshot,
        identities: [Identity]?, jobs: [String], launcher: FilePath, limits: ShadowLimits, parent: FilePath,
        progress: @escaping @Sendable (String) -> Void
    ) {
        self.system = system
        self.store = store
        self.reader = reader
        stored = snapshot
        self.identities = identities
        self.launcher = launcher
        self.limits = limits
        self.parent = parent
        self.jobs = jobs
        self.progress = progress
        report = DrillReport(
            snapshot: snapshot.reference.id, host: system.host, tool: system.tool,
            started: CivilTime(seconds: Clock.now.seconds).iso8601, checks: [], seconds: 0)
    }

    /// Those of the jobs asked for that the snapshot does not know, and what it knows; nil when it knows all of them, or when
    /// that cannot be told.
    package func unknownJobs() -> (names: [String], known: [String])? {
        guard !jobs.isEmpty, let known = knownJobs() else { return nil }
        let names = jobs.filter { job in
            // A job can hold others that only the server makes of it.
            !known.contains { job == $0 || job.hasPrefix("\($0)/") }
        }
        return names.isEmpty ? nil : (names, known)
    }

    /// The jobs and builders that the snapshot lists; nil when it lists none of a component that can be booted.
    private func knownJobs() -> [String]? {
        let capture = SystemCapture(system, store: store, identities: identities)
        var names: [String] = []
        for captured in stored.snapshot.components {
            guard let driver = system.driver(of: captured.name) else { return nil }
            guard driver.shadow != nil else { continue }
            // What is sealed looks as if it were not there to whoever has no key.
            guard identities != nil || captured.sealing == nil,
                let state = capture.state(captured.name, of: stored, reader)
            else { return nil }
            do {
                let items = try driver.inventory(of: state.source).items
                let found = items.filter { ["job", "builder"].contains($0.kind) }.map(\.name)
                guard !found.isEmpty else { return nil }
                names += found
            } catch {
                // What cannot be read is for the checks to tell.
                return nil
            }
        }
        return names
    }

    /// Runs the drill; nothing of it is left afterwards.
    ///
    /// What does not restore is in the report. Throws when the drill itself cannot be held: no isolation, no identity.
    package func run() async throws -> DrillReport {
        let clock = ContinuousClock()
        let began = clock.now
        try await run(in: try ShadowPlace(store, in: parent))
        report.seconds = seconds(clock.now - began)
        return report
    }

    private func run(in place: ShadowPlace) async throws {
        try await check("", "verify") {
            let verification = try Verification(store, identities: identities)
            let verdict = try await verification.settled(\.isOK) {
                var verdict = verification.verify(stored.reference)
                verdict.problems += verification.verifySources(stored.reference)
                return verdict
            }
            guard verdict.isOK else { throw Finding(verdict.problems.prefix(3).joined(separator: "; ")) }
            return "\(verdict.objects) objects are whole"
        }
        for captured in stored.snapshot.components {
            if let missing = captured.unreadable.first {
                note(
                    captured.name, "complete", .failed,
                    "\(counted(captured.unreadable.count, "path")) could not be read when it was taken, the first is \(missing.path): \(missing.reason)"
                )
            }
            guard let driver = system.driver(of: captured.name) else {
                report.unproven = (report.unproven ?? []) + [captured.name]
                note(
                    captured.name, "restore", .notCovered, "the system file does not describe this component")
                continue
            }
            // Each has a directory of its own: what one left is neither in the way of the next nor within its reach.
            try await place.with { workspace in
                if driver.shadow == nil {
                    try await restore(captured, driver, in: workspace)
                } else {
                    try await rehearse(captured, in: workspace)
                }
            }
        }
        guard let lacking, !lacking.isEmpty else { return }
        let known = knownJobs() ?? []
        for name in lacking {
            // A name that nobody ever knew says nothing about the snapshot.
            guard known.contains(name) || !report.isGreen else {
                throw ShadowFailure(
                    "there is no job '\(name)' in what was booted, and the snapshot knows none",
                    hint: "name another with --build, or leave it out; the outcome of this drill is not kept",
                    code: .refused)
            }
            note("", "build \(name)", .failed, "there is no such job in what was booted")
        }
    }

    // MARK: - What is files alone

    private func restore(
        _ captured: CapturedComponent, _ driver: any Driver, in workspace: Workspace
    ) async throws {
        var staged: StagedComponent?
        try await check(captured.name, "restore") {
            progress("restoring \(captured.name)")
            let made = try await Materialisation(
                OpenedStore(system, store: store, reader: reader, identities: identities)
            )
            .write(
                captured.name, of: stored, to: workspace.directory.appending("drill"), verifies: true,
                progress: { _ in })
            staged = made.staged
            return captured.roots.isEmpty
                ? "\(counted(captured.entries, "file")) of dumps and exports written out whole"
                : "\(counted(captured.entries, "entry")); captured again it is the snapshot's own"
        }
        guard let staged else { return }
        try await checkContents(captured, driver, staged)
        try await checkDumps(captured, driver, staged, in: workspace)
        if driver.lifecycle != nil {
            note(
                captured.name, "boot", .notCovered,
                "components of the driver \(captured.driver) are not booted in isolation")
        }
    }

    private func checkContents(
        _ captured: CapturedComponent, _ driver: any Driver, _ staged: StagedComponent
    ) async throws {
        let places = Dictionary(staged.roots.map { ($0.root.name, $0.staged) }) { first, _ in first }
        let repositories = driver.relocated(to: places).repositories()
        if !repositories.isEmpty {
            try await check(captured.name, "repositories") {
                for repository in repositories {
                    guard let root = places[repository.root] else { continue }
                    let path = FilePath(bytes: root.byteArray + [UInt8(ascii: "/")] + repository.path.bytes)
                    let outcome = try await Program(
                        "git",
                        ["-c", "safe.directory=*", "-C", path.string, "fsck", "--full", "--no-dangling"],
                        environment: ["HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null"],
                        limit: .seconds(3600), outputLimit: 1 << 28
                    ).run()
                    let damage = SourceTransfer.damage(outcome)
                    guard damage.isEmpty else {
                        throw Finding("\(path): \(damage.prefix(3).joined(separator: "; "))")
                    }
                }
                return "'git fsck' finds nothing in \(counted(repositories.count, "repository"))"
            }
        }
        try await checkDatabases(captured, driver, staged)
    }

    private func checkDatabases(
        _ captured: CapturedComponent, _ driver: any Driver, _ staged: StagedComponent
    ) async throws {
        let found = try await value(captured.name, "databases") {
            var databases: [FilePath] = []
            for root in staged.roots where root.root.kind == .directory {
                let classes = driver.classification(of: root.root.name)
                try root.walk { path, file in
                    guard classes.entryClass(of: path, isDirectory: false) == .database,
                        try Database.begins(
                            OpenDirectory(file.removingLastComponent()).file(Array(path.name)))
                    else { return }
                    databases.append(file)
                }
            }
            return databases
        }
        // In a repository, one may be damaged by intent.
        guard let databases = found, !databases.isEmpty, captured.driver != GitRepositoriesDriver.name else {
            return
        }
        // Others have databases that need what only their programs bring, and rows that point nowhere in production too.
        let isKnown = captured.driver == BuildbotDriver.name
        try await check(captured.name, "databases") {
            var unread: [String] = []
            for database in databases {
                let name = database.lastComponent?.string ?? ""
                let problem: String?
                do throws(SQLiteFailure) {
                    problem = try Self.problem(of: database, asksForForeignKeys: isKnown)
                } catch {
                    // A link beside it, or a directory that may not be written, says nothing of what is in it.
                    guard !isKnown, error.reason == .other || error.reason == .cannotOpen else { throw error }
                    unread.append("\(name): \(error.message)")
                    continue
                }
                if let problem { throw Finding("\(name): \(problem)") }
            }
            let rest = unread.isEmpty ? "" : "; not checked: \(unread.joined(separator: ", "))"
            let whole = databases.count - unread.count
            return "\(counted(whole, "database")) \(whole == 1 ? "is" : "are") whole\(rest)"
        }
    }

    /// What is wrong with a database, nil when nothing is.
    private static func problem(
        of database: FilePath, asksForForeignKeys: Bool
    ) throws(SQLiteFailure) -> String? {
        let opened = try Database(database, .reading)
        let answer = try opened.rows("PRAGMA integrity_check")
        guard answer.first?.first == "ok" else { return "\(answer.prefix(3))" }
        guard asksForForeignKeys else { return nil }
        let foreign = try opened.rows("PRAGMA foreign_key_check")
        guard !foreign.isEmpty else { return nil }
        return "\(foreign.count == 1 ? "1 row points" : "\(foreign.count) rows point") nowhere"
    }

    // MARK: - What can be booted

    private func rehearse(_ captured: CapturedComponent, in workspace: Workspace) async throws {
        var restored: Shadows?
        try await check(captured.name, "restore") {
            progress("restoring \(captured.name)")
            restored = try await Shadows(
                .init(
                    system: system, store: store, reader: reader, stored: stored, identities: identities,
                    component: captured.name, launcher: launcher, limits: limits, progress: { _ in }),
                in: workspace, verifies: true)
            return "\(counted(captured.entries, "entry")); captured again it is the snapshot's own"
        }
        guard var shadows = restored, let driver = system.driver(of: captured.name) else { return }
        try await checkDatabases(captured, driver, shadows.restored)
        try await inspect(captured, shadows)
        if let obstacle = try await shadows.driver.obstacle(shadows.unchanged) {
            report.unproven = (report.unproven ?? []) + [captured.name]
            return note(captured.name, "boot", .notCovered, obstacle)
        }
        let made = try await value(captured.name, "boot") {
            try await shadows.make(.baseline, name: "d", files: [], blobs: [:], changesPackages: false)
        }
        guard let room = made else { return }
        do {
            try await use(room, captured, shadows, workspace.limitKeeper)
        } catch {
            await room.stop()
            throw error
        }
        await room.stop()
    }

    /// What a restored component shows before it is booted, or where it cannot be.
    private func inspect(_ captured: CapturedComponent, _ shadows: Shadows) async throws {
        guard
            let state = SystemCapture(system, store: store, identities: identities)
                .state(captured.name, of: stored, reader)
        else { return }
        for inspection in try shadows.driver.inspect(shadows.unchanged, against: state.source) {
            try await check(captured.name, inspection)
        }
    }

    private func use(
        _ room: Room, _ captured: CapturedComponent, _ shadows: Shadows, _ keeper: LimitKeeper
    ) async throws {
        let shadow = shadows.driver
        guard
            let remembered = try await value(captured.name, "history", { try await shadow.census(in: room) })
        else { return }
        var boot: Boot?
        try await check(captured.name, "boot") {
            progress("booting \(captured.name) in isolation")
            let result = try await room.boot(1, limit: shadow.bootLimit)
            guard result.succeeded else { throw Finding(result.failure ?? "it does not serve") }
            boot = result
            return
                "it serves; isolation: \(room.checks.count) checks hold; \(shadows.secretsAttestation); "
                + "limits were kept \(keeper.words)"
        }
        guard let boot else { return }
        try await check(captured.name, "inventory") {
            guard
                let state = SystemCapture(system, store: store, identities: identities)
                    .state(captured.name, of: stored, reader),
                let expected = try shadow.expected(captured, in: state.source)
            else { throw NotCovered("the snapshot does not say what was configured when it was taken") }
            let missing = expected.subtracting(boot.capabilities).sorted()
            guard missing.isEmpty else {
                throw Finding("missing: \(missing.map(\.description).joined(separator: ", "))")
            }
            return expected.count == 1
                ? "the one thing that was configured is there: \(kinds(expected))"
                : "\(expected.count) things that were configured are there: \(kinds(expected))"
        }
        try await check(captured.name, "history") {
            guard !remembered.isEmpty else { throw NotCovered("the snapshot holds no history") }
            let now = try await shadow.census(in: room)
            let lost = remembered.filter { (now[$0.key] ?? 0) < $0.value }.keys.sorted()
            guard lost.isEmpty else { throw Finding("\(lost.joined(separator: ", ")) were lost by the boot") }
            return remembered.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(
                separator: ", ")
        }
        try await probe(room, captured, shadow)
    }

    /// `2 builders, 1 worker`.
    private func kinds(_ objects: Set<ObjectName>) -> String {
        Dictionary(grouping: objects, by: \.kind).sorted { $0.key < $1.key }
            .map { counted($0.value.count, $0.key) }.joined(separator: ", ")
    }

    private func probe(_ room: Room, _ captured: CapturedComponent, _ shadow: any ShadowDriver) async throws {
        guard let all = try await value(captured.name, "builds", { try await shadow.jobs(in: room) }) else {
            return
        }
        let wanted =
            jobs.isEmpty ? Array(all.prefix(1)) : jobs.compactMap { name in all.first { $0.name == name } }
        lacking = (lacking ?? jobs).filter { name in !wanted.contains { $0.name == name } }
        for job in wanted {
            try await check(captured.name, "build \(job.name)") {
                progress("building \(job.name) in isolation")
                let run = try await room.withinLimits {
                    try await shadow.run(job, in: room, limit: Self.limit)
                }
                guard run.outcome == .passed else {
                    let words = "\(run.outcome.rawValue): \(run.signature ?? "")"
                    // Only who names a job says that it can run without the network.
                    guard jobs.isEmpty else { throw Finding(words) }
                    throw NotCovered("\(words); name jobs that need no network with --build")
                }
                return "green"
            }
        }
    }

    // MARK: - Writing down

    struct Finding: Error {
        var words: String
        init(_ words: String) { self.words = words }
    }

    private struct NotCovered: Error {
        var words: String
        init(_ words: String) { self.words = words }
    }

    func note(
        _ component: String, _ name: String, _ result: DrillReport.Check.Result, _ detail: String
    ) {
        report.checks.append(
            .init(component: component, name: name, result: result, detail: detail, seconds: 0))
    }

    /// Writes down what was seen of one thing.
    func check(_ component: String, _ inspection: Inspection) async throws {
        try await check(component, inspection.name) {
            guard inspection.problems.isEmpty else {
                let first = inspection.problems.prefix(3).joined(separator: "; ")
                let more = inspection.problems.count > 3 ? " and \(inspection.problems.count - 3) more" : ""
                throw Finding(first + more)
            }
            return inspection.detail
        }
    }

    /// What something gives that is written down only when it fails, with nil; throws as ``check(_:_:_:)`` does.
    private func value<Value>(
        _ component: String, _ name: String, _ body: () async throws -> Value
    ) async throws -> Value? {
        var value: Value?
        try await check(component, name) {
            value = try await body()
            return ""
        }
        if value != nil { report.checks.removeLast() }
        return value
    }

    /// Does something and writes down what came of it; a missing identity, or no isolation, ends the drill.
    func check(_ component: String, _ name: String, _ body: () async throws -> String) async throws {
        let clock = ContinuousClock()
        let began = clock.now
        let result: DrillReport.Check.Result
        let detail: String
        do {
            (result, detail) = (.passed, try await body())
        } catch let finding as Finding {
            (result, detail) = (.failed, finding.words)
        } catch let reason as NotCovered {
            (result, detail) = (.notCovered, reason.words)
        } catch let failure as SealingFailure where failure.code == .noKeyFits {
            throw failure
        } catch let failure as ShadowFailure where failure.code != .timedOut {
            throw failure
        } catch let failure as StoreFailure where failure.code == .locked {
            throw failure
        } catch {
            (result, detail) = (.failed, "\(error)")
        }
        report.checks.append(
            .init(
                component: component, name: name, result: result, detail: detail,
                seconds: seconds(clock.now - began)))
    }
}
