import Foundation
import SnapshotModel
import Testing

@testable import Judge

/// What evidence comes to, stage by stage.
@Suite struct VerdictTests {
    @Test func noDifferenceAndNoFailureIsAPass() throws {
        let rehearsal = try Rehearsal()
        let verdict = rehearsal.verdict
        #expect(verdict.result == .pass, "\(verdict.headline)")
        #expect(verdict.stages.map(\.result) == [.pass, .pass, .pass, .pass])
        #expect(verdict.id == rehearsal.evidence.id)
        #expect(verdict.culprit.isEmpty && verdict.nextStep == nil)
        #expect(verdict.headline.hasPrefix("May be promoted within 24 h"))
        #expect(verdict.notCovered.map(\.object.name) == ["S4 load"])
        #expect(rehearsal.needed.isEmpty)
        let old = try #require(verdict.stages[1].findings.first { $0.kind == "preexisting" })
        #expect(old.evidence == ["log-error: plugin git: an old error"])
    }

    /// Whatever is taken away or broken, what is left is no pass.
    @Test func missingEvidenceIsNeverAPass() throws {
        let spoilers: [(String, (inout Rehearsal) -> Void)] = [
            (
                "everything",
                {
                    let evidence = $0.evidence
                    $0.evidence = Evidence(
                        id: evidence.id, system: evidence.system, snapshot: evidence.snapshot,
                        change: evidence.change, policyDigest: evidence.policyDigest, seed: 1,
                        host: evidence.host,
                        started: evidence.started)
                }
            ),
            ("stages", { $0.evidence.stages = [] }),
            ("the static checks", { $0.evidence.stages[0].checks = [] }),
            ("boots", { $0.evidence.boots = [] }),
            ("boots of the baseline", { $0.evidence.boots.removeAll { $0.arm == .baseline } }),
            ("boots of the candidate", { $0.evidence.boots.removeAll { $0.arm == .candidate } }),
            ("second boots", { $0.evidence.boots.removeAll { $0.attempt == 2 } }),
            ("round trips", { $0.evidence.roundTrips = [] }),
            (
                "round trips that compared anything",
                {
                    for index in $0.evidence.roundTrips.indices { $0.evidence.roundTrips[index].compared = 0 }
                }
            ),
            ("attestations", { $0.evidence.attestations = [] }),
            ("attestations of the candidate", { $0.evidence.attestations.removeLast() }),
            ("isolation", { $0.evidence.attestations[0].holds = false }),
            (
                "probes",
                {
                    $0.evidence.probes = []; $0.evidence.runs = []
                }
            ),
            ("runs", { $0.evidence.runs = [] }),
            ("runs of the baseline", { $0.evidence.runs.removeAll { $0.arm == .baseline } }),
            ("runs of the candidate", { $0.evidence.runs.removeAll { $0.arm == .candidate } }),
            ("the last run", { $0.evidence.runs.removeLast() }),
            (
                "runs that are no warm-up",
                {
                    for index in $0.evidence.runs.indices { $0.evidence.runs[index].isWarmUp = true }
                }
            ),
            (
                "durations",
                {
                    for index in $0.evidence.runs.indices { $0.evidence.runs[index].seconds = nil }
                }
            ),
            (
                "durations that are numbers",
                {
                    for index in $0.evidence.runs.indices { $0.evidence.runs[index].seconds = .nan }
                }
            ),
            (
                "durations above zero",
                {
                    for index in $0.evidence.runs.indices { $0.evidence.runs[index].seconds = 0 }
                }
            ),
            (
                "one duration of the candidate",
                {
                    let last = $0.evidence.runs.indices.last ?? 0
                    $0.evidence.runs[last].seconds = .infinity
                }
            ),
            ("a policy for the class", { $0.policy.classes = [:] }),
            ("a policy with stages", { $0.rules.stages = [] }),
            ("a policy with looks", { $0.rules.looks = [] }),
            ("a known format", { $0.evidence.format = 99 }),
            ("a whole stage", { $0.evidence.stages[1].state = .broken }),
            ("a stage that is not skipped", { $0.evidence.stages[3].state = .skipped }),
        ]
        for (what, spoil) in spoilers {
            var rehearsal = try Rehearsal()
            spoil(&rehearsal)
            let verdict = rehearsal.verdict
            #expect(verdict.result != .pass, "without \(what): \(verdict.headline)")
            #expect(verdict.result == .fail || verdict.nextStep != nil || verdict.stages.isEmpty, "\(what)")
            #expect(try !bytes(verdict).isEmpty)
        }
    }

    @Test func theSameInputsGiveTheSameBytesInWhateverOrderTheyCome() throws {
        var generator = SeededGenerator(11)
        var rehearsal = try Rehearsal()
        rehearsal.add(
            probe: "slow", baseline: Rehearsal.steady(5), candidate: Rehearsal.steady(5, ratio: 1.2))
        rehearsal.evidence.boots[3].observations.append(Rehearsal.observation("log-error", "new"))
        let expected = try bytes(rehearsal.verdict)
        for _ in 0..<5 {
            var shuffled = rehearsal
            shuffled.evidence.boots.shuffle(using: &generator)
            shuffled.evidence.runs.shuffle(using: &generator)
            shuffled.evidence.roundTrips.shuffle(using: &generator)
            shuffled.evidence.attestations.shuffle(using: &generator)
            shuffled.evidence.stages.shuffle(using: &generator)
            #expect(try bytes(shuffled.verdict) == expected)
        }
        let kept = try JSONDecoder().decode(Evidence.self, from: try bytes(rehearsal.evidence))
        #expect(kept == rehearsal.evidence)
        #expect(try bytes(judge(kept, under: rehearsal.policy)) == expected)
        let verdict = try JSONDecoder().decode(Verdict.self, from: expected)
        #expect(verdict == rehearsal.verdict)
    }

