package import Judge
package import SnapshotModel

/// What a promotion would do, before it does anything: a value that can be printed.
package struct PromotionPlan: Codable, Hashable, Sendable {
    /// The verdict.
    package var verdict: String
    /// The change, one line.
    package var change: String
    /// What it does.
    package var parts: [ChangeSummary.Part]
    /// The paths of production that are exchanged.
    package var paths: [String]
    /// How long it is watched, in seconds.
    package var bake: Int64
    /// Jobs of which a build is asked for in production; nil in reports of a version that asked for none.
    package var smoke: [String]?
    /// What changed since the snapshot of the verdict and is no reason not to go on; nil as above.
    package var seen: [String]?
    /// Reasons not to go on; empty when there are none.
    package var refusals: [String]
}

/// What a promotion did.
package struct PromotionReport: Codable, Hashable, Sendable {
    /// How it ended.
    package enum Result: String, Codable, Hashable, Sendable {
        /// It is in production, and the watch, where there was one, was quiet.
        case promoted
        /// It was in production and was taken back.
        case rolledBack = "rolled-back"
        /// It failed, and what was there before could not be put back, or does not run.
        case notPutBack = "not-put-back"
    }

    /// One thing that was looked at in production after the exchange.
    package struct Check: Codable, Hashable, Sendable {
        /// What came of it.
        package enum Outcome: String, Codable, Hashable, Sendable {
            /// It is as it was in the candidate, or as it must be.
            case held
            /// It is not: what was promoted was taken back.
            case broken
            /// It was not looked at; the detail says why.
            case notTried = "not-tried"
        }

        /// What was looked at: `plugin set`, `smoke build`.
        package var name: String
        /// What came of it.
        package var outcome: Outcome
        /// What was seen, or why nothing was.
        package var detail: String

        /// A check.
        init(_ name: String, _ outcome: Outcome, _ detail: String) {
            self.name = name
            self.outcome = outcome
            self.detail = detail
        }
    }

    /// The plan.
    package var plan: PromotionPlan
    /// How it ended.
    package var result: Result
    /// Why it was taken back; nil when it was not.
    package var breach: String?
    /// What to do now; nil when it was promoted, and in reports of a version that did not say.
    package var hint: String?
    /// The snapshot of just before.
    package var before: SnapshotID
    /// Whether the data had to be brought to another version, so that going back means the data of before.
    package var migrates: Bool
    /// What the rehearsal of going back showed.
    package var rollback: String
    /// For how many seconds it was to be watched; nil when production did not run, so that nothing could be watched.
    package var watched: Int64?
    /// What was looked at once, before the rest of that time; nil in reports of a version that did not.
    package var checks: [Check]?
    /// Who approved.
    package var approvals: [String]
    /// When it began, ISO 8601 in UTC.
    package var started: String
    /// How long all of it took, in seconds.
    package var seconds: Double
}
