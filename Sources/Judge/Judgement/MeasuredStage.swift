/// A stage of runs: each series judged at the declared looks, until all is decided or no look is left.
struct MeasuredStage {
    /// What a measure has come to so far.
    struct State {
        var decision = Decision.inconclusive
        /// The look that it was last judged at, counted from 1; 0 before the first.
        var look = 0
        var failures: FailureJudgement?
        var ratio: RatioJudgement?
        /// The level of the test for a fail after Holm.
        var alphaFail: Double?
        var reason = ""
    }

    let stage: Stage
    let series: [Series]
    /// The looks, the last with as many runs as one test among all of them needs.
    let looks: [CanaryPolicy.Look]
    let margin: Double
    let comparison: CanaryPolicy.Comparison
    let control: CanaryPolicy.Control
    /// The level of the test that follows the looks and may be looked at after each pair; nil when there is none.
    let sequentialAlpha: Double?
    /// For each series the states of its failures and of its quantities.
    private(set) var states: [[State]]
    /// What judging two unchanged shadows came to.
    private(set) var controlVerdict: ControlVerdict?

    /// Judges the series.
    init(
        stage: Stage, series: [Series], looks: [CanaryPolicy.Look], margin: Double,
        comparison: CanaryPolicy.Comparison, control: CanaryPolicy.Control, isSequential: Bool = false
    ) {
        self.stage = stage
        self.series = series
        self.margin = margin
        self.comparison = comparison
        self.control = control
        let tests = series.filter(\.isCritical).reduce(0) { $0 + $1.quantities.count }
        var looks = looks
        if let last = looks.popLast() {
            let fewest = Multiplicity.fewestRuns(tests: tests, alpha: last.alpha, comparison: comparison)
            looks.append(CanaryPolicy.Look(runs: max(last.runs, fewest), alpha: last.alpha))
        }
        // What goes on pair by pair spends the level of the look in whose place it stands.
        sequentialAlpha = isSequential ? looks.popLast()?.alpha : nil
        self.looks = looks
        states = series.map { [State](repeating: State(), count: 1 + $0.quantities.count) }
        for (index, look) in looks.enumerated() where !hasFailed {
            judge(at: look, number: index + 1)
        }
        if !hasFailed { goOn() }
        controlVerdict = judgeControl()
        if controlVerdict?.result == .fail { doubt() }
    }

    /// Whether something that can stop the change has failed.
    var hasFailed: Bool {
        zip(series, states).contains { $0.isCritical && $1.contains { $0.decision == .fail } }
    }

    /// Whether the series fails in the unchanged arms always.
    func isInvalid(_ index: Int) -> Bool {
        FailureJudgement(series[index], until: .max, test: .none, isComplete: false).isInvalid
    }

    /// Whether both arms have all runs of a look.
    func isComplete(_ index: Int, at look: CanaryPolicy.Look) -> Bool {
        [.baseline, .candidate].allSatisfy { series[index].number($0, until: look.runs) >= look.runs }
    }

    /// One of the tests that are made at once at a look.
    private struct Test {
        /// Which series, and which of its states.
        var series: Int, state: Int
        /// The chance for a fail; nil when it is decided already, or has too few runs.
        var p: Double?
        /// The comparison behind it, where it is one of values.
        var ratio: RatioJudgement?
        /// Whether it takes its share of the level.
        var counts = true
        /// What came of it after Holm.
        var isRejected = false
        /// The level that its p was held against.
        var level = 0.0
    }

    /// Judges what is undecided with the runs of one look: first every p, then Holm, then the decisions.
    private mutating func judge(at look: CanaryPolicy.Look, number: Int) {
        var tests = series.indices.filter { !isInvalid($0) }.flatMap { self.tests(of: $0, at: look) }
        share(look.alpha, among: &tests)
        for test in tests {
            if test.state == 0 {
                let isComplete = isComplete(test.series, at: look)
                let judgement = FailureJudgement(
                    series[test.series], until: look.runs,
                    test: .look(level: test.level, isRejected: test.isRejected && isComplete),
                    isComplete: isComplete)
                record(judgement, test.series, look: number, isComplete: isComplete)
            } else if let ratio = test.ratio {
                let decision = ratio.result(isRejected: test.isRejected, alphaPass: look.alpha)
                states[test.series][test.state] = State(
                    decision: decision, look: number, ratio: ratio, alphaFail: test.level)
            }
        }
    }

    private func tests(of index: Int, at look: CanaryPolicy.Look) -> [Test] {
        let series = series[index]
        var tests: [Test] = []
        // A run can still fail after a look without failures: only a fail is final here.
        if states[index][0].decision != .fail {
            let judgement = FailureJudgement(series, until: look.runs, test: .none, isComplete: false)
            // Without any failure the test can reject nothing, and is none.
            let hasFailures = judgement.numbers.baselineFailed + judgement.numbers.candidateFailed > 0
            tests.append(Test(series: index, state: 0, p: judgement.numbers.p, counts: hasFailures))
        }
        for quantity in series.quantities.indices {
            var test = Test(series: index, state: quantity + 1)
            if isComplete(index, at: look), states[index][quantity + 1].decision == .inconclusive {
                test.ratio = RatioJudgement(
                    series, quantity: quantity, until: look.runs, margin: margin, alpha: look.alpha,
                    comparison: comparison)
                test.p = test.ratio?.numbers.pFail
            }
            tests.append(test)
        }
        return tests
    }

