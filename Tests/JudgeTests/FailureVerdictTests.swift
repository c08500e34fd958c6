import SnapshotModel
import Testing

@testable import Judge

/// What passing and failing builds come to.
@Suite struct FailureVerdictTests {
    /// Outcomes of `runs`, of which `failed` failed: the second, the fourth and so on, then the first, the third.
    func outcomes(_ runs: Int, failed: Int) -> [Double?] {
        let order = (0..<runs).sorted {
            ($0.isMultiple(of: 2) ? 1 : 0, $0) < ($1.isMultiple(of: 2) ? 1 : 0, $1)
        }
        let failing = Set(order.prefix(failed))
        return Rehearsal.steady(runs).enumerated().map { failing.contains($0.offset) ? nil : $0.element }
    }

    func rehearsal(
        baseline: (failed: Int, runs: Int), candidate: (failed: Int, runs: Int), signature: String? = nil
    ) throws -> Rehearsal {
        var rehearsal = try Rehearsal()
        rehearsal.add(
            probe: "unit", baseline: outcomes(baseline.runs, failed: baseline.failed),
            candidate: outcomes(candidate.runs, failed: candidate.failed), signature: signature)
        return rehearsal
    }

    @Test func everyRunOfTheCandidateFailingIsAFail() throws {
        for runs in 3...5 {
            let rehearsal = try rehearsal(
                baseline: (0, runs), candidate: (runs, runs), signature: "step compile: 2")
            #expect(rehearsal.verdict.result == .fail)
            let finding = try #require(try rehearsal.stage(.probes).findings.first)
            #expect(finding.evidence == ["step compile: 2"])
            #expect(rehearsal.needed.isEmpty)
        }
    }

    @Test func oneOrTwoRunsThatFailAreTooFew() throws {
        for runs in 1...2 {
            let rehearsal = try rehearsal(baseline: (0, runs), candidate: (runs, runs))
            #expect(rehearsal.verdict.result == .inconclusive)
            #expect(rehearsal.needed.pairs == [.init(probe: "unit", count: 5 - runs)])
        }
    }

