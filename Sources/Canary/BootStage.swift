internal import Drivers
internal import Judge
internal import Shadow
internal import SnapshotModel

/// What is seen when the arms boot.
extension CanaryRun {
    /// Boots both arms as often as the judge asks for, and leaves them serving after the last time.
    func boot(_ baseline: Room, _ candidate: Room, _ secrets: String) async throws -> StageRun {
        if let obstacle = try await driver.obstacle(baseline.copy) {
            return StageRun(.boot, state: .broken, reason: obstacle)
        }
        let remembered = [
            (baseline, try await driver.census(in: baseline)),
            (candidate, try await driver.census(in: candidate)),
        ]
        let planned = (
            try await driver.plannedPlugins(in: baseline), try await driver.plannedPlugins(in: candidate)
        )
        // First, so that what it shows by chance is known to be chance when the arms are compared.
        if let broken = try await bootControl(planned.0, secrets) { return broken }
        let limit = driver.bootLimit
        var done = 0
        var wanted = demand(of: evidence, under: policy).boots
        while wanted > 0 {
            let attempt = done + 1
            done = attempt
            progress("S1: boot \(attempt) of \(attempt + wanted - 1), both arms")
            async let left = baseline.boot(attempt, limit: limit)
            async let right = candidate.boot(attempt, limit: limit)
            let (one, other) = (
                try await compared(try await left, planned.0, in: baseline),
                try await compared(try await right, planned.1, in: candidate)
            )
            evidence.boots += [one, other]
            if attempt == 1 {
                attest(baseline, secrets)
                attest(candidate, secrets)
            }
            for (room, before) in remembered {
                evidence.roundTrips.append(try await roundTrip(room, attempt, since: before))
            }
            if one.succeeded { evidence.notCovered += try driver.notCovered(in: baseline) }
            // What only the change has, and the shadow had to lose.
            if other.succeeded { evidence.notCovered += try driver.notCovered(in: candidate) }
            // Asked after each boot: what only one of them shows takes more of them to tell from chance.
            wanted = demand(of: evidence, under: policy).boots
            isServing = one.succeeded && other.succeeded
            if wanted > 0 || !isServing {
                isServing = false
                await baseline.stop()
                await candidate.stop()
            }
        }
        evidence.notCovered = Array(Set(evidence.notCovered)).sorted()
        let checks = ["\(done) boots of each arm, until they serve"]
        if evidence.boots.filter({ $0.arm == .baseline }).allSatisfy({ !$0.succeeded }) {
            let failure = evidence.boots.first { $0.arm == .baseline }?.failure ?? ""
            return StageRun(
                .boot, state: .broken, reason: "production itself does not boot in a shadow: \(failure)",
                checks: checks)
        }
        return StageRun(.boot, checks: checks)
    }

    /// Boots the third, unchanged shadow where the policy asks for one; the stage when that one does not come up.
    private func bootControl(_ planned: PluginSet?, _ secrets: String) async throws -> StageRun? {
        guard let control else { return nil }
        progress("S1: booting an unchanged shadow more")
        let boot = try await compared(
            try await control.boot(1, limit: driver.bootLimit), planned, in: control)
        evidence.boots.append(boot)
        attest(control, secrets)
        guard !boot.succeeded else { return nil }
        return StageRun(
            .boot, state: .broken, reason: "an unchanged shadow does not boot: \(boot.failure ?? "")",
            checks: ["1 boot of a third, unchanged shadow"])
    }

    /// A boot with the plugins that were to be at work in it and those that are.
    func compared(_ boot: Boot, _ planned: PluginSet?, in room: Room) async throws -> Boot {
        var boot = boot
        boot.planned = planned
        if boot.succeeded { boot.plugins = try await driver.plugins(in: room) }
        return boot
    }

    private func attest(_ room: Room, _ secrets: String) {
        evidence.attestations += room.checks.map {
            Attestation(arm: room.arm, check: $0.words, holds: $0.holds, detail: $0.detail)
        }
        evidence.attestations.append(
            Attestation(
                arm: room.arm, check: "no usable secret of production", holds: true,
                detail: secrets))
    }

    /// What a shadow remembers after a boot, compared with what it remembered before the first.
    private func roundTrip(_ room: Room, _ attempt: Int, since before: [String: Int]) async throws
        -> RoundTrip
    {
        let after = try await driver.census(in: room)
        // A server that never ran remembers nothing that could be lost; then the boots are compared with each other.
        let before = before.isEmpty ? after : before
        let losses = before.sorted { $0.key < $1.key }.compactMap { kind, count -> Observation? in
            let left = after[kind] ?? 0
            guard left < count else { return nil }
            return Observation(
                kind: "data-loss", object: ObjectName("history", kind),
                detail: "\(count - left) of \(count) are gone after the boot")
        }
        let rewritten = try driver.rewritten(in: room)
        return RoundTrip(
            arm: room.arm, attempt: attempt, compared: before.count + rewritten.compared,
            losses: losses + rewritten.losses)
    }

    /// The stage that judges what was counted around each boot.
    func roundTrip() -> StageRun {
        StageRun(.roundTrip, checks: ["every kind of history counted before the first boot and after each"])
    }
}
