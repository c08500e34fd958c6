package import Capture
internal import Cryptography
package import Drivers
package import Git
package import GitStore
internal import Glibc
package import Judge
internal import Restore
package import Sealing
internal import Shadow
internal import SnapshotModel
package import SystemPackage

/// A canary: two shadows of one snapshot, one of them with a change, put through the stages of the policy.
///
/// What comes out is evidence; what it means says `judge`.
package final class CanaryRun {
    /// What is asked for.
    package struct Request: Sendable {
        /// What is changed.
        package var contents: ChangeContents
        /// Where packages are fetched from that the change does not bring.
        package var index: PackageIndex
        /// One line for people.
        package var description: String
        /// What is to be gone afterwards, and is no surprise.
        package var removals: [ObjectName]
        /// What the order of the probes is drawn from.
        package var seed: UInt64
        /// The directory in which the shadows' directory is made; its path is short.
        package var parent: FilePath

        /// A request.
        package init(
            contents: ChangeContents, index: PackageIndex, description: String, removals: [ObjectName],
            seed: UInt64,
            parent: FilePath
        ) {
            self.contents = contents
            self.index = index
            self.description = description
            self.removals = removals
            self.seed = seed
            self.parent = parent
        }
    }

    /// How long a boot may take.
    private static let bootLimit = Duration.seconds(180)
    /// How long a probe may take.
    private static let probeLimit = Duration.seconds(600)

    private let source: Shadows.Source
    private let driver: any ShadowDriver
    private let policy: CanaryPolicy
    private var request: Request
    private var evidence: Evidence
    private var rules: CanaryPolicy.Rules
    private var random: SeededGenerator
    /// An unchanged shadow once more, where the policy asks for it.
    private var control: Room?
    private var progress: @Sendable (String) -> Void { source.progress }

    /// A canary of a component of a snapshot.
    ///
    /// Throws a ``CanaryFailure`` when the component cannot be rehearsed.
    package init(
        _ system: DeliverySystem, store: SnapshotStore, reader: ObjectReader, snapshot: StoredSnapshot,
        identities: [Identity]?, policy: CanaryPolicy, launcher: FilePath, id: String, request: Request,
        progress: @escaping @Sendable (String) -> Void
    ) throws {
        let component = request.contents.change.component
        guard let driver = system.driver(of: component)?.shadow else {
            throw CanaryFailure(
                .refused, "the component '\(component)' cannot be rehearsed: its driver makes no shadows",
                hint: "components of the driver buildbot can")
        }
        source = Shadows.Source(
            system: system, store: store, reader: reader, stored: snapshot, identities: identities,
            component: component, launcher: launcher, progress: progress)
        self.driver = driver
        self.policy = policy
        self.request = request
        random = SeededGenerator(seed: request.seed)
        rules = CanaryPolicy.Rules(stages: [])
        evidence = Evidence(
            id: id, system: system.name,
            snapshot: .init(id: snapshot.reference.id, commit: snapshot.reference.commit.description),
            change: ChangeSummary(
                description: request.description, tree: "", riskClass: .everything, parts: [],
                removals: request.removals),
            policyDigest: policy.digest, seed: request.seed,
            host: HostSummary(
                name: system.host, processors: sysconf(Int32(_SC_NPROCESSORS_ONLN)),
                memory: Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE)))),
            started: CivilTime(seconds: Clock.now.seconds).iso8601)
    }

    /// What was changed, with everything that was fetched for it.
    package var contents: ChangeContents { request.contents }

    /// Runs it and gives what was seen; the shadows are gone then, whatever happens.
    ///
    /// A change that fails is evidence; throws when no shadow can be had, or when it is not closed.
    package func run() async throws -> Evidence {
        let workspace = try Workspace(source.store, in: request.parent)
        do {
            try await run(in: workspace)
        } catch {
            try workspace.remove()
            throw error
        }
        try workspace.remove()
        evidence.finished = CivilTime(seconds: Clock.now.seconds).iso8601
        return evidence
    }

    private func run(in workspace: Workspace) async throws {
        let change = request.contents.change
        var arms = try await Shadows(source, in: workspace)
        let archives = try await arms.provide(request.contents.archives, for: change, from: request.index)
        for (name, archive) in archives { try request.contents.add(archive: name, archive) }
        evidence.change.tree = try request.contents.write(to: Rehearsal(source.reader).makeLane()).description
        progress("making two arms")
        let baseline = try await arms.make(
            .baseline, name: "a", files: [], blobs: [:], changesPackages: false)
        let candidate = try await arms.make(
            .candidate, name: "b", files: change.files, blobs: request.contents.blobs,
            changesPackages: !change.packages.isEmpty)
        evidence.change.riskClass = try driver.risk(of: change, in: candidate.copy)
        guard let rules = policy.classes[evidence.change.riskClass] else {
            throw CanaryFailure(
                .refused,
                "the policy has no rules for changes of the class \(evidence.change.riskClass.rawValue)",
                hint: "add them to policies/canary.yaml")
        }
        self.rules = rules
        if rules.control == .shadow {
            control = try await arms.make(.control, name: "c", files: [], blobs: [:], changesPackages: false)
        }
        do {
            try await stages(baseline, candidate, &arms)
        } catch {
            for room in [baseline, candidate, control].compactMap({ $0 }) { await room.stop() }
            throw error
        }
        for room in [baseline, candidate, control].compactMap({ $0 }) { await room.stop() }
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

    // MARK: - Stages

    private func stages(_ baseline: Room, _ candidate: Room, _ arms: inout Shadows) async throws {
        let steps: [(Stage, () async throws -> StageRun)] = [
            (.static, { try await self.static(baseline, candidate) }),
            (
                .boot,
                { [secrets = arms.secretsAttestation] in try await self.boot(baseline, candidate, secrets) }
            ),
            (.roundTrip, { self.roundTrip() }),
            (.probes, { try await self.probe(baseline, candidate) }),
            (.load, { try await self.load(baseline, candidate) }),
        ]
        var reason: String?
        for (stage, step) in steps where rules.stages.contains(stage) {
            if let reason {
                evidence.stages.append(StageRun(stage, state: .skipped, reason: reason))
                continue
            }
            let clock = ContinuousClock()
            let began = clock.now
            var run = try await step()
            run.seconds = seconds(clock.now - began)
            evidence.stages.append(run)
            if run.state == .broken {
                reason = "\(stage.title) broke"
            } else if hasFailed(stage) {
                reason = "\(stage.title) failed"
            }
        }
        if reason != nil { try await bisect(&arms) }
    }

    /// Whether a stage has shown that the change is to be stopped: what follows need not run.
    private func hasFailed(_ stage: Stage) -> Bool {
        judge(evidence, under: policy).stages.contains { $0.name == stage && $0.result == .fail }
    }

    private func `static`(_ baseline: Room, _ candidate: Room) async throws -> StageRun {
        progress("S0: applying the change to a copy")
        let applied = try await driver.apply(request.contents.change, in: candidate)
        evidence.findings += applied.findings
        evidence.change.parts =
            applied.parts
            + request.contents.change.files.map {
                .init(
                    ObjectName("file", "\($0.root)/\($0.path)"),
                    detail: $0.blob == nil ? "removed" : "changed")
            }
        evidence.digests = request.contents.archives.mapValues { hex(SHA256.digest($0)) }
        var run = StageRun(.static, checks: ["every package of the change resolved and installed, offline"])
        guard applied.findings.allSatisfy({ $0.severity < .critical }) else { return run }
        progress("S0: checking both arms")
        let driver = driver
        async let left = driver.check(in: baseline)
        async let right = driver.check(in: candidate)
        let (before, after) = try await (left, right)
        run.checks += after.checks
        if let own = before.observations.first(where: { $0.kind == "configuration" }) {
            run.state = .broken
            run.reason = "production's own configuration does not load in a shadow: \(own.detail)"
            return run
        }
        let known = Set(before.observations.map { [$0.kind, $0.object.description, $0.detail] })
        for complaint in after.observations
        where !known.contains([complaint.kind, complaint.object.description, complaint.detail]) {
            evidence.findings.append(
                Finding(
                    stage: .static, kind: complaint.kind,
                    severity: complaint.kind == "configuration" ? .critical : .major,
                    object: complaint.object, message: complaint.detail, evidence: complaint.lines,
                    advice: advice(complaint.kind)))
        }
        return run
    }

    private func advice(_ kind: String) -> String {
        switch kind {
        case "configuration":
            "production would not start with this: mend the configuration, or choose another version"
        case "requirement": "change the other package too, or choose a version that fits it"
        default: "choose another version, or ask its makers"
        }
    }

    private func boot(_ baseline: Room, _ candidate: Room, _ secrets: String) async throws -> StageRun {
        let remembered = [
            (baseline, try driver.census(baseline.copy)), (candidate, try driver.census(candidate.copy)),
        ]
        for attempt in 1...max(rules.boots, 1) {
            progress("S1: boot \(attempt) of \(rules.boots), both arms")
            async let left = baseline.boot(attempt, limit: Self.bootLimit)
            async let right = candidate.boot(attempt, limit: Self.bootLimit)
            let (one, other) = try await (left, right)
            evidence.boots += [one, other]
            if attempt == 1 {
                attest(baseline, secrets)
                attest(candidate, secrets)
            }
            for (room, before) in remembered {
                evidence.roundTrips.append(try roundTrip(room, attempt, since: before))
            }
            if one.succeeded { evidence.notCovered += try driver.notCovered(in: baseline) }
            let isLast = attempt == rules.boots
            if !isLast || !one.succeeded || !other.succeeded {
                await baseline.stop()
                await candidate.stop()
            }
        }
        evidence.notCovered = Array(Set(evidence.notCovered)).sorted()
        let checks = ["\(rules.boots) boots of each arm, until they serve"]
        if let control {
            progress("S1: booting the unchanged shadow once more")
            let boot = try await control.boot(1, limit: Self.bootLimit)
            attest(control, secrets)
            guard boot.succeeded else {
                return StageRun(
                    .boot, state: .broken,
                    reason: "the unchanged shadow does not boot once more: \(boot.failure ?? "")",
                    checks: checks)
            }
        }
        if evidence.boots.filter({ $0.arm == .baseline }).allSatisfy({ !$0.succeeded }) {
            let failure = evidence.boots.first { $0.arm == .baseline }?.failure ?? ""
            return StageRun(
                .boot, state: .broken, reason: "production itself does not boot in a shadow: \(failure)",
                checks: checks)
        }
        return StageRun(.boot, checks: checks)
    }

    /// What a shadow remembers after a boot, compared with what it remembered before the first.
    private func roundTrip(_ room: Room, _ attempt: Int, since before: [String: Int]) throws -> RoundTrip {
        let after = try driver.census(room.copy)
        // A server that never ran remembers nothing that could be lost; then the boots are compared with each other.
        let before = before.isEmpty ? after : before
        let losses = before.sorted { $0.key < $1.key }.compactMap { kind, count -> Observation? in
            let left = after[kind] ?? 0
            guard left < count else { return nil }
            return Observation(
                kind: "data-loss", object: ObjectName("history", kind),
                detail: "\(count - left) of \(count) are gone after the boot")
        }
        return RoundTrip(arm: room.arm, attempt: attempt, compared: before.count, losses: losses)
    }

    private func roundTrip() -> StageRun {
        StageRun(.roundTrip, checks: ["every kind of history counted before the first boot and after each"])
    }

    private func probe(_ baseline: Room, _ candidate: Room) async throws -> StageRun {
        let jobs = try await driver.jobs(in: baseline)
        let probes = ProbeSelection(rules.probes).choose(jobs)
        evidence.probes = probes
        evidence.notCovered += jobs.filter { job in !probes.contains { $0.object == job } }.map {
            NotCovered($0, reason: "not among the probes that the policy chooses")
        }
        evidence.notCovered.sort()
        for probe in probes {
            for room in [baseline, candidate] + (control.map { [$0] } ?? []) {
                progress("S3: warming up \(probe.name), \(room.arm.rawValue)")
                try await record(probe, room, pair: 0, look: 1, isWarmUp: true)
            }
        }
        while true {
            let demand = demand(of: evidence, under: policy)
            guard !demand.pairs.isEmpty else { break }
            for pairs in demand.pairs {
                guard let probe = probes.first(where: { $0.name == pairs.probe }) else { continue }
                let done =
                    evidence.runs.filter { $0.probe == probe.name && !$0.isWarmUp }.map(\.pair).max() ?? 0
                for number in done + 1...done + pairs.count {
                    progress("S3: \(probe.name), pair \(number) of look \(demand.look)")
                    for room in shuffled(baseline, candidate) {
                        try await record(probe, room, pair: number, look: demand.look, isWarmUp: false)
                    }
                }
            }
        }
        return StageRun(.probes, checks: probes.map { "\($0.object): \($0.reason)" })
    }

    /// The arms in an order drawn for each pair: what drifts with time hits all alike.
    private func shuffled(_ baseline: Room, _ candidate: Room) -> [Room] {
        let arms = random.next() & 1 == 1 ? [candidate, baseline] : [baseline, candidate]
        return arms + (control.map { [$0] } ?? [])
    }

    private func record(_ probe: Probe, _ room: Room, pair: Int, look: Int, isWarmUp: Bool) async throws {
        let run = try await driver.run(probe.object, in: room, limit: Self.probeLimit)
        evidence.runs.append(
            ProbeRun(
                probe: probe.name, arm: room.arm, pair: pair, look: look, outcome: run.outcome,
                seconds: run.seconds, signature: run.signature, isWarmUp: isWarmUp))
    }

    private func load(_ baseline: Room, _ candidate: Room) async throws -> StageRun {
        guard let job = evidence.probes.first?.object else {
            return StageRun(.load, state: .skipped, reason: "there is no probe to make bursts of")
        }
        for room in [baseline, candidate] + (control.map { [$0] } ?? []) {
            progress("S4: warming up, \(room.arm.rawValue)")
            try await burst(job, room, pair: 0, look: 1, isWarmUp: true)
        }
        while true {
            let demand = demand(of: evidence, under: policy)
            guard demand.bursts > 0 else { break }
            let done = evidence.bursts.filter { !$0.isWarmUp }.map(\.pair).max() ?? 0
            for number in done + 1...done + demand.bursts {
                progress("S4: burst \(number) of look \(demand.look)")
                for room in shuffled(baseline, candidate) {
                    try await burst(job, room, pair: number, look: demand.look, isWarmUp: false)
                }
            }
        }
        return StageRun(.load, checks: ["bursts of \(rules.load.builds) builds of \(job.name)"])
    }

    /// Asks for many builds at once and waits for all of them.
    private func burst(_ job: ObjectName, _ room: Room, pair: Int, look: Int, isWarmUp: Bool) async throws {
        let clock = ContinuousClock()
        let began = clock.now
        let driver = driver
        let runs = try await withThrowingTaskGroup(of: JobRun.self) { group in
            for _ in 0..<rules.load.builds {
                group.addTask { try await driver.run(job, in: room, limit: Self.probeLimit) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        evidence.bursts.append(
            LoadBurst(
                arm: room.arm, pair: pair, look: look, builds: runs.count,
                failed: runs.count { $0.outcome != .passed }, queueWaits: runs.compactMap(\.wait),
                seconds: seconds(clock.now - began), isWarmUp: isWarmUp))
    }

    // MARK: - The culprit

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

    /// Tries parts of a change that has failed, each in an arm of its own, until the smallest that fails is known.
    private func bisect(_ arms: inout Shadows) async throws {
        let change = request.contents.change
        let pieces = change.packages.map { Piece.package($0) } + change.files.map { Piece.file($0) }
        let probes = failingProbes
        guard pieces.count > 1, !evidence.stages.contains(where: { $0.state == .broken }),
            evidence.runs.isEmpty || !probes.isEmpty
        else { return }
        var made = arms
        let trialRun = { [self] (part: [Piece]) async throws -> Bool in
            let number = evidence.trials.count + 1
            progress(
                "looking for the culprit, trial \(number): \(part.map(\.object.name).joined(separator: ", "))"
            )
            let failed = try await fails(part, number, probes, &made)
            evidence.trials.append(Trial(part.map(\.object), failed: failed))
            return failed
        }
        let culprit = try await Bisection<Piece>().smallest(pieces, fails: trialRun)
        arms = made
        if culprit.count < pieces.count,
            !evidence.trials.contains(where: { Set($0.objects) == Set(culprit.map(\.object)) && $0.failed })
        {
            evidence.trials.append(Trial(culprit.map(\.object), failed: true))
        }
    }

    /// Probes of which every run of the candidate failed: whether part of the change fails so too takes one run to see.
    private var failingProbes: [Probe] {
        evidence.probes.filter { probe in
            let runs = evidence.runs.filter { $0.probe == probe.name && $0.arm == .candidate }
            return !runs.isEmpty && runs.allSatisfy { $0.outcome != .passed }
        }
    }

    private func fails(
        _ part: [Piece], _ number: Int, _ probes: [Probe], _ arms: inout Shadows
    ) async throws -> Bool {
        var change = request.contents.change
        change.packages = part.compactMap { if case .package(let package) = $0 { package } else { nil } }
        change.files = part.compactMap { if case .file(let file) = $0 { file } else { nil } }
        let room = try await arms.make(
            .candidate, name: "t\(number)", files: change.files, blobs: request.contents.blobs,
            changesPackages: !change.packages.isEmpty)
        if try await driver.apply(change, in: room).findings.contains(where: { $0.severity >= rules.blocks })
        {
            return true
        }
        let known = Set(evidence.findings.filter { $0.stage == .static }.map { [$0.kind, $0.message] })
        if !known.isEmpty {
            return try await driver.check(in: room).observations.contains {
                known.contains([$0.kind, $0.detail])
            }
        }
        let boot = try await room.boot(1, limit: Self.bootLimit)
        var hasFailed = !boot.succeeded
        let expected = Set(evidence.boots.filter { $0.arm == .baseline }.flatMap(\.capabilities))
        let declared = Set(request.removals)
        if probes.isEmpty, !expected.subtracting(declared).isSubset(of: boot.capabilities) {
            hasFailed = true
        }
        for probe in probes where !hasFailed {
            hasFailed =
                try await driver.run(probe.object, in: room, limit: Self.probeLimit).outcome != .passed
        }
        await room.stop()
        return hasFailed
    }
}
