internal import Drivers
internal import Judge
internal import Shadow
internal import SnapshotModel

/// The stages that measure: the site's own builds, one by one and many at once.
extension CanaryRun {
    func probe(_ baseline: Room, _ candidate: Room) async throws -> StageRun {
        let jobs = try await driver.jobs(in: baseline)
        let removals = try await removals(from: candidate)
        let probes = ProbeSelection(rules.probes).choose(
            jobs, affected: try driver.affectedJobs(in: baseline, candidate), without: removals)
        evidence.probes = probes
        evidence.notCovered += jobs.filter(removals.contains).map {
            NotCovered($0, reason: "the change removes it on purpose")
        }
        evidence.notCovered += jobs.filter { job in
            !removals.contains(job) && !probes.contains { $0.object == job }
        }.map {
            NotCovered($0, reason: "not among the probes that the policy chooses")
        }
        evidence.notCovered.sort()
        for probe in probes {
            for room in [baseline, candidate] + (control.map { [$0] } ?? []) {
                progress("S3: warming up \(probe.name), \(room.arm.rawValue)")
                try await record(probe, room, beside: baseline, pair: 0, look: 1, isWarmUp: true)
            }
        }
        while true {
            let demand = demand(of: evidence, under: policy)
            guard !demand.pairs.isEmpty else { break }
            for pairs in demand.pairs {
                guard let probe = probes.first(where: { $0.name == pairs.probe }) else { continue }
                let done =
                    evidence.runs.filter { $0.probe == probe.name && !$0.isWarmUp }.map(\.pair).max() ?? 0
                // More runs of one that never passes without the change would say as little.
                for number in done + 1...done + pairs.count where !evidence.alwaysFails(pairs.probe) {
                    for room in shuffled(baseline, candidate) {
                        progress(
                            "S3: \(probe.name), pair \(number) of \(done + pairs.count) for look \(demand.look), \(room.arm.rawValue)"
                        )
                        try await record(
                            probe, room, beside: baseline, pair: number, look: demand.look, isWarmUp: false)
                    }
                }
            }
        }
        return StageRun(.probes, checks: probes.map { "\($0.object): \($0.reason)" })
    }

    /// What was to go and has gone: what is still there is tried as all else.
    private func removals(from candidate: Room) async throws -> Set<ObjectName> {
        let removals = Set(evidence.change.removals)
        guard !removals.isEmpty else { return [] }
        do {
            return removals.subtracting(try await driver.jobs(in: candidate))
        } catch is HTTPFailure {
            // It does not answer, which the probes that stay will show.
            return removals
        }
    }

    /// The arms in an order drawn for each pair: what drifts with time hits all alike.
    private func shuffled(_ baseline: Room, _ candidate: Room) -> [Room] {
        inAnyOrder(baseline, candidate) + (control.map { [$0] } ?? [])
    }

    /// Two arms, either of which may be the first.
    func inAnyOrder(_ baseline: Room, _ candidate: Room) -> [Room] {
        random.next() & 1 == 1 ? [candidate, baseline] : [baseline, candidate]
    }

    private func record(
        _ probe: Probe, _ room: Room, beside baseline: Room, pair: Int, look: Int, isWarmUp: Bool
    ) async throws {
        let run: JobRun
        do {
            run = try await build(probe.object, in: room)
        } catch let breach as Breach where breach.isItsOwn && room.arm == .candidate {
            evidence.runs.append(
                ProbeRun(
                    probe: probe.name, arm: room.arm, pair: pair, look: look, outcome: .errored, seconds: nil,
                    signature: "the shadow went beyond its limits", isWarmUp: isWarmUp))
            // It is the change's doing only when the same is done within them without it.
            _ = try await build(probe.object, in: baseline)
            throw breach
        }
        try refuseEndedServer(of: room, after: probe.object)
        evidence.runs.append(
            ProbeRun(
                probe: probe.name, arm: room.arm, pair: pair, look: look, outcome: run.outcome,
                seconds: run.seconds, signature: run.signature, isWarmUp: isWarmUp))
    }

    /// Throws when the server of an unchanged shadow has ended: that its builds fail from then on says nothing of any job.
    private func refuseEndedServer(of room: Room, after job: ObjectName) throws {
        guard room.arm != .candidate, !room.isServerRunning else { return }
        throw CanaryFailure(
            .failed, "the server of an unchanged shadow (\(room.arm.rawValue)) ended while \(job) was built",
            hint: "read the last lines of its log, and run the canary again")
    }

    /// Runs a job once; throws a ``Breach`` when the shadow goes beyond its limits meanwhile.
    func build(_ job: ObjectName, in room: Room) async throws -> JobRun {
        let driver = driver
        return try await room.withinLimits { try await driver.run(job, in: room, limit: Self.probeLimit) }
    }

    /// The probe that bursts are made of: one that has passed without the change, for bursts of any other say nothing.
    static func loadProbe(in evidence: Evidence) -> Probe? {
        evidence.probes.first { probe in
            evidence.runs.contains {
                $0.probe == probe.name && $0.arm == .baseline && $0.outcome == .passed
            }
        }
    }

    func load(_ baseline: Room, _ candidate: Room) async throws -> StageRun {
        guard let job = Self.loadProbe(in: evidence)?.object else {
            return StageRun(
                .load, state: .skipped, reason: "there is no probe that passes here to make bursts of")
        }
        for room in [baseline, candidate] + (control.map { [$0] } ?? []) {
            progress("S4: warming up, \(room.arm.rawValue)")
            try await burst(job, room, beside: baseline, pair: 0, look: 1, isWarmUp: true)
        }
        while true {
            let demand = demand(of: evidence, under: policy)
            guard demand.bursts > 0 else { break }
            let done = evidence.bursts.filter { !$0.isWarmUp }.map(\.pair).max() ?? 0
            for number in done + 1...done + demand.bursts {
                for room in shuffled(baseline, candidate) {
                    progress(
                        "S4: burst \(number) of \(done + demand.bursts) for look \(demand.look), \(room.arm.rawValue)"
                    )
                    try await burst(
                        job, room, beside: baseline, pair: number, look: demand.look, isWarmUp: false)
                }
            }
        }
        return StageRun(.load, checks: ["bursts of \(rules.load.builds) builds of \(job.name)"])
    }

    /// Asks for many builds at once and waits for all of them.
    private func burst(
        _ job: ObjectName, _ room: Room, beside baseline: Room, pair: Int, look: Int, isWarmUp: Bool
    ) async throws {
        let clock = ContinuousClock()
        let began = clock.now
        let runs: [JobRun]
        do {
            runs = try await builds(job, in: room)
        } catch let breach as Breach where breach.isItsOwn && room.arm == .candidate {
            _ = try await builds(job, in: baseline)
            throw breach
        }
        try refuseEndedServer(of: room, after: job)
        evidence.bursts.append(
            LoadBurst(
                arm: room.arm, pair: pair, look: look, builds: runs.count,
                failed: runs.count { $0.outcome != .passed }, queueWaits: runs.compactMap(\.wait),
                seconds: seconds(clock.now - began), isWarmUp: isWarmUp))
    }

    /// Runs a job as often as the policy's load asks for, at once.
    private func builds(_ job: ObjectName, in room: Room) async throws -> [JobRun] {
        let (driver, number) = (driver, rules.load.builds)
        return try await room.withinLimits {
            try await withThrowingTaskGroup(of: JobRun.self) { group in
                for _ in 0..<number {
                    group.addTask { try await driver.run(job, in: room, limit: Self.probeLimit) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
    }
}
