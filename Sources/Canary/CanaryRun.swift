package import Capture
package import Drivers
package import Git
package import GitStore
package import Judge
internal import Programs
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
        /// The proposed change that it is, nil for one of the command line.
        package var proposal: ProposedChange?
        /// What the order of the probes is drawn from.
        package var seed: UInt64
        /// The directory in which the shadows' directory is made; its path is short.
        package var parent: FilePath

        /// A request.
        package init(
            contents: ChangeContents, index: PackageIndex, description: String,
            proposal: ProposedChange?, seed: UInt64, parent: FilePath
        ) {
            self.contents = contents
            self.index = index
            self.description = description
            self.proposal = proposal
            self.seed = seed
            self.parent = parent
        }
    }

    /// How long a probe may take.
    static let probeLimit = Duration.seconds(600)

    let source: Shadows.Source
    let driver: any ShadowDriver
    let policy: CanaryPolicy
    var request: Request
    var evidence: Evidence
    var rules: CanaryPolicy.Rules
    var random: SeededGenerator
    /// An unchanged shadow once more, where the policy asks for it.
    var control: Room?
    /// Whether both arms served after their last boot, and do now.
    var isServing = false
    /// Canaries that the store keeps, the newest first: what they took says how long this one takes.
    private let earlier: [Evidence]
    /// The stage that runs, and since when.
    private var now: (stage: Stage, since: ContinuousClock.Instant)?

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
                hint: "components of the drivers jenkins and buildbot can")
        }
        source = Shadows.Source(
            system: system, store: store, reader: reader, stored: snapshot, identities: identities,
            component: component, launcher: launcher, limits: policy.shadows, progress: progress)
        self.driver = driver
        self.policy = policy
        self.request = request
        random = SeededGenerator(seed: request.seed)
        rules = CanaryPolicy.Rules(stages: [])
        let limits = Sandbox.Limits(policy.shadows, usable: try Processors.usable())
        earlier = try CanaryRecord.all(in: store, of: system.name, with: reader).map(\.evidence)
        evidence = Evidence(
            id: id, system: system.name,
            snapshot: .init(id: snapshot.reference.id, commit: snapshot.reference.commit.description),
            change: ChangeSummary(
                description: request.description, tree: "", riskClass: .everything, parts: [],
                removals: request.contents.removals, proposal: request.proposal),
            policyDigest: policy.digest, seed: request.seed,
            host: HostSummary(
                name: system.host, processors: limits.processors.count, memory: Int64(limits.addressSpace)),
            started: CivilTime(seconds: Clock.now.seconds).iso8601)
    }

    /// What was changed, with everything that was fetched for it.
    package var contents: ChangeContents { request.contents }

    /// Runs it and gives what was seen; the shadows are gone then, whatever happens.
    ///
    /// A change that fails is evidence; throws when no shadow can be had, or when it is not closed.
    package func run() async throws -> Evidence {
        try await Workspace.with(source.store, in: request.parent) { try await run(in: $0) }
        evidence.finished = CivilTime(seconds: Clock.now.seconds).iso8601
        return evidence
    }

    private func run(in workspace: Workspace) async throws {
        let change = request.contents.change
        var arms = try await Shadows(source, in: workspace)
        let archives = try await arms.provide(
            request.contents.archives, for: change, from: request.index, trusting: policy.updateCenter)
        for (name, archive) in archives { try request.contents.add(archive: name, archive) }
        evidence.change.tree = try request.contents.tree.description
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
        evidence.neutralised = Self.neutralised([baseline, candidate])
        evidence.limits = LimitSummary(
            limits: ShadowLimits(
                memory: policy.shadows.memory, processors: evidence.host.processors,
                processes: policy.shadows.processes), keeper: workspace.limitKeeper.words)
        let rooms = [baseline, candidate, control].compactMap { $0 }
        do {
            try await stages(baseline, candidate, &arms)
        } catch {
            for room in rooms { await room.stop() }
            throw error
        }
        for room in rooms { await room.stop() }
        evidence.limits?.peaks = try rooms.compactMap { room in
            try room.peak.map { .init(arm: room.arm, memory: $0) }
        }
    }

    /// What was changed in the arms before they boot, each thing once.
    private static func neutralised(_ rooms: [Room]) -> [Neutralisation] {
        var found: [Neutralisation] = []
        var places: [Fix: Int] = [:]
        for room in rooms {
            for fix in room.fixes {
                if let place = places[fix] {
                    if !found[place].arms.contains(room.arm) { found[place].arms.append(room.arm) }
                } else {
                    places[fix] = found.count
                    found.append(.init(arms: [room.arm], subject: fix.subject, action: fix.action))
                }
            }
        }
        return found
    }

    // MARK: - Stages

    private func stages(_ baseline: Room, _ candidate: Room, _ arms: inout Shadows) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let applied: AppliedChange
        do {
            applied = try await apply(in: candidate, beside: baseline.copy, of: arms.unchanged)
        } catch let breach as Breach {
            // It is no part of production's life, and nothing in the baseline is like it.
            return evidence.stages.append(
                StageRun(
                    rules.stages.min() ?? .static, state: .broken,
                    reason: "the change could not be made part of the candidate: \(breach) (\(breach.hint))"))
        } catch let failure as ShadowFailure where failure.code == .timedOut {
            return evidence.stages.append(
                StageRun(
                    rules.stages.min() ?? .static, state: .broken,
                    reason: "the change could not be made part of the candidate: \(failure)"))
        }
        let applying = seconds(clock.now - start)
        let steps: [(Stage, () async throws -> StageRun)] = [
            (.static, { try await self.check(applied, baseline, candidate) }),
            (
                .boot,
                { [secrets = arms.secretsAttestation] in try await self.boot(baseline, candidate, secrets) }
            ),
            (.roundTrip, { self.roundTrip() }),
            (.probes, { try await self.probe(baseline, candidate) }),
            (.load, { try await self.load(baseline, candidate) }),
        ]
        var reason: String?
        var hasFailed = false
        for (stage, step) in steps where rules.stages.contains(stage) {
            if let reason {
                evidence.stages.append(StageRun(stage, state: .skipped, reason: reason))
                continue
            }
            let began = clock.now
            now = (stage, began)
            var run: StageRun
            do {
                run = try await step()
            } catch let breach as Breach {
                run = end(stage, for: breach)
            } catch let failure where Self.isOutcome(failure) {
                run = StageRun(stage, state: .broken, reason: "it broke off: \(failure)")
            }
            run.seconds = seconds(clock.now - began) + (stage == .static ? applying : 0)
            evidence.stages.append(run)
            if run.state == .broken {
                reason = "\(stage.title) broke"
            } else if self.hasFailed(stage) {
                reason = "\(stage.title) failed"
                hasFailed = true
            } else if stage == .boot, !isServing {
                reason = "\(stage.title) did not end with both arms serving"
            }
        }
        now = nil
        guard hasFailed else { return }
        // What runs beside a trial is measured with it.
        await candidate.stop()
        await control?.stop()
        do {
            try await bisect(&arms, beside: baseline)
        } catch let failure where Self.isOutcome(failure) {
            // What has failed has failed, whoever is to blame.
            evidence.notCovered.append(
                NotCovered(
                    ObjectName("part", "culprit"), reason: "the search for the culprit broke off: \(failure)")
            )
        }
    }

    /// Whether a failure is part of what was seen, and kept with it: a shadow that cannot be had, or is not closed, is none.
    private static func isOutcome(_ failure: any Error) -> Bool {
        if failure is CancellationError { return false }
        return (failure as? ShadowFailure).map { $0.code == .timedOut } ?? true
    }

    /// What becomes of a stage in which a shadow went beyond what it may use: that speaks against the change where the candidate did
    /// and the baseline did not.
    private func end(_ stage: Stage, for breach: Breach) -> StageRun {
        guard breach.isItsOwn, breach.arm == .candidate else {
            let arm = breach.arm.map {
                $0 == .baseline ? "the unchanged shadow" : "the shadow of the \($0.rawValue)"
            }
            return StageRun(
                stage, state: .broken, reason: "\(arm ?? "a shadow") was ended: \(breach) (\(breach.hint))")
        }
        evidence.findings.append(Self.finding(stage, breach))
        return StageRun(stage)
    }

    /// What is held against a change that takes a shadow beyond its limits.
    static func finding(_ stage: Stage, _ breach: Breach) -> Finding {
        Finding(
            stage: stage, kind: "limit", severity: .critical, object: ObjectName("shadow", "limits"),
            message: "with the change the shadow was ended, and without it was not: \(breach)",
            advice: "If this is no leak: \(breach.hint), and run the canary again.")
    }

    /// Says what is being done, and how long the canary still takes where that can be known.
    func progress(_ words: String) {
        guard let now else { return source.progress(words) }
        let moment = TimeLeft.Moment(
            stage: now.stage, elapsed: seconds(ContinuousClock.now - now.since),
            demand: demand(of: evidence, under: policy))
        let left = TimeLeft(of: evidence, under: rules, at: moment, earlier: earlier)
        source.progress(left.map { "\(words) (\($0.words))" } ?? words)
    }

    /// Whether a stage has shown that the change is to be stopped: what follows need not run.
    private func hasFailed(_ stage: Stage) -> Bool {
        judge(evidence, under: policy).stages.contains { $0.name == stage && $0.result == .fail }
    }
}
