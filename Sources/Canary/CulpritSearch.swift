internal import Drivers
internal import Judge
internal import Shadow

/// The search for the smallest part of a change that fails.
extension CanaryRun {
    /// One thing that a change does.
    private enum Piece: Hashable {
        case package(ComponentChange.Package)
        case file(ComponentChange.File)

        var object: ObjectName {
            switch self {
            case .package(let package): ObjectName("package", package.name)
            case .file(let file): ObjectName("file", "\(file.root)/\(file.path)")
            }
        }
    }

    /// Tries parts of a change that has failed, each in an arm of its own, until the smallest that fails is known; `baseline` is
    /// the unchanged arm, which serves when the change has failed by how long builds take.
    func bisect(_ arms: inout Shadows, beside baseline: Room) async throws {
        let change = request.contents.change
        let pieces = change.packages.map { Piece.package($0) } + change.files.map { Piece.file($0) }
        if let only = pieces.first, pieces.count == 1 {
            // It may have brought others along, which nobody asked for by themselves.
            evidence.trials.append(Trial([only.object], failed: true))
            return
        }
        let probes = failingProbes
        let slow = evidence.runs.isEmpty || !probes.isEmpty ? [] : slowProbes
        guard pieces.count > 1, !evidence.stages.contains(where: { $0.state == .broken }),
            evidence.runs.isEmpty || !probes.isEmpty || !slow.isEmpty
        else { return }
        var made = arms
        let trialRun = { [self] (part: [Piece]) async throws -> Bool in
            let number = evidence.trials.count + 1
            progress(
                "looking for the culprit, trial \(number): \(part.map(\.object.name).joined(separator: ", "))"
            )
            let failed = try await fails(part, number, &made) {
                slow.isEmpty
                    ? try await bootFails($0, probes) : try await isSlower($0, than: baseline, slow)
            }
            evidence.trials.append(Trial(part.map(\.object), failed: failed))
            return failed
        }
        // What it comes to is among the trials.
        _ = try await Bisection<Piece>(limit: slow.isEmpty ? 24 : rules.measuredTrials)
            .smallest(pieces, fails: trialRun)
        arms = made
    }

    /// Those of these findings that stop the change.
    static func blocking(
        _ findings: [Finding], under policy: CanaryPolicy, _ rules: CanaryPolicy.Rules
    ) -> [Finding] {
        findings.filter { !$0.isDeclared && policy.severity(of: $0) >= rules.blocks }
    }

    /// Probes that pass without the change and of which every run of the candidate failed: whether part of the change fails so too
    /// takes one run to see.
    private var failingProbes: [Probe] { Self.failingProbes(in: evidence) }

    static func failingProbes(in evidence: Evidence) -> [Probe] {
        evidence.probes.filter { probe in
            let runs = evidence.runs.filter { $0.probe == probe.name }
            let changed = runs.filter { $0.arm == .candidate }
            return !changed.isEmpty && changed.allSatisfy { $0.outcome != .passed }
                && runs.contains { $0.arm == .baseline && $0.outcome == .passed }
        }
    }

    private func fails(
        _ part: [Piece], _ number: Int, _ arms: inout Shadows, by fails: (Room) async throws -> Bool
    ) async throws -> Bool {
        var change = request.contents.change
        change.packages = part.compactMap { if case .package(let package) = $0 { package } else { nil } }
        change.files = part.compactMap { if case .file(let file) = $0 { file } else { nil } }
        let name = "t\(number)"
        let room = try await arms.make(
            .candidate, name: name, files: change.files, blobs: request.contents.blobs,
            changesPackages: !change.packages.isEmpty)
        let failed: Bool
        do {
            failed = try await self.fails(change, in: room, by: fails)
        } catch let breach as Breach where breach.isItsOwn && breach.arm == .candidate {
            failed = true
        } catch let failure as ShadowFailure where failure.code == .timedOut {
            failed = true
        } catch {
            await room.stop()
            throw error
        }
        await room.stop()
        // A copy of the whole component for each trial could fill the disk.
        try arms.discard(name)
        return failed
    }

