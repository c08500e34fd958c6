package import Capture
internal import Drivers
internal import FileTree
package import Git
package import GitStore
internal import Programs
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

/// Puts a delivery system back: stage beside production, verify, save what is there, stop, fix, exchange, start, prove.
///
/// Until the exchange production is as it was; if anything fails after it, the old trees come back by themselves.
package final class RestoreEngine {
    private let system: DeliverySystem
    private let store: SnapshotStore
    private let reader: ObjectReader
    private let stored: StoredSnapshot
    private let plan: RestorePlan
    private let request: RestoreRequest
    private let progress: @Sendable (String) -> Void
    private var steps: [RestoreReport.Step] = []
    private var fixes: [Fix] = []
    private var notes: [String] = []
    private var started: [String] = []
    /// Components that did not start, where the others stay up all the same.
    private var failed: [RestoreReport.Failure] = []
    /// Components that need one of those, and were not started.
    private var held: [String] = []
    private var safety: SnapshotID?
    /// Components whose driver could not show that what it staged is what the snapshot holds.
    private var unproven: Set<String> = []
    /// Components whose driver can show it only where they run.
    private var unlooked: Set<String> = []
    /// Components of which nothing could be kept that would come back: `undo` refuses where there is one.
    private var wayless: Set<String> = []
    private var journal: Journal
    private var staging: Staging
    /// What was begun beside production, where there was nothing: gone again when the restore fails.
    private var begun: [FilePath] = []
    /// Places of single items that go away.
    private var removals: [Journal.Place] = []

    /// How long a component may take until it serves.
    private static let readyLimit = Duration.seconds(180)

    /// A restore that follows a plan without refusals; `progress` is told each step as it begins.
    package init(
        _ system: DeliverySystem, store: SnapshotStore, reader: ObjectReader, snapshot: StoredSnapshot,
        plan: RestorePlan, request: RestoreRequest, progress: @escaping @Sendable (String) -> Void
    ) {
        self.system = system
        self.store = store
        self.reader = reader
        stored = snapshot
        self.plan = plan
        self.request = request
        self.progress = progress
        notes = plan.warnings
        staging = Staging(
            system, store: store, reader: reader, stored: snapshot, plan: plan,
            scratch: store.localDirectory, resumesWork: request.resumesWork, progress: progress)
        journal = Journal(
            snapshot: snapshot.reference.id.description, phase: .staging, places: [], stagingDirectories: [],
            running: [], started: CivilTime(seconds: Clock.now.seconds).iso8601)
    }

    /// Runs the restore.
    ///
    /// Throws a ``RestoreFailure`` after having put everything back.
    package func run(holding lock: WriterLock) async throws -> RestoreReport {
        precondition(plan.refusals.isEmpty, "a refused plan is not run")
        let clock = ContinuousClock()
        let began = clock.now
        if request.destination == nil {
            try await giveUpLast()
            LastWords.set(
                "nothing was exchanged yet, and what was staged is still there",
                hint: "\(again): it removes what was staged")
        }
        do {
            try await step("stage") { try await stage() }
            try await step("verify") { notes += try await verify() }
        } catch {
            await removeStaged()
            LastWords.clear()
            throw untouched(error)
        }
        if request.destination == nil {
            try await replaceProduction(holding: lock)
        }
        var report = RestoreReport(
            snapshot: stored.reference.id, safety: safety,
            plan: .init(create: plan.create, replace: plan.replace, delete: plan.delete, keep: plan.keep),
            steps: steps, fixes: fixes, started: started, failed: failed, held: held,
            wayless: wayless.sorted(), proven: doubts.isEmpty, doubts: doubts, notes: notes,
            seconds: (clock.now - began) / .seconds(1))
        do {
            report.notes += try await record(report, holding: lock)
        } catch {
            // What was restored stands, and nobody can look it up.
            report.proven = false
            report.doubts.append("the record of this restore could not be kept: \(error)")
        }
        return report
    }

    /// Why the restore proves nothing of the snapshot as a whole.
    private var doubts: [String] {
        var doubts: [String] = []
        if !request.items.isEmpty {
            doubts.append("single items were restored")
        } else if plan.components.count < stored.snapshot.components.count {
            let names = plan.components.map(\.name).joined(separator: ", ")
            doubts.append("of the snapshot's components only \(names) came back")
        }
        if stored.snapshot.status != .complete {
            doubts.append("the snapshot itself is partial")
        }
        if !unproven.isEmpty {
            doubts.append(
                "\(unproven.sorted().joined(separator: ", ")) could not be shown to equal the snapshot")
        }
        if !failed.isEmpty {
            doubts.append("not everything started")
        } else if request.destination != nil || !request.starts && runsAnything {
            doubts.append("it was not started")
        }
        return doubts
    }

    private var runsAnything: Bool {
        plan.components.contains { system.driver(of: $0.name)?.lifecycle != nil }
    }

    // MARK: Before production is touched

    private func verify() async throws -> [String] {
        guard request.items.isEmpty else {
            // A driver reads whole components; each file was compared with the manifest while it was written.
            return [
                "\(request.items.map(\.description).joined(separator: ", ")): every byte is the snapshot's"
            ]
        }
        return try await staging.verify()
    }

    /// Only the last restore can be undone: what the one before it kept makes room.
    ///
    /// That is written down first: after a kill, nobody may exchange production with half a tree. What a driver could not put
    /// back and still keeps is not given up: it is the way back of this restore too.
    private func giveUpLast() async throws {
        guard var last = try Journal.readToGiveUp(store.localDirectory, &notes) else { return }
        let owed = last.phase == .exchanging ? (last.owed ?? []) + (last.applied ?? []) : []
        // What ran before that one and is down comes up with the others, whatever becomes of this one.
        if last.phase == .exchanging || last.phase == .starting { journal.running = last.running }
        if !owed.isEmpty {
            journal.phase = .exchanging
            journal.owed = owed
            journal.takeOverLeftovers(of: last)
            try journal.write(store.localDirectory)
            notes += last.removeDirectories()
        } else if last.phase != .undone {
            // Of one that is undone, whoever looked for an interrupted restore has just tried to remove the rest.
            notes += try await last.giveUp(in: system, store.localDirectory)
        }
        journal.takeOverLeftovers(of: last)
    }

    private func stage() async throws {
        let isProduction = request.destination == nil
        for captured in plan.components {
            var roots: [StagedComponent.StagedRoot] = []
            for root in plan.roots where root.component == captured.name {
                let live = FilePath(root.root.path)
                try Files.makeDirectories(root.staging)
                let beside =
                    isProduction
                    ? try journal.makeStagingDirectory(in: root.staging, store.localDirectory) : root.staging
                if root.isMountPoint { try Journal.MountedRoot.tryExchange(in: beside) }
                // A root that is one file is verified under the name that it was captured under.
                let own =
                    root.root.kind == .file
                    ? captured.roots.first { $0.name == root.root.name }.map { FilePath($0.path) } : nil
                let name = (own ?? live).lastComponent?.string ?? "root"
                let staged = isProduction ? beside.appending(name) : live
                switch root.single {
                case .replace:
                    roots.append(
                        .init(
                            root: root.root, staged: staged, live: root.isThere ? live : nil, only: root.only)
                    )
                case .remove:
                    removals.append(
                        .init(
                            component: captured.name, root: root.root.name, live: root.target.string,
                            other: staged.appending(root.only).string, inode: Journal.Place.nothing))
                }
                guard isProduction else {
                    // It was not there when this was planned: what came since is not ours to remove after a failure.
                    guard try !Files.exists(staged) else {
                        throw RestoreFailure(
                            .failed, "\(staged) came while the restore was planned",
                            hint: "find out who else writes there, and run the restore again")
                    }
                    begun.append(staged)
                    continue
                }
                if root.single == .remove {
                    try Files.makeDirectories(staged.appending(root.only).removingLastComponent())
                }
            }
            let application = system.driver(of: captured.name)?.application
            // Beside production, what a driver would put in place is for people to look at.
            let kept = application == nil ? nil : request.destination?.appending(captured.name)
            if let kept { begun.append(kept) }
            try await staging.write(captured, to: roots, artifacts: kept)
            try await staging.rebuild(keepsArtifacts: application != nil)
            if isProduction, request.items.isEmpty, let application, let component = staging.components.last {
                try await stage(application, component)
            }
            if application != nil, kept == nil { try staging.removeArtifacts() }
        }
    }

    private func stage(_ application: any Application, _ component: StagedComponent) async throws {
        let name = component.captured.name
        progress("staging what \(name) holds")
        let mark = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        var applied = Journal.Applied(
            component: name,
            record: try await application.record(
                component, mark: mark, directory: store.localDirectory.appending("applied-\(mark)")))
        let others = journal.applied ?? []
        try journal.note(applied, after: others, store.localDirectory)
        let result = try await application.stage(component, applied.record)
        applied.record = result.record
        try journal.note(applied, after: others, store.localDirectory)
        notes += result.notes.map { "\(name): \($0)" }
        if !result.hasWayBack { wayless.insert(name) }
        switch result.proof {
        case .equal: break
        case .different: unproven.insert(name)
        case .later: unlooked.insert(name)
        }
    }

    // MARK: Production

    private func replaceProduction(holding lock: WriterLock) async throws {
        do {
            try keepSealingKey(holding: lock)
            try await step("safety snapshot") { await saveWhatIsThere(holding: lock) }
            journal.reloads = plan.reloads
            LastWords.set(
                "nothing was exchanged yet, and what the restore stops may be down",
                hint: "\(again): it starts what is down and removes what was staged")
            try await step("stop") { try await stop() }
            try await step("fix") { try await fix() }
            let mounted = plan.roots.filter(\.isMountPoint).map(\.root.path)
            try journal.addPlaces(of: staging.components, removing: removals, mounted: Set(mounted))
            journal.derived = plan.derived.map(\.path.string)
            try system.refuseLinks(onTheWayTo: journal.changedPaths)
            try journal.syncStaged()
            journal.phase = .exchanging
            LastWords.set(
                "the restore is in the middle: what it brings may stand in production, and what it starts may be down",
                hint: "\(again): it puts the old system back first")
            try journal.write(store.localDirectory)
            try await step("exchange") {
                for applied in journal.applied ?? [] {
                    try await applied.application(in: system).apply(applied.record)
                }
                for place in journal.places { try Journal.exchange(place) }
                try journal.lookAgainAtEntries()
                for root in journal.mountedRoots ?? [] { try root.finish() }
                try journal.removeDerived()
            }
            if request.starts || !plan.dependents.isEmpty { try await start() }
            await startWhatWasLeftDown()
            if request.starts, !unlooked.isEmpty { try await step("prove") { try await lookAgain() } }
            unproven.formUnion(unlooked)
            var done = journal
            done.phase = .done
            // While this fails, the journal in memory says as the one on the disk what is to be put back.
            try done.write(store.localDirectory)
            LastWords.clear()
        } catch {
            throw await putBack(error)
        }
    }

    /// How what is left of a restore that did not come to its end is done.
    private var again: String {
        request.hasSystemFile ? "run 'understudy undo'" : "run the same 'understudy restore --from' again"
    }

    /// Saves what is there now.
    private func saveWhatIsThere(holding lock: WriterLock) async {
        let applied = plan.applications.filter(\.replaces).map(\.component)
        let names = Set(plan.roots.filter(\.isThere).map(\.component) + applied)
        let absent = plan.roots.filter { !$0.isThere && $0.only == nil }
            .map { "\($0.component)/\($0.root.name)" }
        guard !names.isEmpty else { return }
        progress("saving what is there now")
        let saved = await SafetySnapshot(
            of: names, system, in: store, message: "before restoring \(request.words)\(stored.reference.id)",
            author: request.author, fate: "is kept for 'undo' alone and only until the next restore",
            passingOver: Set(absent).union(wayless), holding: lock)
        safety = saved.id
        notes += saved.notes
    }

    /// A store that came to an empty machine goes on to seal as it did, unless somebody was taken off the recipients.
    private func keepSealingKey(holding lock: WriterLock) throws {
        guard let sealer = plan.openings.values.first?.sealer, try store.localSealingKey() == nil,
            Set(sealer.recipients) == Set(system.recipients)
        else { return }
        try store.keep(sealer.key, holding: lock)
    }

    /// Stops what runs; all of it is in the journal before the first is stopped.
    private func stop() async throws {
        var running: [String] = []
        for name in (plan.components.map(\.name) + plan.dependents).reversed()
        where !journal.keepsRunning(name) {
            do {
                guard try await system.driver(of: name)?.lifecycle?.isRunning() == true else { continue }
            } catch is DriverFailure where !request.starts && !plan.restarts.contains(name) {
                // The plan says that it is taken for stopped.
                continue
            }
            running.append(name)
        }
        journal.running = running + journal.running.filter { !running.contains($0) }
        try journal.write(store.localDirectory)
        for name in running {
            progress("stopping \(name)")
            try await system.driver(of: name)?.lifecycle?.stop()
        }
    }

    private func fix() async throws {
        for component in staging.components {
            guard let driver = system.driver(of: component.captured.name) else { continue }
            guard !request.items.isEmpty else {
                fixes += try await driver.afterRestore(component)
                continue
            }
            // Several items of one root lie apart.
            for root in component.roots {
                guard let path = root.only, driver.looksAfter(path, in: root.root.name) else { continue }
                var part = component
                part.roots = [root]
                fixes += try await driver.afterRestore(part)
                guard try !Files.exists(root.staged.appending(path)) else { continue }
                throw RestoreFailure(
                    .failed, "\(root.root.path)/\(path) is work that would go on by itself, and nothing else",
                    hint: "restore the whole job (--only job:NAME), or let it go on with --resume-work")
            }
        }
    }

    private func start() async throws {
        if request.starts, !plan.reloads.isEmpty {
            try await step("reload") { try await journal.reload(in: system, progress: progress) }
        }
        // Without a start of what is restored nothing hangs on what was only stopped for it.
        let keepsGoing = request.keepsGoing || !request.starts
        let starts = plan.starts(in: system, for: request, stopped: journal.running)
        let lifecycles = starts.compactMap { start in
            system.driver(of: start.component)?.lifecycle.map { (start.component, $0) }
        }
        let outcome = await StartSequence(
            starts: starts, lifecycles: Dictionary(uniqueKeysWithValues: lifecycles), limit: Self.readyLimit,
            keepsGoing: keepsGoing
        ).run(progress)
        steps += outcome.steps
        started = outcome.started
        guard let first = outcome.failures.first else { return }
        let words = outcome.failures.map { component, failure in
            let needing = system.dependents(of: [component])
            return needing.isEmpty
                ? "\(failure)"
                : "\(failure); \(needing.joined(separator: ", ")) must not start without it (after:)"
        }
        guard keepsGoing else {
            throw RestoreFailure(
                .failed, words.joined(separator: "; "),
                hint: (first.failure as? RestoreFailure)?.hint ?? (first.failure as? DriverFailure)?.hint
                    ?? "check its logs and fix the cause")
        }
        failed = zip(outcome.failures, words).map { .init(component: $0.component, message: $1) }
        held = outcome.held
    }

    /// Starts what ran before an earlier restore, is down since, and is not restored now: where it does not come up, that is told,
    /// and no reason to take this restore back.
    private func startWhatWasLeftDown() async {
        let planned = Set(plan.components.map(\.name) + plan.dependents)
        let down = plan.staysDown(in: system, for: request)
            .union(system.dependents(of: Set(failed.map(\.component) + held)))
        let leftDown = journal.running.filter { !planned.contains($0) }
        held += leftDown.filter { down.contains($0) }
        let names = leftDown.filter { !down.contains($0) }
        guard !names.isEmpty else { return }
        let taking = TakingBack(journal, of: system, in: store.localDirectory, progress: progress)
        let failures = await taking.start(names)
        failed += failures.map { RestoreReport.Failure(component: $0.component, message: $0.message) }
        notes += names.filter { name in !failures.contains { $0.component == name } }.map {
            "\($0) is up again, which ran before an earlier restore"
        }
    }

    /// Lets drivers compare what runs with what they staged.
    private func lookAgain() async throws {
        let down = Set(failed.map(\.component) + held)
        for applied in journal.applied ?? []
        where unlooked.contains(applied.component) && !down.contains(applied.component) {
            let differences = try await applied.application(in: system).differences(applied.record)
            if differences.isEmpty {
                unlooked.remove(applied.component)
                notes.append("\(applied.component): captured again, it is what the snapshot holds")
            } else {
                notes.append(
                    "\(applied.component): NOT PROVEN: captured again, it differs from the snapshot: "
                        + differences.prefix(5).joined(separator: ", "))
            }
        }
    }

    /// Puts the old trees back after a failure, starts what was running, and says so.
    private func putBack(_ failure: any Error) async -> any Error {
        progress("failed; putting the old system back")
        var taking = TakingBack(journal, of: system, in: store.localDirectory, progress: progress)
        do {
            if journal.phase == .exchanging { try await taking.stop() }
        } catch {
            // Nothing is changed by that, and what ran until now can go on as it did.
            let down = await taking.resume()
            let words = ["\(failure); and the old system could not be put back: \(error)"] + down
            return RestoreFailure(
                .failed, words.joined(separator: "; "),
                hint: "\(again): it finds the journal and puts the old trees back first")
        }
        let outcome = await taking.run()
        for line in outcome.notes { progress(line) }
        return outcome.failure(of: failure, again: again)
    }

    /// A failure of before anything was changed, which says so.
    private func untouched(_ failure: any Error) -> any Error {
        let words = "nothing was changed"
        switch failure {
        case let known as RestoreFailure where !"\(known) \(known.hint)".contains(words):
            return RestoreFailure(known.code, "\(known) (\(words))", hint: known.hint)
        case let known as DriverFailure:
            return DriverFailure("\(known) (\(words))", hint: known.hint)
        case let known as FileFailure
        where ![.noSpace, .diskQuotaExceeded, .resourceBusy].contains(known.reason):
            return RestoreFailure(
                .failed, "\(known) (\(words))", hint: "check the path and who may read and write it")
        default: return failure
        }
    }

    /// Removes what was staged after a failure, which is what is thrown: what cannot be removed is only told.
    private func removeStaged() async {
        do {
            for path in begun { try Files.removeTree(path) }
            guard request.destination == nil else { return }
            let left = journal.removeDirectories()
            for line in await left + Journal.discard(&journal.applied, in: system) { progress(line) }
            if journal.phase == .staging { journal.phase = journal.running.isEmpty ? .undone : .starting }
            try journal.write(store.localDirectory)
        } catch {
            progress("what was staged could not be removed, and the next command tries it again: \(error)")
        }
    }

    /// Keeps the report as evidence, and says why it could not be signed, where it should be.
    private func record(_ report: RestoreReport, holding lock: WriterLock) async throws -> [String] {
        guard request.destination == nil else { return [] }
        let added = try await store.addEvidence(
            RestoreReport.kind, system: system.name, subject: "restored \(stored.reference.id)",
            report: report, about: stored.reference.id, isProof: report.proven,
            author: request.author, time: Clock.now.seconds, holding: lock)
        return added.unsigned.map { ["the record of this restore is not signed: \($0)"] } ?? []
    }

    private func step(_ name: String, _ body: () async throws -> Void) async throws {
        let clock = ContinuousClock()
        let began = clock.now
        try await body()
        steps.append(.init(name: name, seconds: (clock.now - began) / .seconds(1)))
    }
}
