internal import Cryptography
package import Git
package import SnapshotModel

/// Everything of a snapshot but the snapshot itself, already given to a pack.
package struct SnapshotDraft: Sendable {
    /// What it says of itself.
    package var snapshot: Snapshot
    /// The newest one when it was begun, nil for a system's first.
    package var previous: SnapshotID?
    /// The entries of its tree, without `snapshot.json`.
    package var entries: [TreeEntry]
    /// The entries of the history commit's tree.
    package var history: [TreeEntry]
    /// The commits that keep the objects of captured repositories.
    package var keepAlives: [ObjectID]
    /// The first line of both messages, for people.
    package var subject: String
    /// What follows it, may be empty.
    package var body: String
    /// Who changed the system, or took the snapshot: `Name <address>`.
    package var author: String
    /// Seconds since 1970.
    package var time: Int64
    /// Whether it only saves what a restore is about to replace: `latest` never means it.
    package var isSafety: Bool
    /// The words that its taker gave it; retention may keep it for one.
    package var tags: [String]

    /// A draft.
    package init(
        snapshot: Snapshot, previous: SnapshotID?, entries: [TreeEntry], history: [TreeEntry],
        keepAlives: [ObjectID], subject: String, body: String, author: String, time: Int64,
        isSafety: Bool, tags: [String]
    ) {
        self.snapshot = snapshot
        self.previous = previous
        self.entries = entries
        self.history = history
        self.keepAlives = keepAlives
        self.subject = subject
        self.body = body
        self.author = author
        self.time = time
        self.isSafety = isSafety
        self.tags = tags
    }
}

extension SnapshotStore {
    /// Completes a pack with the commits of a snapshot and makes the snapshot exist, durably.
    ///
    /// The order is docs/design.md section 4: everything that the references can reach is on the disk before the first
    /// of them moves; history moves first, so that a snapshot's parent is always part of it.
    package func commit(
        _ draft: SnapshotDraft, to pack: PackWriter, reader: ObjectReader, holding lock: WriterLock
    ) async throws -> SnapshotReference {
        let system = draft.snapshot.system
        let lane = pack.lane()
        let json = try SnapshotJSON.encode(draft.snapshot)
        let tree = try lane.add(
            .tree,
            Tree.contents(draft.entries + [TreeEntry("snapshot.json", .file, try lane.add(.blob, json))]))
        let historyName = "refs/heads/\(system)"
        let head = try reference(historyName)
        let parent = try historyCommit(draft, head, reader, lane)
        let sources = try keepAlive(draft.keepAlives, lane)
        var value = Commit(
            tree: tree, parents: [parent] + sources, author: draft.author, time: draft.time,
            message: message(draft, json: json))
        if let signer { value = try await signer.sign(value) }
        let commit = try lane.add(.commit, value.contents)
        try lane.flush()
        _ = try pack.finish()
        if parent != head { try setReference(historyName, to: parent, expecting: head) }
        let reference = SnapshotReference(id: draft.snapshot.id, commit: commit)
        try setReference("refs/snapshots/\(system)/\(reference.id)", to: commit, expecting: nil)
        return reference
    }

    /// One commit that keeps all captured repositories, none when there are none; the snapshot is its only holder.
    private func keepAlive(_ commits: [ObjectID], _ lane: PackLane) throws -> [ObjectID] {
        guard !commits.isEmpty else { return [] }
        let empty = try lane.add(.tree, [])
        let commit = Commit.keepingAlive(Set(commits).sorted(), tree: empty, "the captured repositories")
        return [try lane.add(.commit, commit.contents)]
    }

    /// The history commit that the snapshot stands on: a new one when readable state changed.
    private func historyCommit(
        _ draft: SnapshotDraft, _ head: ObjectID?, _ reader: ObjectReader, _ lane: PackLane
    ) throws -> ObjectID {
        let tree = try lane.add(.tree, Tree.contents(draft.history))
        do {
            if let head, try commit(head, with: reader).tree == tree { return head }
        } catch  where reader.mayHaveLost(error) {
            // It was in a pack that is lost: nobody knows whether it is the same, and a new one stands on it.
        }
        let text = draft.subject + (draft.body.isEmpty ? "" : "\n\n\(draft.body)")
        return try lane.add(
            .commit,
            Commit(
                tree: tree, parents: head.map { [$0] } ?? [], author: draft.author, time: draft.time,
                message: text
            ).contents)
    }

    static let purposeTrailer = "Purpose"
    static let safety = "safety"
    static let tagTrailer = "Tag"
    static let previousTrailer = "Previous"

    /// One line for people, then trailers that bind every byte by SHA-256: the description names the digest of each
    /// manifest and lock, and the manifests name the digest of each file.
    private func message(_ draft: SnapshotDraft, json: [UInt8]) -> String {
        var text = draft.subject + "\n\n"
        if !draft.body.isEmpty { text += draft.body + "\n\n" }
        text += "Snapshot: \(draft.snapshot.id)\nStatus: \(draft.snapshot.status.rawValue)\n"
        if draft.isSafety { text += "\(Self.purposeTrailer): \(Self.safety)\n" }
        if let previous = draft.previous { text += "\(Self.previousTrailer): \(previous)\n" }
        for tag in draft.tags { text += "\(Self.tagTrailer): \(tag)\n" }
        text += "Snapshot-SHA256: \(hex(SHA256.digest(json)))\n"
        for component in draft.snapshot.components {
            for (root, digest) in component.manifests.sorted(by: { $0.key < $1.key }) {
                text += "Manifest-SHA256: \(digest) \(component.name)/\(root)\n"
            }
        }
        return text
    }
}
