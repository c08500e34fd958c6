/// What the data of a stage come to, before the word of the engine about the stage itself.
struct StageJudgement {
    /// What it comes to.
    var result: Decision
    /// Why, one sentence.
    var reason: String
    /// What was found.
    var findings: [Finding] = []
    /// What was measured.
    var measures: [Measure] = []
    /// What the judge's trial on two unchanged shadows came to.
    var control: ControlVerdict?
    /// The cheapest way on, when it is undecided.
    var nextStep: NextStep?
    /// What turned out not to be coverable.
    var notCovered: [NotCovered] = []
}

/// What all stages are judged with.
struct Bench {
    /// The evidence.
    let evidence: Evidence
    /// The policy.
    let policy: CanaryPolicy
    /// The policy's rules for the change.
    let rules: CanaryPolicy.Rules

    /// Findings of the engine in a stage, as the policy sees them.
    func findings(of stage: Stage) -> [Finding] {
        evidence.findings.filter { $0.stage == stage }.map { finding in
            var finding = finding
            finding.severity = policy.severity(of: finding)
            return finding
        }
    }

    /// Whether a finding stops the change.
    func isBlocking(_ finding: Finding) -> Bool { !finding.isDeclared && finding.severity >= rules.blocks }

    /// The worst first; those that are declared behind the others.
    func ordered(_ findings: [Finding]) -> [Finding] {
        findings.sorted { left, right in
            if left.isDeclared != right.isDeclared { return right.isDeclared }
            if left.severity != right.severity { return left.severity > right.severity }
            return (left.object, left.kind, left.message) < (right.object, right.kind, right.message)
        }
    }

    /// `the builder nightly is gone` and how many more there are; nil when nothing blocks.
    func blockingReason(_ findings: [Finding]) -> String? {
        let blocking = ordered(findings).filter(isBlocking)
        guard let first = blocking.first else { return nil }
        return blocking.count == 1 ? first.message : "\(first.message), and \(blocking.count - 1) more"
    }

    /// Why what was seen in the shadows counts for nothing; nil when each was isolated.
    func isolationProblem() -> String? {
        let arms = Set(evidence.boots.map(\.arm)).union(evidence.runs.map(\.arm)).union(
            evidence.bursts.map(\.arm))
        for arm in Arm.allCases where arms.contains(arm) {
            let checks = evidence.attestations.filter { $0.arm == arm }
            guard !checks.isEmpty else {
                return "nothing attests that the shadow of the \(arm.rawValue) was isolated"
            }
            if let broken = checks.first(where: { !$0.holds }) {
                let detail = broken.detail.isEmpty ? "" : " (\(broken.detail))"
                return "the shadow of the \(arm.rawValue) was not isolated: \(broken.check)\(detail)"
            }
        }
        return nil
    }
}

extension CanaryPolicy {
    /// What kinds of observations are worth without a policy that says otherwise.
    static let usualSeverities: [String: Severity] = [
        "boot-failed": .critical, "data-loss": .critical, "plugin-failed": .critical,
        "plugin-missing": .critical, "plugin-version": .critical, "unreadable-data": .critical,
        "limit": .critical, "gone": .major, "still-there": .major, "log-error": .major,
        "page": .major, "log-warning": .minor, "monitor": .minor,
        "deprecation": .note, "plugin-unplanned": .note,
    ]

    /// How bad a finding of the engine is: what the policy says, else what the engine does.
    package func severity(of finding: Finding) -> Severity { severities[finding.kind] ?? finding.severity }

    /// How bad an observation of that kind is; one that nobody knows stops a change.
    func severity(of kind: String) -> Severity { severities[kind] ?? Self.usualSeverities[kind] ?? .major }
}
