internal import Glibc

/// What counts of failures say.
enum FailureRate {
    /// The chance that the candidate fails so often or more if both arms fail alike: Fisher's exact test, one-sided.
    ///
    /// Nil when an arm has no runs.
    static func pWorse(baseline: (failed: Int, runs: Int), candidate: (failed: Int, runs: Int)) -> Double? {
        guard baseline.runs > 0, candidate.runs > 0 else { return nil }
        let failed = baseline.failed + candidate.failed
        let all = baseline.runs + candidate.runs
        let worse = candidate.failed...max(candidate.failed, min(candidate.runs, failed))
        guard all > exactLimit else {
            let ways = worse.map {
                binomial(candidate.runs, $0) * binomial(baseline.runs, failed - $0)
            }
            return Double(ways.reduce(0, +)) / Double(binomial(all, failed))
        }
        let logarithms = LogFactorials(upTo: all)
        let terms = worse.filter { failed - $0 <= baseline.runs }.map {
            exp(
                logarithms.binomial(candidate.runs, $0) + logarithms.binomial(baseline.runs, failed - $0)
                    - logarithms.binomial(all, failed))
        }
        // The small ones first, so that none of them is lost.
        return min(1, terms.sorted().reduce(0, +))
    }

    /// The number of runs up to which ways are counted in whole numbers.
    private static let exactLimit = 60

    /// The number of ways to choose `k` of `n`, exactly; `n` is at most ``exactLimit``.
    private static func binomial(_ n: Int, _ k: Int) -> Int {
        guard k >= 0, k <= n else { return 0 }
        return (0..<min(k, n - k)).reduce(1) { ways, i in
            ways / (i + 1) * (n - i) + ways % (i + 1) * (n - i) / (i + 1)
        }
    }

    /// The failure rate that `failed` of `runs` still allow, at one-sided level `alpha`: Clopper and Pearson's bound.
    static func upperBound(failed: Int, runs: Int, alpha: Double) -> Double? {
        guard runs > 0 else { return nil }
        guard failed < runs else { return 1 }
        return bisect { share(ofAtMost: failed, of: runs, rate: $0) > alpha }
    }

    /// The failure rate that `failed` of `runs` prove, at one-sided level `alpha`: Clopper and Pearson's bound.
    static func lowerBound(failed: Int, runs: Int, alpha: Double) -> Double? {
        upperBound(failed: runs - failed, runs: runs, alpha: alpha).map { 1 - $0 }
    }

    /// The chance of `failed` failures at most.
    private static func share(ofAtMost failed: Int, of runs: Int, rate: Double) -> Double {
        guard rate > 0 else { return 1 }
        guard rate < 1 else { return 0 }
        let logarithms = LogFactorials(upTo: runs)
        return (0...failed).reduce(0.0) { sum, count in
            sum
                + exp(
                    logarithms.binomial(runs, count) + Double(count) * log(rate)
                        + Double(runs - count) * log1p(-rate))
        }
    }

    /// The rate at which what holds for small ones ceases to hold.
    private static func bisect(_ holds: (Double) -> Bool) -> Double {
        var (low, high) = (0.0, 1.0)
        while true {
            let middle = low + (high - low) / 2
            guard middle > low, middle < high else { return middle }
            if holds(middle) { low = middle } else { high = middle }
        }
    }

    /// The bet against "both arms fail alike" after pairs of which `discordant` ended differently, `candidateOnly` of them
    /// with the candidate failing alone.
    ///
    /// It may be looked at after each pair: the chance that it ever comes to 1/α is α at most. The mixture
    /// 2ᴰ⁺¹ ∫ θᵏ(1−θ)ᴰ⁻ᵏ dθ over ½ to 1, in closed form: Σᵢ₌₀ᵏ C(D+1, i) / ((D+1)·C(D, k)).
    static func bet(candidateOnly: Int, discordant: Int) -> Double {
        let logarithms = LogFactorials(upTo: discordant + 1)
        let scale = logarithms.binomial(discordant, candidateOnly) + log(Double(discordant + 1))
        return (0...candidateOnly).reduce(0.0) { $0 + exp(logarithms.binomial(discordant + 1, $1) - scale) }
    }
}

/// Logarithms of factorials.
struct LogFactorials {
    private let values: [Double]

    /// Those of 0 to `limit`.
    init(upTo limit: Int) {
        var values = [0.0]
        for number in stride(from: 1, through: limit, by: 1) {
            values.append((values.last ?? 0) + log(Double(number)))
        }
        self.values = values
    }

    /// The logarithm of the number of ways to choose `k` of `n`.
    func binomial(_ n: Int, _ k: Int) -> Double { values[n] - values[k] - values[n - k] }
}
