import SnapshotModel
import Testing

@testable import Judge

/// What bursts of builds come to.
@Suite struct LoadVerdictTests {
    func rehearsal(bursts: Int = 5, wait: Double = 1, duration: Double = 1) throws -> Rehearsal {
        var rehearsal = try Rehearsal(stages: Rehearsal.stages + [.load])
        rehearsal.addBursts(
            .baseline, waits: Rehearsal.steady(bursts), seconds: Rehearsal.steady(bursts, ratio: 2))
        rehearsal.addBursts(
            .candidate, waits: Rehearsal.steady(bursts, ratio: wait),
            seconds: Rehearsal.steady(bursts, ratio: 2 * duration))
        return rehearsal
    }

    @Test func aSystemThatBearsTheLoadPasses() throws {
        let rehearsal = try rehearsal()
        #expect(rehearsal.verdict.result == .pass, "\(rehearsal.verdict.headline)")
        let measures = try rehearsal.stage(.load).measures
        #expect(measures.map(\.quantity) == [.failures, .queueWait, .throughput])
        #expect(measures[1].baseline.first == 60)
        #expect(rehearsal.needed.isEmpty)
    }

    @Test func waitingLongerAndDoingLessAreFails() throws {
        let waiting = try rehearsal(wait: 2)
        #expect(
            waiting.verdict.headline.hasPrefix("Do not promote: S4 load: the wait in the queue: 100 % longer")
        )
        let slower = try rehearsal(duration: 2)
        #expect(slower.verdict.headline.hasPrefix("Do not promote: S4 load: the throughput: "))
        #expect(try slower.measure(.queueWait, of: .load).result == .pass)
        #expect(try rehearsal(wait: 0.5, duration: 0.5).verdict.result == .pass)
    }

    @Test func burstsThatLostBuildsAreFailures() throws {
        var rehearsal = try rehearsal()
        for index in rehearsal.evidence.bursts.indices
        where rehearsal.evidence.bursts[index].arm == .candidate {
            rehearsal.evidence.bursts[index].queueWaits.removeLast()
        }
        #expect(rehearsal.verdict.result == .fail)
    }

    @Test func withoutBurstsThereIsNoPassAndTheyAreAskedFor() throws {
        var rehearsal = try rehearsal()
        rehearsal.evidence.bursts = []
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.needed == Demand(boots: 0, look: 1, pairs: [], bursts: 5))
    }

    @Test func aWaitOfZeroGivesNoRatioAndStillATest() throws {
        var rehearsal = try rehearsal()
        for index in rehearsal.evidence.bursts.indices {
            rehearsal.evidence.bursts[index].queueWaits = [0, 0, 0]
        }
        #expect(rehearsal.verdict.result == .pass)
        #expect(try rehearsal.measure(.queueWait, of: .load).ratio?.estimate == nil)
    }

    @Test func burstsThatGoOnAreJudgedAfterEachPair() throws {
        var rehearsal = try rehearsal(bursts: 5, wait: 1.4)
        rehearsal.rules.load.isSequential = true
        rehearsal.rules.load.looks = [.init(runs: 5, alpha: 0.001), .init(runs: 10, alpha: 0.04)]
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.needed == Demand(boots: 0, look: 2, pairs: [], bursts: 15))
        var generator = SeededGenerator(3)
        rehearsal.evidence.bursts = []
        for (arm, ratio) in [(Arm.baseline, 1.0), (.candidate, 1.2)] {
            rehearsal.addBursts(
                arm, waits: generator.durations(24, around: 60 * ratio, noise: 0.2),
                seconds: generator.durations(24, around: 120, noise: 0.2))
        }
        let measure = try rehearsal.measure(.queueWait, of: .load)
        #expect(measure.ratio?.test == .sequential)
        #expect(measure.result == .pass, "\(measure.reason)")
        #expect(rehearsal.verdict.result == .pass)
    }
}
