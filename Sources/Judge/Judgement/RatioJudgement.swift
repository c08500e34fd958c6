internal import Glibc

/// One quantity of one series, compared with what is tolerated.
struct RatioJudgement {
    /// The numbers; without the level after Holm, which depends on how many tests there are.
    var numbers: RatioComparison
    /// Whether the difference is shown to be less than the floor: then it passes whatever the ratio.
    let isBelowFloor: Bool

    /// Compares the values of the runs until a pair; nil when an arm has none that can be compared.
    init?(
        _ series: Series, quantity index: Int, until pair: Int, margin: Double, alpha: Double,
        comparison: CanaryPolicy.Comparison
    ) {
        let quantity = series.quantities[index]
        var (worse, usual) = (series.runs(.candidate, until: pair), series.runs(.baseline, until: pair))
        if comparison == .pairs {
            // Only pairs of which both runs passed can be compared in themselves.
            let both = Set(worse.filter(\.passed).map(\.pair)).intersection(
                usual.filter(\.passed).map(\.pair))
            worse.removeAll { !both.contains($0.pair) }
            usual.removeAll { !both.contains($0.pair) }
        }
        let values = worse.filter(\.passed).map { $0.values[index] }
        let others = usual.filter(\.passed).map { $0.values[index] }
        self.init(
            values, against: others, moreIsBetter: quantity.moreIsBetter, floor: quantity.floor,
            margin: margin, alpha: alpha, comparison: comparison)
    }

    /// Compares values with others; for pairs both are in their order.
    init?(
        _ values: [Double], against others: [Double], moreIsBetter: Bool, floor: Double, margin: Double,
        alpha: Double, comparison: CanaryPolicy.Comparison
    ) {
        // What is better when there is more of it gets worse as the other arm gets better.
        let (high, low) = moreIsBetter ? (others, values) : (values, others)
        guard let test = MarginTest(candidate: high, baseline: low, margin: margin, comparison: comparison),
            let alike = MarginTest(candidate: high, baseline: low, margin: 1, comparison: comparison),
            let delta = CliffDelta(values, over: others)
        else { return nil }
        let ratio = Self.ratio(high, low, alpha: alpha, comparison: comparison)
        let difference =
            comparison == .arms
            ? ShiftEstimate(high, over: low, alpha: alpha)
            : ShiftEstimate(differences: zip(high, low).map { $0 - $1 }, alpha: alpha)
        let upper = difference?.upper
        isBelowFloor = floor > 0 && (upper.map { $0 < floor } ?? false)
        let passes = isBelowFloor || test.pPass <= alpha
        let worst = low.max() ?? 0
        numbers = RatioComparison(
            margin: margin, test: test.test, pFail: rounded(test.pFail), pPass: rounded(test.pPass),
            pDrift: rounded(alike.pFail), alpha: alpha, alphaFail: nil,
            estimate: ratio.map { rounded($0.estimate) }, lower: ratio?.lower.map(rounded),
            upper: ratio?.upper.map(rounded), level: ratio?.level.map(rounded),
            upperDifference: upper.map(rounded), delta: rounded(delta.delta),
            deltaLower: delta.interval.map { rounded($0.lowerBound) },
            deltaUpper: delta.interval.map { rounded($0.upperBound) },
            noise: noise(of: others).map(rounded), isDrift: passes && alike.pFail <= alpha,
            beyond: high.count { $0 > worst * margin })
    }

    /// The estimate of high to low: above 1 is worse, whatever the quantity.
    private static func ratio(
        _ high: [Double], _ low: [Double], alpha: Double, comparison: CanaryPolicy.Comparison
    ) -> ShiftEstimate? {
        guard !(high + low).contains(0) else { return nil }
        let (logHigh, logLow) = (high.map { log($0) }, low.map { log($0) })
        let shift =
            comparison == .arms
            ? ShiftEstimate(logHigh, over: logLow, alpha: alpha)
            : ShiftEstimate(differences: zip(logHigh, logLow).map { $0 - $1 }, alpha: alpha)
        return shift.map { ShiftEstimate(exponentiating: $0) }
    }

    /// What it comes to, with the level of the test for a pass and whether that for a fail rejects.
    func result(isRejected: Bool, alphaPass: Double) -> Decision {
        if isBelowFloor { return .pass }
        if isRejected { return .fail }
        return numbers.pPass <= alphaPass ? .pass : .inconclusive
    }
}