    @Test func someFailuresAreOpenUntilTheyAreEnough() throws {
        var rehearsal = try rehearsal(baseline: (0, 5), candidate: (2, 5))
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.needed.look == 2)
        // 4 of 10 against none: 0.043 is not small at 0.04, 5 of 10 is.
        rehearsal = try self.rehearsal(baseline: (0, 10), candidate: (4, 10))
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.verdict.nextStep?.action == .moreRuns)
        #expect(try #require(rehearsal.verdict.nextStep?.count) > 10)
        #expect(rehearsal.needed.isEmpty)
    }

    @Test func someFailuresOfMoreRunsThanAreEverAdvisedAreSomebodysToDecide() throws {
        var rehearsal = try rehearsal(baseline: (0, 100), candidate: (3, 100))
        rehearsal.rules.looks = [.init(runs: 100, alpha: 0.05)]
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.verdict.nextStep?.action == .decide)
    }

    @Test func enoughFailuresAreAFailAfterHolm() throws {
        let rehearsal = try rehearsal(baseline: (0, 10), candidate: (6, 10))
        #expect(rehearsal.verdict.result == .fail)
        let failures = try #require(try rehearsal.measure(.failures).failures)
        #expect(isClose(try #require(failures.p), 0.005417956656, within: 1e-9))
        #expect(failures.alpha == 0.02)
    }

    @Test func theSameFailureTwiceIsACauseAndNotChance() throws {
        #expect(
            try rehearsal(baseline: (0, 5), candidate: (2, 5), signature: "ImportError in step x").verdict
                .result == .fail)
        #expect(
            try rehearsal(baseline: (0, 5), candidate: (1, 5), signature: "ImportError in step x").verdict
                .result == .inconclusive)
        var different = try rehearsal(baseline: (0, 5), candidate: (2, 5), signature: "a")
        let last = different.evidence.runs.lastIndex { $0.outcome == .failed } ?? 0
        different.evidence.runs[last].signature = "b"
        #expect(different.verdict.result == .inconclusive)
    }

    @Test func aProbeThatFailsWithoutTheChangeTooIsDirty() throws {
        let rehearsal = try rehearsal(baseline: (1, 5), candidate: (1, 5), signature: "flaky")
        #expect(rehearsal.verdict.result == .inconclusive)
        let longer = try self.rehearsal(baseline: (1, 10), candidate: (1, 10), signature: "flaky")
        #expect(longer.verdict.nextStep?.action == .repairProbe)
        // 9 of 10 against 1 of 10 is no chance even so.
        #expect(try self.rehearsal(baseline: (1, 10), candidate: (9, 10)).verdict.result == .fail)
    }

    @Test func aProbeThatAlwaysFailsWithoutTheChangeSaysNothing() throws {
        var rehearsal = try rehearsal(baseline: (5, 5), candidate: (5, 5), signature: "no network")
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(
            rehearsal.verdict.notCovered.contains(
                NotCovered(
                    ObjectName("job", "unit"),
                    reason: "fails in the shadow without the change too: no network")))
        #expect(rehearsal.verdict.nextStep?.action == .decide)
        #expect(rehearsal.needed.isEmpty)
        rehearsal.add(probe: "lint", baseline: Rehearsal.steady(5), candidate: Rehearsal.steady(5))
        #expect(rehearsal.verdict.result == .pass)
    }

    @Test func noFailureSaysWhatItDoesNotProve() throws {
        let rehearsal = try rehearsal(baseline: (0, 5), candidate: (0, 5))
        let measure = try rehearsal.measure(.failures)
        #expect(measure.result == .pass)
        #expect(measure.reason == "no failure in 5 runs; a rate of up to 45 % would still go unseen")
        #expect(isClose(try #require(measure.failures?.upperBound), 0.450719728347))
    }

    @Test func aRunThatPassedWithoutADurationCountsAsFailed() throws {
        var rehearsal = try rehearsal(baseline: (0, 5), candidate: (0, 5))
        let last = rehearsal.evidence.runs.indices.last ?? 0
        rehearsal.evidence.runs[last].seconds = nil
        #expect(try rehearsal.measure(.failures).failures?.candidateFailed == 1)
        #expect(rehearsal.verdict.result == .inconclusive)
    }

    @Test func aFailureAfterThePassedLookIsNotLeftOut() throws {
        let rehearsal = try rehearsal(baseline: (0, 5), candidate: (0, 5))
        var late = rehearsal
        late.evidence.runs.append(
            ProbeRun(probe: "unit", arm: .candidate, pair: 6, look: 2, outcome: .failed, seconds: nil))
        #expect(rehearsal.verdict.result == .pass)
        #expect(late.verdict.result == .inconclusive)
    }

    @Test func anUnchangedShadowThatFailsMakesTheProbeDirty() throws {
        var rehearsal = try Rehearsal()
        rehearsal.add(
            probe: "unit", baseline: outcomes(5, failed: 0), candidate: outcomes(5, failed: 2),
            control: outcomes(5, failed: 1), signature: "flaky")
        #expect(rehearsal.verdict.result == .inconclusive)
    }

    @Test func beyondTheDeclaredLooksPairsAreCountedAsABet() throws {
        let rehearsal = try rehearsal(baseline: (0, 16), candidate: (4, 16))
        let open = try #require(try rehearsal.measure(.failures).failures)
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(isClose(try #require(open.eValue), 6.2))
        #expect(try #require(open.alpha) == 0.04)
        let more = try self.rehearsal(baseline: (0, 30), candidate: (0, 30))
        var late = more
        for pair in 11...18 {
            let index = late.evidence.runs.firstIndex { $0.arm == .candidate && $0.pair == pair } ?? 0
            late.evidence.runs[index].outcome = .failed
            late.evidence.runs[index].seconds = nil
        }
        // At both looks there was no failure; eight later ones in a row are a bet won at 56.8 to 1.
        #expect(more.verdict.result == .pass)
        #expect(late.verdict.result == .fail)
        #expect(isClose(try #require(try late.measure(.failures).failures?.eValue), 56.777777777778))
    }
}
