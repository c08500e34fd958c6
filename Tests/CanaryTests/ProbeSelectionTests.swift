import Judge
import SnapshotModel
import Testing

@testable import Canary

/// Which jobs are probes, and which of them show whether a part of a change is at fault.
@Suite struct ProbeSelectionTests {
    private let jobs = ["unit", "nightly", "deploy", "docs"].map { ObjectName("builder", $0) }

    @Test func whatUsesTheChangeIsAProbeHoweverSeldomItIsUsed() {
        let affected: Set = [ObjectName("builder", "deploy")]
        func names(_ choice: CanaryPolicy.ProbeChoice) -> [String] {
            ProbeSelection(choice).choose(jobs, affected: affected).map(\.name)
        }
        #expect(names(.init()) == ["deploy", "unit", "nightly"])
        #expect(names(.init(usingChange: false)) == ["unit", "nightly"])
        #expect(names(.init(names: ["do*"], atMost: 2)) == ["docs", "deploy"])
    }

    @Test func oneThatDoesNotUseTheChangeIsAProbeToo() {
        let choice = CanaryPolicy.ProbeChoice(mostUsed: 2, atMost: 2)
        func names(_ affected: Set<ObjectName>, _ choice: CanaryPolicy.ProbeChoice) -> [String] {
            ProbeSelection(choice).choose(jobs, affected: affected).map(\.name)
        }
        #expect(names(Set(jobs.dropLast()), choice) == ["unit", "docs"])
        #expect(names(Set(jobs), choice) == ["unit", "nightly"])
        #expect(names(Set(jobs.suffix(2)), .init(atMost: 1)) == ["deploy"])
        #expect(names(Set(jobs.prefix(3)), .init(mostUsed: 0, atMost: 3)) == ["unit", "nightly", "deploy"])
    }

    @Test func whatTheChangeRemovesOnPurposeIsNoProbe() {
        let jobs = ["deploy-a", "deploy-b", "nightly", "verify"].map { ObjectName("builder", $0) }
        let selection = ProbeSelection(
            .init(names: ["deploy-*"], usingChange: false, mostUsed: 2, atMost: 4))
        #expect(selection.choose(jobs).map(\.name) == ["deploy-a", "deploy-b"])
        #expect(selection.choose(jobs, without: [jobs[0]]).map(\.name) == ["deploy-b", "nightly"])
    }

    @Test func aProbeThatFailsWithoutTheChangeTooAccusesNothing() {
        let evidence = evidence
        #expect(CanaryRun.failingProbes(in: evidence).map(\.name) == ["nightly"])
        // Nor are bursts made of it.
        #expect(CanaryRun.loadProbe(in: evidence)?.name == "nightly")
        var none = evidence
        none.runs.removeAll { $0.probe == "nightly" }
        #expect(CanaryRun.loadProbe(in: none) == nil)
    }

    @Test func aProbeThatAlwaysFailsWithoutTheChangeIsNotRunAgain() {
        var evidence = evidence
        #expect(!evidence.alwaysFails("unit"), "once is no always")
        for pair in 2...3 {
            #expect(!evidence.alwaysFails("unit"))
            evidence.runs.append(
                ProbeRun(probe: "unit", arm: .baseline, pair: pair, outcome: .failed, seconds: nil))
        }
        #expect(evidence.alwaysFails("unit") && !evidence.alwaysFails("nightly"))
        evidence.runs.append(
            ProbeRun(probe: "unit", arm: .control, pair: 3, outcome: .passed, seconds: 1))
        #expect(!evidence.alwaysFails("unit"))
    }

    /// Else no part of a change that fails at its boot would be booted, because there is a note about it.
    @Test func onlyAFindingThatStopsTheChangeIsLookedForInItsParts() {
        func finding(_ kind: String, _ severity: Severity, isDeclared: Bool = false) -> Finding {
            Finding(
                stage: .static, kind: kind, severity: severity, object: ObjectName("plugin", "git"),
                message: "", isDeclared: isDeclared)
        }
        let findings = [
            finding("advice", .note), finding("newer-data", .minor), finding("requirement", .major),
            finding("configuration", .critical), finding("resolution", .critical, isDeclared: true),
        ]
        func kinds(_ rules: CanaryPolicy.Rules, _ severities: [String: Severity] = [:]) -> [String] {
            let policy = CanaryPolicy(classes: [.pluginPatch: rules], severities: severities)
            return CanaryRun.blocking(findings, under: policy, rules).map(\.kind)
        }
        #expect(kinds(.init(stages: [.static])) == ["requirement", "configuration"])
        #expect(kinds(.init(stages: [.static], blocks: .critical)) == ["configuration"])
        let severities = ["advice": Severity.major, "configuration": .minor]
        #expect(kinds(.init(stages: [.static]), severities) == ["advice", "requirement"])
    }

    @Test func whatAnUnchangedShadowHasNowAndThenIsMissedInNoPartOfAChange() {
        var evidence = evidence
        func boot(_ arm: Arm, _ names: [String], succeeded: Bool = true) -> Boot {
            Boot(
                arm: arm, attempt: 1, succeeded: succeeded, seconds: 1,
                capabilities: names.map { ObjectName("page", $0) })
        }
        #expect(CanaryRun.expected(in: evidence).isEmpty)
        evidence.boots = [
            boot(.baseline, ["grid", "waterfall"]), boot(.baseline, [], succeeded: false),
            boot(.baseline, ["grid", "console"]), boot(.candidate, ["console"]),
        ]
        #expect(CanaryRun.expected(in: evidence) == [ObjectName("page", "grid")])
    }

    /// A policy may call that a note; what is booted then is no candidate all the same.
    @Test func whatKeptTheChangeOutOfTheCandidateIsKnownWhateverItIsWorth() {
        func finding(_ kind: String, _ severity: Severity) -> Finding {
            Finding(
                stage: .static, kind: kind, severity: severity, object: ObjectName("plugin", "git"),
                message: kind)
        }
        let notes = [finding("deprecation", .note), finding("weakness", .major)]
        #expect(CanaryRun.hindrance(notes + [finding("not-rehearsed", .critical)]) == nil)
        #expect(CanaryRun.hindrance(notes + [finding("resolution", .critical)])?.message == "resolution")
    }

    /// `unit` fails in both arms, `nightly` in the candidate.
    private var evidence: Evidence {
        var evidence = Evidence(
            id: "20261126T020000Z-1f3a", system: "acme",
            snapshot: .init(id: SnapshotID(seconds: 0, random: 0), commit: ""),
            change: ChangeSummary(description: "", tree: "", riskClass: .pluginPatch, parts: []),
            policyDigest: "", seed: 7, host: HostSummary(name: "ci", processors: 2, memory: 1 << 30),
            started: "2026-11-26T02:00:00Z")
        evidence.probes = jobs.prefix(2).map { Probe(name: $0.name, object: $0, reason: "") }
        for (name, arm, outcome) in [
            ("unit", Arm.baseline, ProbeRun.Outcome.failed), ("unit", .candidate, .failed),
            ("nightly", .baseline, .passed), ("nightly", .candidate, .failed),
        ] {
            evidence.runs.append(ProbeRun(probe: name, arm: arm, pair: 1, outcome: outcome, seconds: nil))
        }
        return evidence
    }
}
