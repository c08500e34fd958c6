import Judge
import SnapshotModel
import Testing

/// Evidence with something to show in every section, and its verdict.
struct SampleCanary {
    var evidence: Evidence
    var policy = CanaryPolicy(
        classes: [.pluginPatch: .init(stages: [.static, .boot, .roundTrip, .probes])], digest: "5f2c0a")

    /// `name` stands wherever a name from outside can stand.
    init(name: String = "unit") throws {
        let change = ChangeSummary(
            description: "git 5.2.1 → 5.5.2, \(name) 1.0 → 1.1", tree: String(repeating: "a", count: 40),
            riskClass: .pluginPatch,
            parts: [
                .init(ObjectName("plugin", "git"), detail: "5.2.1 → 5.5.2"),
                .init(ObjectName("plugin", name), detail: "1.0 → 1.1"),
            ], removals: [ObjectName("builder", "old-\(name)")])
        evidence = Evidence(
            id: "20261126T020000Z-1f3a", system: "acme",
            snapshot: SnapshotReference(
                id: try #require(SnapshotID("20261126T010000Z-00aa")),
                commit: String(repeating: "b", count: 40)),
            change: change, policyDigest: policy.digest, seed: 7,
            host: HostSummary(name: "ci-\(name)", processors: 2, memory: 1 << 30),
            started: "2026-11-26T02:00:00Z")
        evidence.finished = "2026-11-26T02:14:31Z"
        evidence.digests = ["\(name).whl": String(repeating: "c", count: 64)]
        evidence.neutralised = [
            Neutralisation(arms: [.baseline, .candidate], subject: "home/\(name)", action: "mail: \(name)"),
            Neutralisation(arms: [.candidate], subject: "home/new", action: "mail: \(name)"),
        ]
        evidence.limits = LimitSummary(
            limits: ShadowLimits(memory: 3 << 30, processors: 2), keeper: "by \(name)",
            peaks: [.init(arm: .baseline, memory: 300 << 20), .init(arm: .candidate, memory: 310 << 20)])
        evidence.stages = [
            StageRun(.static, checks: ["pip check", "entry points of \(name)"], seconds: 2.4),
            StageRun(.boot, seconds: 31.7), StageRun(.roundTrip, seconds: 4), StageRun(.probes, seconds: 671),
        ]
        evidence.findings = [
            Finding(
                stage: .static, kind: "advisory", severity: .minor, object: ObjectName("plugin", name),
                message: "plugin \(name) has a known weakness, CVE-2026-0001",
                evidence: ["<advisory id=\"1\">\(name)</advisory>"], advice: "Read the advisory of \(name).")
        ]
        for arm in [Arm.baseline, .candidate] {
            evidence.attestations.append(
                Attestation(arm: arm, check: "no interface but lo", holds: true, detail: "lo \(name)"))
            for attempt in 1...2 {
                var objects = [ObjectName("builder", "nightly"), ObjectName("plugin", name)]
                if arm == .baseline { objects.append(ObjectName("builder", "old-\(name)")) }
                evidence.boots.append(
                    Boot(
                        arm: arm, attempt: attempt, succeeded: true, seconds: 7 + Double(attempt) / 3,
                        observations: [
                            Observation(
                                kind: "log-warning", object: ObjectName("plugin", name),
                                detail: "\(arm.rawValue) says \(name)", lines: ["WARN \(name)"])
                        ], capabilities: objects))
                evidence.roundTrips.append(RoundTrip(arm: arm, attempt: attempt, compared: 41))
            }
        }
        add("\(name)", [61.2, 60.4, 62.8, 59.9, 61.0], [60.8, 62.0, 61.4, 63.1, 60.2])
        add("deploy", [30.1, 29.5, 31.0, 30.7, 28.8], [48.7, 50.2, 47.9, 49.5, 51.3])
        evidence.probes.append(
            Probe(name: "lint", object: ObjectName("job", "lint"), reason: "most used", isCritical: false))
        evidence.notCovered = [NotCovered(ObjectName("job", "release-\(name)"), reason: "needs the network")]
    }

    private mutating func add(_ probe: String, _ baseline: [Double], _ candidate: [Double]) {
        evidence.probes.append(
            Probe(name: probe, object: ObjectName("job", probe), reason: "uses what is changed"))
        for (arm, values) in [(Arm.baseline, baseline), (.candidate, candidate)] {
            for (index, seconds) in values.enumerated() {
                evidence.runs.append(
                    ProbeRun(probe: probe, arm: arm, pair: index + 1, outcome: .passed, seconds: seconds))
            }
        }
    }

    var verdict: Verdict { judge(evidence, under: policy) }
}
