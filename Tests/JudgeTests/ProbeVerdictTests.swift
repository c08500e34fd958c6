import Foundation
import SnapshotModel
import Testing

@testable import Judge

/// What runs of probes come to.
@Suite struct ProbeVerdictTests {
    @Test func sixtyPercentSlowerFailsAtFiveRunsAndThreePercentPasses() throws {
        var rehearsal = try Rehearsal()
        rehearsal.slow(.candidate, by: 1.6)
        #expect(rehearsal.verdict.result == .fail)
        #expect(
            rehearsal.verdict.headline.hasPrefix("Do not promote: S3 probes: job unit: 62 % slower, at least")
        )
        rehearsal = try Rehearsal()
        rehearsal.slow(.candidate, by: 1.03)
        let verdict = rehearsal.verdict
        #expect(verdict.result == .pass, "\(verdict.headline)")
        let ratio = try #require(try rehearsal.measure().ratio)
        #expect(ratio.test == .mannWhitneyExact && ratio.pPass == 1 / 252.rounded12)
        #expect(try #require(ratio.level) <= 0.01)
    }

    @Test func measurablySlowerWithinTheMarginIsADrift() throws {
        var rehearsal = try Rehearsal()
        rehearsal.slow(.candidate, by: 1.12)
        #expect(rehearsal.verdict.result == .pass)
        #expect(try #require(try rehearsal.measure().ratio).isDrift)
        #expect(try rehearsal.stage(.probes).findings.contains { $0.kind == "drift" && $0.severity == .note })
    }

    @Test func fasterIsAPass() throws {
        var rehearsal = try Rehearsal()
        rehearsal.slow(.candidate, by: 0.5)
        #expect(rehearsal.verdict.result == .pass)
    }

    @Test func theUnitOfTimeAndTheWholeHostsSpeedDoNotMatter() throws {
        for (slowness, expected) in [(1.01, Decision.pass), (1.6, .fail)] {
            for factor in [0.1, 10.0] {
                var rehearsal = try Rehearsal()
                rehearsal.slow(.candidate, by: slowness)
                rehearsal.slow(.candidate, by: factor)
                rehearsal.slow(.baseline, by: factor)
                #expect(rehearsal.verdict.result == expected)
            }
        }
    }

    @Test func swappedArmsNeverFailBoth() throws {
        var generator = SeededGenerator(5)
        var failed = 0
        for noise in [0.02, 0.3] {
            for _ in 0..<20 {
                let left = generator.durations(5, around: 60, noise: noise)
                let right = generator.durations(5, around: 96, noise: noise)
                var (there, back) = (try Rehearsal(), try Rehearsal())
                there.add(probe: "unit", baseline: left, candidate: right)
                back.add(probe: "unit", baseline: right, candidate: left)
                guard there.verdict.result == .fail else { continue }
                failed += 1
                #expect(back.verdict.result != .fail)
            }
        }
        #expect(failed >= 20, "where little disturbs the runs each of the slower ones fails")
    }

    @Test func aNoisyHostIsInconclusiveAndSaysHowManyRunsDo() throws {
        var rehearsal = try Rehearsal()
        let noisy = [50.0, 71, 58, 66, 61, 53, 69, 55, 63, 60]
        rehearsal.add(probe: "unit", baseline: Array(noisy.prefix(5)), candidate: Array(noisy.suffix(5)))
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(
            rehearsal.needed == Demand(boots: 0, look: 2, pairs: [.init(probe: "unit", count: 5)], bursts: 0))
        rehearsal.add(
            probe: "unit", baseline: noisy, candidate: noisy.reversed().map { $0 * 1.2 }, control: [])
        #expect(rehearsal.needed.isEmpty)
        let next = try #require(rehearsal.verdict.nextStep)
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(next.action == .quieterHost || next.action == .moreRuns && (next.count ?? 0) > 10)
    }

    @Test func theTableOfRunsIsTheOneOfTheFacts() {
        let expected: [(Double, Double, Int?)] = [
            (1.10, 0.02, 3), (1.10, 0.05, 5), (1.10, 0.1, 20), (1.10, 0.2, nil), (1.25, 0.03, 3),
            (1.25, 0.1, 5), (1.25, 0.2, 12), (1.25, 0.3, 25), (1.5, 0.2, 5), (1.5, 0.3, 10), (1.5, 0.31, nil),
            (1.09, 0.02, nil), (1.3, 0.15, 12),
        ]
        for (margin, noise, runs) in expected {
            #expect(MeasuredStage.runsNeeded(margin: margin, noise: noise) == runs, "\(margin) \(noise)")
        }
    }

    @Test func aSlowdownSharedByTwoUnchangedShadowsIsNoise() throws {
        var rehearsal = try Rehearsal()
        let (fast, slow) = (Rehearsal.steady(5), Rehearsal.steady(5, ratio: 1.6))
        rehearsal.add(probe: "unit", baseline: fast, candidate: slow, control: slow)
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(try rehearsal.stage(.probes).control?.result == .fail)
        #expect(rehearsal.verdict.nextStep?.action == .quieterHost)
        // The halves of ten runs of the baseline do as well.
        let halves = (0..<10).map { $0.isMultiple(of: 2) ? 60 : 100 + Double($0) }
        rehearsal.add(probe: "unit", baseline: halves, candidate: Rehearsal.steady(10, ratio: 3))
        #expect(try rehearsal.stage(.probes).control?.result == .fail)
        #expect(rehearsal.verdict.result == .inconclusive)
    }

    @Test func unchangedShadowsThatAreAlikeConfirmTheJudge() throws {
        var rehearsal = try Rehearsal()
        #expect(try rehearsal.stage(.probes).control?.result == nil)
        rehearsal.rules.control = .shadow
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.needed.pairs == [.init(probe: "unit", count: 5)])
        rehearsal.add(
            probe: "unit", baseline: Rehearsal.steady(5), candidate: Rehearsal.steady(5),
            control: Rehearsal.steady(5))
        #expect(rehearsal.verdict.result == .pass)
        #expect(try rehearsal.stage(.probes).control?.result == .pass)
        #expect(rehearsal.needed.isEmpty)
    }

    @Test func tinyDifferencesAreNotStoppedForWhateverTheirRatio() throws {
        var rehearsal = try Rehearsal()
        rehearsal.add(
            probe: "unit", baseline: [0.050, 0.051, 0.049, 0.052, 0.048],
            candidate: [0.101, 0.099, 0.102, 0.098, 0.100])
        #expect(rehearsal.verdict.result == .pass)
        rehearsal.rules.floor = 0.01
        #expect(rehearsal.verdict.result == .fail)
    }

    @Test func pairsAreComparedInThemselvesWhereTheHostDrifts() throws {
        var rehearsal = try Rehearsal()
        let drift = (0..<10).map { 60 * (1 + Double($0) * 0.3) }
        rehearsal.rules.looks = [.init(runs: 10, alpha: 0.05)]
        rehearsal.rules.control = .split
        rehearsal.add(probe: "unit", baseline: drift, candidate: drift.map { $0 * 1.05 })
        #expect(rehearsal.verdict.result == .inconclusive)
        rehearsal.rules.comparison = .pairs
        #expect(rehearsal.verdict.result == .pass, "\(rehearsal.verdict.headline)")
        #expect(try #require(try rehearsal.measure().ratio).test == .signedRank)
    }

    @Test func aProbeThatOnlyIsShownStopsNothing() throws {
        var rehearsal = try Rehearsal()
        rehearsal.add(
            probe: "extra", baseline: Rehearsal.steady(5), candidate: Rehearsal.steady(5, ratio: 2),
            isCritical: false)
        #expect(rehearsal.verdict.result == .pass)
        #expect(
            try rehearsal.stage(.probes).measures.contains { $0.probe == "extra" && $0.result == .fail })
    }

    @Test func warmUpsAreKeptAndNotJudged() throws {
        var rehearsal = try Rehearsal()
        rehearsal.evidence.runs.append(
            ProbeRun(probe: "unit", arm: .candidate, pair: 0, outcome: .failed, seconds: 1, isWarmUp: true))
        #expect(rehearsal.verdict.result == .pass)
    }

    @Test func manyProbesShareTheLevel() throws {
        // At five runs and 0.01 three tests cannot fail: 1/252 is above 0.01/3.
        var rehearsal = try Rehearsal()
        for probe in ["unit", "b", "c"] {
            rehearsal.add(
                probe: probe, baseline: Rehearsal.steady(5),
                candidate: Rehearsal.steady(5, ratio: probe == "c" ? 1.6 : 1))
        }
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.needed.pairs == [.init(probe: "c", count: 5)])
        rehearsal.add(
            probe: "c", baseline: Rehearsal.steady(10), candidate: Rehearsal.steady(10, ratio: 1.6))
        #expect(rehearsal.verdict.result == .fail)
        #expect(rehearsal.needed.isEmpty)
    }

    @Test func aLookThatCouldDecideNothingGetsMoreRuns() throws {
        var rehearsal = try Rehearsal(runs: 3)
        rehearsal.rules.looks = [.init(runs: 3, alpha: 0.05)]
        #expect(rehearsal.verdict.result == .pass)
        rehearsal.add(probe: "second", baseline: Rehearsal.steady(3), candidate: Rehearsal.steady(3))
        // Two tests need 1/C(2n, n) <= 0.025: four runs.
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.needed.pairs.map(\.count) == [1, 1])
    }

    @Test func theRunsAskedForAreThoseOfTheDeclaredLooks() throws {
        var rehearsal = try Rehearsal(runs: 0)
        rehearsal.evidence.boots = []
        #expect(rehearsal.needed == Demand(boots: 2, look: 0, pairs: [], bursts: 0))
        rehearsal = try Rehearsal(runs: 0)
        #expect(
            rehearsal.needed == Demand(boots: 0, look: 1, pairs: [.init(probe: "unit", count: 5)], bursts: 0))
        rehearsal = try Rehearsal(runs: 2)
        #expect(rehearsal.needed.pairs == [.init(probe: "unit", count: 3)])
    }

    /// Two declared looks, 0.01 and 0.04: about one false alarm in twenty, and not one in eight.
    @Test func lookingTwiceCostsNoFalseAlarms() throws {
        var generator = SeededGenerator(21)
        var alarms = 0
        for _ in 0..<4000 {
            let candidate = generator.durations(10, around: 60, noise: 0.1)
            let baseline = generator.durations(10, around: 60, noise: 0.1)
            let isAlarm = CanaryPolicy.Look.standard.contains { look in
                MarginTest(
                    candidate: Array(candidate.prefix(look.runs)),
                    baseline: Array(baseline.prefix(look.runs)),
                    margin: 1
                ).map { $0.pFail <= look.alpha } ?? false
            }
            if isAlarm { alarms += 1 }
        }
        #expect(abs(Double(alarms) / 4000 - 0.042) <= 0.01, "\(alarms)")
    }
}

extension Int {
    /// The number as a verdict rounds what is divided by it.
    var rounded12: Double { 1 / rounded(1 / Double(self)) }
}
