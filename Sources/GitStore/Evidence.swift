package import Git
package import SnapshotModel

/// A record of something that was done or found, kept beside the snapshots as a chain of commits.
package struct EvidenceRecord: Hashable, Sendable {
    /// What kind of record: `restores`, `canaries`.
    package var kind: String
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
    /// Adds a record to the chain of a kind (`restores`), durably: `report.json`, and what `more` writes beside it.
    ///
    /// What happened is recorded even when it cannot be signed: then the reason comes back.
    @discardableResult
    package func addEvidence(
        _ kind: String, system: String, subject: String, report: [UInt8], about: SnapshotID, isProof: Bool,
        author: String, time: Int64, holding lock: WriterLock,
        more: (any ObjectLane) throws -> [TreeEntry] = { _ in [] }
    ) async throws -> String? {
        let name = "refs/evidence/\(system)/\(kind)"
        let head = try reference(name)
        let pack = try PackWriter(reader())
        let lane = pack.lane()
        let tree = try lane.add(
            .tree,
            Tree.contents(
                [TreeEntry("report.json", .file, try lane.add(.blob, report))] + (try more(lane))))
        let message = "\(subject)\n\nAbout: \(about)\n" + (isProof ? "Proves: \(about)\n" : "")
        let commit = Commit(
            tree: tree, parents: head.map { [$0] } ?? [], author: author, time: time, message: message)
        let (signed, reason) = await signedIfPossible(commit)
        let id = try lane.add(.commit, signed.contents)
        try lane.flush()
        _ = try pack.finish()
        try setReference(name, to: id, expecting: head)
        return reason
    }

    static let prunes = "prunes"
    static let forgotTrailer = "Forgot"

    /// Records which snapshots are about to be forgotten, so that none of them is taken for one that somebody dropped.
    ///
    /// All of it is written anew: a prune may take away what lies there unused. Returns the commit.
    func recordForgotten(
        _ snapshots: [SnapshotID], of system: String, author: String, time: Int64, holding lock: WriterLock
    ) async throws -> ObjectID {
        let name = "refs/evidence/\(system)/\(Self.prunes)"
        let head = try reference(name)
        let pack = try PackWriter(reader(), rewrites: true)
        let lane = pack.lane()
        let list = snapshots.map { "\"\($0)\"" }.joined(separator: ", ")
        let report = try lane.add(.blob, Array("{\"forgotten\": [\(list)]}\n".utf8))
        let tree = try lane.add(.tree, Tree.contents([TreeEntry("report.json", .file, report)]))
        let message =
            "forgot \(snapshots.count) snapshots\n\n"
            + snapshots.map { "\(Self.forgotTrailer): \($0)\n" }.joined()
        let commit = Commit(
            tree: tree, parents: head.map { [$0] } ?? [], author: author, time: time, message: message)
        let id = try lane.add(.commit, await signedIfPossible(commit).commit.contents)
        try lane.flush()
        _ = try pack.finish()
        try setReference(name, to: id, expecting: head)
        return id
    }

    private func signedIfPossible(_ commit: Commit) async -> (commit: Commit, reason: String?) {
        guard let signer else { return (commit, nil) }
        do {
            return (try await signer.sign(commit), nil)
        } catch {
            return (commit, "\(error)")
        }
    }

    /// The records of a system, newest first within each kind.
    package func evidence(of system: String, with reader: ObjectReader) throws -> [EvidenceRecord] {
        var records: [EvidenceRecord] = []
        for reference in try references("refs/evidence/\(system)/") {
            var next: ObjectID? = reference.target
            while let id = next {
                let commit = try commit(id, with: reader)
                records.append(
                    EvidenceRecord(
                        kind: String(reference.name.dropFirst("refs/evidence/\(system)/".count)), commit: id,
                        subject: commit.subject, time: commit.time,
                        proves: commit.trailer("Proves").flatMap { SnapshotID($0) },
                        about: commit.trailer("About").flatMap { SnapshotID($0) }))
                next = commit.parents.first
            }
        }
        return records
    }

    /// The records of one kind, newest first, with their reports.
    package func reports(
        _ kind: String, of system: String, with reader: ObjectReader
    ) throws -> [(record: EvidenceRecord, report: [UInt8])] {
        try evidence(of: system, with: reader).filter { $0.kind == kind }.map { record in
            let tree = try commit(record.commit, with: reader).tree
            guard let entry = try reader.entry("report.json", of: tree) else {
                throw StoreFailure(
                    .damaged, "the record \(record.commit) of \(kind) has no report.json",
                    hint: "'understudy verify --all' says what is whole")
            }
            return (record, try reader.contents(entry.id, .blob))
        }
    }

    /// The snapshots that a restore or a drill has restored and checked.
    package func provenSnapshots(of system: String, with reader: ObjectReader) throws -> Set<SnapshotID> {
        Set(try evidence(of: system, with: reader).compactMap(\.proves))
    }
}
