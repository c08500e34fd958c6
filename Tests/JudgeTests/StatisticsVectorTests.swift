import Foundation
import Testing

@testable import Judge

/// The statistics against numbers that scipy and an enumeration of all arrangements gave (Tests/Fixtures/judge-statistics.json).
@Suite struct StatisticsVectorTests {
    struct Vectors: Decodable {
        struct Ranks: Decodable {
            var name: String
            var x, y: [Double]
            var U, exact_greater, exact_less, exact_two: Double
            var exact_greater_fraction: [Double]
            var asym_cc_greater, asym_cc_less, asym_cc_two: Double
            var hl: Double
            var ci90, ci95: [Double]
            var ci90_k, ci95_k: Int
            var ci90_achieved, ci95_achieved: Double
            var cliff: Double
            var cliff_ci95: [Double]
        }
        struct Fisher: Decodable {
            var baseFail, baseN, candFail, candN: Int
            var p: Double
        }
        struct Binomial: Decodable {
            var fail, n: Int
            var lower, upper: Double
        }
        struct Bet: Decodable {
            var candOnlyFail, discordant: Int
            var E: Double
        }
        struct Sequential: Decodable {
            var n: Int
            var diff, sigma2, tau2, Lambda, p: Double
        }
        var mannwhitney: [Ranks]
        var k_one_sided: [String: [String: Int]]
        var fisher_one_sided_greater: [Fisher]
        var clopper_pearson_one_sided_95: [Binomial]
        var eprocess_one_sided_uniform: [Bet]
        var msprt_normal_known_sigma: [Sequential]
    }

    let vectors: Vectors

