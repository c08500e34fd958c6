internal import SnapshotModel

extension Bench {
    /// The static stage: its findings, no statistics.
    func judgeStatic() -> StageJudgement {
        let findings = findings(of: .static)
        let checks = evidence.stages.first { $0.stage == .static }?.checks ?? []
        if let reason = blockingReason(findings) {
            return StageJudgement(result: .fail, reason: reason, findings: findings)
        }
        guard !checks.isEmpty else {
            return StageJudgement(
                result: .inconclusive, reason: "nothing was checked", findings: findings,
                nextStep: NextStep(action: .runAgain, text: "Run the canary again: nothing was checked."))
        }
        return StageJudgement(
            result: .pass, reason: "nothing stops the change in \(counted(checks.count, "check"))",
            findings: findings)
    }

    /// The boot stage: what every boot of the candidate shows and no boot of the baseline.
    func judgeBoots() -> StageJudgement {
        let (baseline, candidate) = (boots(.baseline), boots(.candidate))
        var judgement = StageJudgement(result: .pass, reason: "", findings: findings(of: .boot))
        // What the engine saw of the change needs no more boots to stop it.
        if baseline.contains(where: \.succeeded), let reason = blockingReason(judgement.findings) {
            judgement.result = .fail
            judgement.reason = reason
            return judgement
        }
        if let missing = missing(baseline.count, candidate.count, what: "boot") {
            judgement.result = .inconclusive
            judgement.reason = missing.reason
            judgement.nextStep = missing.step
            return judgement
        }
        let (up, candidateUp) = (baseline.filter(\.succeeded), candidate.filter(\.succeeded))
        guard !up.isEmpty else {
            let failure = baseline.compactMap(\.failure).first.map { ": \($0)" } ?? ""
            judgement.result = .error
            judgement.reason = "the unchanged shadow does not come up\(failure)"
            return judgement
        }
        compare(baseline: baseline, candidate: candidateUp.isEmpty ? candidate : candidateUp, &judgement)
        if candidateUp.isEmpty {
            judgement.findings.append(
                Finding(
                    stage: .boot, kind: "boot-failed", severity: policy.severity(of: "boot-failed"),
                    object: ObjectName("system", evidence.system),
                    message:
                        "with the change the system does not come up, in none of \(counted(candidate.count, "boot"))",
                    evidence: distinct(candidate.compactMap(\.failure)),
                    advice: "Read the first error of the boot; the unchanged shadow came up."))
            judgement.result = .fail
            let failure = candidate.compactMap(\.failure).first.map { ": \($0)" } ?? ""
            judgement.reason =
                "the candidate came up in 0 of \(counted(candidate.count, "boot")), the baseline in \(up.count) of "
                + "\(baseline.count)\(failure)"
            return judgement
        }
        compareCapabilities(baseline: up, candidate: candidateUp, &judgement)
        if let reason = blockingReason(judgement.findings) {
            judgement.result = .fail
            judgement.reason = reason
        } else if candidateUp.count < candidate.count || up.count < baseline.count {
            let arm = candidateUp.count < candidate.count ? "candidate" : "baseline"
            let (done, all) =
                candidateUp.count < candidate.count
                ? (candidateUp.count, candidate.count) : (up.count, baseline.count)
            undecide(
                &judgement, reason: "the \(arm) came up in \(done) of \(counted(all, "boot")) only",
                boots: min(baseline.count, candidate.count))
        } else if judgement.result == .pass {
            judgement.reason =
                "both arms came up in all of \(counted(baseline.count + candidate.count, "boot")), and nothing new "
                + "that matters was seen"
        }
        return judgement
    }

    /// The round-trip stage: what a first save would lose with the change and does not lose without.
    func judgeRoundTrips() -> StageJudgement {
        let trips = { (arm: Arm) in
            evidence.roundTrips.filter { $0.arm == arm && $0.compared > 0 }.sorted { $0.attempt < $1.attempt }
        }
        let (baseline, candidate) = (trips(.baseline), trips(.candidate))
        var judgement = StageJudgement(result: .pass, reason: "", findings: findings(of: .roundTrip))
        if let reason = blockingReason(judgement.findings) {
            judgement.result = .fail
            judgement.reason = reason
            return judgement
        }
        if let missing = missing(baseline.count, candidate.count, what: "round trip") {
            judgement.result = .inconclusive
            judgement.reason = missing.reason
            judgement.nextStep = missing.step
            return judgement
        }
        addObservations(
            baseline: baseline.map(\.losses), candidate: candidate.map(\.losses), stage: .roundTrip,
            boots: min(baseline.count, candidate.count), &judgement)
        if let reason = blockingReason(judgement.findings) {
            judgement.result = .fail
            judgement.reason = reason
        } else if judgement.result == .pass {
            let compared = candidate.map(\.compared).min() ?? 0
            judgement.reason =
                "\(counted(compared, "object")) compared with what they were, and nothing more is lost"
        }
        return judgement
    }

    /// The boots of an arm, in their order.
    func boots(_ arm: Arm) -> [Boot] {
        evidence.boots.filter { $0.arm == arm }.sorted { $0.attempt < $1.attempt }
    }

    /// The number of boots beyond which more of them are not worth their time.
    var mostBoots: Int { 3 * rules.boots }

