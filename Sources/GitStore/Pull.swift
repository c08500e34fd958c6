internal import FileTree
internal import Git
internal import Programs
package import SnapshotModel
internal import SystemPackage

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
///
/// What comes waits below ``incoming`` until it was looked at: a reference of ours moves to what is wholly here and, where
/// somebody signs, to what one of them signed.
package struct Pull: Sendable {
    private let store: SnapshotStore
    private let system: String
    private let signatures: SignatureVerification?
    /// Snapshots in one go: what has arrived stays when a line is cut.
    private static let batch = 8
    /// Where references of what comes are for a while; what a killed pull left there goes with the next writer.
    static let incoming = "refs/understudy-incoming/"

    /// A pull of a system's part of a store; with `signatures` nothing comes that nobody of them signed.
    package init(_ store: SnapshotStore, system: String, signatures: SignatureVerification? = nil) {
        self.store = store
        self.system = system
        self.signatures = signatures
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

    /// Does what a plan without conflicts says, and returns what was not taken and why; `progress` is told how far it came.
    ///
    /// With signatures history goes only as far as snapshots stand on it that somebody signed. Throws a ``StoreFailure`` with
    /// code `refused` when history or evidence there is no continuation of ours, `failed` when git could not bring something;
    /// what arrived before stays.
    @discardableResult
    package func run(
        _ plan: PullPlan, holding lock: WriterLock, progress: @Sendable (String) -> Void
    ) async throws -> [String] {
        precondition(plan.conflicts.isEmpty, "what contradicts what is here is not brought")
        // First: when the line is cut, what did not arrive is known to be there, and not lost.
        try Remotes(store).keep(plan.view, of: plan.remote.name)
        // Those that a pull brought which was cut before it could say so.
        try store.forgetAbsent(store.snapshots(of: system).map(\.id))
        var problems: [String] = []
        var history = try line("refs/heads/\(system)")
        if plan.bringsHistory, signatures == nil {
            progress("pulling from \(plan.remote.name): history")
            let arrived = try await fetch([history.name], from: plan.remote)
            if let tip = arrived[history.name] { try advance(&history, to: tip, plan.remote) }
            try forget(arrived)
        }
        var left = plan.snapshots[...]
        while !left.isEmpty {
            let batch = left.prefix(left.startIndex == 0 ? 1 : Self.batch)
            left = left.dropFirst(batch.count)
            progress(
                "pulling from \(plan.remote.name): \(batch[batch.endIndex - 1]), \(batch.endIndex) of \(counted(plan.snapshots.count, "snapshot"))"
            )
            let arrived = try await fetch(batch.map { "refs/snapshots/\(system)/\($0)" }, from: plan.remote)
            var brought: [SnapshotID] = []
            for id in batch {
                guard let commit = arrived["refs/snapshots/\(system)/\(id)"] else { continue }
                let found =
                    try await signatures?.problems(of: SnapshotReference(id: id, commit: commit)) ?? []
                problems += found
                guard found.isEmpty else { continue }
                let reader = try store.reader()
                if let parent = try store.commit(commit, with: reader).parents.first {
                    try advance(&history, to: parent, plan.remote)
                }
                try store.setReference("refs/snapshots/\(system)/\(id)", to: commit, expecting: nil)
                brought.append(id)
            }
            try store.forgetAbsent(brought)
            try forget(arrived)
        }
        problems += try await bringEvidence(plan, progress)
        if signatures != nil, let tip = plan.view.history, try isNew(tip, history.name),
            try !store.hasForgottenNewest(of: system)
        {
            problems.append(
                "the history \(history.name) of \(plan.remote.name) goes on after what signed snapshots stand on: a newer "
                    + "snapshot was there, or somebody else wrote it")
        }
        return problems
    }

    private func bringEvidence(_ plan: PullPlan, _ progress: (String) -> Void) async throws -> [String] {
        guard !plan.evidence.isEmpty else { return [] }
        progress("pulling from \(plan.remote.name): evidence")
        let names = plan.evidence.map { "refs/evidence/\(system)/\($0)" }
        let arrived = try await fetch(names, from: plan.remote)
        var problems: [String] = []
        for (kind, name) in zip(plan.evidence, names) {
            guard let tip = arrived[name] else { continue }
            var line = try line(name)
            var found: [String] = []
            for record in try new(line, tip, plan.remote) {
                found += try await signatures?.problems(ofRecord: record, kind: kind) ?? []
            }
            problems += found
            if found.isEmpty { try advance(&line, to: tip, plan.remote) }
        }
        try forget(arrived)
        return problems
    }

    // MARK: - Lines of commits

    /// A reference that only moves forward, and every commit that is behind it.
    private struct Line {
        var name: String
        var tip: ObjectID?
        var behind: Set<ObjectID>
    }

    private func line(_ name: String) throws -> Line {
        let tip = try store.reference(name)
        return Line(name: name, tip: tip, behind: Set(try store.chain(tip, downTo: nil)))
    }

    /// The commits from `tip` back to the end of a line, none when it has them already.
    private func new(_ line: Line, _ tip: ObjectID, _ remote: Remote) throws -> [ObjectID] {
        let reader = try store.reader()
        var commits: [ObjectID] = []
        var next: ObjectID? = tip
        while let id = next, !line.behind.contains(id) {
            commits.append(id)
            next = try store.commit(id, with: reader).parents.first
        }
        guard commits.isEmpty || next == line.tip else {
            throw StoreFailure(
                .refused, "\(line.name) of \(remote.name) does not go on from what is here",
                hint:
                    "somebody else writes to that remote, or rolled it back: give each store a remote of its own"
            )
        }
        return commits
    }

    private func advance(_ line: inout Line, to tip: ObjectID, _ remote: Remote) throws {
        let commits = try new(line, tip, remote)
        guard !commits.isEmpty else { return }
        try store.setReference(line.name, to: tip, expecting: line.tip)
        line.tip = tip
        line.behind.formUnion(commits)
    }

    // MARK: - git

    /// Fetches references and returns what each of them names.
    ///
    /// git hashes every object that comes, and looks whether all that they need is there.
    private func fetch(_ names: [String], from remote: Remote) async throws -> [String: ObjectID] {
        let lines = names.map { "+\($0):\(Self.incoming)\($0.dropFirst(5))\n" }
        let outcome = try await RemoteGit.program(
            store.path,
            [
                "fetch", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--refmap=",
                remote.name, "--stdin",
            ], input: Array(lines.joined().utf8)
        ).run()
        guard outcome.status == 0 else { throw RemoteGit.failure("pull from the remote", remote, outcome) }
        // git syncs what it writes, but not the names; no reference of ours moves before they are safe.
        try Files.syncDirectory(store.path.appending("objects").appending("pack"))
        var arrived: [String: ObjectID] = [:]
        for reference in try store.references(Self.incoming) {
            arrived["refs/\(reference.name.dropFirst(Self.incoming.count))"] = reference.target
        }
        return arrived
    }

    private func forget(_ arrived: [String: ObjectID]) throws {
        for (name, target) in arrived {
            try store.removeReference("\(Self.incoming)\(name.dropFirst(5))", expecting: target)
        }
    }

    /// Whether a commit that a remote names is none that our reference holds or has behind it.
    private func isNew(_ theirs: String?, _ reference: String) throws -> Bool {
        guard let theirs, let id = ObjectID(hex: theirs.utf8) else { return false }
        return try !store.chain(store.reference(reference), holds: id)
    }
}
