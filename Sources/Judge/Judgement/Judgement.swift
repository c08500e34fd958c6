/// All stages judged.
struct Judgement {
    let evidence: Evidence
    let policy: CanaryPolicy
    /// The policy's rules for the change, and what goes with them; nil when it has none.
    private let bench: Bench?

    init(_ evidence: Evidence, _ policy: CanaryPolicy) {
        self.evidence = evidence
        self.policy = policy
        bench = policy.classes[evidence.change.riskClass].map {
            Bench(evidence: evidence, policy: policy, rules: $0)
        }
    }

    /// The verdict.
    var verdict: Verdict {
        guard let bench, evidence.format <= Evidence.currentFormat else {
            let reason =
                bench == nil
                ? "the policy has no rules for the class '\(evidence.change.riskClass.rawValue)'"
                : "the evidence is of format \(evidence.format), and this version judges \(Evidence.currentFormat)"
            return verdict(.error, stages: [], notCovered: evidence.notCovered, nextStep: nil, reason: reason)
        }
        var stages: [StageVerdict] = []
        var (notCovered, nextStep): ([NotCovered], NextStep?) = (evidence.notCovered, nil)
        for stage in Stage.allCases {
            guard bench.rules.stages.contains(stage) else {
                let reason = "not in the policy for '\(evidence.change.riskClass.rawValue)'"
                notCovered.append(NotCovered(ObjectName("stage", stage.title), reason: reason))
                continue
            }
            let open = stages.first { $0.result != .pass }
            let (judged, judgement) = self.judge(stage, bench, behind: open)
            stages.append(judged)
            notCovered += judgement?.notCovered ?? []
            if judged.result == .skipped {
                notCovered.append(NotCovered(ObjectName("stage", stage.title), reason: judged.reason))
            }
            if judged.result == .inconclusive || judged.result == .error {
                nextStep =
                    nextStep ?? judgement?.nextStep
                    ?? NextStep(action: .runAgain, text: "Run the canary again: \(judged.reason).")
            }
        }
        let result = stages.compactMap { Decision(rawValue: $0.result.rawValue) }.max() ?? .inconclusive
        let decisive = stages.first { $0.result.rawValue == result.rawValue }
        return verdict(
            result, stages: stages, notCovered: notCovered,
            nextStep: result == .inconclusive || result == .error ? nextStep : nil,
            reason: decisive.map { "\($0.name.title): \($0.reason)" } ?? "the policy has no stages")
    }

    private func verdict(
        _ result: Decision, stages: [StageVerdict], notCovered: [NotCovered], nextStep: NextStep?,
        reason: String
    ) -> Verdict {
        let isOther = policy.digest != evidence.policyDigest
        return Verdict(
            format: Verdict.currentFormat,
            id: isOther ? "\(evidence.id)-\(policy.digest.prefix(8))" : evidence.id, result: result,
            headline: headline(result, reason: reason, nextStep: nextStep), system: evidence.system,
            change: evidence.change.description, tree: evidence.change.tree,
            riskClass: evidence.change.riskClass, snapshot: evidence.snapshot.id,
            commit: evidence.snapshot.commit, declaredPolicy: evidence.policyDigest, policy: policy.digest,
            stages: stages, culprit: result == .fail ? culprit(stages) : [], nextStep: nextStep,
            notCovered: Set(notCovered).sorted())
    }

    /// The data of one stage, and the engine's word about it.
    private func judge(
        _ stage: Stage, _ bench: Bench, behind open: StageVerdict?
    ) -> (StageVerdict, StageJudgement?) {
        let record = evidence.stages.last { $0.stage == stage }
        let isDone = record?.state == .done
        let skipped = { (reason: String) in
            StageVerdict(
                name: stage, result: .skipped, reason: reason, findings: [], measures: [], control: nil)
        }
        if !isDone, let open, record?.state != .broken {
            return (
                skipped(record?.reason ?? "\(open.name.title) came first, with \(open.result.rawValue)"), nil
            )
        }
        var judgement = data(of: stage, bench)
        let isolation = stage == .static ? nil : bench.isolationProblem()
        if let isolation {
            // What a shadow did that may not have been alone says nothing, good or bad.
            judgement.result = .error
            judgement.reason = isolation
        } else if judgement.result != .fail, record?.state == .broken {
            judgement.result = .error
            judgement.reason = record?.reason ?? "the stage broke off"
            // More of what broke off would break off again.
            judgement.nextStep = nil
        } else if judgement.result == .pass, !isDone {
            judgement.result = .inconclusive
            judgement.reason = record?.reason.map { "skipped: \($0)" } ?? "it was not run to its end"
        }
        let result = StageVerdict.Result(rawValue: judgement.result.rawValue) ?? .error
        let verdict = StageVerdict(
            name: stage, result: result, reason: judgement.reason,
            findings: bench.ordered(judgement.findings),
            measures: judgement.measures, control: judgement.control)
        return (verdict, judgement)
    }

