package import Capture
package import Drivers
package import GitStore
internal import SnapshotModel
package import SystemPackage

/// What is done about a restore that was interrupted.
package enum Recovery {
    /// What was done about one.
    package struct Report: Sendable {
        /// What was done, one sentence; nil when there was nothing to do.
        package var words: String?
        /// What people should know besides.
        package var notes: [String] = []
        /// Components that may hold the restored state or the old one, since their driver could not put them back.
        package var unapplied: Set<String> = []
        /// Whether all files are back: those that are not may be gone for good with the next restore.
        package var areFilesBack = true
        /// Files that somebody wrote where nothing stood before, and where they are kept now, in words.
        package var kept: [String] = []
        /// Components that run and did not take the old files up, with what helps; nobody tries that again.
        package var untaken: [DriverFailure] = []
        /// What could not be done, in words; empty when all was.
        package var failures: [String] = []

        /// All there is to say.
        package var lines: [String] {
            let loaded = untaken.map { "\($0); \($0.hint)" }
            return [words].compactMap { $0 } + notes + loaded + kept + failures
        }

        /// Throws a ``RestoreFailure`` when not all was done, or something is left to look at.
        package func check() throws {
            guard failures.isEmpty else {
                throw RestoreFailure(
                    .failed, lines.joined(separator: "; "),
                    hint:
                        "fix the cause and run the command again: it does what is left; or restore a snapshot"
                )
            }
            guard kept.isEmpty, untaken.isEmpty else {
                throw RestoreFailure(
                    .failed, lines.joined(separator: "; "), hint: untaken.first?.hint ?? Recovery.keptHint)
            }
        }
    }

    /// What to do with what is kept.
    static let keptHint = "all else is done: look at what is kept, and remove it when nobody needs it"

    /// A restore that was interrupted, or whose taking back was not completed.
    package struct Interruption: Sendable {
        /// What it left.
        package var words: String
        /// What of that is so whatever is done about it: not what may be down, which is started then.
        var past: String
        /// What to do.
        package var hint: String
        /// What the next `undo` or `restore` does about it first.
        package var wayBack: String
    }

    /// The beginnings of what those call themselves who change production while they have the place of the writer.
    private static let changers = ["understudy restore", "understudy undo", "promote"]

    /// Says who changes production just now, or is about to; nil when nobody does.
    package static func running(_ store: SnapshotStore) throws -> String? {
        guard let writer = try store.writer(), changers.contains(where: { writer.name.hasPrefix($0) }) else {
            return nil
        }
        let found = try Journal.read(store.localDirectory)
        let what = found.flatMap { [.done, .undone].contains($0.phase) ? nil : " (\($0.what))" }
        return "\(writer.name), is at work since \(CivilTime(seconds: writer.since).iso8601)\(what ?? "")"
    }

    /// Says what an interrupted restore left, for whoever has not the place of the writer; nil when none was interrupted, or
    /// one is at work.
    package static func lookFromOutside(_ store: SnapshotStore) throws -> Interruption? {
        guard try look(store.localDirectory) != nil, try running(store) == nil else { return nil }
        // It may have come to its end in between.
        return try look(store.localDirectory)
    }

    /// Says what an interrupted restore left, for whoever has the place of the writer; nil when none was interrupted.
    package static func look(_ local: FilePath) throws -> Interruption? {
        guard let journal = try Journal.read(local) else { return nil }
        // They are in the journal before the first is stopped.
        let names = journal.running.joined(separator: ", ")
        switch journal.phase {
        case .done, .undone: return nil
        case .staging:
            let past = "\(journal.what) was interrupted before it changed anything"
            return Interruption(
                words: past + (names.isEmpty ? "" : " but what it stops: \(names) may be down"), past: past,
                hint: "the next 'understudy restore' or 'understudy undo' removes what was staged"
                    + (names.isEmpty ? "" : ", and starts what is down"),
                wayBack: "what was staged is removed"
                    + (names.isEmpty ? "" : ", and whichever of \(names) is down is started"))
        case .starting:
            let past = "\(journal.what) was rolled back"
            return Interruption(
                words: "\(past), and what ran before it may not be up again: \(names)", past: past,
                hint: "'understudy undo' tries to start it again",
                wayBack: "whichever of \(names) is down is started")
        case .exchanging:
            let past = try halfway(journal)
            return Interruption(
                words: past, past: past,
                hint: "'understudy undo' puts the old trees back, 'understudy restore' does so and goes on",
                wayBack: "the old trees are put back")
        }
    }

    /// Says what stands where while a restore or its taking back is in the middle, nil when none is: what is there is no
    /// state that anybody made.
    package static func lookHalfway(_ local: FilePath) throws -> Interruption? {
        try Journal.read(local)?.phase == .exchanging ? look(local) : nil
    }

    private static func halfway(_ journal: Journal) throws -> String {
        var words: [String] = []
        if !journal.places.isEmpty {
            let standing = try journal.places.map { try Journal.standing(at: $0) }
            let others = standing.count { $0 == .other }
            words.append(
                "\(standing.count { $0 == .restored }) of \(standing.count) places hold the new tree, "
                    + (others == 0 ? "" : "\(others) something else or nothing, ")
                    + "the others the old one")
        }
        let applied = Set(((journal.applied ?? []) + (journal.owed ?? [])).map(\.component)).sorted()
        if !applied.isEmpty {
            words.append("\(applied.joined(separator: ", ")) may hold the restored state or the old one")
        }
        return "\(journal.what) was interrupted\(words.isEmpty ? "" : ": ")\(words.joined(separator: "; "))"
    }

    /// Brings production back to the old trees after an interrupted restore, starts what was running before it, and
    /// removes what it staged.
    ///
    /// What could not be done for one component is in the report, and the next command tries it again.
    package static func run(
        _ local: FilePath, system: DeliverySystem, progress: @escaping @Sendable (String) -> Void
    ) async throws -> Report {
        var report = Report()
        // Whoever begins another one tells what stays.
        var left: [String] = []
        guard var journal = try Journal.readToGiveUp(local, &left) else { return report }
        guard let interruption = try look(local) else {
            // Killed while it took away what nobody needs any more.
            guard journal.phase == .undone else { return report }
            report.notes = await journal.removeStaging(in: system)
            report.kept = journal.kept ?? []
            journal.kept = nil
            try journal.write(local)
            return report
        }
        let isHalfway = journal.phase == .exchanging
        var taking = TakingBack(journal, of: system, in: local, progress: progress)
        // It may have been started on the restored tree already, and must not run while that is taken away.
        if isHalfway {
            do {
                if let failure = try journal.unstoppable(in: system) { throw failure }
                try await taking.stop()
            } catch {
                // Nothing is changed yet, and what ran until now can go on as it did.
                let down = await taking.resume()
                let failures = ["nothing was put back: \(error)"] + down
                let hint = (error as? DriverFailure)?.hint ?? "stop it by hand"
                throw RestoreFailure(
                    .failed, "\(interruption.words); \(failures.joined(separator: "; "))",
                    hint: "\(hint); then \(interruption.hint)")
            }
        }
        let outcome = await taking.run()
        let running = journal.running.joined(separator: ", ")
        let fate =
            !outcome.isBack
            ? "the old trees are back, but not everywhere"
            : isHalfway
                ? "the old trees are back everywhere, and what was staged is removed"
                : "what was staged is removed"
        let isUp = !running.isEmpty && outcome.down.isEmpty
        report.words = "\(interruption.past); \(fate)\(isUp ? "; what ran before runs: \(running)" : "")"
        report.notes = outcome.notes
        report.untaken = outcome.untaken
        report.unapplied = Set(outcome.unapplied.map(\.component))
        report.areFilesBack = outcome.unreturned.isEmpty
        report.kept = outcome.kept
        report.failures = outcome.failures
        return report
    }
}
