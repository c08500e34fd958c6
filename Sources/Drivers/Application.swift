package import SnapshotModel
package import SystemPackage

/// Puts back what cannot be exchanged as directories: a database, the state that a command keeps.
///
/// The steps are those of a directory: staged beside production, exchanged, kept for the way back. What names both sides
/// is a ``Record``, which is written to the restore journal before anything it names is made. ``apply(_:)``,
/// ``unapply(_:)`` and ``discard(_:)`` may be called any number of times, and after a kill in the middle of themselves.
package protocol Application: Sendable {
    /// What tells production from what is staged; it never holds a secret.
    typealias Record = [[String: String]]

    /// What a restore would do, and reasons not to; touches nothing.
    func plan(_ source: any FileSource, captured: CapturedComponent) async throws -> ApplicationPlan
    /// Names what ``stage(_:_:)`` will make, and makes nothing.
    ///
    /// `mark` is unlike that of any other restore; `directory` does not exist yet and is the driver's until it is discarded.
    func record(_ staged: StagedComponent, mark: String, directory: FilePath) async throws -> Record
    /// Makes the restored state beside production.
    func stage(_ staged: StagedComponent, _ record: Record) async throws -> StagedApplication
    /// Whether production holds what was staged, and nothing that somebody put there since.
    func isApplied(_ record: Record) async throws -> Bool
    /// Puts what was staged into production, and keeps what was there.
    func apply(_ record: Record) async throws
    /// Puts what was there back; says what could not be.
    func unapply(_ record: Record) async throws -> [String]
    /// Looks at production after the start, and says what differs from what was staged; only for what ``stage(_:_:)`` could
    /// not prove.
    func differences(_ record: Record) async throws -> [String]
    /// Removes what does not stand in production: what was staged, or what was kept.
    func discard(_ record: Record) async throws
}

/// What a restore would do with what is no directory.
package struct ApplicationPlan: Sendable {
    /// What would be done, a line each thing.
    package var words: [String]
    /// Reasons not to.
    package var refusals: [Refusal]
    /// Whether it takes the place of what is there now, or may.
    package var replaces: Bool

    /// A plan.
    package init(words: [String] = [], refusals: [Refusal] = [], replaces: Bool = false) {
        self.replaces = replaces
        self.words = words
        self.refusals = refusals
    }
}

/// What came of staging.
package struct StagedApplication: Sendable {
    /// The record, with what is known of what was staged.
    package var record: Application.Record
    /// What people should know.
    package var notes: [String]
    /// Whether it was captured again and is what the snapshot holds.
    package var proof: Proof
    /// Whether what is there now is kept, or nothing is there, so that it can come back.
    package var hasWayBack: Bool

    /// What came of staging.
    package init(record: Application.Record, notes: [String], proof: Proof, hasWayBack: Bool = true) {
        self.hasWayBack = hasWayBack
        self.record = record
        self.notes = notes
        self.proof = proof
    }

    /// What is known of what was staged.
    package enum Proof: Hashable, Sendable {
        /// It was captured again, and is what the snapshot holds.
        case equal
        /// It was captured again, and is not.
        case different
        /// It can be captured only where it runs: ``Application/differences(_:)`` says.
        case later
    }
}
