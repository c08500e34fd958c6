internal import Glibc

/// How far one sample lies above another: Hodges and Lehmann's estimate with one-sided bounds.
struct ShiftEstimate: Hashable {
    /// The estimate.
    let estimate: Double
    /// The shift is at least this; nil when so few values give no bound at the level asked for.
    let lower: Double?
    /// The shift is at most this; nil when so few values give no bound at the level asked for.
    let upper: Double?
    /// The chance that the true shift is below ``lower``, and that it is above ``upper``: at most what was asked for.
    let level: Double?

    /// The shift of `x` over `y`: the median of all differences.
    ///
    /// Nil when one is empty or has a value that is no number.
    init?(_ x: [Double], over y: [Double], alpha: Double) {
        guard !x.isEmpty, !y.isEmpty, !(x + y).contains(where: \.isNaN) else { return nil }
        let differences = x.flatMap { value in y.map { value - $0 } }.sorted()
        let rank =
            x.count + y.count <= MannWhitney.exactLimit
            ? RankSumNull(m: x.count, n: y.count).rank(for: alpha)
            : Self.normalRank(
                alpha: alpha, mean: Double(x.count * y.count) / 2,
                deviation: (Double(x.count * y.count * (x.count + y.count + 1)) / 12).squareRoot())
        self.init(sorted: differences, rank: rank)
    }

    /// The shift of paired differences from 0: the median of their pairwise means.
    ///
    /// Nil when there is none or one is no number.
    init?(differences: [Double], alpha: Double) {
        guard !differences.isEmpty, !differences.contains(where: \.isNaN) else { return nil }
        let count = differences.count
        let means = differences.indices.flatMap { left in
            differences[left...].map { (differences[left] + $0) / 2 }
        }
        let rank =
            count <= SignedRank.exactLimit
            ? RankSumNull(signedDoubledRanks: Array(1...count)).rank(for: alpha)
            : Self.normalRank(
                alpha: alpha, mean: Double(count * (count + 1)) / 4,
                deviation: (Double(count * (count + 1) * (2 * count + 1)) / 24).squareRoot())
        self.init(sorted: means.sorted(), rank: rank)
    }

    private init(sorted: [Double], rank: (k: Int, level: Double)) {
        estimate = median(ofSorted: sorted)
        let hasBounds = rank.k > 0 && rank.k <= sorted.count
        lower = hasBounds ? sorted[rank.k - 1] : nil
        upper = hasBounds ? sorted[sorted.count - rank.k] : nil
        level = hasBounds ? rank.level : nil
    }

    /// The estimate of a ratio, from one of the difference of logarithms.
    init(exponentiating shift: ShiftEstimate) {
        estimate = exp(shift.estimate)
        lower = shift.lower.map { exp($0) }
        upper = shift.upper.map { exp($0) }
        level = shift.level
    }

    /// ``RankSumNull/rank(for:)`` for many values, where the statistic is normal.
    private static func normalRank(
        alpha: Double, mean: Double, deviation: Double
    ) -> (k: Int, level: Double) {
        let share = { (k: Int) in NormalDistribution.share(below: (Double(k) - 0.5 - mean) / deviation) }
        var k = 0
        while Double(k) < mean, share(k + 1) <= alpha { k += 1 }
        return (k, share(k))
    }
}
