import SnapshotModel
import Testing

@testable import Judge

/// What repeated boots and round trips come to.
@Suite struct BootVerdictTests {
    @Test func aCandidateThatNeverComesUpFails() throws {
        var rehearsal = try Rehearsal()
        fail(.candidate, attempts: [1, 2], &rehearsal)
        let verdict = rehearsal.verdict
        #expect(verdict.result == .fail)
        #expect(verdict.stages[1].result == .fail)
        let finding = try #require(verdict.stages[1].findings.first)
        #expect(finding.kind == "boot-failed" && finding.evidence == ["ImportError: nope"])
        #expect(rehearsal.needed.isEmpty)
    }

    @Test func aBaselineThatNeverComesUpIsABrokenExperiment() throws {
        var rehearsal = try Rehearsal()
        fail(.baseline, attempts: [1, 2], &rehearsal)
        fail(.candidate, attempts: [1, 2], &rehearsal)
        #expect(rehearsal.verdict.result == .error)
        #expect(
            rehearsal.verdict.headline.contains("the unchanged shadow does not come up: ImportError: nope"))
    }

    @Test func whatTheEngineSawOfACandidateIsDecidedWithoutMoreBoots() throws {
        var rehearsal = try Rehearsal()
        rehearsal.evidence.boots.removeAll { $0.attempt == 2 }
        #expect(rehearsal.verdict.result == .inconclusive)
        rehearsal.evidence.findings.append(
            Finding(
                stage: .boot, kind: "limit", severity: .critical, object: ObjectName("shadow", "limits"),
                message: "it used too much"))
        #expect(rehearsal.verdict.headline == "Do not promote: S1 boot: it used too much")
        // Not where nobody knows whether it would come up without the change.
        fail(.baseline, attempts: [1], &rehearsal)
        #expect(rehearsal.verdict.result != .fail)
    }

    @Test func aCandidateThatComesUpSometimesAsksForMoreBoots() throws {
        var rehearsal = try Rehearsal()
        fail(.candidate, attempts: [2], &rehearsal)
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.verdict.nextStep?.action == .moreBoots && rehearsal.verdict.nextStep?.count == 4)
        #expect(rehearsal.needed.boots == 2)
        for attempt in 3...6 {
            for arm in [Arm.baseline, .candidate] {
                rehearsal.evidence.boots.append(
                    Boot(
                        arm: arm, attempt: attempt, succeeded: true, seconds: 3,
                        capabilities: rehearsal.evidence.boots[0].capabilities))
            }
        }
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.verdict.nextStep?.action == .decide)
        #expect(rehearsal.needed.boots == 0)
    }

    @Test func whatEveryBootOfTheCandidateAloneShowsStopsByItsKind() throws {
        for (kind, result) in [
            ("plugin-failed", Decision.fail), ("log-error", .fail), ("log-warning", .pass),
            ("unheard-of", .fail),
        ] {
            var rehearsal = try Rehearsal()
            observe(Rehearsal.observation(kind, "new"), .candidate, attempts: [1, 2], &rehearsal)
            #expect(rehearsal.verdict.result == result, "\(kind)")
            let finding = try #require(try rehearsal.stage(.boot).findings.first { $0.kind == kind })
            #expect(finding.evidence == ["ERROR new"])
        }
    }

    @Test func whatTheBaselineShowsOnceIsNoise() throws {
        var rehearsal = try Rehearsal()
        observe(Rehearsal.observation("log-error", "new"), .candidate, attempts: [1, 2], &rehearsal)
        observe(Rehearsal.observation("log-error", "new"), .baseline, attempts: [2], &rehearsal)
        #expect(rehearsal.verdict.result == .pass)
    }

    @Test func whatSomeBootsOfTheCandidateShowIsOpen() throws {
        var rehearsal = try Rehearsal()
        observe(Rehearsal.observation("log-error", "new"), .candidate, attempts: [2], &rehearsal)
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.needed.boots == 2)
        rehearsal = try Rehearsal()
        observe(Rehearsal.observation("log-warning", "new"), .candidate, attempts: [2], &rehearsal)
        #expect(rehearsal.verdict.result == .pass)
    }

    @Test func aRemovedBuilderFailsUnlessDeclared() throws {
        var rehearsal = try Rehearsal()
        let builder = ObjectName("builder", "nightly")
        for index in rehearsal.evidence.boots.indices where rehearsal.evidence.boots[index].arm == .candidate
        {
            rehearsal.evidence.boots[index].capabilities.removeAll { $0 == builder }
        }
        #expect(rehearsal.verdict.result == .fail)
        #expect(
            rehearsal.verdict.headline == "Do not promote: S1 boot: builder nightly is gone with the change")
        rehearsal.evidence.change.removals = [builder]
        #expect(rehearsal.verdict.result == .pass)
        #expect(try rehearsal.stage(.boot).findings.contains { $0.kind == "gone" && $0.isDeclared })
    }

    @Test func aDeclaredRemovalThatDidNotHappenStops() throws {
        var rehearsal = try Rehearsal()
        rehearsal.evidence.change.removals = [ObjectName("builder", "nightly")]
        #expect(try rehearsal.stage(.boot).findings.contains { $0.kind == "still-there" })
        #expect(rehearsal.verdict.result == .fail)
    }

    @Test func aBuilderThatIsMissingSometimesIsOpen() throws {
        var rehearsal = try Rehearsal()
        rehearsal.evidence.boots[3].capabilities.removeFirst()
        #expect(rehearsal.verdict.result == .inconclusive)
        #expect(rehearsal.verdict.nextStep?.action == .moreBoots)
    }

    @Test func whatASaveWouldLoseStops() throws {
        var rehearsal = try Rehearsal()
        for index in rehearsal.evidence.roundTrips.indices
        where rehearsal.evidence.roundTrips[index].arm == .candidate {
            rehearsal.evidence.roundTrips[index].losses = [
                Observation(
                    kind: "data-loss", object: ObjectName("job", "demo"), detail: "a property is gone",
                    lines: ["- <x/>"])
            ]
        }
        #expect(rehearsal.verdict.result == .fail)
        #expect(try rehearsal.stage(.roundTrip).result == .fail)
        for index in rehearsal.evidence.roundTrips.indices
        where rehearsal.evidence.roundTrips[index].arm == .baseline {
            rehearsal.evidence.roundTrips[index].losses = rehearsal.evidence.roundTrips.last?.losses ?? []
        }
        #expect(rehearsal.verdict.result == .pass)
    }

    @Test func aShadowThatWasNotAloneSaysNothing() throws {
        var rehearsal = try Rehearsal()
        fail(.candidate, attempts: [1, 2], &rehearsal)
        rehearsal.evidence.attestations[1].holds = false
        rehearsal.evidence.attestations[1].detail = "eth0 is there"
        #expect(rehearsal.verdict.result == .error)
        #expect(rehearsal.verdict.headline.contains("no interface but lo (eth0 is there)"))
    }

    private func fail(_ arm: Arm, attempts: Set<Int>, _ rehearsal: inout Rehearsal) {
        for index in rehearsal.evidence.boots.indices
        where rehearsal.evidence.boots[index].arm == arm
            && attempts.contains(rehearsal.evidence.boots[index].attempt)
        {
            rehearsal.evidence.boots[index].succeeded = false
            rehearsal.evidence.boots[index].failure = "ImportError: nope"
            rehearsal.evidence.boots[index].capabilities = []
        }
    }

    private func observe(
        _ observation: Observation, _ arm: Arm, attempts: Set<Int>, _ rehearsal: inout Rehearsal
    ) {
        for index in rehearsal.evidence.boots.indices
        where rehearsal.evidence.boots[index].arm == arm
            && attempts.contains(rehearsal.evidence.boots[index].attempt)
        {
            rehearsal.evidence.boots[index].observations.append(observation)
        }
    }
}
