internal import Judge

extension Measure.Quantity {
    /// The unit of the values; empty for counts.
    var unit: String {
        switch self {
        case .failures: ""
        case .seconds, .queueWait: "s"
        case .throughput: "builds/s"
        }
    }
}

extension RatioComparison.Test {
    /// The test's name, for who wants to look it up.
    var name: String {
        switch self {
        case .mannWhitneyExact: "Mann–Whitney, exact"
        case .mannWhitneyNormal: "Mann–Whitney, normal approximation"
        case .signedRank: "Wilcoxon signed-rank on pairs"
        case .sequential: "mixture sequential test (mSPRT)"
        }
    }
}

/// What all reports say in the same words.
struct ReportWords {
    let evidence: Evidence
    let verdict: Verdict

    /// What was measured: `job unit, the duration`.
    func name(_ measure: Measure) -> String {
        let what = measure.quantity.noun
        let extra = measure.isCritical ? "" : " (only shown)"
        return measure.probe.isEmpty ? what + extra : "\(measure.object), \(what)\(extra)"
    }

    /// The measures with what stops the change first, then what is open, then what is only shown.
    func ordered(_ measures: [Measure]) -> [Measure] {
        let weight = { (measure: Measure) in
            measure.isCritical && measure.result != .pass ? (measure.result == .fail ? 0 : 1) : 2
        }
        return measures.enumerated().sorted {
            (weight($0.element), $0.offset) < (weight($1.element), $1.offset)
        }
        .map(\.element)
    }

    /// The numbers behind a measure, one sentence each.
    func numbers(_ measure: Measure) -> [String] {
        var lines: [String] = []
        if let failures = measure.failures, measure.quantity == .failures {
            lines.append(
                "failed: \(failures.candidateFailed) of \(failures.candidateRuns) with the change, "
                    + "\(failures.baselineFailed) of \(failures.baselineRuns) without")
            if let p = failures.p {
                let level = failures.alpha.map { " (level \(Figure.chance($0)))" } ?? ""
                lines.append("Fisher's exact test, one-sided: p \(Figure.chance(p))\(level)")
            }
            if let value = failures.eValue {
                let needed = failures.alpha.map { ", needed \(Figure.text(1 / $0))" } ?? ""
                lines.append("pair by pair, beyond the declared looks: e \(Figure.text(value))\(needed)")
            }
            if let least = failures.lowerBound, let most = failures.upperBound {
                lines.append(
                    "not ruled out at 95 % each: failure rates from \(Figure.percent(least)) to \(Figure.percent(most))"
                )
            }
            if measure.look > 0 { lines.append("judged at look \(measure.look)") }
        }
        guard let ratio = measure.ratio else { return lines }
        lines.append(
            "\(ratio.test.name): p(fail) \(Figure.chance(ratio.pFail)) at level "
                + "\(Figure.chance(ratio.alphaFail ?? ratio.alpha)), p(pass) \(Figure.chance(ratio.pPass)) at level "
                + "\(Figure.chance(ratio.alpha)), margin \(Figure.text(ratio.margin))")
        let n = "\(measure.candidate.count) and \(measure.baseline.count) values"
        if let estimate = ratio.estimate {
            let bounds =
                if let lower = ratio.lower, let upper = ratio.upper, let level = ratio.level {
                    ", bounds \(Figure.text(lower)) and \(Figure.text(upper)), each at level \(Figure.chance(level))"
                } else {
                    ", no bounds at this level from so few runs"
                }
            lines.append("ratio \(Figure.text(estimate))\(bounds); \(n)")
        } else {
            lines.append("no ratio: a value is zero; \(n)")
        }
        var tail = "Cliff's δ \(Figure.text(ratio.delta))"
        if let lower = ratio.deltaLower, let upper = ratio.deltaUpper {
            tail += " [\(Figure.text(lower)), \(Figure.text(upper))]"
        }
        if let most = ratio.upperDifference {
            tail += "; worse by \(Figure.text(most, unit: measure.quantity.unit)) at most"
        }
        if let noise = ratio.noise { tail += "; noise of the baseline \(Figure.percent(noise))" }
        return lines + [tail, "judged at look \(measure.look)"]
    }