    /// What can fail the stage shares the level by Holm; what only is shown has it for itself.
    private func share(_ alpha: Double, among tests: inout [Test]) {
        for index in tests.indices {
            tests[index].level = alpha
            tests[index].isRejected = tests[index].p.map { $0 <= alpha } ?? false
        }
        let family = tests.indices.filter { tests[$0].counts && series[tests[$0].series].isCritical }
        let results = Multiplicity.holm(family.map { tests[$0].p ?? 1 }, alpha: alpha)
        for (index, result) in zip(family, results) {
            (tests[index].isRejected, tests[index].level) = (result.isRejected, result.level)
        }
    }

    private mutating func record(_ judgement: FailureJudgement, _ index: Int, look: Int, isComplete: Bool) {
        // An unfinished look decides only what is certain already.
        guard isComplete || judgement.result == .fail || states[index][0].failures == nil else { return }
        states[index][0].failures = judgement
        states[index][0].decision = judgement.result
        states[index][0].look = isComplete || judgement.result == .fail ? look : 0
    }

    /// What runs beyond the looks say: failures pair by pair, values by a test that allows for looking after each pair.
    private mutating func goOn() {
        let last = looks.last ?? CanaryPolicy.Look(runs: 0, alpha: sequentialAlpha ?? 0.05)
        for index in series.indices where !isInvalid(index) {
            let pairs = min(series[index].number(.baseline), series[index].number(.candidate))
            let all = FailureJudgement(series[index], until: .max, test: .none, isComplete: false)
            if states[index][0].decision == .pass, all.result != .pass, all.numbers.candidateFailed > 0 {
                // It failed after the look that it had passed.
                record(all, index, look: states[index][0].look, isComplete: true)
            }
            guard pairs > last.runs else { continue }
            if states[index][0].decision == .inconclusive {
                let judgement = FailureJudgement(
                    series[index], until: .max, test: .bet(level: sequentialAlpha ?? last.alpha),
                    isComplete: looks.isEmpty)
                record(judgement, index, look: looks.count + 1, isComplete: true)
            }
            guard let sequentialAlpha else { continue }
            let tests = series.filter(\.isCritical).reduce(0) { $0 + $1.quantities.count }
            let alpha = sequentialAlpha / Double(max(1, tests))
            for quantity in series[index].quantities.indices
            where states[index][quantity + 1].decision == .inconclusive {
                guard
                    let judged = SequentialJudgement(
                        series[index], quantity: quantity, margin: margin, alpha: alpha)
                else { continue }
                states[index][quantity + 1].ratio = judged.ratio
                states[index][quantity + 1].decision = judged.result
                states[index][quantity + 1].alphaFail = alpha
                states[index][quantity + 1].look = looks.count + 1
            }
        }
    }

    /// Judges the baseline against itself, or against an unchanged shadow that was run once more.
    private func judgeControl() -> ControlVerdict? {
        let valid = series.indices.filter { series[$0].isCritical && !isInvalid($0) }
        guard !valid.isEmpty else { return nil }
        let reached = states.joined().map(\.look).max() ?? 0
        let alpha =
            looks.isEmpty ? sequentialAlpha ?? 0.05 : looks[max(0, min(reached, looks.count) - 1)].alpha
        let hasControl = valid.contains { series[$0].number(.control) > 0 }
        guard hasControl || control == .split else {
            return ControlVerdict(
                result: nil,
                reason: "the policy asks for a second unchanged shadow, and there are no runs of one")
        }
        var chances: [Double] = []
        var isShown = true
        for index in valid {
            for quantity in series[index].quantities.indices {
                let baseline = series[index].runs(.baseline, until: .max).filter(\.passed)
                let (first, second) =
                    hasControl
                    ? (baseline, series[index].runs(.control, until: .max).filter(\.passed))
                    : (
                        baseline.filter { !$0.pair.isMultiple(of: 2) },
                        baseline.filter { $0.pair.isMultiple(of: 2) }
                    )
                guard min(first.count, second.count) >= FailureJudgement.fewest,
                    // The halves are no pairs: they are compared as a whole.
                    let test = MarginTest(
                        candidate: second.map { $0.values[quantity] },
                        baseline: first.map { $0.values[quantity] }, margin: margin),
                    let back = MarginTest(
                        candidate: first.map { $0.values[quantity] },
                        baseline: second.map { $0.values[quantity] }, margin: margin)
                else {
                    isShown = false
                    continue
                }
                chances.append(min(1, 2 * min(test.pFail, back.pFail)))
                isShown = isShown && max(test.pPass, back.pPass) <= alpha
            }
        }
        let what = hasControl ? "two unchanged shadows" : "the two halves of the baseline's runs"
        guard !chances.isEmpty else {
            return ControlVerdict(
                result: nil, reason: "\(what) are too few runs to compare")
        }
        if Multiplicity.holm(chances, alpha: alpha).contains(where: \.isRejected) {
            return ControlVerdict(
                result: .fail,
                reason: "\(what) differ by more than is tolerated: the host's noise decides here")
        }
        return isShown
            ? ControlVerdict(result: .pass, reason: "\(what) are shown to be alike")
            : ControlVerdict(
                result: .inconclusive,
                reason: "\(what) do not differ, and are too few or too noisy to be shown alike")
    }

    /// Takes every decision back that rests on values: where nothing changed they differ as well.
    private mutating func doubt() {
        for index in states.indices {
            for state in states[index].indices.dropFirst() where states[index][state].look > 0 {
                states[index][state].decision = .inconclusive
                states[index][state].reason = "the host is too noisy: unchanged shadows differ as much"
            }
        }
    }
}
