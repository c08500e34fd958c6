package import Capture
internal import Drivers
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
        /// What could not be done, in words; empty when all was.
        package var failures: [String] = []

        /// All there is to say.
        package var lines: [String] { [words].compactMap { $0 } + notes + failures }

        /// Throws a ``RestoreFailure`` when not all was done.
        package func check() throws {
            guard failures.isEmpty else {
                throw RestoreFailure(
                    .failed, lines.joined(separator: "; "),
                    hint:
                        "mend the cause and run the command again: it tries what is left; or restore a snapshot"
                )
            }
        }
    }

    /// Says what an interrupted restore left, nil when none was interrupted.
    package static func look(_ local: FilePath) throws -> String? {
        guard let journal = try Journal.read(local) else { return nil }
        switch journal.phase {
        case .done, .undone: return nil
        case .staging:
            return "\(journal.what) was interrupted before it changed anything"
        case .starting:
            return "\(journal.what) was taken back, and what ran before it may not be up again: "
                + journal.running.joined(separator: ", ")
        case .exchanging: return try halfway(journal)
        }
    }

    /// Says what stands where while a restore or its taking back is in the middle, nil when none is: what is there is no
    /// state that anybody made.
    package static func lookHalfway(_ local: FilePath) throws -> String? {
        guard let journal = try Journal.read(local), journal.phase == .exchanging else { return nil }
        return try halfway(journal)
    }

    private static func halfway(_ journal: Journal) throws -> String {
        let exchanged = try journal.places.filter { try Journal.isExchanged($0) }.count
        let applied = (journal.applied ?? []).map(\.component)
        let others =
            applied.isEmpty
            ? "" : "; \(applied.joined(separator: ", ")) may hold the restored state or the old one"
        return
            "\(journal.what) was interrupted: \(exchanged) of \(journal.places.count) places hold "
            + "the new tree, the others the old one\(others)"
    }

    /// Brings production back to the old trees after an interrupted restore, starts what was running before it, and
    /// removes what it staged.
    ///
    /// What could not be done for one component is in the report, and the next command tries it again.
    package static func run(
        _ local: FilePath, system: DeliverySystem, progress: @escaping @Sendable (String) -> Void
    ) async throws -> Report {
        var report = Report()
        guard var journal = try Journal.read(local) else { return report }
        guard let words = try look(local) else {
            // Killed while it took away what nobody needs any more.
            guard journal.phase == .undone else { return report }
            report.notes = try await journal.removeStaging(in: system)
            guard report.notes.isEmpty else { return report }
            journal.applied = nil
            try journal.write(local)
            return report
        }
        let isHalfway = journal.phase == .exchanging
        var taking = TakingBack(journal, of: system, in: local, progress: progress)
        // It may have been started on the restored tree already, and must not run while that is taken away.
        if isHalfway { try await taking.stop() }
        let outcome = try await taking.run()
        report.words =
            words
            + (isHalfway
                ? "; the old trees are back everywhere, and what was staged is removed"
                : "; what was staged is removed")
        report.notes = outcome.notes + outcome.untaken.map { "\($0); \($0.hint)" }
        report.unapplied = Set(outcome.unapplied.map(\.component))
        report.failures = outcome.failures
        return report
    }
}