    private func fails(
        _ change: ComponentChange, in room: Room, by fails: (Room) async throws -> Bool
    ) async throws -> Bool {
        let found = Self.blocking(evidence.findings.filter { $0.stage == .static }, under: policy, rules)
        let untried = Set(found.filter { $0.kind == Finding.notRehearsed }.map(\.object.name))
        if change.files.contains(where: { untried.contains("\($0.root)/\($0.path)") }) { return true }
        let applied = try await driver.apply(change, in: room)
        if !Self.blocking(applied.findings, under: policy, rules).isEmpty { return true }
        // What does not stop the change is not what it has failed by.
        let known = Set(found.map { [$0.kind, $0.message] })
        guard known.isEmpty else {
            return try await driver.check(in: room).observations.contains {
                known.contains([$0.kind, $0.detail])
            }
        }
        return try await fails(room)
    }

    /// Whether a part of the change fails as the whole has: to come up, to keep what works, or in a build.
    private func bootFails(_ room: Room, _ probes: [Probe]) async throws -> Bool {
        let planned = try await driver.plannedPlugins(in: room)
        let boot = try await compared(
            try await room.boot(1, limit: driver.bootLimit), planned, in: room)
        let known = Set(evidence.boots.filter { $0.arm == .baseline }.flatMap(\.lacks).map(\.detail))
        var hasFailed = !boot.succeeded || boot.lacks.contains { !known.contains($0.detail) }
        let expected = Self.expected(in: evidence)
        let declared = Set(request.contents.removals)
        if probes.isEmpty, !expected.subtracting(declared).isSubset(of: boot.capabilities) {
            hasFailed = true
        }
        for probe in probes where !hasFailed {
            hasFailed = try await build(probe.object, in: room).outcome != .passed
        }
        return hasFailed
    }

    /// What every boot of the unchanged arm had: what only some of them had may be missing by chance.
    static func expected(in evidence: Evidence) -> Set<ObjectName> {
        let boots = evidence.boots.filter { $0.arm == .baseline && $0.succeeded }.map { Set($0.capabilities) }
        return boots.dropFirst().reduce(boots.first ?? []) { $0.intersection($1) }
    }

    // MARK: - What only makes builds slower

    /// Probes whose builds are shown to take too long with the change.
    private var slowProbes: [Probe] {
        guard let stage = judge(evidence, under: policy).stages.first(where: { $0.name == .probes }) else {
            return []
        }
        return evidence.probes.filter { probe in
            stage.measures.contains {
                $0.probe == probe.name && $0.quantity == .seconds && $0.isCritical && $0.result == .fail
            }
        }
    }

    /// Whether builds take too long with a part of the change: measured anew against the unchanged arm, pair by pair, and judged as
    /// the stage was.
    private func isSlower(_ room: Room, than baseline: Room, _ probes: [Probe]) async throws -> Bool {
        guard try await room.boot(1, limit: driver.bootLimit).succeeded else { return true }
        var trial = evidence
        trial.probes = probes
        trial.runs = []
        // The judge was tried on unchanged shadows already.
        var policy = policy
        policy.classes[evidence.change.riskClass]?.control = .split
        for probe in probes { _ = try await build(probe.object, in: room) }
        while true {
            let wanted = demand(of: trial, under: policy)
            guard let pairs = wanted.pairs.first,
                let probe = probes.first(where: { $0.name == pairs.probe })
            else { break }
            let done = trial.runs.filter { $0.probe == probe.name }.map(\.pair).max() ?? 0
            for pair in done + 1...done + pairs.count {
                for arm in inAnyOrder(baseline, room) {
                    let run = try await build(probe.object, in: arm)
                    trial.runs.append(
                        ProbeRun(
                            probe: probe.name, arm: arm.arm, pair: pair, look: wanted.look,
                            outcome: run.outcome,
                            seconds: run.seconds, signature: run.signature, isWarmUp: false))
                }
            }
        }
        return judge(trial, under: policy).stages.contains { $0.name == .probes && $0.result == .fail }
    }
}
