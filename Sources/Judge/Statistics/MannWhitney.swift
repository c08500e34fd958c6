/// Mann and Whitney's test of two samples: whether the values of one tend to be greater.
///
/// For up to 50 values every arrangement is counted, with ties as they are; beyond that the normal distribution with
/// corrections for ties and continuity stands in.
struct MannWhitney {
    /// The number of values, of both samples, up to which every arrangement is counted.
    static let exactLimit = 50

    /// Pairs in which the first sample's value is the greater; a tie is half a pair.
    let u: Double
    /// The chance of such a `u` or a greater one if the samples are alike.
    let pGreater: Double
    /// The chance of such a `u` or a smaller one if the samples are alike.
    let pLess: Double
    /// Whether every arrangement was counted.
    let isExact: Bool

    /// The test of `x` against `y`; nil when one is empty or has a value that is no number.
    init?(_ x: [Double], _ y: [Double]) {
        self.init(x, y, exactLimit: Self.exactLimit)
    }

    /// The test with another limit: tests compare both ways of counting.
    init?(_ x: [Double], _ y: [Double], exactLimit: Int) {
        guard !x.isEmpty, !y.isEmpty, !(x + y).contains(where: \.isNaN) else { return nil }
        let (m, n) = (x.count, y.count)
        let ranks = MidRanks(x + y)
        let rankSum = ranks.doubled.prefix(m).reduce(0, +)
        // Twice U: ranks are doubled, so that midranks are whole numbers.
        let doubledU = rankSum - m * (m + 1)
        u = Double(doubledU) / 2
        isExact = m + n <= exactLimit
        if !isExact {
            (pGreater, pLess) = Self.normal(u: u, m: m, n: n, ties: ranks.ties)
        } else if ranks.ties.isEmpty {
            let null = RankSumNull(m: m, n: n)
            pGreater = null.share(from: doubledU / 2)
            pLess = null.share(to: doubledU / 2)
        } else {
            let null = RankSumNull(doubledRanks: ranks.doubled, chosen: m)
            pGreater = null.share(from: rankSum)
            pLess = null.share(to: rankSum)
        }
    }

    private static func normal(u: Double, m: Int, n: Int, ties: [Int]) -> (greater: Double, less: Double) {
        let (product, all) = (Double(m * n), Double(m + n))
        let tied = ties.reduce(0.0) { $0 + (Double($1) * Double($1) - 1) * Double($1) }
        let deviation = (product / 12 * (all + 1 - tied / (all * (all - 1)))).squareRoot()
        guard deviation > 0 else { return (1, 1) }
        let distance = u - product / 2
        return (
            NormalDistribution.share(below: -(distance - 0.5) / deviation),
            NormalDistribution.share(below: (distance + 0.5) / deviation)
        )
    }
}

/// The ranks of values, doubled, with the mean rank for values that are equal.
struct MidRanks {
    /// Twice the rank of each value, in the order of the values.
    let doubled: [Int]
    /// The size of each group of equal values that has more than one.
    let ties: [Int]

    /// The ranks of `values`, none of which is NaN.
    init(_ values: [Double]) {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var doubled = [Int](repeating: 0, count: values.count)
        var ties: [Int] = []
        var first = 0
        while first < order.count {
            var end = first + 1
            while end < order.count, values[order[end]] == values[order[first]] { end += 1 }
            // Ranks first + 1 to end: their mean, doubled.
            for position in first..<end { doubled[order[position]] = first + 1 + end }
            if end - first > 1 { ties.append(end - first) }
            first = end
        }
        self.doubled = doubled
        self.ties = ties
    }
}

/// How a statistic is distributed over all arrangements that are alike in chance: counts of arrangements.
struct RankSumNull {
    /// Arrangements for each value of the statistic, from 0.
    private let counts: [Int]
    /// All arrangements: at most C(50, 25), far from what an `Int` holds.
    private let total: Int

    /// U of `m` values against `n`, of which no two are equal.
    ///
    /// The counts are the coefficients of the Gaussian binomial, the product of (1 − qⁿ⁺ⁱ)/(1 − qⁱ).
    init(m: Int, n: Int) {
        var counts = [Int](repeating: 0, count: m * n + 1)
        counts[0] = 1
        for factor in stride(from: 1, through: m, by: 1) {
            for u in stride(from: m * n, through: n + factor, by: -1) { counts[u] -= counts[u - n - factor] }
            for u in stride(from: factor, through: m * n, by: 1) { counts[u] += counts[u - factor] }
        }
        self.counts = counts
        total = counts.reduce(0, +)
    }

    /// The sum of `chosen` of the ranks.
    init(doubledRanks: [Int], chosen: Int) {
        let top = doubledRanks.sorted().suffix(chosen).reduce(0, +)
        var ways = [[Int]](repeating: [Int](repeating: 0, count: top + 1), count: chosen + 1)
        ways[0][0] = 1
        for (index, rank) in doubledRanks.enumerated() {
            for size in stride(from: min(index, chosen - 1), through: 0, by: -1) {
                for sum in stride(from: top - rank, through: 0, by: -1) where ways[size][sum] > 0 {
                    ways[size + 1][sum + rank] += ways[size][sum]
                }
            }
        }
        counts = ways[chosen]
        total = counts.reduce(0, +)
    }

    /// The sum of the ranks whose sign is positive, each sign by the toss of a coin.
    init(signedDoubledRanks ranks: [Int]) {
        var counts = [Int](repeating: 0, count: ranks.reduce(0, +) + 1)
        counts[0] = 1
        for rank in ranks {
            for sum in stride(from: counts.count - 1, through: rank, by: -1) {
                counts[sum] += counts[sum - rank]
            }
        }
        self.counts = counts
        total = counts.reduce(0, +)
    }

    /// The share of arrangements whose statistic is `value` or more.
    func share(from value: Int) -> Double {
        Double(counts[max(0, value)...].reduce(0, +)) / Double(total)
    }

    /// The share of arrangements whose statistic is `value` or less.
    func share(to value: Int) -> Double {
        guard value >= 0 else { return 0 }
        return Double(counts[...min(value, counts.count - 1)].reduce(0, +)) / Double(total)
    }

    /// The greatest k for which the share of arrangements below k is at most `alpha`, and that share.
    func rank(for alpha: Double) -> (k: Int, level: Double) {
        var (k, below) = (0, 0)
        while k < counts.count, Double(below + counts[k]) <= alpha * Double(total) {
            below += counts[k]
            k += 1
        }
        return (k, Double(below) / Double(total))
    }
}
