internal import Glibc

/// Two exact one-sided tests of the same values against a tolerated ratio: is the candidate beyond it, is it within.
///
/// Values become whole millionths first, and the baseline's times the margin too: so dividing by the margin can neither
/// make ties nor break them.
struct MarginTest: Hashable {
    /// The chance of values so bad or worse if the true ratio is the margin: small is a regression beyond it.
    let pFail: Double
    /// The chance of values so good or better if the true ratio is the margin: small is shown to be within it.
    let pPass: Double
    /// How the values were tested.
    let test: RatioComparison.Test

    /// The tests; nil when an arm has no values or one that is negative or no number, or pairs that are none.
    ///
    /// For ``CanaryPolicy/Comparison/pairs`` both are in the order of the pairs, and no value is zero.
    init?(
        candidate: [Double], baseline: [Double], margin: Double, comparison: CanaryPolicy.Comparison = .arms
    ) {
        guard let above = Quantised(candidate), let below = Quantised(baseline, times: margin) else {
            return nil
        }
        switch comparison {
        case .arms:
            guard let ranks = MannWhitney(above.values, below.values) else { return nil }
            (pFail, pPass) = (ranks.pGreater, ranks.pLess)
            test = ranks.isExact ? .mannWhitneyExact : .mannWhitneyNormal
        case .pairs:
            guard above.values.count == below.values.count, !(above.values + below.values).contains(0),
                let ranks = SignedRank(
                    zip(above.values, below.values).map { $0 == $1 ? 0 : log($0) - log($1) })
            else { return nil }
            (pFail, pPass) = (ranks.pGreater, ranks.pLess)
            test = .signedRank
        }
    }
}

/// Values in whole millionths.
struct Quantised {
    /// The values; each is a whole number.
    let values: [Double]

    /// The values, times a factor; nil when there are none, or one is negative or no number.
    init?(_ values: [Double], times factor: Double = 1) {
        guard !values.isEmpty, values.allSatisfy({ $0 >= 0 && $0.isFinite }), factor > 0 else { return nil }
        self.values = values.map { (($0 * 1e6).rounded() * factor).rounded() }
    }
}