    init() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/judge-statistics.json")
        vectors = try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: path))
    }

    @Test func rankSumsAgree() throws {
        #expect(vectors.mannwhitney.count == 11)
        for vector in vectors.mannwhitney {
            let exact = try #require(MannWhitney(vector.x, vector.y))
            #expect(exact.isExact)
            #expect(exact.u == vector.U, "\(vector.name)")
            #expect(isClose(exact.pGreater, vector.exact_greater), "\(vector.name)")
            #expect(
                isClose(exact.pGreater, vector.exact_greater_fraction[0] / vector.exact_greater_fraction[1]))
            #expect(isClose(exact.pLess, vector.exact_less), "\(vector.name)")
            #expect(isClose(twoSided(exact), vector.exact_two), "\(vector.name)")
            let normal = try #require(MannWhitney(vector.x, vector.y, exactLimit: 0))
            #expect(!normal.isExact)
            #expect(isClose(normal.pGreater, vector.asym_cc_greater), "\(vector.name)")
            #expect(isClose(normal.pLess, vector.asym_cc_less), "\(vector.name)")
            #expect(isClose(twoSided(normal), vector.asym_cc_two), "\(vector.name)")
        }
    }

    /// The vectors follow R, which gives the outermost difference where no bound exists; we give none.
    @Test func shiftsAgree() throws {
        for vector in vectors.mannwhitney {
            for (alpha, interval, k, achieved) in [
                (0.05, vector.ci90, vector.ci90_k, vector.ci90_achieved),
                (0.025, vector.ci95, vector.ci95_k, vector.ci95_achieved),
            ] {
                let shift = try #require(ShiftEstimate(vector.x, over: vector.y, alpha: alpha))
                #expect(isClose(shift.estimate, vector.hl), "\(vector.name)")
                let null = RankSumNull(m: vector.x.count, n: vector.y.count)
                guard null.rank(for: alpha).k > 0 else {
                    #expect(k == 1, "\(vector.name)")
                    #expect(shift.lower == nil && shift.upper == nil && shift.level == nil, "\(vector.name)")
                    continue
                }
                #expect(null.rank(for: alpha).k == k, "\(vector.name)")
                #expect(isClose(try #require(shift.lower), interval[0]), "\(vector.name)")
                #expect(isClose(try #require(shift.upper), interval[1]), "\(vector.name)")
                #expect(isClose(1 - 2 * (try #require(shift.level)), achieved), "\(vector.name)")
            }
        }
    }

    @Test func ranksOfBoundsAgree() throws {
        #expect(vectors.k_one_sided.count == 66)
        for (sizes, levels) in vectors.k_one_sided {
            let counts = sizes.split(separator: "x").compactMap { Int($0) }
            for (level, k) in levels {
                let alpha = try #require(Double(level))
                #expect(
                    RankSumNull(m: counts[0], n: counts[1]).rank(for: alpha).k == k, "\(sizes) at \(level)")
                #expect(
                    RankSumNull(m: counts[1], n: counts[0]).rank(for: alpha).k == k, "\(sizes) at \(level)")
            }
        }
    }

    @Test func effectSizesAgree() throws {
        for vector in vectors.mannwhitney {
            let delta = try #require(CliffDelta(vector.x, over: vector.y))
            #expect(isClose(delta.delta, vector.cliff), "\(vector.name)")
            let interval = try #require(delta.interval)
            #expect(isClose(interval.lowerBound, vector.cliff_ci95[0]), "\(vector.name)")
            #expect(isClose(interval.upperBound, vector.cliff_ci95[1]), "\(vector.name)")
        }
    }

    @Test func failuresAgree() throws {
        #expect(vectors.fisher_one_sided_greater.count == 19)
        for vector in vectors.fisher_one_sided_greater {
            let p = FailureRate.pWorse(
                baseline: (vector.baseFail, vector.baseN), candidate: (vector.candFail, vector.candN))
            #expect(isClose(try #require(p), vector.p), "\(vector)")
        }
        #expect(vectors.clopper_pearson_one_sided_95.count == 10)
        for vector in vectors.clopper_pearson_one_sided_95 {
            let upper = FailureRate.upperBound(failed: vector.fail, runs: vector.n, alpha: 0.05)
            let lower = FailureRate.lowerBound(failed: vector.fail, runs: vector.n, alpha: 0.05)
            #expect(isClose(try #require(upper), vector.upper), "\(vector)")
            #expect(isClose(try #require(lower), vector.lower), "\(vector)")
        }
        #expect(vectors.eprocess_one_sided_uniform.count == 15)
        for vector in vectors.eprocess_one_sided_uniform {
            let bet = FailureRate.bet(candidateOnly: vector.candOnlyFail, discordant: vector.discordant)
            #expect(isClose(bet, vector.E), "\(vector)")
        }
    }

    @Test func sequentialRatiosAgree() {
        #expect(vectors.msprt_normal_known_sigma.count == 5)
        for vector in vectors.msprt_normal_known_sigma {
            var test = SequentialRatio()
            test.look(
                count: vector.n, difference: vector.diff, variance: vector.sigma2, spread: vector.tau2)
            let ratio = SequentialRatio.ratio(
                count: vector.n, difference: vector.diff, variance: vector.sigma2, spread: vector.tau2)
            #expect(abs(ratio - vector.Lambda) <= 1e-9 * vector.Lambda, "\(vector)")
            #expect(isClose(test.p, vector.p), "\(vector)")
        }
    }

    @Test func ratiosAndMarginsAgree() throws {
        let d = (candidate: [62.1, 63.4, 61.0, 66.2, 64.9], baseline: [60.2, 61.5, 59.8, 62.7, 60.9])
        let f = (
            candidate: [31.2, 30.8, 33.5, 32.1, 29.9, 34.0, 31.7, 32.8, 30.5, 33.1],
            baseline: [30.1, 29.5, 31.0, 30.7, 28.8, 32.0, 30.3, 29.9, 31.4, 30.0]
        )
        let small = [60.2, 61.5, 59.8]
        let bounds: [([Double], [Double], Double, Double, Double, Double)] = [
            (d.candidate, d.baseline, 1.038462, 1.009756, 1.078073, 12.0 / 252),
            (f.candidate, f.baseline, 1.053648, 1.016667, 1.089701, 0.044605),
            ([62.1, 63.4, 61.0], small, 1.030894, 0.991870, 1.060201, 0.05),
            ([95.0, 99.1, 93.2], small, 1.578073, 1.515447, 1.657191, 0.05),
            ([71.0, 60.0, 88.0], small, 1.179402, 0.975610, 1.471572, 0.05),
        ]
        for (candidate, baseline, estimate, lower, upper, level) in bounds {
            let shift = try #require(
                ShiftEstimate(candidate.map { log($0) }, over: baseline.map { log($0) }, alpha: 0.05))
            let ratio = ShiftEstimate(exponentiating: shift)
            #expect(isClose(ratio.estimate, estimate, within: 1e-6))
            #expect(isClose(try #require(ratio.lower), lower, within: 1e-6))
            #expect(isClose(try #require(ratio.upper), upper, within: 1e-6))
            #expect(isClose(try #require(ratio.level), level, within: 1e-6))
            let strict = try #require(ShiftEstimate(candidate, over: baseline, alpha: 0.01))
            #expect((strict.level == nil) == (candidate.count == 3))
        }
        let tests: [([Double], [Double], Double, Double, Double)] = [
            (d.candidate, d.baseline, 1, 0.027778, 0.984127),
            (d.candidate, d.baseline, 1.10, 0.996032, 0.007937),
            (d.candidate, d.baseline, 1.25, 1, 0.003968),
            ([62.1, 63.4, 61.0], small, 1.10, 1, 0.05),
            ([95.0, 99.1, 93.2], small, 1.25, 0.05, 1),
            ([71.0, 60.0, 88.0], small, 1.25, 0.8, 0.35),
            (f.candidate, f.baseline, 1, 0.005954, 0.994458),
            (f.candidate, f.baseline, 1.10, 0.988385, 0.014403),
        ]
        for (candidate, baseline, margin, pFail, pPass) in tests {
            let test = try #require(MarginTest(candidate: candidate, baseline: baseline, margin: margin))
            #expect(isClose(test.pFail, pFail, within: 1e-6), "\(candidate) \(margin)")
            #expect(isClose(test.pPass, pPass, within: 1e-6), "\(candidate) \(margin)")
        }
    }

    @Test func signedRanksAgree() throws {
        let first = try #require(SignedRank([1.2, 0.8, 0.5, 1.1, 0.3]))
        #expect(first.positive == 15)
        #expect(first.pGreater == 1.0 / 32)
        let differences = [1.2, -0.2, 0.5, 1.1, 0.3, 0.9, 0.7, -0.4]
        let second = try #require(SignedRank(differences))
        #expect(second.positive == 32)
        #expect(second.pGreater == 0.02734375)
        #expect(isClose(try #require(ShiftEstimate(differences: differences, alpha: 0.05)).estimate, 0.5))
    }

    @Test func holmAndTheGuardAgree() {
        #expect(
            Multiplicity.holm([0.03, 0.004, 0.04], alpha: 0.05).map(\.isRejected) == [false, true, false])
        #expect(Multiplicity.holm([0.02, 0.004, 0.04], alpha: 0.05).map(\.isRejected) == [true, true, true])
        #expect(Multiplicity.holm([], alpha: 0.05).isEmpty)
        // C(2n, n) arrangements, of which one is the most extreme.
        let arrangements = [3: 20, 4: 70, 5: 252, 6: 924, 7: 3432, 8: 12870, 10: 184756]
        for (runs, count) in arrangements {
            #expect(isClose(Multiplicity.smallestP(runs: runs, comparison: .arms), 1 / Double(count)))
        }
        #expect(Multiplicity.smallestP(runs: 5, comparison: .pairs) == 1.0 / 32)
        for (tests, runs) in [1: 3, 2: 4, 3: 4, 4: 5, 12: 5, 13: 6] {
            #expect(Multiplicity.fewestRuns(tests: tests, alpha: 0.05, comparison: .arms) == runs, "\(tests)")
        }
    }
}

/// The chance of a sum as far from the middle, on either side.
private func twoSided(_ test: MannWhitney) -> Double { min(1, 2 * min(test.pGreater, test.pLess)) }

/// Whether two numbers agree.
func isClose(_ value: Double, _ expected: Double, within tolerance: Double = 1e-9) -> Bool {
    abs(value - expected) <= tolerance
}
