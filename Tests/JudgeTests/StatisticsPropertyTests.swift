import Foundation
import Testing

@testable import Judge

/// What must hold for any values.
@Suite struct StatisticsPropertyTests {
    @Test func theOrderOfTheValuesDoesNotMatter() throws {
        var generator = SeededGenerator(1)
        for _ in 0..<50 {
            let (x, y) = (tiedValues(&generator), tiedValues(&generator))
            let test = try #require(MannWhitney(x, y))
            let shuffled = try #require(
                MannWhitney(x.shuffled(using: &generator), y.shuffled(using: &generator)))
            #expect(test.pGreater == shuffled.pGreater && test.pLess == shuffled.pLess)
        }
    }

    @Test func swappingTheSamplesSwapsTheTails() throws {
        var generator = SeededGenerator(2)
        for _ in 0..<50 {
            let (x, y) = (tiedValues(&generator), tiedValues(&generator))
            let (test, swapped) = (try #require(MannWhitney(x, y)), try #require(MannWhitney(y, x)))
            #expect(isClose(test.pGreater, swapped.pLess) && isClose(test.pLess, swapped.pGreater))
            let (delta, other) = (try #require(CliffDelta(x, over: y)), try #require(CliffDelta(y, over: x)))
            #expect(isClose(delta.delta, -other.delta))
        }
    }

    @Test func bothWaysOfCountingAgreeWhereNothingIsTied() {
        for (m, n) in [(1, 1), (2, 5), (5, 2), (5, 5), (7, 9), (10, 10)] {
            let fast = RankSumNull(m: m, n: n)
            let slow = RankSumNull(doubledRanks: (1...(m + n)).map { $0 * 2 }, chosen: m)
            for u in 0...(m * n) {
                #expect(fast.share(to: u) == slow.share(to: 2 * u + m * (m + 1)), "\(m) \(n) \(u)")
                #expect(fast.share(from: u) == slow.share(from: 2 * u + m * (m + 1)), "\(m) \(n) \(u)")
            }
        }
    }

    /// At the border between counting and the normal distribution the answer does not jump.
    @Test func theNormalDistributionContinuesTheCounting() throws {
        var generator = SeededGenerator(3)
        for count in [25, 26] {
            let x = generator.durations(count, around: 10.5, noise: 0.1)
            let y = generator.durations(count, around: 10, noise: 0.1)
            let (exact, normal) = (
                try #require(MannWhitney(x, y, exactLimit: 52)),
                try #require(MannWhitney(x, y, exactLimit: 0))
            )
            #expect(isClose(exact.pGreater, normal.pGreater, within: 0.002))
            let bounds = try #require(ShiftEstimate(x, over: y, alpha: 0.05))
            let (lower, upper) = (try #require(bounds.lower), try #require(bounds.upper))
            #expect(lower < bounds.estimate && bounds.estimate < upper)
            #expect(isClose(try #require(bounds.level), 0.05, within: 0.003))
        }
    }

    @Test func scalingBothArmsChangesNothing() throws {
        var generator = SeededGenerator(4)
        for factor in [0.5, 2, 60] {
            let candidate = generator.durations(6, around: 12, noise: 0.1)
            let baseline = generator.durations(6, around: 10, noise: 0.1)
            for comparison in CanaryPolicy.Comparison.allCases {
                let scaled = MarginTest(
                    candidate: candidate.map { $0 * factor }, baseline: baseline.map { $0 * factor },
                    margin: 1.25, comparison: comparison)
                let test = MarginTest(
                    candidate: candidate, baseline: baseline, margin: 1.25, comparison: comparison)
                #expect(test != nil && test == scaled)
            }
        }
    }

    @Test func theMarginNeitherMakesNorBreaksTies() throws {
        let test = try #require(
            MarginTest(candidate: [1.1, 2.2, 3.3], baseline: [1, 2, 3], margin: 1.1))
        #expect(test.pFail == MannWhitney([11, 22, 33], [11, 22, 33])?.pGreater)
        let pairs = try #require(
            MarginTest(candidate: [1.1, 2.2, 3.3], baseline: [1, 2, 3], margin: 1.1, comparison: .pairs))
        #expect(pairs.pFail == 1 && pairs.pPass == 1)
    }

    @Test func whatIsNoNumberGivesNoAnswer() {
        for bad in [[], [.nan], [1, .nan, 2], [.infinity], [-1]] as [[Double]] {
            #expect(MarginTest(candidate: bad, baseline: [1, 2], margin: 1.1) == nil)
            #expect(MarginTest(candidate: [1, 2], baseline: bad, margin: 1.1) == nil)
        }
        for bad in [[], [.nan], [1, .nan]] as [[Double]] {
            #expect(MannWhitney(bad, [1]) == nil && MannWhitney([1], bad) == nil)
            #expect(ShiftEstimate(bad, over: [1], alpha: 0.1) == nil)
            #expect(ShiftEstimate(differences: bad, alpha: 0.1) == nil)
            #expect(CliffDelta([1], over: bad) == nil)
            #expect(SignedRank(bad) == nil)
        }
        #expect(FailureRate.pWorse(baseline: (0, 0), candidate: (3, 3)) == nil)
        #expect(FailureRate.upperBound(failed: 0, runs: 0, alpha: 0.05) == nil)
        #expect(MarginTest(candidate: [1, 2], baseline: [1], margin: 1.1, comparison: .pairs) == nil)
        #expect(MarginTest(candidate: [0, 2], baseline: [1, 2], margin: 1.1, comparison: .pairs) == nil)
    }

    @Test func noiseIsToldFromThreeValuesOn() throws {
        #expect(noise(of: [10, 10]) == nil)
        #expect(noise(of: [0, 0, 0]) == nil)
        #expect(isClose(try #require(noise(of: [9, 10, 11])), 0.14826))
    }

    @Test func countsAndLogarithmsOfFailuresAgree() throws {
        // 31 + 31 runs are beyond what is counted in whole numbers, 30 + 30 are not.
        let (counted, summed) = (
            FailureRate.pWorse(baseline: (2, 30), candidate: (9, 30)),
            FailureRate.pWorse(baseline: (2, 31), candidate: (9, 31))
        )
        #expect(isClose(try #require(counted), try #require(summed), within: 0.002))
        #expect(isClose(try #require(FailureRate.pWorse(baseline: (0, 40), candidate: (0, 40))), 1))
    }

    private func tiedValues(_ generator: inout SeededGenerator) -> [Double] {
        (0..<Int.random(in: 1...8, using: &generator)).map { _ in
            Double(Int.random(in: 1...6, using: &generator))
        }
    }
}
