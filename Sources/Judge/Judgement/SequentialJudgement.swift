internal import Glibc

/// One quantity of many bursts, compared with what is tolerated after each pair.
struct SequentialJudgement {
    /// What it comes to at the first pair that decides, or at the last there is.
    let result: Decision
    /// The numbers at the last pair.
    let ratio: RatioJudgement

    /// Judges the pairs in their order; nil below ``SequentialRatio/fewest`` of them, and where a value is zero.
    init?(_ series: Series, quantity index: Int, margin: Double, alpha: Double) {
        let quantity = series.quantities[index]
        let values = series.values(index, .candidate, until: .max)
        let others = series.values(index, .baseline, until: .max)
        let count = min(values.count, others.count)
        guard count >= SequentialRatio.fewest, !(values + others).contains(0),
            let judged = RatioJudgement(
                values, against: others, moreIsBetter: quantity.moreIsBetter, floor: quantity.floor,
                margin: margin, alpha: alpha, comparison: .arms)
        else { return nil }
        let high = (quantity.moreIsBetter ? others : values).map { log($0) }
        let low = (quantity.moreIsBetter ? values : others).map { log($0) + log(margin) }
        // What is thought of is a difference of about the margin.
        let spread = log(margin) * log(margin)
        var test = SequentialRatio()
        var result = Decision.inconclusive
        for pairs in SequentialRatio.fewest...count where result == .inconclusive {
            let (above, below) = (Moments(high.prefix(pairs)), Moments(low.prefix(pairs)))
            let variance = (above.variance + below.variance) / 2
            let difference = above.mean - below.mean
            guard variance > 0 else {
                result = difference > 0 ? .fail : difference < 0 ? .pass : .inconclusive
                continue
            }
            test.look(count: pairs, difference: difference, variance: variance, spread: spread)
            if test.p <= alpha { result = difference > 0 ? .fail : .pass }
        }
        self.result = judged.isBelowFloor ? .pass : result
        var ratio = judged
        let isWorse = Moments(high.prefix(count)).mean > Moments(low.prefix(count)).mean
        ratio.numbers.test = .sequential
        ratio.numbers.pFail = rounded(isWorse ? test.p : 1)
        ratio.numbers.pPass = rounded(isWorse ? 1 : test.p)
        self.ratio = ratio
    }

    private struct Moments {
        let mean: Double
        let variance: Double

        init(_ values: ArraySlice<Double>) {
            let mean = values.reduce(0, +) / Double(values.count)
            self.mean = mean
            variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
        }
    }
}
