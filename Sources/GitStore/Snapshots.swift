package import Git
package import SnapshotModel

/// A snapshot as the store names it.
package struct SnapshotReference: Hashable, Sendable {
    /// Its id.
    package var id: SnapshotID
    /// Its commit.
    package var commit: ObjectID
}

extension SnapshotStore {
    /// The snapshots of a system, oldest first.
    package func snapshots(of system: String) throws -> [SnapshotReference] {
        let prefix = "refs/snapshots/\(system)/"
        return try references(prefix).map { reference in
            guard let id = SnapshotID(String(reference.name.dropFirst(prefix.count))) else {
                throw StoreFailure(
                    .damaged, "the reference \(reference.name) does not end in a snapshot id",
                    hint: "somebody else made it: remove it with 'git update-ref -d \(reference.name)'")
            }
            return SnapshotReference(id: id, commit: reference.target)
        }
        .sorted { $0.id < $1.id }
    }

    /// The newest snapshot of a system, nil when it has none; the others' references are not read.
    package func newestSnapshot(of system: String) throws -> SnapshotReference? {
        let directory = "refs/snapshots/\(system)"
        let names = try referenceNames(in: directory)
        let ids = names.compactMap { SnapshotID($0) }
        guard let newest = ids.max(), ids.count == names.count,
            let commit = try reference("\(directory)/\(newest)")
        else {
            // There is none, or one that somebody else made, which is told, or one that has just gone.
            return try snapshots(of: system).last
        }
        return SnapshotReference(id: newest, commit: commit)
    }

    /// Whether a snapshot only saves what a restore was about to replace.
    package func isSafety(_ reference: SnapshotReference, with reader: ObjectReader) throws -> Bool {
        try commit(reference.commit, with: reader).trailer(Self.purposeTrailer) == Self.safety
    }

    /// The snapshot that a text means: an id, a unique prefix, `latest`, `latest~N`, a date or date-time, or an object id.
    ///
    /// Safety snapshots are meant only by their ids: after a restore, `latest` must not be the state that was bad.
    ///
    /// Throws a ``StoreFailure`` with code `noSuchSnapshot` that lists the candidates when there is not exactly one.
    package func snapshot(_ text: String, of system: String) throws -> SnapshotReference {
        let reader = try reader()
        let all = try snapshots(of: system)
        var unreadable: [(index: Int, error: GitError)] = []
        let candidates = try all.enumerated().map { index, reference in
            var isSafety = false
            do {
                isSafety = try self.isSafety(reference, with: reader)
            } catch let error as GitError where error.isLoss {
                unreadable.append((index, error))
            }
            return (reference.id, reference.commit.description, isSafety: isSafety)
        }
        let query = SnapshotQuery(text)
        switch query.find(in: candidates) {
        case .found(let index):
            // One that cannot be read was not passed over, so it was found itself where it could be meant; only who counts
            // must know of each that is newer whether it counts.
            if let own = unreadable.first(where: { $0.index == index }) {
                throw damaged(all[index], "\(own.error)")
            }
            if query.counts, let newer = unreadable.first(where: { $0.index > index }) {
                throw StoreFailure(
                    .damaged,
                    "which snapshot '\(text)' means cannot be determined, for \(all[newer.index].id) is damaged: \(newer.error)",
                    hint: "name the snapshot by its id: 'understudy snapshots' lists them")
            }
            return all[index]
        case .none(let reason):
            throw StoreFailure(
                .noSuchSnapshot, "no snapshot matches '\(text)': \(reason)",
                hint: all.isEmpty
                    ? "'understudy snapshot' takes the first one" : "'understudy snapshots' lists them")
        case .ambiguous(let candidates):
            let names = candidates.prefix(5).map { all[$0].id.description }.joined(separator: ", ")
            throw StoreFailure(
                .noSuchSnapshot,
                "'\(text)' matches \(candidates.count) snapshots: \(names)\(candidates.count > 5 ? ", …" : "")",
                hint: query.day.map { "'\($0)' is the last one of that day; or give more of the id" }
                    ?? "give more of the id")
        }
    }

    /// Bytes of a text that is read whole, more than any has: `snapshot.json`, a lock, the system file, a policy.
    ///
    /// A store may have been made by a stranger.
    package static let longestText = 1 << 27

    /// A snapshot's commit and its description of itself.
    package func read(
        _ reference: SnapshotReference, with reader: ObjectReader
    ) throws -> StoredSnapshot {
        let commit = try commit(reference.commit, with: reader)
        let entries = try reader.tree(commit.tree)
        guard let entry = entries.first(where: { $0.name == Array("snapshot.json".utf8) }) else {
            throw damaged(reference, "it holds no snapshot.json")
        }
        let json = try reader.contents(entry.id, .blob, limit: Self.longestText)
        let snapshot: Snapshot
        do {
            snapshot = try SnapshotJSON.decode(json)
        } catch let error as SnapshotJSON.NewerFormat {
            throw StoreFailure(
                .newerFormat,
                "the snapshot \(reference.id) has format \(error.format), and this version reads \(Snapshot.currentFormat)",
                hint: "use the version of Understudy that took it, or a newer one")
        } catch {
            throw damaged(reference, "its snapshot.json cannot be read: \(error)")
        }
        return StoredSnapshot(
            reference: reference, commit: commit, snapshot: snapshot, json: json, entries: entries)
    }

    /// A commit by its id.
    package func commit(_ id: ObjectID, with reader: ObjectReader) throws -> Commit {
        try Commit(contents: reader.contents(id, .commit), of: id)
    }

    private func damaged(_ reference: SnapshotReference, _ reason: String) -> StoreFailure {
        StoreFailure(
            .damaged, "the snapshot \(reference.id) is damaged: \(reason)",
            hint: "'understudy verify --all' says what else is; restore another snapshot")
    }
}

/// A snapshot read from the store.
package struct StoredSnapshot: Sendable {
    /// Its name in the store.
    package var reference: SnapshotReference
    /// Its commit.
    package var commit: Commit
    /// What it says of itself.
    package var snapshot: Snapshot
    /// The bytes of `snapshot.json`.
    package var json: [UInt8]
    /// The entries of its tree.
    package var entries: [TreeEntry]

    /// The time of the state that it holds, in seconds since 1970: that of its oldest component.
    package var stateTime: Int64 { min(commit.time, snapshot.oldestPart ?? commit.time) }

    /// The tree of a component, nil when it has none.
    package func tree(of component: String) -> ObjectID? {
        entries.first { $0.name == Array(component.utf8) && $0.mode == .tree }?.id
    }

    /// The blob of a file at the top, nil when there is none.
    package func blob(_ name: String) -> ObjectID? {
        entries.first { $0.name == Array(name.utf8) && $0.mode == .file }?.id
    }
}
