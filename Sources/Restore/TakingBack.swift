internal import Capture
internal import Drivers
internal import Programs
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
        /// Files that could not be put back, with the components that they belong to.
        var unreturned: [(components: Set<String>, failure: any Error)] = []
        /// Files that somebody wrote where nothing stood before, and where they are kept now, in words.
        var kept: [String] = []
        /// Components whose driver could not put back what was there.
        var unapplied: [(component: String, failure: any Error)] = []
        /// Components that ran before and are not up.
        var down: [(component: String, message: String)] = []
        /// Why the journal does not say how far this came.
        var unwritten: (any Error)?

        /// Whether all that was exchanged is back.
        var isBack: Bool { unreturned.isEmpty && unapplied.isEmpty }

        /// What could not be done, in words; empty when all was.
        var failures: [String] {
            var words = unreturned.map { Self.words(of: $0.failure) }
            words += unapplied.map {
                "\($0.component) could not be put back, and may hold the restored state or the old one: "
                    + Self.words(of: $0.failure)
            }
            words += down.map { "\($0.component) is down: \($0.message)" }
            if let unwritten {
                words.append(
                    "the journal cannot be written, so the next command does this again: \(unwritten)")
            }
            return words
        }

        /// The failure of a restore, with what became of the old system; `again` is how what is left is done.
        func failure(of cause: any Error, again: String) -> RestoreFailure {
            let words = (["\(cause)"] + kept).joined(separator: "; ")
            guard failures.isEmpty else {
                let left = failures + untaken.map { "the old files are not taken up: \($0) (\($0.hint))" }
                return RestoreFailure(
                    .failed,
                    "\(words) (the old trees are back, except for this: \(left.joined(separator: "; ")))",
                    hint: "fix the cause and \(again): it does what is left")
            }
            if let untaken = untaken.first {
                // What was loaded in part may not let itself be loaded again; only the driver knows what helps.
                return RestoreFailure(
                    .failed,
                    "\(words) (the old files are back, and it does not take them up either: \(untaken))",
                    hint: untaken.hint)
            }
            let hint: String
            switch cause {
            case let known as RestoreFailure: hint = known.hint
            case let known as DriverFailure: hint = known.hint
            default: hint = "the old system is back as it was; fix the cause and run the restore again"
            }
            return RestoreFailure(.failed, "\(words) (the old system is back as it was)", hint: hint)
        }

        /// A failure with what to do about it.
        private static func words(of failure: any Error) -> String {
            switch failure {
            case let known as RestoreFailure: "\(known) (\(known.hint))"
            case let known as DriverFailure: "\(known) (\(known.hint))"
            default: "\(failure)"
            }
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

    /// What is said when somebody ends us in the middle.
    private func setLastWords() {
        LastWords.set(
            "\(journal.what) is being taken back: not all of it may be, and what it starts may be down",
            hint: "run 'understudy undo', or the same command again: it does what is left")
    }

    /// Stops what runs on what was exchanged: those first that need others.
    mutating func stop() async throws {
        setLastWords()
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

    /// Starts again what ``stop()`` stopped, since nothing is put back; returns what does not come up.
    func resume() async -> [String] {
        defer { LastWords.clear() }
        return await start(stopped).map { "\($0.component) is down: \($0.message)" }
    }

    /// Brings the old places back where the journal says that some may be exchanged, starts what ran before, and removes what
    /// lies beside production.
    mutating func run() async -> Outcome {
        setLastWords()
        defer { LastWords.clear() }
        var outcome = Outcome()
        if journal.phase == .exchanging { await putBack(&outcome) }
        outcome.kept = journal.kept ?? []
        guard outcome.isBack else {
            // It is tried again by whoever comes next: until then it is no old system.
            write(.exchanging, &outcome)
            let held = held(outcome)
            outcome.down = await start(journal.running.filter { held[$0] == nil })
            outcome.down += journal.running.compactMap { name in
                held[name].map { (component: name, message: $0) }
            }
            if journal.kept != nil {
                journal.kept = nil
                write(.exchanging, &outcome)
            }
            return outcome
        }
        write(journal.running.isEmpty ? .undone : .starting, &outcome)
        // Nothing of what was staged is in production, and it may be what filled the disk.
        let isFull = outcome.unwritten != nil
        if isFull { await removeStaging(&outcome) }
        outcome.down = await start(journal.running)
        if !isFull { await removeStaging(&outcome) }
        journal.kept = nil
        write(outcome.down.isEmpty ? .undone : .starting, &outcome)
        return outcome
    }

    private mutating func write(_ phase: Journal.Phase, _ outcome: inout Outcome) {
        do {
            try mark(phase)
            outcome.unwritten = nil
        } catch {
            outcome.unwritten = error
        }
    }

    private mutating func removeStaging(_ outcome: inout Outcome) async {
        let left = await journal.removeStaging(in: system)
        outcome.notes += left
    }

    private mutating func putBack(_ outcome: inout Outcome) async {
        progress("putting the old places back")
        outcome.unreturned = journal.putBack(local)
        do {
            // It may have read what is taken away again.
            try await journal.reload(in: system, progress: progress)
        } catch {
            outcome.untaken.append(
                error as? DriverFailure
                    ?? DriverFailure("\(error)", hint: "let it read its files again by hand"))
        }
        for applied in ((journal.owed ?? []) + (journal.applied ?? [])).reversed()
        // What lies below cannot come before what is on it.
        where !outcome.unapplied.contains(where: { $0.component == applied.component }) {
            do {
                outcome.notes += try await applied.application(in: system).unapply(applied.record)
            } catch {
                outcome.unapplied.append((applied.component, error))
            }
        }
        guard !outcome.isBack else { return }
        // What is back must not come once more, over what is made from now on.
        let left = Set(outcome.unapplied.map(\.component))
        for list in [\Journal.owed, \Journal.applied] {
            var back = journal[keyPath: list]?.filter { !left.contains($0.component) }
            outcome.notes += await Journal.discard(&back, in: system)
            journal.addLeftovers(back ?? [])
            journal[keyPath: list]?.removeAll { !left.contains($0.component) }
        }
    }

    /// What is not started before all is put back, and why: components that lack files of their own, and those that need
    /// one of which something is not back.
    private func held(_ outcome: Outcome) -> [String: String] {
        var held: [String: String] = [:]
        let lacking = outcome.unreturned.reduce(into: Set<String>()) { $0.formUnion($1.components) }
        for name in system.dependents(of: lacking.union(outcome.unapplied.map(\.component))) {
            held[name] = "it needs what could not be put back (after:)"
        }
        for name in lacking { held[name] = "not all of its files could be put back" }
        return held.filter { !journal.keepsRunning($0.key) }
    }

    /// Starts those of the components that do not run, or only in part, and waits until they serve; returns those that do not.
    ///
    /// What they complain of is no failure here: they may have done so before.
    func start(_ names: [String]) async -> [(component: String, message: String)] {
        var down: [(component: String, message: String)] = []
        var lifecycles: [String: any Lifecycle] = [:]
        var running: Set<String> = []
        for name in names {
            guard let lifecycle = system.driver(of: name)?.lifecycle else {
                down.append(
                    (
                        name,
                        "it ran before, and the system file does not say any more how it is started; put it "
                            + "back as it was"
                    ))
                continue
            }
            do {
                if try await lifecycle.isComplete() { running.insert(name) }
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
