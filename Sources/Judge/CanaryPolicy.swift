/// What a canary runs, what it tolerates, and what a promotion then needs: values only.
package struct CanaryPolicy: Codable, Hashable, Sendable {
    /// The rules for one class of risk.
    package struct Rules: Codable, Hashable, Sendable {
        /// The stages that are run; a pass needs every one of them.
        package var stages: [Stage]
        /// Boots of each arm, 2 at least: one boot cannot show what is chance.
        package var boots: Int
        /// Which probes are run.
        package var probes: ProbeChoice
        /// When the probes are judged: the runs of each arm until then, and the level of the tests.
        package var looks: [Look]
        /// How much longer a probe may take: the ratio of the candidate's durations to the baseline's, above 1.
        package var margin: Double
        /// What no probe is stopped for, in seconds: a difference that is shown to be less.
        package var floor: Double
        /// What is compared: the arms as a whole, or each pair in itself, for a host whose speed drifts.
        package var comparison: Comparison
        /// How the judge is tried on two unchanged shadows.
        package var control: Control
        /// The load stage.
        package var load: LoadRules
        /// The least severity that stops a change.
        package var blocks: Severity
        /// How many parts of a change that makes builds slower are measured to find the one at fault; each takes as many runs as
        /// a look, and 0 searches for none.
        package var measuredTrials: Int
        /// How long a promoted change is watched, in seconds.
        package var bake: Int64
        /// The builds that are asked for in production after a promotion.
        package var smoke: SmokeRules
        /// How many people must approve a promotion.
        package var approvals: Int
        /// How long a verdict may be promoted, in seconds.
        package var expiry: Int64

        /// Rules.
        package init(
            stages: [Stage], boots: Int = 2, probes: ProbeChoice = ProbeChoice(),
            looks: [Look] = Look.standard,
            margin: Double = 1.25, floor: Double = 0.2, comparison: Comparison = .arms,
            control: Control = .split, load: LoadRules = LoadRules(), blocks: Severity = .major,
            measuredTrials: Int = 8, bake: Int64 = 1800,
            smoke: SmokeRules = SmokeRules(), approvals: Int = 0, expiry: Int64 = 86400
        ) {
            self.stages = stages
            self.boots = boots
            self.probes = probes
            self.looks = looks
            self.margin = margin
            self.floor = floor
            self.comparison = comparison
            self.control = control
            self.load = load
            self.blocks = blocks
            self.measuredTrials = measuredTrials
            self.bake = bake
            self.smoke = smoke
            self.approvals = approvals
            self.expiry = expiry
        }
    }

    /// A moment, declared before the first run, at which the data are judged.
    package struct Look: Codable, Hashable, Sendable {
        /// Runs of each arm until then, without the one that warms up.
        package var runs: Int
        /// The level of each one-sided test at this look; those of all looks together are the share of false alarms.
        package var alpha: Double

        /// A look.
        package init(runs: Int, alpha: Double) {
            self.runs = runs
            self.alpha = alpha
        }

        /// Two looks, together 0.05: a pass or a fail of the first ends the stage.
        package static let standard = [Look(runs: 5, alpha: 0.01), Look(runs: 10, alpha: 0.04)]
    }

    /// Which of the site's jobs are probes.
    package struct ProbeChoice: Codable, Hashable, Sendable {
        /// Jobs that always are, by name; `*` and `?` stand for characters.
        package var names: [String]
        /// Whether the jobs that use what the change changes are.
        package var usingChange: Bool
        /// How many of the most used jobs are.
        package var mostUsed: Int
        /// No more than these are; the named come first, then those that use the change.
        package var atMost: Int

        /// A choice.
        package init(names: [String] = [], usingChange: Bool = true, mostUsed: Int = 2, atMost: Int = 4) {
            self.names = names
            self.usingChange = usingChange
            self.mostUsed = mostUsed
            self.atMost = atMost
        }
    }

    /// What is compared with what.
    package enum Comparison: String, CaseIterable, Codable, Hashable, Sendable {
        /// All runs of an arm with all of the other: Mann and Whitney's test.
        case arms
        /// Each run with the other of its pair: Wilcoxon's signed-rank test.
        case pairs
    }

    /// How the judge is tried on two unchanged shadows.
    package enum Control: String, CaseIterable, Codable, Hashable, Sendable {
        /// One half of the baseline's runs against the other, as far as there are enough.
        case split
        /// As many runs of an unchanged shadow again: half as much work more.
        case shadow
    }

    /// The load stage.
    package struct LoadRules: Codable, Hashable, Sendable {
        /// Builds in a burst.
        package var builds: Int
        /// When the bursts are judged.
        package var looks: [Look]
        /// How much longer builds may wait, and how much less may be done in a time: a ratio above 1.
        package var margin: Double
        /// What no burst is stopped for, in seconds of waiting.
        package var floor: Double
        /// Whether bursts go on after the last look, judged after each by a test that allows for that.
        package var isSequential: Bool

        /// The rules of the load stage.
        package init(
            builds: Int = 20, looks: [Look] = Look.standard, margin: Double = 1.5, floor: Double = 1,
            isSequential: Bool = false
        ) {
            self.builds = builds
            self.looks = looks
            self.margin = margin
            self.floor = floor
            self.isSequential = isSequential
        }
    }

    /// The builds that are asked for in production after a promotion.
    ///
    /// They are real builds with all that these do, so that none is asked for unless somebody names it.
    package struct SmokeRules: Codable, Hashable, Sendable {
        /// The jobs, by their whole names; one build of each.
        package var jobs: [String]
        /// How long each may take, its wait included, in seconds.
        package var limit: Int64

        /// A choice; none by itself.
        package init(jobs: [String] = [], limit: Int64 = 600) {
            self.jobs = jobs
            self.limit = limit
        }
    }

    /// What an update centre must show before it is believed.
    package struct UpdateCenterTrust: Codable, Hashable, Sendable {
        /// Files with certificates that its signature may lead to, besides those of the CI tool itself.
        package var roots: [String]
        /// Whether one is believed that is not signed, or not as it should be: a plain mirror.
        package var acceptsUnsigned: Bool

        /// As the CI tool itself has it, unless said otherwise.
        package init(roots: [String] = [], acceptsUnsigned: Bool = false) {
            self.roots = roots
            self.acceptsUnsigned = acceptsUnsigned
        }
    }

    /// The rules for each class of risk.
    package var classes: [RiskClass: Rules]
    /// Severities of kinds of findings that are not what they are without a policy.
    package var severities: [String: Severity]
    /// What an update centre must show before it is believed.
    package var updateCenter = UpdateCenterTrust()
    /// What each shadow may use.
    package var shadows = ShadowLimits()
    /// SHA-256 of the policy, in hexadecimal digits: what a verdict is bound to.
    package var digest: String

    /// A policy.
    package init(classes: [RiskClass: Rules], severities: [String: Severity] = [:], digest: String = "") {
        self.classes = classes
        self.severities = severities
        self.digest = digest
    }
}
