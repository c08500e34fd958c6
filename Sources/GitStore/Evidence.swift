package import Git
package import SnapshotModel

/// A record of something that was done or found, kept beside the snapshots as a chain of commits.
package struct Evidence: Hashable, Sendable {
    /// The commit.
    package var commit: ObjectID
    /// One line for people.
    package var subject: String
    /// Seconds since 1970.
    package var time: Int64
    /// The snapshot that it proves, nil when it proves none.
    package var proves: SnapshotID?
    /// The snapshot that it is about, nil when it is about none.
    package var about: SnapshotID?
}

extension SnapshotStore {
    /// Adds a record to the chain of a kind (`restores`), durably.
    package func addEvidence(
        _ kind: String, system: String, subject: String, report: [UInt8], about: SnapshotID, isProof: Bool,
        author: String, time: Int64, holding lock: WriterLock
    ) throws {
        let name = "refs/evidence/\(system)/\(kind)"
        let head = try reference(name)
        let pack = try PackWriter(reader())
        let lane = pack.lane()
        let tree = try lane.add(
            .tree, Tree.contents([TreeEntry("report.json", .file, try lane.add(.blob, report))]))
        let message = "\(subject)\n\nAbout: \(about)\n" + (isProof ? "Proves: \(about)\n" : "")
        let commit = Commit(
            tree: tree, parents: head.map { [$0] } ?? [], author: author, time: time, message: message)
        let id = try lane.add(.commit, commit.contents)
        try lane.flush()
        _ = try pack.finish()
        try setReference(name, to: id, expecting: head)
    }

    /// The records of a system, newest first within each kind.
    package func evidence(of system: String, with reader: ObjectReader) throws -> [Evidence] {
        var records: [Evidence] = []
        for reference in try references("refs/evidence/\(system)/") {
            var next: ObjectID? = reference.target
            while let id = next {
                let commit = try commit(id, with: reader)
                records.append(
                    Evidence(
                        commit: id, subject: commit.subject, time: commit.time,
                        proves: commit.trailer("Proves").flatMap { SnapshotID($0) },
                        about: commit.trailer("About").flatMap { SnapshotID($0) }))
                next = commit.parents.first
            }
        }
        return records
    }

    /// The snapshots that a restore or a drill has restored and checked.
    package func provenSnapshots(of system: String, with reader: ObjectReader) throws -> Set<SnapshotID> {
        Set(try evidence(of: system, with: reader).compactMap(\.proves))
    }
}
