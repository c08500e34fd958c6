import Foundation
import SnapshotModel
import Testing

@testable import Judge

/// Evidence of a canary in which all went well, for tests to spoil.
struct Rehearsal {
    var evidence: Evidence
    var policy: CanaryPolicy

    /// The policy's stages, all but the load.
    static let stages: [Stage] = [.static, .boot, .roundTrip, .probes]

    init(stages: [Stage] = Rehearsal.stages, runs: Int = 5) throws {
        policy = CanaryPolicy(
            classes: [.pluginPatch: CanaryPolicy.Rules(stages: stages)], digest: "0123456789abcdef")
        let change = ChangeSummary(
            description: "git 5.2.1 → 5.5.2, mailer 1.0 → 1.1", tree: String(repeating: "a", count: 40),
            riskClass: .pluginPatch,
            parts: [
                .init(ObjectName("plugin", "git"), detail: "5.2.1 → 5.5.2"),
                .init(ObjectName("plugin", "mailer"), detail: "1.0 → 1.1"),
            ])
        evidence = Evidence(
            id: "20261126T020000Z-1f3a", system: "acme",
            snapshot: SnapshotReference(
                id: try #require(SnapshotID("20261126T010000Z-00aa")),
                commit: String(repeating: "b", count: 40)),
            change: change, policyDigest: policy.digest, seed: 7,
            host: HostSummary(name: "ci", processors: 2, memory: 1 << 30), started: "2026-11-26T02:00:00Z")
        evidence.stages = stages.map { StageRun($0, checks: $0 == .static ? ["pip check"] : []) }
        for arm in [Arm.baseline, .candidate] {
            evidence.attestations.append(Attestation(arm: arm, check: "no interface but lo", holds: true))
            for attempt in 1...2 {
                evidence.boots.append(
                    Boot(
                        arm: arm, attempt: attempt, succeeded: true, seconds: 3,
                        observations: [Self.observation("log-error", "an old error")],
                        capabilities: [ObjectName("builder", "nightly"), ObjectName("plugin", "git")]))
                evidence.roundTrips.append(RoundTrip(arm: arm, attempt: attempt, compared: 12))
            }
        }
        add(probe: "unit", baseline: Self.steady(runs), candidate: Self.steady(runs, ratio: 1.01))
    }

    /// Durations of about a minute with 2 % noise.
    static func steady(_ count: Int, ratio: Double = 1) -> [Double] {
        (0..<count).map { 60 * ratio * (1 + 0.02 * Double([0, 3, -2, 1, -1, 2, -3, 4, -4, 5][$0 % 10]) / 5) }
    }

    static func observation(_ kind: String, _ detail: String) -> Observation {
        Observation(
            kind: kind, object: ObjectName("plugin", "git"), detail: detail, lines: ["ERROR \(detail)"])
    }

    var rules: CanaryPolicy.Rules {
        get { policy.classes[.pluginPatch] ?? CanaryPolicy.Rules(stages: []) }
        set { policy.classes[.pluginPatch] = newValue }
    }

    /// Runs that passed with these durations; nil is a run that failed.
    mutating func add(
        probe: String, baseline: [Double?], candidate: [Double?], control: [Double?] = [],
        signature: String? = nil, isCritical: Bool = true
    ) {
        evidence.probes.removeAll { $0.name == probe }
        evidence.runs.removeAll { $0.probe == probe }
        evidence.probes.append(
            Probe(name: probe, object: ObjectName("job", probe), reason: "named", isCritical: isCritical))
        for (arm, durations) in [(Arm.baseline, baseline), (.candidate, candidate), (.control, control)] {
            if !durations.isEmpty, arm == .control {
                evidence.attestations.append(Attestation(arm: arm, check: "no interface but lo", holds: true))
            }
            for (index, seconds) in durations.enumerated() {
                evidence.runs.append(
                    ProbeRun(
                        probe: probe, arm: arm, pair: index + 1, outcome: seconds == nil ? .failed : .passed,
                        seconds: seconds, signature: seconds == nil ? signature : nil))
            }
        }
    }

    /// Every run of one arm as if each had taken `factor` times as long.
    mutating func slow(_ arm: Arm, by factor: Double) {
        for index in evidence.runs.indices where evidence.runs[index].arm == arm {
            evidence.runs[index].seconds = evidence.runs[index].seconds.map { $0 * factor }
        }
    }

    /// Bursts with these waits and durations.
    mutating func addBursts(_ arm: Arm, waits: [Double], seconds: [Double], failed: Int = 0) {
        for (index, (wait, time)) in zip(waits, seconds).enumerated() {
            evidence.bursts.append(
                LoadBurst(
                    arm: arm, pair: index + 1, builds: 3, failed: failed,
                    queueWaits: [wait, wait * 0.9, wait * 1.2],
                    seconds: time))
        }
    }

    var verdict: Verdict { judge(evidence, under: policy) }

    var needed: Demand { demand(of: evidence, under: policy) }

    func stage(_ name: Stage) throws -> StageVerdict {
        try #require(verdict.stages.first { $0.name == name })
    }

    func measure(_ quantity: Measure.Quantity = .seconds, of stage: Stage = .probes) throws -> Measure {
        try #require(try self.stage(stage).measures.first { $0.quantity == quantity })
    }
}

/// The bytes of a value.
func bytes(_ value: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    return try encoder.encode(value)
}
