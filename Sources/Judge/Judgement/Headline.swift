extension Judgement {
    /// What may be decided now, one sentence.
    func headline(_ result: Decision, reason: String, nextStep: NextStep?) -> String {
        let rules = policy.classes[evidence.change.riskClass]
        switch result {
        case .pass:
            let hours = rules.map { duration($0.expiry) } ?? "0 h"
            let approvals = rules.map(\.approvals) ?? 0
            let approved =
                approvals == 0
                ? "" : ", once \(approvals == 1 ? "one person has" : "\(approvals) people have") approved it"
            return
                "May be promoted within \(hours) of \(evidence.started)\(approved): nothing beyond what the policy tolerates "
                + "was found"
        case .fail: return "Do not promote: \(reason)"
        case .inconclusive: return "Do not promote yet: \(reason)"
        case .error: return "No decision, the canary itself broke: \(reason)"
        }
    }

    /// What of the change is at fault: what the search found, else what the worst findings are about.
    func culprit(_ stages: [StageVerdict]) -> [ObjectName] {
        let failing = evidence.trials.filter(\.failed).map { Set($0.objects).sorted() }
        if let smallest = failing.min(by: { ($0.count, "\($0)") < ($1.count, "\($1)") }) { return smallest }
        let parts = evidence.change.parts.map(\.object)
        if parts.count == 1 { return parts }
        let findings = stages.flatMap(\.findings).filter { finding in
            !finding.isDeclared
                && finding.severity >= policy.classes[evidence.change.riskClass]?.blocks ?? .major
        }
        return Set(findings.map(\.object)).intersection(parts).sorted()
    }

    /// `24 h`, `30 min`.
    private func duration(_ seconds: Int64) -> String {
        seconds.isMultiple(of: 3600) ? "\(seconds / 3600) h" : "\(seconds / 60) min"
    }
}
