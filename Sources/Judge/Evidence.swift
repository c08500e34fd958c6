package import SnapshotModel

/// Everything that a canary saw: with a policy, all that a verdict depends on.
///
/// It is kept as it is, so that it can be judged again under another policy.
package struct Evidence: Codable, Hashable, Sendable {
    /// The format that this version writes, and the newest that it judges.
    package static let currentFormat = 1

    /// The format.
    package var format: Int
    /// The canary's id, of the shape of a snapshot's.
    package var id: String
    /// The delivery system's name.
    package var system: String
    /// The snapshot that both arms were made from.
    package var snapshot: SnapshotReference
    /// What differs between the arms.
    package var change: ChangeSummary
    /// SHA-256, in hexadecimal digits, of each file that took part: war, plugins, wheels.
    package var digests: [String: String]
    /// SHA-256 of the policy that was declared before the first boot.
    package var policyDigest: String
    /// What the order within the pairs was drawn from.
    package var seed: UInt64
    /// Where it ran.
    package var host: HostSummary
    /// When it began, ISO 8601 in UTC.
    package var started: String
    /// When the last run had ended, ISO 8601 in UTC.
    package var finished: String
    /// What was checked about the isolation of each shadow, before it booted.
    package var attestations: [Attestation]
    /// What was changed in the copies before anything booted, so that they can do no harm; nil in evidence of a version that
    /// did not keep it.
    package var neutralised: [Neutralisation]?
    /// What the shadows might use; nil in evidence of a version that held no shadow as a whole to anything.
    package var limits: LimitSummary?
    /// What became of each stage.
    package var stages: [StageRun]
    /// What was found without a boot.
    package var findings: [Finding]
    /// Boots, of both arms.
    package var boots: [Boot]
    /// Round trips, of both arms.
    package var roundTrips: [RoundTrip]
    /// The probes that were chosen.
    package var probes: [Probe]
    /// Runs of probes.
    package var runs: [ProbeRun]
    /// Bursts of builds.
    package var bursts: [LoadBurst]
    /// The search for the smallest part of the change that fails; empty when there was none.
    package var trials: [Trial]
    /// What could not be looked at.
    package var notCovered: [NotCovered]

    /// Evidence of a canary in which nothing has happened yet.
    package init(
        id: String, system: String, snapshot: SnapshotReference, change: ChangeSummary, policyDigest: String,
        seed: UInt64, host: HostSummary, started: String
    ) {
        format = Self.currentFormat
        self.id = id
        self.system = system
        self.snapshot = snapshot
        self.change = change
        digests = [:]
        self.policyDigest = policyDigest
        self.seed = seed
        self.host = host
        self.started = started
        finished = started
        attestations = []
        stages = []
        findings = []
        boots = []
        roundTrips = []
        probes = []
        runs = []
        bursts = []
        trials = []
        notCovered = []
    }
}

/// Which snapshot.
package struct SnapshotReference: Codable, Hashable, Sendable {
    /// Its id.
    package var id: SnapshotID
    /// The object id of its commit.
    package var commit: String

    /// A snapshot by its id and its commit.
    package init(id: SnapshotID, commit: String) {
        self.id = id
        self.commit = commit
    }
}

/// How much a change can break: what a policy has rules for.
package enum RiskClass: String, CaseIterable, Codable, CodingKeyRepresentable, Comparable, Hashable, Sendable
{
    /// Definitions of jobs and pipelines.
    case jobDefinition = "job-definition"
    /// Plugins, or packages, whose first number stays.
    case pluginPatch = "plugin-patch"
    /// Plugins, or packages, that are new, go, or change their first number.
    case pluginMajor = "plugin-major"
    /// The CI tool itself.
    case core
    /// Several of these at once, or something that is none of them.
    case everything

    /// Orders from the least risk to the most.
    package static func < (left: RiskClass, right: RiskClass) -> Bool {
        allCases.firstIndex(of: left) ?? 0 < allCases.firstIndex(of: right) ?? 0
    }
}