    /// What nobody looked at, or so few runs cannot show: the last section of every report.
    var notTested: [String] {
        var lines = verdict.notCovered.map { "\($0.object): \($0.reason)" }
        for measure in verdict.stages.flatMap(\.measures) where measure.quantity == .failures {
            if let bound = measure.failures?.upperBound, bound < 1 {
                let what = measure.probe.isEmpty ? "bursts of builds" : "\(measure.object)"
                lines.append(
                    "\(what): failures in less than \(Figure.percent(bound)) of the runs may go unseen")
            }
        }
        if !evidence.boots.isEmpty {
            lines.append("whatever needs the network or a secret of production: a shadow has neither")
            let memory =
                evidence.limits.map { "it had no more than \(size($0.limits.memory))" }
                ?? "none of its processes had more than \(size(evidence.host.memory))"
            lines.append(
                "the load that production bears: each shadow shared \(evidence.host.processors) processors "
                    + "with the others, and \(memory) of memory")
        }
        return lines.isEmpty ? ["everything: there is no evidence of anything"] : lines
    }

    /// Label and value of what a verdict is bound to and says at once.
    var summary: [(label: String, value: String)] {
        var rows = [
            ("change", "\(verdict.change) (\(verdict.riskClass.rawValue))"),
            ("system", "\(verdict.system), snapshot \(verdict.snapshot)"),
            ("verdict", "\(verdict.id): \(verdict.result.rawValue)"),
        ]
        let parts = evidence.change.parts.map { "\($0.object): \($0.detail)" }
        if !parts.isEmpty { rows.append(("parts", parts.joined(separator: "; "))) }
        if !verdict.culprit.isEmpty {
            rows.append(("culprit", verdict.culprit.map(\.description).joined(separator: ", ")))
        }
        if let next = verdict.nextStep { rows.append(("next", next.text)) }
        return rows
    }

    /// Label and value of what makes the verdict repeatable.
    var bindings: [(label: String, value: String)] {
        var rows = [
            ("snapshot commit", verdict.commit), ("change tree", verdict.tree),
            ("policy", verdict.policy),
        ]
        if verdict.policy != verdict.declaredPolicy {
            rows.append(("policy declared before the first boot", verdict.declaredPolicy))
        }
        rows += [
            ("seed", "\(evidence.seed)"), ("host", evidence.host.name),
            ("ran", "\(evidence.started) to \(evidence.finished)"),
        ]
        if let limits = evidence.limits {
            rows.append(
                (
                    "limits of a shadow",
                    "\(size(limits.limits.memory)) of memory, \(limits.limits.processors) processors, "
                        + "\(limits.limits.processes) processes; kept \(limits.keeper)"
                ))
            let peaks = limits.peaks.map { "\($0.arm.rawValue) \(size($0.memory))" }
            if !peaks.isEmpty { rows.append(("most memory in use", peaks.joined(separator: ", "))) }
        }
        rows += evidence.digests.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return rows
    }

    /// `4096 MiB`.
    private func size(_ bytes: Int64) -> String { "\(bytes >> 20) MiB" }

    /// What was changed in the copies before they booted, in one list for each way; nil where nobody kept it.
    var neutralised: [(action: String, subjects: [String])]? {
        evidence.neutralised.map { all in
            var order: [String] = []
            var subjects: [String: [String]] = [:]
            for one in all {
                let only = one.arms.count == 1 ? " (\(one.arms[0].rawValue) alone)" : ""
                if subjects[one.action] == nil { order.append(one.action) }
                subjects[one.action, default: []].append(one.subject + only)
            }
            return order.map { ($0, subjects[$0] ?? []) }
        }
    }
}
