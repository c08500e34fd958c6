import Testing

@testable import Judge

/// How long a canary still takes, from its plan and from what was timed; and silence where nothing was.
struct TimeLeftTests {
    private let stages: [Stage] = [.static, .boot, .probes]

    /// A canary that is over: S0 took 4 s, two boots 10 s, twelve runs of one probe a minute each.
    private func earlier(_ change: (inout Evidence) -> Void = { _ in }) throws -> Evidence {
        var evidence = try Rehearsal(stages: stages, runs: 5).evidence
        for arm in [Arm.baseline, .candidate] {
            evidence.runs.append(
                ProbeRun(probe: "unit", arm: arm, pair: 0, outcome: .passed, seconds: 60, isWarmUp: true))
        }
        evidence.stages = [
            StageRun(.static, seconds: 4), StageRun(.boot, seconds: 10), StageRun(.probes, seconds: 720),
        ]
        change(&evidence)
        return evidence
    }

    /// A canary of which nothing is done yet.
    private func begun() throws -> Rehearsal {
        var rehearsal = try Rehearsal(stages: stages)
        rehearsal.evidence.stages = []
        rehearsal.evidence.boots = []
        rehearsal.evidence.runs = []
        rehearsal.evidence.probes = []
        return rehearsal
    }

    private func left(
        _ rehearsal: Rehearsal, _ stage: Stage, elapsed: Double, _ earlier: [Evidence]
    ) -> TimeLeft? {
        TimeLeft(
            of: rehearsal.evidence, under: rehearsal.rules,
            at: .init(stage: stage, elapsed: elapsed, demand: rehearsal.needed), earlier: earlier)
    }

    @Test func nothingIsSaidWhereNothingWasEverTimed() throws {
        var rehearsal = try begun()
        #expect(left(rehearsal, .static, elapsed: 1, []) == nil)
        // The second boot can be told from the first, the probes after it cannot.
        rehearsal.evidence.stages = [StageRun(.static, seconds: 4)]
        rehearsal.evidence.boots = [Boot(arm: .baseline, attempt: 1, succeeded: true, seconds: 5)]
        #expect(left(rehearsal, .boot, elapsed: 5, []) == nil)
    }

    @Test func anEarlierCanaryOfTheSamePolicySaysIt() throws {
        let left = try #require(try self.left(begun(), .static, elapsed: 1, [earlier()]))
        // 4 - 1, two boots of 5, and (5 + 1) runs of two arms of a minute each.
        #expect(left.seconds == 3 + 10 + 720)
        #expect(left.isAtLeast)
        #expect(left.words == "at least 13 min left")
    }

    @Test(arguments: ["policy", "host", "class", "system"])
    func anotherPolicyHostOrClassSaysNothing(of what: String) throws {
        let other = try earlier { evidence in
            switch what {
            case "policy": evidence.policyDigest = "another"
            case "host": evidence.host.processors = 64
            case "class": evidence.change.riskClass = .core
            default: evidence.system = "other"
            }
        }
        #expect(try left(begun(), .static, elapsed: 1, [other]) == nil)
    }

    @Test func whatThisRunMeasuredCountsMoreThanAnotherNight() throws {
        var rehearsal = try begun()
        rehearsal.evidence.stages = [StageRun(.static, seconds: 4), StageRun(.boot, seconds: 10)]
        rehearsal.evidence.boots = try earlier().boots
        rehearsal.add(probe: "unit", baseline: [30, 30], candidate: [30, 30])
        for arm in [Arm.baseline, .candidate] {
            rehearsal.evidence.runs.append(
                ProbeRun(probe: "unit", arm: arm, pair: 0, outcome: .passed, seconds: 30, isWarmUp: true))
        }
        // Six runs took 180 s; three pairs are left until the first look.
        let earlier = try earlier()
        let left = try #require(self.left(rehearsal, .probes, elapsed: 180, [earlier]))
        #expect(left.seconds == 180)
        #expect(left.isAtLeast)
        #expect(left.words == "at least 3 min left")
    }

    @Test func theLastLookIsTheEnd() throws {
        var rehearsal = try begun()
        rehearsal.rules.looks = [.init(runs: 5, alpha: 0.05)]
        rehearsal.evidence.stages = [StageRun(.static, seconds: 4), StageRun(.boot, seconds: 10)]
        rehearsal.evidence.boots = try earlier().boots
        rehearsal.add(probe: "unit", baseline: Rehearsal.steady(4), candidate: Rehearsal.steady(3))
        let left = try #require(self.left(rehearsal, .probes, elapsed: 70, []))
        // Seven runs took 70 s; both arms have to warm up, and one pair and a half are left.
        #expect(left.seconds == 50)
        #expect(!left.isAtLeast)
        #expect(left.words == "about 50 s left")
    }

    @Test func aStageThatBrokeOffIsNoMeasure() throws {
        let broken = try earlier { $0.stages[1].state = .broken }
        #expect(try left(begun(), .static, elapsed: 1, [broken]) == nil)
    }
}