    private func missing(_ baseline: Int, _ candidate: Int, what: String) -> (reason: String, step: NextStep)?
    {
        let fewest = min(baseline, candidate)
        guard fewest < rules.boots else { return nil }
        let arm = baseline <= candidate ? "baseline" : "candidate"
        return (
            "\(counted(fewest, what)) of the \(arm), and the policy asks for \(rules.boots)",
            NextStep(
                action: .moreBoots, count: rules.boots, text: "\(rules.boots) boots of each arm are needed.")
        )
    }

    private func undecide(_ judgement: inout StageJudgement, reason: String, boots: Int) {
        judgement.result = .inconclusive
        judgement.reason = reason
        let more = boots + rules.boots
        judgement.nextStep =
            more <= mostBoots
            ? NextStep(
                action: .moreBoots, count: more,
                text: "Boot each arm \(more) times, to see whether it is chance or the change.")
            : NextStep(
                action: .decide,
                text: "\(boots) boots of each arm do not tell chance from the change: somebody has to decide."
            )
    }

    /// What an unchanged shadow shows is noise, whether it came up or not, and in which of its arms.
    private func compare(baseline: [Boot], candidate: [Boot], _ judgement: inout StageJudgement) {
        let unchanged = baseline + boots(.control)
        addObservations(
            baseline: unchanged.map(\.differences), candidate: candidate.map(\.differences), stage: .boot,
            boots: min(baseline.count, boots(.candidate).count), &judgement)
    }

    private func addObservations(
        baseline: [[Observation]], candidate: [[Observation]], stage: Stage, boots: Int,
        _ judgement: inout StageJudgement
    ) {
        let keys = { (boots: [[Observation]]) in boots.map { Set($0.map { ObservationKey($0) }) } }
        let comparison = BootComparison(baseline: keys(baseline), candidate: keys(candidate))
        let lines = { (key: ObservationKey) in
            distinct((candidate + baseline).joined().filter { ObservationKey($0) == key }.flatMap(\.lines))
        }
        for key in comparison.newStable {
            judgement.findings.append(
                Finding(
                    stage: stage, kind: key.kind, severity: policy.severity(of: key.kind), object: key.object,
                    message: "\(key.object): \(key.detail)", evidence: lines(key),
                    advice: "Seen in every boot with the change and in none without it."))
        }
        for key in comparison.newFlaky {
            judgement.findings.append(
                Finding(
                    stage: stage, kind: key.kind, severity: .note, object: key.object,
                    message: "in some boots with the change only: \(key.object): \(key.detail)",
                    evidence: lines(key), advice: "More boots tell whether it is chance."))
        }
        if let flaky = comparison.newFlaky.first(where: { policy.severity(of: $0.kind) >= rules.blocks }) {
            undecide(
                &judgement,
                reason:
                    "in some boots of the candidate and in none of the baseline: \(flaky.object): \(flaky.detail)",
                boots: boots)
        }
        for key in comparison.goneStable {
            judgement.findings.append(
                Finding(
                    stage: stage, kind: key.kind, severity: .note, object: key.object,
                    message: "no longer with the change: \(key.object): \(key.detail)", evidence: lines(key)))
        }
        if !comparison.preexisting.isEmpty {
            judgement.findings.append(
                Finding(
                    stage: stage, kind: "preexisting", severity: .note,
                    object: ObjectName("system", evidence.system),
                    message:
                        "\(counted(comparison.preexisting.count, "thing")) the unchanged shadow shows as well, not held "
                        + "against the change",
                    evidence: comparison.preexisting.map { "\($0.kind): \($0.object): \($0.detail)" }))
        }
    }

    private func compareCapabilities(baseline: [Boot], candidate: [Boot], _ judgement: inout StageJudgement) {
        let sets = { (boots: [Boot]) in boots.map { Set($0.capabilities) } }
        let comparison = BootComparison(baseline: sets(baseline), candidate: sets(candidate))
        let declared = Set(evidence.change.removals)
        for object in comparison.goneStable {
            let isDeclared = declared.contains(object)
            judgement.findings.append(
                Finding(
                    stage: .boot, kind: "gone", severity: policy.severity(of: "gone"), object: object,
                    message: "\(object) is gone with the change",
                    advice: isDeclared ? "" : "Declare the removal in the change if it is meant.",
                    isDeclared: isDeclared))
        }
        for object in sets(candidate).joined().filter(declared.contains).sorted() {
            judgement.findings.append(
                Finding(
                    stage: .boot, kind: "still-there", severity: policy.severity(of: "still-there"),
                    object: object, message: "\(object) was to be removed and is still there",
                    advice: "Remove it in the change, or take it out of what the change says it removes."))
        }
        let wavering = comparison.goneFlaky.filter { !declared.contains($0) }
        if let first = wavering.first, policy.severity(of: "gone") >= rules.blocks {
            undecide(
                &judgement, reason: "\(first) is missing in some boots of the candidate",
                boots: min(baseline.count, candidate.count))
        }
    }
}

/// Each text once, in the order in which they first come.
func distinct(_ texts: [String]) -> [String] {
    var seen: Set<String> = []
    return texts.filter { seen.insert($0).inserted }
}
