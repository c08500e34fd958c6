internal import FileTree
internal import Git
package import SnapshotModel
internal import SystemPackage

/// What a prune would do: a value that can be shown, and then carried out.
package struct PrunePlan: Sendable {
    /// The snapshots that are kept, with reasons, and those that are forgotten.
    package let retention: Retention
    /// Objects and bytes that are freed, and those that are copied on the way.
    package let freedObjects: Int, freedBytes: Int64, copiedObjects: Int, copiedBytes: Int64

    fileprivate let system: String
    fileprivate let forgotten: [SnapshotReference]
    fileprivate let live: ObjectSet
    fileprivate let repack: Repack
}

extension Commit {
    /// The words that the taker of a snapshot gave it.
    package var tags: [String] { trailers(SnapshotStore.tagTrailer) }
}

extension SnapshotStore {
    /// Decides which snapshots of a system go, and which packs go with them.
    ///
    /// Reads every byte of every pack first. Throws a ``StoreFailure`` with code `damaged`, or a ``GitError``, when
    /// anything that is to live on is damaged or missing, and one with code `refused` when stock git keeps something alive
    /// that is not in a reference.
    package func planPrune(
        of system: String, policy: Retention.Policy, now: Int64, needed: [SnapshotID: String]
    ) throws -> PrunePlan {
        try refuseOtherRoots()
        // The references first: a snapshot that comes later brings its own packs, which are not looked at.
        let tips = try tips()
        let references = try snapshots(of: system)
        let reader = try reader()
        let damage = try reader.damagedPacks()
        if let first = damage.first {
            throw StoreFailure(
                .damaged,
                "the store \(path) is damaged, so nothing is pruned: \(first)"
                    + (damage.count > 1 ? ", and \(damage.count - 1) more" : ""),
                hint: "\(StoreSurvey.hint); \(StoreSurvey.wayOut)")
        }
        let proven = try provenSnapshots(of: system, with: reader)
        let candidates = try references.map { reference in
            let stored = try read(reference, with: reader)
            return Retention.Candidate(
                id: reference.id, time: stored.commit.time, isComplete: stored.snapshot.status == .complete,
                isProven: proven.contains(reference.id),
                isSafety: try isSafety(reference, with: reader), tags: stored.commit.tags)
        }
        let retention = Retention(candidates, policy: policy, now: now, needed: needed)
        let ids = Set(retention.forgotten)
        let forgotten = references.filter { ids.contains($0.id) }
        let names = Set(forgotten.map { name(of: $0, system) })
        let live = ObjectSet()
        try reader.reach(from: tips.filter { !names.contains($0.name) }.map(\.target), into: live)
        let repack = try Repack(reader, live: live)
        return PrunePlan(
            retention: retention, freedObjects: repack.freedObjects, freedBytes: repack.freedBytes,
            copiedObjects: repack.copiedObjects, copiedBytes: repack.copiedBytes, system: system,
            forgotten: forgotten, live: live, repack: repack)
    }

    /// Carries a plan out, in the order of docs/design.md section 4.
    ///
    /// A kill at any instant loses nothing that is kept, and the next prune goes on.
    package func prune(
        _ plan: PrunePlan, author: String, time: Int64, holding lock: WriterLock
    ) async throws {
        try Repack.removeOrphans(in: path)
        let record = try await drop(
            plan.forgotten, of: plan.system, author: author, time: time, holding: lock)
        // The plan looked at the sums of packs, and not at each object, nor at what lies outside of packs.
        try forgetDamage(outside: plan.live, holding: lock)
        guard plan.repack.packs > 0 else { return }
        let copy = try plan.repack.copy()
        for tip in try tips() where !plan.live.contains(tip.target) && tip.target != record {
            throw StoreFailure(
                .raced, "somebody else moved \(tip.name) meanwhile, so no object was removed",
                hint: "run the command again when nobody pushes to the store")
        }
        // A directory whose tree is in the store counts as saved; after this, a tree that is left over may lack its files.
        try Files.removeTree(localDirectory.appending("cache"))
        try Files.syncDirectory(localDirectory)
        try plan.repack.removeSources(keeping: copy, and: record)
        try rememberPacks(holding: lock)
    }

