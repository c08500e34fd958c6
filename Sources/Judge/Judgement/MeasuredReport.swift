internal import SnapshotModel

extension MeasuredStage {
    /// What the stage comes to, in words and numbers.
    func judgement(_ bench: Bench) -> StageJudgement {
        var judgement = StageJudgement(result: .pass, reason: "", findings: bench.findings(of: stage))
        judgement.control = controlVerdict
        var critical: [Measure] = []
        for index in series.indices {
            let series = series[index]
            if isInvalid(index) {
                let signature =
                    FailureJudgement(series, until: .max, test: .none, isComplete: false).unchangedSignature
                let detail = signature.map { ": \($0)" } ?? ""
                judgement.notCovered.append(
                    NotCovered(series.object, reason: "fails in the shadow without the change too\(detail)"))
                continue
            }
            let measures = measures(of: index)
            judgement.measures += measures
            judgement.findings += measures.flatMap { findings(for: $0, of: series) }
            if series.isCritical {
                critical += measures
            } else if measures.contains(where: { $0.look == 0 }) {
                judgement.notCovered.append(
                    NotCovered(series.object, reason: "chosen to be shown, and not run as often as planned"))
            }
        }
        if let reason = bench.blockingReason(judgement.findings.filter { $0.kind != Self.failing }) {
            judgement.result = .fail
            judgement.reason = reason
            return judgement
        }
        judgement.result = critical.map(\.result).max() ?? .inconclusive
        switch judgement.result {
        case .fail:
            let worst = critical.first { $0.result == .fail }
            judgement.reason = worst.map { "\(name($0)): \($0.reason)" } ?? ""
        case .inconclusive, .error:
            let open = critical.first { $0.result == .inconclusive }
            judgement.reason =
                open.map { "\(name($0)): \($0.reason)" }
                ?? (series.isEmpty
                    ? "nothing was run"
                    : "nothing that was run can be compared: it fails without the change too")
            judgement.nextStep = nextStep(critical)
        case .pass where control == .shadow && controlVerdict?.result == nil:
            judgement.result = .inconclusive
            judgement.reason = controlVerdict?.reason ?? ""
            judgement.nextStep = NextStep(
                action: .runAgain, text: "Run the canary again, with the runs of a second unchanged shadow.")
        case .pass:
            let runs = critical.map(\.candidate.count).max() ?? 0
            let what = stage == .load ? "the load" : counted(distinct(critical.map(\.probe)).count, "probe")
            judgement.reason =
                "\(what) shown to be within what is tolerated, in \(counted(runs, "run")) of each arm"
        }
        return judgement
    }

    /// The kind of findings that only repeat what a measure says.
    private static var failing: String { "worse" }

    private func name(_ measure: Measure) -> String {
        measure.probe.isEmpty ? measure.quantity.noun : measure.object.description
    }

    private func measures(of index: Int) -> [Measure] {
        let series = series[index]
        return states[index].enumerated().map { position, state in
            let quantity = position == 0 ? Measure.Quantity.failures : series.quantities[position - 1].name
            let values = { (arm: Arm) -> [Double] in
                position == 0
                    ? series.runs(arm, until: .max).map { $0.passed ? 0 : 1 }
                    : series.values(position - 1, arm, until: .max)
            }
            var ratio = state.ratio?.numbers
            ratio?.alphaFail = state.alphaFail.map(rounded)
            return Measure(
                object: series.object, probe: series.probe, quantity: quantity, isCritical: series.isCritical,
                result: state.decision, reason: reason(for: state, position: position, index: index),
                look: state.look, baseline: values(.baseline), candidate: values(.candidate),
                control: values(.control), failures: state.failures?.numbers, ratio: ratio)
        }
    }

    private func reason(for state: State, position: Int, index: Int) -> String {
        if !state.reason.isEmpty { return state.reason }
        if position == 0 { return state.failures?.reason ?? "no run" }
        guard let ratio = state.ratio else {
            let series = series[index]
            let done = min(series.number(.baseline), series.number(.candidate))
            let planned = looks.first?.runs ?? SequentialRatio.fewest
            return done >= planned
                ? "too few runs passed to compare \(series.quantities[position - 1].name.noun)"
                : "\(done) of \(counted(planned, "run")) of each arm"
        }
        return ratio.reason(
            state.decision, quantity: series[index].quantities[position - 1], margin: margin)
    }

    private func findings(for measure: Measure, of series: Series) -> [Finding] {
        var findings: [Finding] = []
        let add = { (kind: String, severity: Severity, message: String, evidence: [String], advice: String) in
            findings.append(
                Finding(
                    stage: stage, kind: kind, severity: severity, object: measure.object, message: message,
                    evidence: evidence, advice: advice))
        }
        if measure.result == .fail {
            let signatures = distinct(
                series.runs(.candidate, until: .max).filter { !$0.passed }.compactMap(\.signature))
            add(
                Self.failing, series.isCritical ? .critical : .minor, "\(name(measure)): \(measure.reason)",
                measure.quantity == .failures ? signatures : [],
                measure.quantity == .failures
                    ? "Read the log of a failed build; the unchanged shadow's builds passed."
                    : "Look at the times of the build's steps in both arms.")
        }
        guard let ratio = measure.ratio, measure.result == .pass else { return findings }
        if ratio.isDrift {
            add(
                "drift", .note,
                "\(name(measure)): measurably \(measure.quantity.worse), within what is tolerated", [], "")
        }
        if ratio.beyond > 0 {
            add(
                "outlier", .note,
                "\(name(measure)): \(ratio.beyond) of \(counted(measure.candidate.count, "run")) beyond the margin over "
                    + "the worst of the baseline",
                [], "")
        }
        return findings
    }
}

extension Measure.Quantity {
    /// What it is, for people.
    package var noun: String {
        switch self {
        case .failures: "failures"
        case .seconds: "the duration"
        case .queueWait: "the wait in the queue"
        case .throughput: "the throughput"
        }
    }

    /// `slower`, after a number.
    package var worse: String {
        switch self {
        case .failures, .seconds: "slower"
        case .queueWait: "longer"
        case .throughput: "less"
        }
    }

    /// `faster`, after a number.
    package var better: String {
        switch self {
        case .failures, .seconds: "faster"
        case .queueWait: "shorter"
        case .throughput: "more"
        }
    }
}

extension RatioJudgement {
    /// Why the comparison came to that, one sentence.
    func reason(_ decision: Decision, quantity: Series.Quantity, margin: Double) -> String {
        let name = quantity.name
        let tolerated = "\(percent(margin - 1)) is tolerated"
        switch decision {
        case .fail:
            let least = numbers.lower.map { ", at least \(percent(abs($0 - 1)))" } ?? ""
            return "\(numbers.estimate.map { change($0, name) } ?? name.worse)\(least); \(tolerated)"
        case .pass where isBelowFloor:
            return "shown to be less than \(quantity.floor) s \(name.worse), which nothing is stopped for"
        case .pass:
            return numbers.upper.map { "at most \(change($0, name)); \(tolerated)" }
                ?? "shown to be within the margin; \(tolerated)"
        case .inconclusive, .error:
            guard let lower = numbers.lower, let upper = numbers.upper else {
                return "the runs do not show whether it is within the margin; \(tolerated)"
            }
            return "between \(change(lower, name)) and \(change(upper, name)); \(tolerated)"
        }
    }

    /// `8 % slower`, for a ratio above 1.
    private func change(_ ratio: Double, _ name: Measure.Quantity) -> String {
        let share = percent(abs(ratio - 1))
        return "\(share) \(ratio < 1 && share != "0 %" ? name.better : name.worse)"
    }
}
