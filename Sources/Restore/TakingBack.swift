internal import Capture
internal import Drivers
internal import SystemPackage

/// Takes an exchange back, for whoever does: a restore that failed, the command after a kill, `undo`.
///
/// What cannot be done for one component hinders no other, and is told; the journal says until all is done that it is not, so
/// that the next command tries the rest again.
struct TakingBack {
    /// What came of it.
    struct Outcome {
        /// What people should know.
        var notes: [String] = []
        /// Components that do not take the old files up while they run.
        var untaken: [DriverFailure] = []
        /// Components whose driver could not put back what was there.
        var unapplied: [(component: String, failure: any Error)] = []
        /// Components that ran before and are not up.
        var down: [(component: String, message: String)] = []

        /// What could not be done, in words; empty when all was.
        var failures: [String] {
            unapplied.map {
                "\($0.component) could not be put back, and may hold the restored state or the old one: \($0.failure)"
            } + down.map { "\($0.component) is down: \($0.message)" }
        }
    }

    private let system: DeliverySystem
    private let local: FilePath
    private let progress: @Sendable (String) -> Void
    private(set) var journal: Journal
    private var stopped: [String] = []

    /// How long a component may take until it serves.
    private static let readyLimit = Duration.seconds(180)

    /// A taking back of what a journal in `local` tells of.
    init(
        _ journal: Journal, of system: DeliverySystem, in local: FilePath,
        progress: @escaping @Sendable (String) -> Void
    ) {
        self.journal = journal
        self.system = system
        self.local = local
        self.progress = progress
    }

    /// Writes down how far it is.
    mutating func mark(_ phase: Journal.Phase) throws {
        journal.phase = phase
        try journal.write(local)
    }

    /// Stops what runs on what was exchanged: those first that need others.
    mutating func stop() async throws {
        let affected = journal.components.union(journal.running).filter { !journal.keepsRunning($0) }
        for name in system.startOrder(of: affected).reversed() {
            guard let lifecycle = system.driver(of: name)?.lifecycle, try await lifecycle.isRunning() else {
                continue
            }
            progress("stopping \(name)")
            stopped.append(name)
            try await lifecycle.stop()
        }
    }

    /// Starts again what ``stop()`` stopped, since nothing was exchanged; returns what does not come up.
    func resume() async -> [String] {
        await start(stopped).map { "\($0.component) is down: \($0.message)" }
    }

    /// Brings the old places back where the journal says that some may be exchanged, starts what ran before, and removes what
    /// lies beside production.
    mutating func run() async throws -> Outcome {
        var outcome = Outcome()
        if journal.phase == .exchanging {
            progress("putting the old places back")
            try journal.putBack()
            do {
                // It may have read what is taken away again.
                try await journal.reload(in: system, progress: progress)
            } catch let failure as DriverFailure {
                outcome.untaken.append(failure)
            }
            for applied in (journal.applied ?? []).reversed() {
                do {
                    outcome.notes += try await applied.application(in: system).unapply(applied.record)
                } catch {
                    outcome.unapplied.append((applied.component, error))
                }
            }
        }
        // What could not be put back is tried again by whoever comes next: until then it is no old system.
        if outcome.unapplied.isEmpty { try mark(journal.running.isEmpty ? .undone : .starting) }
        outcome.down = await start(journal.running)
        guard outcome.unapplied.isEmpty else { return outcome }
        outcome.notes += try await journal.removeStaging(in: system)
        if outcome.down.isEmpty { try mark(.undone) }
        return outcome
    }

    /// Starts those of the components that do not run, and waits until they serve; returns those that do not.
    ///
    /// What they complain of is no failure here: they may have done so before.
    private func start(_ names: [String]) async -> [(component: String, message: String)] {
        var down: [(component: String, message: String)] = []
        var lifecycles: [String: any Lifecycle] = [:]
        var running: Set<String> = []
        for name in names {
            guard let lifecycle = system.driver(of: name)?.lifecycle else { continue }
            do {
                if try await lifecycle.isRunning() { running.insert(name) }
                lifecycles[name] = lifecycle
            } catch {
                down.append((name, "\(error)"))
            }
        }
        guard !lifecycles.isEmpty else { return down }
        let order = system.startOrder(of: Set(lifecycles.keys))
        let starts = order.map { name in
            RestorePlan.Start(
                component: name, needs: order.filter { system.dependents(of: [$0]).contains(name) },
                keepsRunning: running.contains(name))
        }
        let outcome = await StartSequence(
            starts: starts, lifecycles: lifecycles, limit: Self.readyLimit, keepsGoing: true,
            asksForProblems: false
        ).run(progress)
        return down + outcome.failures.map { ($0.component, "\($0.failure)") }
            + outcome.held.map { ($0, "it needs what is down (after:)") }
    }
}