    /// Forgets snapshots of which something is damaged or missing for good, whatever a policy says of them.
    ///
    /// It frees nothing: what is left is whole for a prune when the damaged packs are put aside. What can be healed is. Throws a
    /// ``StoreFailure`` with code `refused`, and forgets none, when one of them is whole then, or is the newest one or the newest
    /// complete one, or a remote that may have what it lacks cannot be read. Without a lock it only looks, and at no remote.
    package func forgetDamaged(
        _ snapshots: [SnapshotReference], of system: String, author: String, time: Int64,
        holding lock: WriterLock?
    ) async throws {
        var survey = StoreSurvey(self, system: system, with: try reader())
        // The states that a restore begins with, damaged as they are, as long as there is no other.
        let all = try self.snapshots(of: system)
        let newest = try all.last { try survey.isSafety($0) == false && survey.read($0) != nil }
        let complete = try all.last {
            try survey.isSafety($0) == false && survey.read($0)?.snapshot.status == .complete
        }
        if let one = snapshots.first(where: { $0 == newest || $0 == complete }) {
            throw StoreFailure(
                .refused,
                "the snapshot \(one.id) is not forgotten: it is the newest one, or the newest complete one",
                hint: "'understudy snapshot' takes another, and stores again what is still live")
        }
        var damaged: Set<ObjectID> = []
        for reference in snapshots {
            if let lock {
                let unread = try await Healing(self).heal([reference.commit], .contents, holding: lock).unread
                guard unread.isEmpty else {
                    throw StoreFailure(
                        .refused,
                        "the snapshot \(reference.id) is not forgotten: the remotes \(unread.joined(separator: ", ")) "
                            + "cannot be read, and may have what it lacks",
                        hint:
                            "'understudy verify --all --heal' says why; 'understudy remote remove' drops one that is gone"
                    )
                }
            }
            let found = try Healing(self).damaged([reference.commit], .contents).keys
            guard !found.isEmpty else {
                throw StoreFailure(
                    .refused,
                    "the snapshot \(reference.id) is not forgotten: nothing of it is damaged or missing",
                    hint: "'understudy prune' forgets what the retention policy does not keep")
            }
            damaged.formUnion(found)
        }
        guard let lock else { return }
        // What is still live of it is stored again, whoever needed it before.
        try rememberDamage(damaged, holding: lock)
        _ = try await drop(snapshots, of: system, author: author, time: time, holding: lock)
    }

    /// Removes the references of snapshots, durably, after a record says so, which is returned.
    private func drop(
        _ snapshots: [SnapshotReference], of system: String, author: String, time: Int64,
        holding lock: WriterLock
    ) async throws -> ObjectID? {
        var record: ObjectID?
        if !snapshots.isEmpty {
            record = try await recordForgotten(
                snapshots.map(\.id), of: system, author: author, time: time, holding: lock)
        }
        for reference in snapshots {
            try removeReference(name(of: reference, system), expecting: reference.commit)
        }
        try syncReferences(of: system)
        return record
    }

    private func name(of reference: SnapshotReference, _ system: String) -> String {
        "refs/snapshots/\(system)/\(reference.id)"
    }

    /// Makes the removal of references last: loose ones are names in their directory, packed ones a file in the store.
    private func syncReferences(of system: String) throws {
        for directory in ["refs/snapshots/\(system)", "refs/snapshots", "refs"] {
            let directory = path.appending(directory)
            if try Files.exists(directory) { try Files.syncDirectory(directory) }
        }
        try Files.syncDirectory(path)
    }

    /// Stock git also keeps alive what reflogs and work trees name; a store has neither.
    private func refuseOtherRoots() throws {
        for name in ["logs", "worktrees"] {
            guard try Files.exists(path.appending(name)), try !Files.names(path.appending(name)).isEmpty
            else {
                continue
            }
            throw StoreFailure(
                .refused, "\(path.appending(name)) may name objects that no reference names",
                hint: "a store has no reflogs and no work trees: find out what made them, then remove them")
        }
    }
}
