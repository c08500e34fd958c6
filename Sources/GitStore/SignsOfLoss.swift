internal import FileTree
internal import Git
package import SnapshotModel
internal import SystemPackage

extension SnapshotStore {
    /// What says that snapshots were dropped or rolled back: names of such that are neither here, nor on a remote when it was
    /// last looked at, nor pruned.
    ///
    /// A snapshot names the one before it, evidence the one that it is about, and history ends with what the newest stands on.
    /// What cannot be noticed is a store that was rolled back whole: only who remembers a newer snapshot can.
    package func signsOfLoss(of system: String) throws -> [String] {
        do {
            return try signsOfLoss(
                of: system, onRemotes: Remotes(self).snapshots(), absent: absentSnapshots())
        } catch let failure as FileFailure where failure.reason == .permissionDenied {
            // Somebody else's store. What is kept of its copies only excuses what is not here.
            let signs = try signsOfLoss(of: system, onRemotes: [], absent: [])
            return signs.isEmpty
                ? [] : signs + ["what is not there may be on a remote, which cannot be looked up: \(failure)"]
        }
    }

    private func signsOfLoss(
        of system: String, onRemotes: Set<SnapshotID>, absent: Set<SnapshotID>
    ) throws -> [String] {
        let reader = try reader()
        let here = try snapshots(of: system)
        let known = Set(here.map(\.id)).union(onRemotes)
        guard let newest = known.max() else { return [] }
        let records = try evidence(of: system, with: reader)
        let forgotten = try absent.union(forgotten(records, reader))
        var signs: [String] = []
        for reference in here {
            guard let id = try previous(of: reference, reader), !known.contains(id), !forgotten.contains(id)
            else { continue }
            signs.append(
                "the snapshot \(id), which \(reference.id) followed, is not there and was not pruned")
        }
        for record in records {
            guard let about = record.about, about > newest, !forgotten.contains(about) else { continue }
            signs.append(
                "there is evidence of \(record.kind) about the snapshot \(about), which is not there")
        }
        if let last = here.first(where: { $0.id == newest }), !forgotten.contains(where: { $0 > newest }),
            let tip = try reference("refs/heads/\(system)"),
            try commit(last.commit, with: reader).parents.first != tip
        {
            signs.append(
                "history goes on after the snapshot \(newest): a newer one was there, or a command was killed before it had one"
            )
        }
        return signs
    }

    /// The snapshots that a prune forgot: not to have them is no loss, as with those that never came.
    private func forgotten(_ records: [EvidenceRecord], _ reader: ObjectReader) throws -> Set<SnapshotID> {
        var forgotten: Set<SnapshotID> = []
        for record in records where record.kind == Self.prunes {
            let commit = try commit(record.commit, with: reader)
            forgotten.formUnion(commit.trailers(Self.forgotTrailer).compactMap { SnapshotID($0) })
        }
        return forgotten
    }

    /// Whether a prune forgot a snapshot that is newer than all that are here, so that history may go on after them.
    func hasForgottenNewest(of system: String) throws -> Bool {
        let reader = try reader()
        let newest = try newestSnapshot(of: system)?.id
        let forgotten = try forgotten(evidence(of: system, with: reader), reader)
        return try absentSnapshots().union(forgotten).contains { id in newest.map { id > $0 } ?? true }
    }

    /// Notes that what snapshots of a file followed is neither in it nor here, which is no loss.
    func keepAbsent(before snapshots: [SnapshotReference], of system: String) throws {
        let reader = try reader()
        let present = Set(try self.snapshots(of: system).map(\.id) + snapshots.map(\.id))
        let before = try snapshots.compactMap { try previous(of: $0, reader) }.filter {
            !present.contains($0)
        }
        try setAbsent(absentSnapshots().union(before))
    }

    /// Notes that snapshots which another copy of the store holds are not here, which is no loss: somebody takes a part of it.
    ///
    /// One that is older than what is here may have been here, and have been dropped: it is not among them.
    package func keepAbsent(
        elsewhere snapshots: [SnapshotID], of system: String, holding lock: WriterLock
    ) throws {
        let newest = try newestSnapshot(of: system)?.id
        let left = snapshots.filter { id in newest.map { id > $0 } ?? true }
        try setAbsent(absentSnapshots().union(left))
    }

    /// Notes that snapshots came: not to have them is a loss from now on.
    func forgetAbsent(_ snapshots: some Sequence<SnapshotID>) throws {
        try setAbsent(absentSnapshots().subtracting(snapshots))
    }

    private func setAbsent(_ snapshots: Set<SnapshotID>) throws {
        guard try snapshots != absentSnapshots() else { return }
        guard !snapshots.isEmpty else { return try Files.remove(absentFile) }
        let text = snapshots.sorted().map { "\($0)\n" }.joined()
        try Files.replace(absentFile, with: Array(text.utf8), mode: 0o600)
    }

    private var absentFile: FilePath { localDirectory.appending("absent-snapshots") }

    private func absentSnapshots() throws -> Set<SnapshotID> {
        guard let text = try Files.readIfPresent(absentFile, limit: 1 << 24) else { return [] }
        return Set(
            String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap { SnapshotID(String($0)) }
        )
    }

    private func previous(of snapshot: SnapshotReference, _ reader: ObjectReader) throws -> SnapshotID? {
        try commit(snapshot.commit, with: reader).trailer(Self.previousTrailer).flatMap { SnapshotID($0) }
    }
}
