internal import SnapshotModel

extension MeasuredStage {
    /// The cheapest way to a decision of what is undecided; nil when all is decided.
    func nextStep(_ critical: [Measure]) -> NextStep? {
        let open = critical.filter { $0.result == .inconclusive }
        guard let first = open.first else {
            return critical.isEmpty
                ? NextStep(
                    action: .decide,
                    text:
                        "No probe says anything here: choose one that works offline, or let somebody decide.")
                : nil
        }
        if controlVerdict?.result == .fail {
            return NextStep(
                action: .quieterHost,
                text: "Run the canary on a host that does nothing else: unchanged shadows differ there too.")
        }
        if let unfinished = open.first(where: { $0.look == 0 }) {
            let runs = looks.first?.runs ?? SequentialRatio.fewest
            let isShort = min(unfinished.baseline.count, unfinished.candidate.count) < runs
            if isShort, unfinished.quantity == .failures || unfinished.failures == nil {
                return NextStep(
                    action: .moreRuns, count: runs,
                    text: "Run the canary again: \(counted(runs, "run")) of each arm are needed.")
            }
        }
        if let dirty = open.first(where: { $0.failures?.baselineFailed ?? 0 > 0 }) {
            return NextStep(
                action: .repairProbe,
                text: "Repair or replace \(dirty.object): it fails without the change too, now and then.")
        }
        if let flaky = open.first(where: { $0.failures?.candidateFailed ?? 0 > 0 }),
            let numbers = flaky.failures
        {
            return moreRuns(failing: numbers, of: flaky)
        }
        return open.lazy.compactMap { moreRuns(of: $0) }.first
            ?? NextStep(action: .decide, text: "\(first.object): \(first.reason). Somebody has to decide.")
    }

    /// The runs with which failures at the rate seen so far are told from chance.
    private func moreRuns(failing numbers: FailureComparison, of measure: Measure) -> NextStep {
        let rate = Double(numbers.candidateFailed) / Double(max(1, numbers.candidateRuns))
        let alpha = looks.last?.alpha ?? 0.05
        let enough = stride(from: numbers.candidateRuns, through: 60, by: 1).first { runs in
            let failed = Int((rate * Double(runs)).rounded())
            return FailureRate.pWorse(baseline: (0, runs), candidate: (failed, runs)).map { $0 <= alpha }
                ?? false
        }
        guard let enough else {
            return NextStep(
                action: .decide,
                text:
                    "\(measure.object) fails too seldom for any number of runs: read the log of the failed build."
            )
        }
        return NextStep(
            action: .moreRuns, count: enough,
            text:
                "Declare \(enough) runs of each arm in the policy: failures this frequent then show. Read the log of "
                + "the failed build first.")
    }

    /// The runs with which a ratio like the one seen is told from the margin, where noise lets that be.
    private func moreRuns(of measure: Measure) -> NextStep? {
        guard let ratio = measure.ratio, let noise = ratio.noise else { return nil }
        let runs = min(measure.baseline.count, measure.candidate.count)
        let seen = "\(measure.object) has \(percent(noise)) noise here"
        // Half of the way to the margin is gone when the ratio is half of it: what is left has to be seen.
        let left = ratio.estimate.map { max(ratio.margin / $0, $0 / ratio.margin) } ?? ratio.margin
        guard let table = Self.runsNeeded(margin: left, noise: noise), max(table, runs + 1) <= 30 else {
            return NextStep(
                action: .quieterHost,
                text:
                    "\(seen): no number of runs up to 30 shows the difference from the margin. A quieter host, a wider "
                    + "margin that somebody answers for, or a decision by a person.")
        }
        // So many runs as there were did not do: the noise is greater than it looked.
        let needed = table > runs ? table : min(30, 2 * runs)
        return NextStep(
            action: .moreRuns, count: needed,
            text: "\(seen): declare \(needed) runs of each arm in the policy and run the canary again.")
    }

    /// The runs of each arm with which an unchanged system passes four times in five; nil for more than 30.
    static func runsNeeded(margin: Double, noise: Double) -> Int? {
        let columns = [0.02, 0.05, 0.10, 0.20, 0.30]
        let rows: [(margin: Double, runs: [Int?])] = [
            (1.50, [3, 3, 3, 5, 10]), (1.25, [3, 3, 5, 12, 25]), (1.10, [3, 5, 20, nil, nil]),
        ]
        guard let row = rows.first(where: { $0.margin <= margin }),
            let column = columns.firstIndex(where: { noise <= $0 })
        else { return nil }
        return row.runs[column]
    }
}
