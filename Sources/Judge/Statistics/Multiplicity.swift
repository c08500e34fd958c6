/// What many tests at once ask of each.
enum Multiplicity {
    /// Tests at once, with the chance `alpha` that any is rejected wrongly: Holm's procedure, in the order of `p`.
    ///
    /// None of `p` is NaN. `level` is what the test's p was compared with.
    static func holm(_ p: [Double], alpha: Double) -> [(isRejected: Bool, level: Double)] {
        var results = p.map { _ in (isRejected: false, level: alpha) }
        var goesOn = true
        for (place, index) in p.indices.sorted(by: { p[$0] < p[$1] }).enumerated() {
            let level = alpha / Double(p.count - place)
            // Behind the first that is not rejected none is.
            goesOn = goesOn && p[index] <= level
            results[index] = (goesOn, level)
        }
        return results
    }

    /// The smallest p that so many runs of each arm can have: 1/C(2n, n), or 2⁻ⁿ for pairs.
    static func smallestP(runs: Int, comparison: CanaryPolicy.Comparison) -> Double {
        var arrangements = 1.0
        for run in stride(from: 1, through: runs, by: 1) {
            switch comparison {
            case .arms: arrangements = arrangements * Double(runs + run) / Double(run)
            case .pairs: arrangements *= 2
            }
        }
        return 1 / arrangements
    }

    /// The fewest runs of each arm with which one of `tests` can be rejected at `alpha`.
    static func fewestRuns(tests: Int, alpha: Double, comparison: CanaryPolicy.Comparison) -> Int {
        var runs = 1
        // No level that anybody declares needs more; without an end one of zero would.
        while runs < 100, smallestP(runs: runs, comparison: comparison) > alpha / Double(max(1, tests)) {
            runs += 1
        }
        return runs
    }
}

extension CanaryPolicy {
    /// The fewest runs of each arm with which one test can come out at the level: 3 at 0.05, 5 at 0.01.
    package static func fewestRuns(alpha: Double, comparison: Comparison) -> Int {
        Multiplicity.fewestRuns(tests: 1, alpha: alpha, comparison: comparison)
    }
}
