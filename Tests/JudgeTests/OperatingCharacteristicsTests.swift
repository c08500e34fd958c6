import Foundation
import Testing

@testable import Judge

/// How often the judge is right: what can honestly be said with 3 to 10 runs.
@Suite struct OperatingCharacteristicsTests {
    /// Shares of fail and pass at 3, 5, 8 and 10 runs of each arm, level 0.05, lognormal noise.
    struct Row: Sendable {
        var margin, noise, ratio: Double
        var fail, pass: [Double]
    }

    static let rows = [
        Row(margin: 1.10, noise: 0.05, ratio: 1.0, fail: [0, 0, 0, 0], pass: [0.59, 0.83, 0.96, 0.99]),
        Row(margin: 1.10, noise: 0.10, ratio: 1.0, fail: [0, 0, 0, 0], pass: [0.25, 0.37, 0.51, 0.61]),
        Row(margin: 1.25, noise: 0.10, ratio: 1.0, fail: [0, 0, 0, 0], pass: [0.71, 0.92, 0.99, 1]),
        Row(margin: 1.25, noise: 0.10, ratio: 1.1, fail: [0, 0, 0, 0], pass: [0.36, 0.56, 0.73, 0.84]),
        Row(margin: 1.25, noise: 0.10, ratio: 1.5, fail: [0.57, 0.81, 0.95, 0.98], pass: [0, 0, 0, 0]),
        Row(margin: 1.25, noise: 0.10, ratio: 2.0, fail: [1, 1, 1, 1], pass: [0, 0, 0, 0]),
        Row(margin: 1.25, noise: 0.20, ratio: 1.0, fail: [0, 0, 0, 0], pass: [0.31, 0.46, 0.63, 0.74]),
        Row(margin: 1.25, noise: 0.20, ratio: 2.0, fail: [0.75, 0.95, 0.99, 1], pass: [0, 0, 0, 0]),
        Row(margin: 1.50, noise: 0.20, ratio: 1.0, fail: [0, 0, 0, 0], pass: [0.64, 0.88, 0.98, 0.99]),
        Row(margin: 1.50, noise: 0.20, ratio: 2.0, fail: [0.42, 0.64, 0.82, 0.91], pass: [0, 0, 0, 0]),
    ]

    /// With 6000 canaries 0.02 is three standard deviations of a share in the middle; near 0 and 1 fewer do.
    @Test(arguments: rows) func theTableIsReproduced(_ row: Row) throws {
        var generator = SeededGenerator(0x5EED)
        for (column, runs) in [3, 5, 8, 10].enumerated() {
            let isInTheMiddle = (0.04...0.96).contains(row.fail[column] + row.pass[column])
            let simulations = isInTheMiddle ? 6000 : 1000
            var (failed, passed) = (0, 0)
            for _ in 0..<simulations {
                let test = try #require(
                    MarginTest(
                        candidate: generator.durations(runs, around: 60 * row.ratio, noise: row.noise),
                        baseline: generator.durations(runs, around: 60, noise: row.noise),
                        margin: row.margin))
                if test.pFail <= 0.05 { failed += 1 } else if test.pPass <= 0.05 { passed += 1 }
            }
            let fail = Double(failed) / Double(simulations)
            let pass = Double(passed) / Double(simulations)
            #expect(abs(fail - row.fail[column]) <= 0.02, "\(row) \(runs) runs: \(fail)")
            #expect(abs(pass - row.pass[column]) <= 0.02, "\(row) \(runs) runs: \(pass)")
        }
    }

    @Test func atTheMarginItselfEachWrongAnswerIsAsRareAsTheLevel() throws {
        var generator = SeededGenerator(7)
        var (failed, passed) = (0, 0)
        for _ in 0..<3000 {
            let test = try #require(
                MarginTest(
                    candidate: generator.durations(5, around: 12.5, noise: 0.1),
                    baseline: generator.durations(5, around: 10, noise: 0.1), margin: 1.25))
            if test.pFail <= 0.05 { failed += 1 } else if test.pPass <= 0.05 { passed += 1 }
        }
        #expect(abs(Double(failed) / 3000 - 0.0476) <= 0.012)
        #expect(abs(Double(passed) / 3000 - 0.0476) <= 0.012)
    }

    /// The whole judge, two looks and two probes, on arms that do not differ and on a candidate that is as slow as is tolerated.
    @Test(arguments: [(1.0, 0.3), (1.25, 0.1)]) func aCanaryFailsByChanceNoMoreOftenThanTheLevels(
        _ ratio: Double, _ noise: Double
    ) throws {
        var generator = SeededGenerator(99)
        var results: [Decision: Int] = [:]
        for _ in 0..<300 {
            var rehearsal = try Rehearsal()
            for probe in ["unit", "deploy"] {
                rehearsal.add(
                    probe: probe, baseline: generator.durations(10, around: 60, noise: noise),
                    candidate: generator.durations(10, around: 60 * ratio, noise: noise))
            }
            results[rehearsal.verdict.result, default: 0] += 1
        }
        // 0.05 of 300, and twice the standard deviation of that.
        #expect(results[.fail, default: 0] <= 15 + 8, "\(results)")
        if ratio == 1 { #expect(results[.fail, default: 0] == 0, "\(results)") }
        if ratio > 1 { #expect(results[.pass, default: 0] <= 15 + 8, "\(results)") }
    }
}