    private func data(of stage: Stage, _ bench: Bench) -> StageJudgement {
        switch stage {
        case .static: bench.judgeStatic()
        case .boot: bench.judgeBoots()
        case .roundTrip: bench.judgeRoundTrips()
        case .probes: probeStage(bench).judgement(bench)
        case .load: loadStage(bench).judgement(bench)
        }
    }

    private func probeStage(_ bench: Bench) -> MeasuredStage {
        MeasuredStage(
            stage: .probes, series: bench.probeSeries(), looks: bench.rules.looks,
            margin: bench.rules.margin, comparison: bench.rules.comparison, control: bench.rules.control)
    }

    private func loadStage(_ bench: Bench) -> MeasuredStage {
        let load = bench.rules.load
        return MeasuredStage(
            stage: .load, series: bench.loadSeries(), looks: load.looks, margin: load.margin,
            comparison: .arms, control: bench.rules.control, isSequential: load.isSequential)
    }

    // MARK: What is still to be run

    /// What is still to be run.
    var demand: Demand {
        var demand = Demand(boots: 0, look: 0, pairs: [], bursts: 0)
        guard let bench, bench.isolationProblem() == nil else { return demand }
        for stage in bench.rules.stages.sorted() {
            let judgement = data(of: stage, bench)
            guard judgement.result != .fail, judgement.result != .error else { return demand }
            switch stage {
            case .static, .roundTrip: continue
            case .boot:
                if judgement.result == .inconclusive, judgement.nextStep?.action == .moreBoots {
                    let done = min(bench.boots(.baseline).count, bench.boots(.candidate).count)
                    demand.boots = max(0, (judgement.nextStep?.count ?? 0) - done)
                    return demand
                }
            case .probes:
                let stage = probeStage(bench)
                (demand.look, demand.pairs) = stage.missing()
                if !demand.pairs.isEmpty { return demand }
            case .load:
                let stage = loadStage(bench)
                let missing = stage.series.isEmpty ? (look: 1, pairs: []) : stage.missing()
                demand.look = missing.look
                demand.bursts = stage.series.isEmpty ? stage.firstRuns : missing.pairs.first?.count ?? 0
            }
        }
        return demand
    }
}

extension Evidence {
    /// Whether a probe has failed in all runs of the unchanged arms, and there were enough of them to say so.
    package func alwaysFails(_ probe: String) -> Bool {
        let unchanged = runs.filter { $0.probe == probe && $0.arm != .candidate && !$0.isWarmUp }
        return unchanged.count >= FailureJudgement.fewest && unchanged.allSatisfy { $0.outcome != .passed }
    }
}

extension MeasuredStage {
    /// The runs of the first look.
    var firstRuns: Int { looks.first?.runs ?? SequentialRatio.fewest }

    /// The bursts of each arm beyond which more of them are not worth their time.
    static let mostPairs = 60

    /// The first look at which something is undecided and has not all its runs, and the pairs that are missing.
    func missing() -> (look: Int, pairs: [Demand.Pairs]) {
        guard !hasFailed else { return (0, []) }
        for (number, look) in looks.enumerated() {
            let pairs = series.indices.compactMap { index -> Demand.Pairs? in
                let lacksControl =
                    control == .shadow && number == 0 && series[index].number(.control) < look.runs
                let isOpen = lacksControl || states[index].contains { $0.decision == .inconclusive }
                let done = done(index, until: look.runs)
                guard isOpen, done < look.runs, !isInvalid(index) else { return nil }
                // What only is shown is not looked at again.
                guard series[index].isCritical || number == 0 else { return nil }
                return Demand.Pairs(probe: series[index].probe, count: look.runs - done)
            }
            if !pairs.isEmpty { return (number + 1, pairs) }
        }
        guard sequentialAlpha != nil else { return (0, []) }
        let pairs = series.indices.compactMap { index -> Demand.Pairs? in
            let isOpen = states[index].contains { $0.decision == .inconclusive }
            let done = done(index, until: .max)
            guard isOpen, done < Self.mostPairs, !isInvalid(index) else { return nil }
            return Demand.Pairs(probe: series[index].probe, count: max(1, SequentialRatio.fewest - done))
        }
        return (looks.count + 1, pairs)
    }

    private func done(_ index: Int, until pair: Int) -> Int {
        let arms: [Arm] = control == .shadow ? Arm.allCases : [.baseline, .candidate]
        return arms.map { series[index].number($0, until: pair) }.min() ?? 0
    }
}