    /// Evidence may have been tampered with: whatever stands in it, there is a verdict, it can be kept, and it is no pass.
    @Test func absurdNumbersAreNoPassAndDoNotStopTheJudge() throws {
        for absurd in [1e300, 1e9, .leastNonzeroMagnitude, -1, .infinity, .nan] {
            var rehearsal = try Rehearsal(stages: Rehearsal.stages + [.load])
            for arm in [Arm.baseline, .candidate] {
                rehearsal.addBursts(arm, waits: Rehearsal.steady(5), seconds: Rehearsal.steady(5))
            }
            #expect(rehearsal.verdict.result == .pass)
            for index in rehearsal.evidence.bursts.indices
            where rehearsal.evidence.bursts[index].arm == .candidate {
                rehearsal.evidence.bursts[index].seconds = absurd
                rehearsal.evidence.bursts[index].queueWaits = [absurd, absurd, absurd]
            }
            rehearsal.slow(.candidate, by: absurd)
            #expect(rehearsal.verdict.result != .pass, "\(absurd)")
            #expect(try !bytes(rehearsal.verdict).isEmpty)
        }
        var rehearsal = try Rehearsal()
        rehearsal.add(
            probe: "unit", baseline: [1e-6, 1e-6, 1e-6, 1e-6, 1e-6], candidate: [9e8, 9e8, 9e8, 9e8, 9e8])
        #expect(rehearsal.verdict.headline.contains("more than 100000000 % slower"))
        for looks in [[], [(0, 0.0)], [(5, 2.0)], [(-3, -1.0)], [(5, .nan)]] as [[(Int, Double)]] {
            rehearsal.rules.looks = looks.map { CanaryPolicy.Look(runs: $0.0, alpha: $0.1) }
            #expect(rehearsal.verdict.result != .pass)
        }
    }

    @Test func aRunWrittenDownTwiceIsOne() throws {
        var rehearsal = try Rehearsal(runs: 3)
        rehearsal.evidence.runs += rehearsal.evidence.runs
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.needed.pairs.map(\.count) == [2])
    }

    @Test func aFailWeighsMoreThanABrokenExperiment() throws {
        var rehearsal = try Rehearsal()
        rehearsal.evidence.findings = [finding(.critical)]
        rehearsal.evidence.stages[1].state = .broken
        #expect(rehearsal.verdict.result == .fail)
        #expect(Decision.allCases.max() == .fail && max(Decision.error, .inconclusive) == .error)
    }

    @Test func aStaticFindingStopsByItsSeverity() throws {
        for severity in Severity.allCases {
            var rehearsal = try Rehearsal()
            rehearsal.evidence.findings = [finding(severity)]
            #expect((rehearsal.verdict.result == .fail) == (severity >= .major))
        }
        var rehearsal = try Rehearsal()
        rehearsal.evidence.findings = [finding(.critical)]
        rehearsal.policy.severities = ["missing-dependency": .note]
        #expect(rehearsal.verdict.result == .pass)
        rehearsal.policy.severities = [:]
        rehearsal.evidence.findings[0].isDeclared = true
        #expect(rehearsal.verdict.result == .pass)
    }

    @Test func laterStagesAreSkippedBehindAFail() throws {
        var rehearsal = try Rehearsal()
        rehearsal.evidence.findings = [finding(.critical)]
        rehearsal.evidence.stages = [rehearsal.evidence.stages[0]]
        rehearsal.evidence.boots = []
        rehearsal.evidence.roundTrips = []
        rehearsal.evidence.runs = []
        let verdict = rehearsal.verdict
        #expect(verdict.stages.map(\.result) == [.fail, .skipped, .skipped, .skipped])
        #expect(verdict.culprit == [ObjectName("plugin", "mailer")])
        #expect(verdict.notCovered.count == 4)
        #expect(rehearsal.needed.isEmpty)
    }

    @Test func theCulpritIsTheSmallestTrialThatFailed() throws {
        var rehearsal = try Rehearsal()
        rehearsal.evidence.findings = [finding(.critical)]
        let (git, mailer) = (ObjectName("plugin", "git"), ObjectName("plugin", "mailer"))
        rehearsal.evidence.trials = [
            Trial([git, mailer], failed: true), Trial([mailer], failed: false), Trial([git], failed: true),
        ]
        #expect(rehearsal.verdict.culprit == [git])
        rehearsal.evidence.trials = []
        rehearsal.evidence.change.parts.removeLast()
        #expect(rehearsal.verdict.culprit == [git])
    }

    @Test func anotherPolicyGivesAnotherIdAndMayGiveAnotherResult() throws {
        var rehearsal = try Rehearsal()
        rehearsal.slow(.candidate, by: 1.15)
        #expect(rehearsal.verdict.result == .pass)
        rehearsal.rules.margin = 1.05
        rehearsal.policy.digest = "fedcba9876543210"
        #expect(rehearsal.verdict.result == .fail)
        #expect(rehearsal.verdict.id == "20261126T020000Z-1f3a-fedcba98")
        #expect(rehearsal.verdict.declaredPolicy == "0123456789abcdef")
    }

    private func finding(_ severity: Severity) -> Finding {
        Finding(
            stage: .static, kind: "missing-dependency", severity: severity,
            object: ObjectName("plugin", "mailer"), message: "plugin mailer needs jakarta-mail 2.1")
    }
}
