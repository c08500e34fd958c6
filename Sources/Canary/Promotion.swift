package import Capture
internal import Drivers
package import Git
package import GitStore
package import Judge
internal import Restore
package import Sealing
internal import Shadow
internal import SnapshotModel
package import SystemPackage

/// Applies a change that has passed to production: bound to the verdict, rehearsed backwards, exchanged in one step, watched,
/// and taken back by itself.
package final class Promotion {
    /// What it takes.
    package struct Request: Sendable {
        /// The canary.
        package var record: CanaryRecord
        /// Its change.
        package var contents: ChangeContents
        /// The policy of today.
        package var policy: CanaryPolicy
        /// Who approved.
        package var approvals: [String]
        /// Who promotes: `Name <address>`.
        package var author: String
        /// The binary of Understudy.
        package var launcher: FilePath
        /// The directory in which the shadows' directory is made; its path is short.
        package var parent: FilePath

        /// A request.
        package init(
            record: CanaryRecord, contents: ChangeContents, policy: CanaryPolicy, approvals: [String],
            author: String, launcher: FilePath, parent: FilePath
        ) {
            self.record = record
            self.contents = contents
            self.policy = policy
            self.approvals = approvals
            self.author = author
            self.launcher = launcher
            self.parent = parent
        }
    }

    /// The kind of evidence.
    package static let kind = "promotions"

    private let system: DeliverySystem
    private let store: SnapshotStore
    private let reader: ObjectReader
    private let identities: [Identity]?
    private let request: Request
    private let driver: any Driver
    private let shadow: any ShadowDriver
    private let progress: @Sendable (String) -> Void

    private var change: ComponentChange { request.contents.change }
    private var verdict: Verdict { request.record.verdict }
    private var rules: CanaryPolicy.Rules? { request.policy.classes[verdict.riskClass] }

    /// A promotion.
    ///
    /// Throws a ``CanaryFailure`` when the system has no such component any more.
    package init(
        _ system: DeliverySystem, store: SnapshotStore, reader: ObjectReader, identities: [Identity]?,
        request: Request, progress: @escaping @Sendable (String) -> Void
    ) throws {
        let component = request.contents.change.component
        guard let driver = system.driver(of: component), let shadow = driver.shadow else {
            throw CanaryFailure(
                .refused, "the system file does not describe the component '\(component)' of the verdict",
                hint: "describe it as it was, or run a new canary")
        }
        self.system = system
        self.store = store
        self.reader = reader
        self.identities = identities
        self.request = request
        self.driver = driver
        self.shadow = shadow
        self.progress = progress
    }

    // MARK: - The plan

    /// What would be done, and what stands against it; touches nothing.
    package func plan(now: Int64) async throws -> PromotionPlan {
        var plan = PromotionPlan(
            verdict: verdict.id, change: verdict.change, parts: request.record.evidence.change.parts,
            paths: places.map(\.live.string), bake: rules?.bake ?? 0,
            smoke: rules?.smoke.jobs ?? [], seen: [], refusals: [])
        plan.refusals = try verdictRefusals(now: now)
        if plan.refusals.isEmpty {
            progress("comparing production with the snapshot of the verdict")
            try await addDrift(to: &plan)
        }
        if plan.refusals.isEmpty { plan.refusals = try await smokeRefusals() }
        return plan
    }

    private func verdictRefusals(now: Int64) throws -> [String] {
        guard verdict.result == .pass else {
            return ["the verdict is \(verdict.result.rawValue): only a pass is promoted"]
        }
        guard let rules else {
            return ["the policy has no rules for the class \(verdict.riskClass.rawValue)"]
        }
        var refusals: [String] = []
        if verdict.policy != request.policy.digest {
            refusals.append("the policy was changed since the verdict: judge it again with a new canary")
        }
        let made = SnapshotID(request.record.evidence.id)?.seconds ?? 0
        if made > now + 300 {
            refusals.append(
                "the verdict is newer than this host's clock, which cannot say whether it still holds")
        } else if now - made > rules.expiry {
            refusals.append(
                "the verdict is \((now - made) / 3600) h old, and holds for \(rules.expiry / 3600) h")
        }
        // One person is one, however often and in whatever case the name is given.
        let people = Set(request.approvals.map { $0.lowercased() }).count
        if people < rules.approvals {
            refusals.append(
                "the policy asks for the approval of \(rules.approvals) people, and there is that of \(people): --approved-by NAME"
            )
        }
        if let proposal = request.record.evidence.change.proposal,
            let there = try store.changes(of: system.name).first(where: { $0.name == proposal.name })
        {
            let now = try Proposals(
                OpenedStore(system, store: store, reader: reader, identities: identities)
            ).read(there)
            if now.tree.description != proposal.tree {
                refusals.append(
                    "the change \(proposal.name) is another now: run a canary of it, or drop it to promote what was rehearsed"
                )
            }
        }
        let promotions = try store.reports(
            Self.kind, as: PromotionReport.self, of: system.name, with: reader)
        let wasUndone = try isUndone()
        for (record, past) in promotions where past.plan.verdict == verdict.id {
            let refusal =
                switch past.result {
                case .promoted:
                    wasUndone
                        ? "it was promoted, and 'undo' took that back (\(record.subject)); run a new canary"
                        : "it is promoted already (\(record.subject))"
                case .rolledBack: "it was promoted and rolled back: \(past.breach ?? ""); run a new canary"
                case .notPutBack:
                    "it was promoted and could not be put back: \(past.breach ?? ""); run a new canary"
                }
            refusals.append(refusal)
        }
        return refusals
    }

    /// Whether the last that happened to production, as far as the journal tells, is that the promotion was undone.
    private func isUndone() throws -> Bool {
        guard let last = try Journal.read(store.localDirectory), last.verdict == verdict.id else {
            return false
        }
        return last.phase == .undone || last.phase == .starting
    }

    /// Builds that could not be asked for after the exchange would take a good change back.
    private func smokeRefusals() async throws -> [String] {
        guard let jobs = rules?.smoke.jobs, !jobs.isEmpty, try await driver.lifecycle?.isRunning() == true
        else { return [] }
        var refusals: [String] = []
        for job in jobs {
            if let obstacle = try await shadow.obstacle(toBuilding: job) {
                refusals.append("the policy asks for a smoke build: \(obstacle)")
            }
        }
        return refusals
    }

    /// Production must still be what was rehearsed, in everything that a person configures.
    private func addDrift(to plan: inout PromotionPlan) async throws {
        let reference = try store.snapshot(verdict.snapshot.description, of: system.name)
        guard reference.commit.description == verdict.commit else {
            plan.refusals = ["the snapshot \(verdict.snapshot) is not the one of the verdict any more"]
            return
        }
        let (files, packages) = try await drift(since: try store.read(reference, with: reader))
        let own = files.filter(isOwn)
        plan.seen = own.map { "\($0.root)/\($0.path) is new: production made it for itself" }
        guard let words = Self.words(of: files.filter { !isOwn($0) }, packages) else { return }
        plan.refusals = [
            "production drifted from the snapshot of the verdict: \(words); take a snapshot and run a new canary"
        ]
    }

    /// What a person configures and is other in production than in a snapshot: files, and packages.
    private func drift(since stored: StoredSnapshot) async throws -> (files: [FileChange], packages: [Change])
    {
        let drift = try await SystemCapture(system, store: store, identities: identities)
            .drift(since: stored, component: change.component, reader: try store.reader())
        // A directory in which a server works has another time each day.
        let files = drift.files.filter {
            [.config, .secret, .plugin].contains($0.entryClass) && !$0.differsOnly(in: [.time])
        }
        return (files, drift.changes.filter { $0.kind == "package" })
    }

    /// The first difference and how many more there are; nil when there is none.
    private static func words(of files: [FileChange], _ packages: [Change]) -> String? {
        let differs =
            files.map { "\($0.root)/\($0.path) (\($0.change.rawValue))" }
            + packages.map { "package \($0.name) (\($0.change.rawValue))" }
        return differs.first.map { "\($0)\(differs.count > 1 ? " and \(differs.count - 1) more" : "")" }
    }

    /// Refuses when what is to be exchanged is not any more what was rehearsed last: it would be replaced unseen.
    private func refuseEdits(since before: StoredSnapshot) async throws {
        let (files, packages) = try await drift(since: before)
        let exchanged = files.filter { file in
            !isOwn(file)
                && places.contains {
                    $0.root == file.root && ($0.below.map { file.path.isAtOrBelow(EntryPath($0)) } ?? true)
                }
        }
        guard let words = Self.words(of: exchanged, change.packages.isEmpty ? [] : packages) else { return }
        throw CanaryFailure(
            .refused, "production was changed while the promotion was rehearsed: \(words)",
            hint: "nothing was exchanged; take a snapshot and run a new canary")
    }

    /// Whether a file came by the server's own doing, where the change does nothing.
    private func isOwn(_ file: FileChange) -> Bool {
        file.change == .added && shadow.isMadeAtNeed(file.path, in: file.root)
            && !change.files.contains { $0.root == file.root && $0.path == file.path.description }
    }

    /// What is exchanged, without the data.
    private var places: [ExchangedPlace] { ExchangedPlace.all(of: change, driver, shadow) }

    // MARK: - The promotion

    /// Promotes by a plan without refusals.
    ///
    /// A breach of the watch is a result; throws before anything is touched when the rehearsal fails.
    package func run(_ plan: PromotionPlan, holding lock: WriterLock) async throws -> PromotionReport {
        precondition(plan.refusals.isEmpty, "a refused plan is not run")
        let clock = ContinuousClock()
        let began = clock.now
        progress("taking a snapshot of production")
        let taken = try await SystemCapture(system, store: store, identities: identities).take(
            .init(message: "before promoting \(verdict.id)", components: [], author: request.author),
            holding: lock, progress: { _ in })
        let before = try store.snapshot(taken.snapshot.id.description, of: system.name)
        let reader = try store.reader()
        var report = PromotionReport(
            plan: plan, result: .promoted, breach: nil, before: before.id, migrates: false, rollback: "",
            approvals: request.approvals, started: CivilTime(seconds: Clock.now.seconds).iso8601, seconds: 0)
        try await Workspace.with(store, in: request.parent) { workspace in
            let stored = try store.read(before, with: reader)
            let rooms = try await rehearse(stored, reader, workspace, &report)
            let replacement = try await Replacement(
                system, store: store, component: change.component, snapshot: before.id,
                verdict: verdict.id, holding: lock, progress: progress)
            try await replace(replacement, from: rooms, of: stored, &report)
        }
        report.seconds = seconds(clock.now - began)
        try await record(report, holding: lock)
        return report
    }

    /// Makes the candidate once more from production as it is now, boots it, and then boots what a rollback would leave; the
    /// candidate, and beside it a shadow without the change, in which nothing ran.
    private func rehearse(
        _ stored: StoredSnapshot, _ reader: ObjectReader, _ workspace: Workspace,
        _ report: inout PromotionReport
    ) async throws -> (candidate: Room, unchanged: Room) {
        var shadows = try await Shadows(
            .init(
                system: system, store: store, reader: reader, stored: stored, identities: identities,
                component: change.component, launcher: request.launcher, limits: request.policy.shadows,
                progress: progress),
            in: workspace)
        _ = try await shadows.provide(
            request.contents.archives, for: change, from: .none, trusting: request.policy.updateCenter)
        let original = try await shadows.make(
            .baseline, name: "a", files: [], blobs: [:], changesPackages: false)
        let room = try await shadows.make(
            .candidate, name: "b", files: change.files, blobs: request.contents.blobs,
            changesPackages: !change.packages.isEmpty)
        let applied = try await shadow.apply(change, in: room)
        let expected = request.record.evidence.change.parts.filter { $0.object.kind != "file" }
        // What the canary complained of too was judged there.
        let new = applied.findings.filter {
            $0.severity >= .major && !request.record.evidence.findings.contains($0)
        }
        let hindrance = CanaryRun.hindrance(applied.findings) ?? new.first
        guard hindrance == nil, Set(applied.parts) == Set(expected) else {
            throw CanaryFailure(
                .refused,
                "made again, the change comes out other than in the canary: "
                    + (hindrance?.message
                        ?? applied.parts.map { "\($0.object) \($0.detail)" }.joined(separator: ", ")),
                hint: "run a new canary")
        }
        let data = try await shadow.dataVersion(in: room)
        progress("booting the candidate once more in isolation")
        try await boot(room, "the candidate does not boot any more")
        report.migrates = try await shadow.dataVersion(in: room) != data
        await room.stop()
        progress("rehearsing the rollback in isolation")
        let back = try await shadows.goingBack(
            from: room, packages: places.filter { $0.file == nil }.map { ($0.root, $0.below) },
            files: change.files, original: original)
        let boot = try await back.boot(1, limit: shadow.bootLimit)
        await back.stop()
        if boot.succeeded {
            report.rollback = "what was there before boots again on the data that the change has written"
        } else if report.migrates, case .own = room.copy.database {
            throw CanaryFailure(
                .refused,
                "the change migrates the database server, and what was there before does not boot on the migrated data: "
                    + "it could not be undone",
                hint: "migrate by hand, with a snapshot from just before; nothing was touched")
        } else if report.migrates {
            report.rollback =
                "what was there before does not boot on the migrated data, so going back takes the data of before with it: "
                + "builds made since are lost"
        } else {
            throw CanaryFailure(
                .refused, "the rollback does not boot: \(boot.failure ?? "")",
                hint: "the change could not be undone, so it is not promoted; nothing was touched")
        }
        return (room, original)
    }

    private func boot(_ room: Room, _ words: String) async throws {
        let boot = try await room.boot(1, limit: shadow.bootLimit)
        await room.stop()
        guard boot.succeeded else {
            throw CanaryFailure(
                .refused, "\(words): \(boot.failure ?? "")", hint: "nothing was touched; run a new canary")
        }
    }

    private func replace(
        _ replacement: Replacement, from rooms: (candidate: Room, unchanged: Room), of before: StoredSnapshot,
        _ report: inout PromotionReport
    ) async throws {
        let staged: [(root: String, live: FilePath, staged: FilePath)]
        let watch: ProductionWatch?
        do {
            staged = try await stage(replacement, from: rooms)
            watch = try await watchOfProduction()
        } catch {
            try await replacement.abandon()
            throw error
        }
        report.watched = watch == nil ? nil : rules?.bake
        let migrates = report.migrates
        do {
            try await replacement.run(
                staged,
                prepare: {
                    try await refuseEdits(since: before)
                    try watch?.begin()
                    guard migrates else { return [] }
                    var data: [(root: String, live: FilePath, staged: FilePath)] = []
                    for (root, path) in try shadow.migrated() {
                        let place = try replacement.staging(for: path)
                        try await Workspace.copy(path, to: place)
                        data.append((root, path, place))
                    }
                    return data
                },
                beforeStart: { if migrates { try await shadow.migrate() } },
                watch: { try await watch?.run() })
        } catch let failure as ReplacementFailure {
            report.result = failure.isPutBack ? .rolledBack : .notPutBack
            report.breach = failure.description
            report.hint = failure.hint
        }
        report.checks = ProductionWatch.all(
            watch?.checks ?? [],
            else: watch == nil ? "production does not run" : "the change was rolled back before")
    }

    /// Who looks at production once it has the change; nil when production does not run.
    private func watchOfProduction() async throws -> ProductionWatch? {
        guard let lifecycle = driver.lifecycle, let rules, try await lifecycle.isRunning() else { return nil }
        return try await ProductionWatch(
            .init(request.record.evidence), rules: rules, lifecycle: lifecycle, shadow: shadow,
            progress: progress)
    }

    /// Makes everything beside production.
    private func stage(
        _ replacement: Replacement, from rooms: (candidate: Room, unchanged: Room)
    ) async throws -> [(root: String, live: FilePath, staged: FilePath)] {
        var staged: [(root: String, live: FilePath, staged: FilePath)] = []
        for place in places {
            progress("making \(place.live) beside production")
            let beside = try replacement.staging(for: place.live)
            staged.append((place.root, place.live, beside))
            try await place.make(
                at: beside, from: rooms.candidate, unlike: rooms.unchanged, request.contents,
                classes: driver.classification(of: place.root),
                rules: system.options.rules[change.component] ?? [])
        }
        return staged
    }

    private func record(_ report: PromotionReport, holding lock: WriterLock) async throws {
        try await store.addEvidence(
            Self.kind, system: system.name,
            subject: "promotion of \(verdict.id): \(report.result.rawValue): \(verdict.change)",
            report: report, about: report.before,
            isProof: false,
            author: request.author, time: Clock.now.seconds, holding: lock)
    }
}
