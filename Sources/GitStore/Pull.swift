internal import Git
internal import Programs
package import SnapshotModel

/// What a pull would bring from a remote, before it does anything.
package struct PullPlan: Sendable {
    /// The remote.
    package var remote: Remote
    /// What it holds.
    package var view: RemoteView
    /// Whether its history is asked for.
    package var bringsHistory: Bool
    /// The snapshots that it has and we have not, oldest first.
    package var snapshots: [SnapshotID]
    /// The kinds of evidence that are asked for.
    package var evidence: [String]
    /// What is there and contradicts what is here.
    package var conflicts: [String]
    /// What was there when it was looked at last, and is not there now.
    package var lost: [String]

    /// Whether there is nothing to do.
    package var isEmpty: Bool { !bringsHistory && snapshots.isEmpty && evidence.isEmpty }
}

/// Brings what a remote holds of a system into the store: history and evidence only forward, snapshots only new ones.
package struct Pull: Sendable {
    private let store: SnapshotStore
    private let system: String
    /// Snapshots in one go: what has arrived stays when a line is cut.
    private static let batch = 8

    /// A pull of a system's part of a store.
    package init(_ store: SnapshotStore, system: String) {
        self.store = store
        self.system = system
    }

    /// Looks at a remote and says what it has that is not here.
    package func plan(_ remote: Remote, now: Int64) async throws -> PullPlan {
        let remotes = Remotes(store)
        let view = try await remotes.look(at: remote, system: system, now: now)
        var own: [String: String] = [:]
        for snapshot in try store.snapshots(of: system) {
            own[snapshot.id.description] = snapshot.commit.description
        }
        let conflicts = view.snapshots.sorted { $0.key < $1.key }.compactMap { id, theirs -> String? in
            guard let ours = own[id], ours != theirs else { return nil }
            return "the snapshot \(id) is \(ours) here and \(theirs) there"
        }
        return PullPlan(
            remote: remote, view: view, bringsHistory: try isNew(view.history, "refs/heads/\(system)"),
            snapshots: view.snapshots.keys.filter { own[$0] == nil }.compactMap { SnapshotID($0) }.sorted(),
            evidence: try view.evidence.keys.sorted().filter {
                try isNew(view.evidence[$0], "refs/evidence/\(system)/\($0)")
            }, conflicts: conflicts, lost: try remotes.lost(view, of: remote.name))
    }

    /// The plan for a part of the snapshots; history and evidence come with it.
    package func part(_ plan: PullPlan, _ isWanted: (SnapshotID) -> Bool) -> PullPlan {
        var part = plan
        part.snapshots = plan.snapshots.filter(isWanted)
        return part
    }

    /// Does what a plan without conflicts says; `progress` is told how far it came.
    ///
    /// Throws a ``StoreFailure`` with code `refused` when history or evidence there is no continuation of ours, `failed` when
    /// git could not bring something; what arrived before stays.
    package func run(
        _ plan: PullPlan, holding lock: WriterLock, progress: @Sendable (String) -> Void
    ) async throws {
        precondition(plan.conflicts.isEmpty, "what contradicts what is here is not brought")
        if plan.bringsHistory {
            progress("pulling from \(plan.remote.name): history")
            try await fetch(["refs/heads/\(system)"], from: plan.remote)
        }
        var left = plan.snapshots[...]
        while !left.isEmpty {
            let batch = left.prefix(left.startIndex == 0 ? 1 : Self.batch)
            left = left.dropFirst(batch.count)
            progress(
                "pulling from \(plan.remote.name): \(batch[batch.endIndex - 1]), \(batch.endIndex) of \(plan.snapshots.count) snapshots"
            )
            try await fetch(batch.map { "refs/snapshots/\(system)/\($0)" }, from: plan.remote)
        }
        if !plan.evidence.isEmpty {
            try await fetch(plan.evidence.map { "refs/evidence/\(system)/\($0)" }, from: plan.remote)
        }
        try Remotes(store).keep(plan.view, of: plan.remote.name)
    }

    /// Fetches references under their own names, as git does it: it hashes every object, looks whether all that they need is
    /// there, and only then moves them, and only forward.
    private func fetch(_ names: [String], from remote: Remote) async throws {
        let outcome = try await RemoteGit.program(
            store.path,
            [
                "fetch", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--refmap=",
                "--update-head-ok", remote.name, "--stdin",
            ], input: Array(names.map { "\($0):\($0)\n" }.joined().utf8)
        ).run()
        guard outcome.status != 0 else { return }
        guard !outcome.errorOutput.contains("non-fast-forward") else {
            throw StoreFailure(
                .refused,
                "\(names.joined(separator: ", ")) of \(remote.name) does not go on from what is here",
                hint:
                    "somebody else writes to that remote, or rolled it back: give each store a remote of its own"
            )
        }
        throw RemoteGit.failure("pull from the remote", remote, outcome)
    }

    /// Whether a commit that a remote names is none that our reference holds or has behind it.
    private func isNew(_ theirs: String?, _ reference: String) throws -> Bool {
        guard let theirs else { return false }
        return try !store.chain(store.reference(reference), downTo: nil).contains { $0.description == theirs }
    }
}