/// What differs between the arms, as far as a judge needs to know it.
package struct ChangeSummary: Codable, Hashable, Sendable {
    /// One thing that is done.
    package struct Part: Codable, Hashable, Sendable {
        /// What it is done to.
        package var object: ObjectName
        /// What is done, for people: `5.2.1 → 5.5.2`, `removed`.
        package var detail: String

        /// A part.
        package init(_ object: ObjectName, detail: String) {
            self.object = object
            self.detail = detail
        }
    }

    /// One line for people.
    package var description: String
    /// The object id of the change's tree.
    package var tree: String
    /// How much it can break.
    package var riskClass: RiskClass
    /// What it consists of.
    package var parts: [Part]
    /// What is to be gone afterwards, and is no surprise.
    package var removals: [ObjectName]
    /// The proposed change that it is; nil for one that was given on the command line.
    package var proposal: ProposedChange?

    /// A change.
    package init(
        description: String, tree: String, riskClass: RiskClass, parts: [Part],
        removals: [ObjectName] = [], proposal: ProposedChange? = nil
    ) {
        self.proposal = proposal
        self.description = description
        self.tree = tree
        self.riskClass = riskClass
        self.parts = parts
        self.removals = removals
    }
}

/// A change by the name under which it was proposed.
package struct ProposedChange: Codable, Hashable, Sendable {
    /// Its name.
    package var name: String
    /// The object id of its tree, before anything was fetched for it.
    package var tree: String

    /// A change of that name and tree.
    package init(name: String, tree: String) {
        self.name = name
        self.tree = tree
    }
}

/// Where a canary ran: durations of two hosts are no evidence about each other.
package struct HostSummary: Codable, Hashable, Sendable {
    /// The host's name.
    package var name: String
    /// Processors that the arms share.
    package var processors: Int
    /// Bytes of address space that each process of an arm may use.
    package var memory: Int64

    /// A host.
    package init(name: String, processors: Int, memory: Int64) {
        self.name = name
        self.processors = processors
        self.memory = memory
    }
}

/// One thing that was checked about the isolation of a shadow, from the inside, before it booted.
package struct Attestation: Codable, Hashable, Sendable {
    /// The arm.
    package var arm: Arm
    /// What was checked: `no interface but lo`.
    package var check: String
    /// Whether it is so.
    package var holds: Bool
    /// What was seen.
    package var detail: String

    /// A check.
    package init(arm: Arm, check: String, holds: Bool, detail: String = "") {
        self.arm = arm
        self.check = check
        self.holds = holds
        self.detail = detail
    }
}

/// One thing that was changed in copies so that they can do no harm; never what stood there before.
package struct Neutralisation: Codable, Hashable, Sendable {
    /// The arms in which it was changed: both, unless it is the change itself that brought it.
    package var arms: [Arm]
    /// What was changed: a file, a table.
    package var subject: String
    /// How, and why.
    package var action: String

    /// Something that was changed.
    package init(arms: [Arm], subject: String, action: String) {
        self.arms = arms
        self.subject = subject
        self.action = action
    }
}

/// What became of a stage.
package struct StageRun: Codable, Hashable, Sendable {
    /// How it ended.
    package enum State: String, Codable, Hashable, Sendable {
        /// It ran to its end, whatever it saw.
        case done
        /// It was not begun; the reason says why.
        case skipped
        /// The experiment itself broke; the reason says how.
        case broken
    }

    /// The stage.
    package var stage: Stage
    /// How it ended.
    package var state: State
    /// Why, when it did not run to its end.
    package var reason: String?
    /// What was done in it, for people: the checks of the static stage, one line each.
    package var checks: [String]
    /// How long it took.
    package var seconds: Double

    /// What became of a stage.
    package init(
        _ stage: Stage, state: State = .done, reason: String? = nil, checks: [String] = [],
        seconds: Double = 0
    ) {
        self.stage = stage
        self.state = state
        self.reason = reason
        self.checks = checks
        self.seconds = seconds
    }
}

/// One trial in the search for the smallest part of a change that fails.
package struct Trial: Codable, Hashable, Sendable {
    /// The objects of the parts that were applied.
    package var objects: [ObjectName]
    /// Whether the arm with these failed as the whole change had.
    package var failed: Bool

    /// A trial.
    package init(_ objects: [ObjectName], failed: Bool) {
        self.objects = objects
        self.failed = failed
    }
}
