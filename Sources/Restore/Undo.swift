package import Capture
internal import Drivers
internal import FileTree
package import GitStore
package import SnapshotModel
internal import SystemPackage

/// Takes the last restore or promotion back: exchanges the trees again and starts what was running.
package struct Undo: Sendable {
    /// What an undoing would do, and did.
    package struct Report: Sendable, Encodable {
        /// The snapshot whose restore is taken back; of a promotion, the one of before.
        package var snapshot: String
        /// The verdict whose promotion is taken back; nil for a restore.
        package var verdict: String?
        /// When that was begun, ISO 8601 in UTC: what changed since goes.
        package var began: String
        /// How many seconds ago that was; nil where the journal or the clock is wrong.
        package var ageSeconds: Int64?
        /// The snapshot of what was there before it was taken back; nil when none was taken.
        package var safety: SnapshotID?
        /// The paths that are exchanged.
        package var paths: [String]
        /// The components that their drivers put back: databases and the like.
        package var applied: [String]
        /// The components that are started again.
        package var started: [String]
        /// The components that go on running and read what changed again.
        package var reloaded: [String]
        /// What people should know.
        package var notes: [String]
    }

    private let system: DeliverySystem
    private let store: SnapshotStore

    /// An undoing in a system and its store.
    package init(_ system: DeliverySystem, store: SnapshotStore) {
        self.system = system
        self.store = store
    }

    /// Says what would be done.
    ///
    /// Throws a ``RestoreFailure`` when there is nothing that can be taken back.
    package func plan() async throws -> Report {
        report(of: try await lastRestore(), nil, [])
    }

    private func report(of journal: Journal, _ safety: SnapshotID?, _ notes: [String]) -> Report {
        Report(
            snapshot: journal.snapshot, verdict: journal.verdict, began: journal.started,
            ageSeconds: CivilTime.seconds(journal.started).map { max(0, Clock.now.seconds - $0) },
            safety: safety, paths: journal.paths,
            applied: (journal.applied ?? []).map(\.component), started: journal.running,
            reloaded: (journal.reloads ?? []).map(\.component), notes: notes)
    }

    /// Takes the last restore back, after what is there now was saved, as far as it can be.
    ///
    /// `author` is who undoes it: `Name <address>`. Where nothing could be saved, of all or of a database or tool, it throws a
    /// ``RestoreFailure``, unless `allowsUnsaved`: nothing else keeps what goes.
    package func run(
        author: String, allowsUnsaved: Bool, holding lock: WriterLock,
        progress: @escaping @Sendable (String) -> Void
    ) async throws -> Report {
        let journal = try await lastRestore()
        progress("saving what is there now")
        let saved = await SafetySnapshot(
            of: journal.components, system, in: store, message: "before undoing \(journal.what)",
            author: author, fate: "is gone with that", holding: lock)
        let unsaved = saved.failure.map { ["\($0)"] } ?? saved.unsaved
        guard unsaved.isEmpty || allowsUnsaved else {
            throw RestoreFailure(
                .refused,
                "nothing is undone: what is there now goes with that, and could not be saved before: "
                    + unsaved.joined(separator: "; "),
                hint: "mend that, or give it up: 'understudy undo --unsaved'")
        }
        var taking = TakingBack(journal, of: system, in: store.localDirectory, progress: progress)
        try taking.mark(.exchanging)
        do {
            try await taking.stop()
        } catch {
            // Nothing is exchanged, and it can be taken back as before.
            let hint =
                (error as? DriverFailure)?.hint ?? "stop it by hand, and run 'understudy undo' again"
            var words = ["\(error)"]
            do {
                try taking.mark(.done)
            } catch {
                // What was stopped comes up all the same.
                words.append(
                    "the journal cannot be written, so the next command takes it back first: \(error)")
            }
            words += await taking.resume()
            throw RestoreFailure(.failed, words.joined(separator: "; "), hint: hint)
        }
        let outcome = await taking.run()
        let untaken = outcome.untaken.map { "the old files are back, and not taken up: \($0); \($0.hint)" }
        let before = saved.id.map { ["the state before it is snapshot \($0)"] } ?? []
        let rest = outcome.kept + untaken + saved.notes + outcome.notes + before
        guard outcome.failures.isEmpty else {
            let words =
                "\(journal.what) is undone, except for this: \(outcome.failures.joined(separator: "; "))"
            throw RestoreFailure(
                .failed, ([words] + rest).joined(separator: "; "),
                hint: "fix the cause and run 'understudy undo' again: it does what is left")
        }
        guard outcome.kept.isEmpty, outcome.untaken.isEmpty else {
            throw RestoreFailure(
                .failed, (["\(journal.what) is undone"] + rest).joined(separator: "; "),
                hint: outcome.untaken.first?.hint ?? Recovery.keptHint)
        }
        return report(of: journal, saved.id, saved.notes + outcome.notes)
    }

    private func lastRestore() async throws -> Journal {
        guard let journal = try Journal.readToFollow(store.localDirectory), journal.phase == .done else {
            throw RestoreFailure(
                .refused, "there is no restore or promotion to undo",
                hint: "'understudy snapshots' lists the states that can be restored")
        }
        for place in journal.places where system.driver(of: place.component) == nil {
            throw RestoreFailure(
                .refused,
                "the system file does not describe '\(place.component)' any more, which \(journal.what) changed: "
                    + "it could not be stopped and started",
                hint: "put it back under that name, and run 'understudy undo' again")
        }
        if let failure = try journal.unstoppable(in: system) {
            throw RestoreFailure(
                .refused, failure.description, hint: "\(failure.hint), and run 'understudy undo' again")
        }
        for place in journal.places
        where try place.isEntry != true && !journal.isBesideDatabase(place) && !Journal.isExchanged(place) {
            throw RestoreFailure(
                .refused, "\(place.live) is not what \(journal.what) put there",
                hint: "somebody has replaced it since; restore the previous snapshot instead")
        }
        for root in journal.mountedRoots ?? [] where try !root.isThere {
            throw RestoreFailure(.refused, root.notThere.description, hint: root.notThere.hint)
        }
        for place in journal.places where try !Journal.hasBefore(place) {
            throw RestoreFailure(
                .refused, "what stood at \(place.live) before is not at \(place.other) any more",
                hint: "restore the previous snapshot instead: 'understudy snapshots' lists it")
        }
        // Of a root that is a mount point all goes that came since, too.
        let roots = (journal.mountedRoots ?? []).map { FilePath($0.live) }
        let places = roots + journal.places.flatMap { [FilePath($0.live), FilePath($0.other)] }
        let mounted = try RestorePlanner.refusals(
            ofMountsAt: places, in: MountPoints.all(), passingOver: Set(roots)
        ).first
        if let mounted {
            throw RestoreFailure(.refused, mounted.reason, hint: mounted.hint)
        }
        for applied in journal.applied ?? []
        where try await !applied.application(in: system).isApplied(applied.record) {
            throw RestoreFailure(
                .refused,
                "\(applied.component) does not hold what \(journal.what) put there, or has nothing to go "
                    + "back to",
                hint: "restore the previous snapshot instead: 'understudy snapshots' lists it")
        }
        return journal
    }
}
