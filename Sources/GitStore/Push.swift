package import Git
internal import Programs
package import SnapshotModel

/// What a push would bring to a remote, before it does anything.
package struct PushPlan: Sendable {
    /// The remote.
    package var remote: Remote
    /// What it holds.
    package var view: RemoteView
    /// The history commit that it gets, nil when it has it already.
    package var history: ObjectID?
    /// The snapshots that it gets, oldest first.
    package var snapshots: [SnapshotReference]
    /// The last records of each kind of evidence that it gets.
    package var evidence: [(kind: String, commit: ObjectID)]
    /// What is there and is not ours: nothing is pushed over it.
    package var conflicts: [String]
    /// Snapshots that are there and not here.
    package var onlyThere: [SnapshotID]
    /// What was there when it was looked at last, and is not there now.
    package var lost: [String]

    /// Whether there is nothing to do.
    package var isEmpty: Bool { history == nil && snapshots.isEmpty && evidence.isEmpty }
}

/// Brings a system's history, snapshots and evidence to the store's git remotes, and never over what somebody else put there.
///
/// History goes first, as far as the oldest snapshots that follow need it, then these, and evidence last: so nothing is
/// seen there before what it stands on. Snapshots go oldest first and few at a time: what has arrived stays when a line is
/// cut, and the next push goes on behind it.
package struct Push: Sendable {
    private let store: SnapshotStore
    private let system: String
    /// Snapshots in one go, after a first one that usually brings most of the weight.
    private static let batch = 8

    /// A push of a system's part of a store.
    package init(_ store: SnapshotStore, system: String) {
        self.store = store
        self.system = system
    }

    /// Looks at a remote and says what it lacks.
    package func plan(_ remote: Remote, now: Int64) async throws -> PushPlan {
        let remotes = Remotes(store)
        let view = try await remotes.look(at: remote, system: system, now: now)
        let own = try store.snapshots(of: system)
        var plan = PushPlan(
            remote: remote, view: view, history: nil, snapshots: [], evidence: [], conflicts: [],
            onlyThere: [],
            lost: try remotes.lost(view, of: remote.name))
        for snapshot in own {
            switch view.snapshots[snapshot.id.description] {
            case nil: plan.snapshots.append(snapshot)
            case snapshot.commit.description: break
            case .some(let other):
                plan.conflicts.append(
                    "the snapshot \(snapshot.id) is \(snapshot.commit) here and \(other) there")
            }
        }
        let ids = Set(own.map(\.id.description))
        plan.onlyThere = view.snapshots.keys.filter { !ids.contains($0) }.compactMap { SnapshotID($0) }
            .sorted()
        plan.history = try next(
            "the history refs/heads/\(system)", try store.reference("refs/heads/\(system)"), view.history,
            &plan)
        for (kind, commit) in try evidence() {
            if let next = try next("the evidence of \(kind)", commit, view.evidence[kind], &plan) {
                plan.evidence.append((kind, next))
            }
        }
        return plan
    }

    /// Refuses to hand on what holds secrets in clear: a snapshot or a piece of history whose system file named nobody to
    /// seal to.
    ///
    /// `isSealing` says of the text of a system file whether it names recipients.
    package func refuseWhatIsInClear(_ plan: PushPlan, isSealing: ([UInt8]) -> Bool) throws {
        try store.refuseWhatIsInClear(plan.snapshots, purpose: "pushed")
        guard let tip = plan.history else { return }
        try store.refuseHistoryInClear(
            tip, downTo: plan.view.history.flatMap { ObjectID(hex: $0.utf8) }, purpose: "pushed",
            isSealing: isSealing)
    }

    /// Does what a plan without conflicts says; `progress` is told how far it came.
    ///
    /// Returns what the remote holds afterwards. Throws a ``StoreFailure`` when git could not bring something; what arrived
    /// before stays, and is remembered.
    @discardableResult
    package func run(_ plan: PushPlan, progress: @Sendable (String) -> Void) async throws -> RemoteView {
        precondition(plan.conflicts.isEmpty, "what is not ours is not pushed over")
        var view = plan.view
        do {
            try await run(plan, &view, progress)
        } catch {
            try Remotes(store).keep(view, of: plan.remote.name)
            throw error
        }
        try Remotes(store).keep(view, of: plan.remote.name)
        return view
    }

    private func run(
        _ plan: PushPlan, _ view: inout RemoteView, _ progress: @Sendable (String) -> Void
    ) async throws {
        let remote = plan.remote
        // Where in history each commit stands, newest first: it only ever moves forward there.
        let line =
            plan.history == nil
            ? []
            : try store.chain(
                plan.history, downTo: view.history.flatMap { ObjectID(hex: $0.utf8) })
        func moveHistory(to commit: ObjectID) async throws {
            guard let new = line.firstIndex(of: commit) else { return }
            let current =
                view.history.flatMap { id in line.firstIndex { $0.description == id } } ?? line.count
            guard new < current else { return }
            try await push(["\(commit):refs/heads/\(system)"], to: remote)
            view.history = commit.description
        }
        let reader = try store.reader()
        var left = plan.snapshots[...]
        while !left.isEmpty {
            let batch = left.prefix(left.startIndex == 0 ? 1 : Self.batch)
            left = left.dropFirst(batch.count)
            let last = batch[batch.endIndex - 1]
            progress(
                "pushing to \(remote.name): \(last.id), \(batch.endIndex) of \(counted(plan.snapshots.count, "snapshot"))"
            )
            for snapshot in batch {
                if let parent = try store.commit(snapshot.commit, with: reader).parents.first {
                    try await moveHistory(to: parent)
                }
            }
            // Made only where nothing of the name is.
            let leases = batch.map { "--force-with-lease=\(name($0)):" }
            try await push(leases + [remote.name], batch.map { "\($0.commit):\(name($0))" }, to: remote)
            for snapshot in batch { view.snapshots[snapshot.id.description] = snapshot.commit.description }
        }
        if let history = plan.history { try await moveHistory(to: history) }
        for (kind, commit) in plan.evidence {
            progress("pushing to \(remote.name): evidence of \(kind)")
            try await push(["\(commit):refs/evidence/\(system)/\(kind)"], to: remote)
            view.evidence[kind] = commit.description
        }
    }

    private func name(_ snapshot: SnapshotReference) -> String { "refs/snapshots/\(system)/\(snapshot.id)" }

    private func push(_ specifications: [String], to remote: Remote) async throws {
        try await push([remote.name], specifications, to: remote)
    }

    private func push(_ arguments: [String], _ specifications: [String], to remote: Remote) async throws {
        let outcome = try await RemoteGit.program(
            store.path, ["push", "--quiet", "--no-thin"] + arguments + specifications
        ).run()
        guard outcome.status == 0 else { throw RemoteGit.failure("push to the remote", remote, outcome) }
    }

    /// The last record of each kind of evidence.
    private func evidence() throws -> [(kind: String, commit: ObjectID)] {
        let prefix = "refs/evidence/\(system)/"
        return try store.references(prefix).map { (String($0.name.dropFirst(prefix.count)), $0.target) }
    }

    /// The commit to which a chain moves there, nil when it need not; a chain that is not part of ours is a conflict.
    private func next(
        _ what: String, _ own: ObjectID?, _ theirs: String?, _ plan: inout PushPlan
    ) throws -> ObjectID? {
        guard let own, theirs != own.description else { return nil }
        guard let theirs else { return own }
        guard try !store.chain(own, downTo: nil).contains(where: { $0.description == theirs }) else {
            return own
        }
        if let id = ObjectID(hex: theirs.utf8), try store.reader().contains(id),
            try store.chain(id, downTo: nil).contains(own)
        {
            // It is ahead of us, and we have seen it: nothing to bring.
            return nil
        }
        plan.conflicts.append("\(what) goes on there with \(theirs), which is no part of what is here")
        return nil
    }
}
