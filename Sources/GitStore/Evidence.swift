internal import FoundationEssentials
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

extension EvidenceRecord {
    /// What a commit says of itself.
    init(kind: String, id: ObjectID, _ commit: Commit) {
        self.init(
            kind: kind, commit: id, subject: commit.subject, time: commit.time,
            proves: commit.trailer("Proves").flatMap { SnapshotID($0) },
            about: commit.trailer("About").flatMap { SnapshotID($0) })
    }
}

/// A record that was added.
package struct AddedEvidence: Sendable {
    /// The commit.
    package var commit: ObjectID
    /// Why it is not signed; nil when it is, or when nothing is to sign it.
    package var unsigned: String?
}

extension SnapshotStore {
    /// Adds a record to the chain of a kind (`restores`), durably: the report as `report.json`, and what `more` writes beside
    /// it.
    ///
    /// What happened is recorded even when it cannot be signed.
    @discardableResult
    package func addEvidence(
        _ kind: String, system: String, subject: String, report: some Encodable, about: SnapshotID,
        isProof: Bool, author: String, time: Int64, holding lock: WriterLock,
        more: (any ObjectLane) throws -> [TreeEntry] = { _ in [] }
    ) async throws -> AddedEvidence {
        try await add(
            kind, system: system,
            message: "\(subject)\n\nAbout: \(about)\n" + (isProof ? "Proves: \(about)\n" : ""),
            report: try StoredJSON.encode(report), author: author, time: time, to: try PackWriter(reader()),
            more: more)
    }

    static let prunes = "prunes"
    static let forgotTrailer = "Forgot"

    /// Records which snapshots are about to be forgotten, so that none of them is taken for one that somebody dropped.
    ///
    /// All of it is written anew: a prune may take away what lies there unused. Returns the commit.
    func recordForgotten(
        _ snapshots: [SnapshotID], of system: String, author: String, time: Int64, holding lock: WriterLock
    ) async throws -> ObjectID {
        let list = snapshots.map { "\"\($0)\"" }.joined(separator: ", ")
        return try await add(
            Self.prunes, system: system,
            message: "forgot \(counted(snapshots.count, "snapshot"))\n\n"
                + snapshots.map { "\(Self.forgotTrailer): \($0)\n" }.joined(),
            report: Array("{\"forgotten\": [\(list)]}\n".utf8), author: author, time: time,
            to: try PackWriter(reader(), rewrites: true)
        ).commit
    }

    private func add(
        _ kind: String, system: String, message: String, report: [UInt8], author: String, time: Int64,
        to pack: PackWriter, more: (any ObjectLane) throws -> [TreeEntry] = { _ in [] }
    ) async throws -> AddedEvidence {
        let name = "refs/evidence/\(system)/\(kind)"
        let head = try reference(name)
        let lane = pack.lane()
        let tree = try lane.add(
            .tree,
            Tree.contents([TreeEntry("report.json", .file, try lane.add(.blob, report))] + (try more(lane))))
        let commit = Commit(
            tree: tree, parents: head.map { [$0] } ?? [], author: author, time: time, message: message)
        let (signed, reason) = await signedIfPossible(commit)
        let id = try lane.add(.commit, signed.contents)
        try lane.flush()
        _ = try pack.finish()
        try setReference(name, to: id, expecting: head)
        return AddedEvidence(commit: id, unsigned: reason)
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
        let prefix = "refs/evidence/\(system)/"
        return try references(prefix).flatMap { reference in
            try records(of: String(reference.name.dropFirst(prefix.count)), from: reference.target, reader)
        }
    }

    /// The records of one kind, newest first, with their reports.
    ///
    /// Throws a ``StoreFailure`` with code `damaged` when a report is missing or is none of this type.
    package func reports<Report: Decodable>(
        _ kind: String, as type: Report.Type, of system: String, with reader: ObjectReader
    ) throws -> [(record: EvidenceRecord, report: Report)] {
        try records(of: kind, from: try reference("refs/evidence/\(system)/\(kind)"), reader).map {
            ($0, try report(of: $0, as: type, with: reader))
        }
    }

    /// The report of a record.
    func report<Report: Decodable>(
        of record: EvidenceRecord, as type: Report.Type, with reader: ObjectReader
    ) throws -> Report {
        let tree = try commit(record.commit, with: reader).tree
        guard let entry = try reader.entry("report.json", of: tree) else {
            throw StoreFailure(
                .damaged, "the record \(record.commit) of \(record.kind) has no report.json",
                hint: "'understudy verify --all' says what is whole")
        }
        do {
            let bytes = try reader.contents(entry.id, .blob, limit: Self.longestText)
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw StoreFailure(
                .damaged, "the record \(record.commit) of \(record.kind) cannot be read: \(error)",
                hint: "'understudy verify --all' says what is whole; a newer version may have written it")
        }
    }

    /// A chain of records, from its newest on.
    private func records(
        of kind: String, from newest: ObjectID?, _ reader: ObjectReader
    ) throws -> [EvidenceRecord] {
        var records: [EvidenceRecord] = []
        var next = newest
        while let id = next {
            let commit = try commit(id, with: reader)
            records.append(EvidenceRecord(kind: kind, id: id, commit))
            next = commit.parents.first
        }
        return records
    }

    /// The snapshots that a restore or a drill has restored and checked.
    package func provenSnapshots(of system: String, with reader: ObjectReader) throws -> Set<SnapshotID> {
        Set(try evidence(of: system, with: reader).compactMap(\.proves))
    }
}
