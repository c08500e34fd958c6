/// Wilcoxon's signed-rank test: whether the differences of pairs tend to be positive.
///
/// For up to 50 pairs every change of signs is counted, with ties as they are; differences of zero are dropped.
struct SignedRank {
    /// The number of pairs up to which every change of signs is counted.
    static let exactLimit = 50

    /// The sum of the ranks of the positive differences.
    let positive: Double
    /// The chance of such a sum or a greater one if the signs are a matter of chance.
    let pGreater: Double
    /// The chance of such a sum or a smaller one if the signs are a matter of chance.
    let pLess: Double

    /// The test; nil when there are no differences or one is no number.
    ///
    /// If all are zero, nothing is shown: both chances are 1.
    init?(_ differences: [Double]) {
        guard !differences.isEmpty, !differences.contains(where: \.isNaN) else { return nil }
        let moved = differences.filter { $0 != 0 }
        let ranks = MidRanks(moved.map { abs($0) })
        let sum = zip(moved, ranks.doubled).reduce(0) { $1.0 > 0 ? $0 + $1.1 : $0 }
        positive = Double(sum) / 2
        if moved.count <= Self.exactLimit {
            let null = RankSumNull(signedDoubledRanks: ranks.doubled)
            pGreater = null.share(from: sum)
            pLess = null.share(to: sum)
        } else {
            let count = Double(moved.count)
            let tied = ranks.ties.reduce(0.0) { $0 + (Double($1) * Double($1) - 1) * Double($1) }
            let deviation = (count * (count + 1) * (2 * count + 1) / 24 - tied / 48).squareRoot()
            let distance = positive - count * (count + 1) / 4
            pGreater = NormalDistribution.share(below: -(distance - 0.5) / deviation)
            pLess = NormalDistribution.share(below: (distance + 0.5) / deviation)
        }
    }
}
