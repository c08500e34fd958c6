internal import Capture
internal import Cryptography
package import Git
package import GitStore
package import Judge
package import Restore
internal import SnapshotModel

/// A canary as the store keeps it: what was seen, and what it was judged to mean.
package struct CanaryRecord: Codable, Sendable {
    /// The kind of evidence.
    package static let kind = "canaries"
    /// What the change is called beside the report.
    private static let change = "change"

    /// What was seen.
    package var evidence: Evidence
    /// What it means under the policy that was declared.
    package var verdict: Verdict

    /// A record.
    package init(evidence: Evidence, verdict: Verdict) {
        self.evidence = evidence
        self.verdict = verdict
    }

    /// Writes it into the store, durably, with the change and the pages for people; `pages` are by file name.
    package func save(
        in store: SnapshotStore, contents: ChangeContents, sealing: ChangeSealing?,
        pages: [String: [UInt8]], author: String, time: Int64, holding lock: WriterLock
    ) async throws {
        try await store.addEvidence(
            Self.kind, system: evidence.system,
            subject: "canary \(verdict.id): \(verdict.result.rawValue): \(evidence.change.description)",
            report: self, about: evidence.snapshot.id,
            isProof: false, author: author, time: time, holding: lock
        ) { lane in
            try pages.map { name, page in TreeEntry(name, .file, try lane.add(.blob, page)) }
                + [TreeEntry(Self.change, .tree, try contents.write(to: lane, sealing))]
        }
    }

    /// The canaries that the store keeps, the newest first.
    package static func all(
        in store: SnapshotStore, of system: String, with reader: ObjectReader
    ) throws -> [CanaryRecord] {
        try store.reports(kind, as: CanaryRecord.self, of: system, with: reader).map(\.report)
    }

    /// The canary of an id, or of a beginning of one that no other has, and the commit that keeps it; `latest` is the newest.
    ///
    /// Throws a ``CanaryFailure`` when there is none, or several.
    package static func find(
        _ text: String, in store: SnapshotStore, of system: String, with reader: ObjectReader
    ) throws -> (record: CanaryRecord, commit: ObjectID) {
        let all = try store.reports(kind, as: CanaryRecord.self, of: system, with: reader).map {
            (record: $0.report, commit: $0.record.commit)
        }
        if text == "latest", let newest = all.first { return newest }
        let found = all.filter { $0.record.verdict.id.hasPrefix(text) }
        guard let one = found.first, found.count == 1 else {
            throw CanaryFailure(
                .refused,
                found.isEmpty
                    ? "there is no canary '\(text)'"
                    : "'\(text)' is the beginning of \(found.count) canaries",
                hint: all.isEmpty
                    ? "'understudy canary' makes one"
                    : "the newest are \(all.prefix(3).map(\.record.verdict.id).joined(separator: ", "))")
        }
        return one
    }

    /// The change that was rehearsed, with everything that was fetched for it, as the commit of this canary keeps it.
    ///
    /// Throws a ``CanaryFailure`` when what is kept is not the change that the verdict is bound to, and a `SealingFailure`
    /// when no identity opens it.
    package func contents(in commit: ObjectID, of origin: OpenedStore) throws -> ChangeContents {
        let what = "the change of the verdict \(verdict.id)"
        let tree = try origin.store.commit(commit, with: origin.reader).tree
        guard let kept = try origin.reader.entry(Self.change, of: tree) else {
            throw CanaryFailure(.failed, "\(what) is not kept", hint: "run a new canary")
        }
        let contents = try ChangeReading(origin: origin, what: what).contents(of: kept.id)
        guard try contents.tree.description == verdict.tree,
            contents.archives.mapValues({ hex(SHA256.digest($0)) }) == evidence.digests
        else {
            throw CanaryFailure(
                .refused, "\(what) is not what was rehearsed: its files or archives are others",
                hint: "'understudy verify --all' says what is damaged; run a new canary")
        }
        return contents
    }
}
