package import SnapshotModel

/// What a canary decides.
package enum Decision: String, CaseIterable, Codable, Comparable, Hashable, Sendable {
    /// Shown to be within what the policy tolerates: may be promoted.
    case pass
    /// Not shown either way.
    case inconclusive
    /// The experiment itself broke.
    case error
    /// Shown to be worse than the policy tolerates.
    case fail

    /// Orders so that the greatest of several is what they come to.
    package static func < (left: Decision, right: Decision) -> Bool {
        allCases.firstIndex(of: left) ?? 0 < allCases.firstIndex(of: right) ?? 0
    }
}

/// What a canary came to, and all that it rests on: a function of evidence and policy.
package struct Verdict: Codable, Hashable, Sendable {
    /// The format that this version writes.
    package static let currentFormat = 1

    /// The format.
    package var format: Int
    /// The canary's id; judged under another policy than the declared one, with the beginning of its digest.
    package var id: String
    /// What it came to.
    package var result: Decision
    /// What may be decided now, one sentence for whoever decides.
    package var headline: String
    /// The delivery system's name.
    package var system: String
    /// The change, one line.
    package var change: String
    /// The object id of the change's tree.
    package var tree: String
    /// How much the change can break.
    package var riskClass: RiskClass
    /// The id of the snapshot that both arms were made from.
    package var snapshot: SnapshotID
    /// The object id of its commit.
    package var commit: String
    /// SHA-256 of the policy that was declared before the first boot.
    package var declaredPolicy: String
    /// SHA-256 of the policy that judged.
    package var policy: String
    /// The stages of the policy, in their order.
    package var stages: [StageVerdict]
    /// What of the change is at fault, as far as it is known.
    package var culprit: [ObjectName]
    /// The cheapest way to a decision; nil when there is one.
    package var nextStep: NextStep?
    /// What the canary did not look at.
    package var notCovered: [NotCovered]
}

/// What a stage came to.
package struct StageVerdict: Codable, Hashable, Sendable {
    /// What a stage can come to.
    package enum Result: String, Codable, Hashable, Sendable {
        /// As the ``Decision`` of that name.
        case pass, inconclusive, error, fail
        /// Not run, because an earlier stage failed.
        case skipped
    }

    /// The stage.
    package var name: Stage
    /// What it came to.
    package var result: Result
    /// Why, one sentence.
    package var reason: String
    /// What was found, the worst first.
    package var findings: [Finding]
    /// What was measured.
    package var measures: [Measure]
    /// What came of judging two unchanged shadows; nil where nothing is measured.
    package var control: ControlVerdict?
}

/// What came of judging one unchanged shadow against another.
package struct ControlVerdict: Codable, Hashable, Sendable {
    /// What it came to: a fail says that the host's noise alone looks like a regression; nil when there were too few runs.
    package var result: Decision?
    /// What was compared, and what follows, one sentence.
    package var reason: String
}

/// The cheapest way from an undecided verdict to a decision.
package struct NextStep: Codable, Hashable, Sendable {
    /// What to do.
    package enum Action: String, Codable, Hashable, Sendable {
        /// More boots of each arm.
        case moreBoots
        /// More runs of each arm.
        case moreRuns
        /// Repair the probe: it fails without the change.
        case repairProbe
        /// A host with less noise, or a wider margin that somebody answers for.
        case quieterHost
        /// Run the canary again: it broke off.
        case runAgain
        /// Nothing that can be run decides it: a person must.
        case decide
    }

    /// What to do.
    package var action: Action
    /// How many boots or runs of each arm there should be then, where it is that.
    package var count: Int?
    /// One sentence for people.
    package var text: String
}
