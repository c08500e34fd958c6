internal import FileTree
package import Git
package import SnapshotModel
internal import SystemPackage

/// What a store holds of a system, as far as it can be read: what is lost is named, and hides nothing else.
package struct StoreSurvey {
    /// A snapshot or a record that cannot be read.
    package struct Loss: Encodable, Hashable, Sendable {
        /// Which: `the snapshot ID`, `the record ID of drills`.
        package var what: String
        /// Why it cannot be read.
        package var reason: String

        /// For people.
        package var words: String { "\(what) is lost: \(reason)" }
    }

    /// What was met that is lost.
    package private(set) var losses: [Loss] = []

    /// What to do about losses.
    package static let hint =
        "'understudy verify --all --heal' fetches it from the store's remotes; 'understudy verify --all' says what is whole"

    /// What to do about some losses: parts of files that are still there are stored again by any snapshot.
    package static func advice(on losses: [Loss]) -> String {
        losses.contains { $0.what == partOfStore }
            ? "'understudy snapshot' stores again what is still live; \(hint); \(wayOut)" : hint
    }

    /// What is left where no remote has a good copy: as long as a snapshot needs what is damaged, nothing is pruned.
    package static let wayOut =
        "where no remote has it, 'understudy prune --forget ID' gives up a snapshot that needs it; then heal again"

    private static let partOfStore = "a part of the store"

    private let store: SnapshotStore
    private let system: String
    private let reader: ObjectReader
    private var lost: [SnapshotID: Loss] = [:]

    /// A survey of what the store holds of a system.
    package init(_ store: SnapshotStore, system: String, with reader: ObjectReader) {
        self.store = store
        self.system = system
        self.reader = reader
    }

    /// Why a snapshot cannot be read, nil when that was not met.
    package func reason(_ id: SnapshotID) -> String? { lost[id]?.reason }

    /// A snapshot, nil when it is lost.
    package mutating func read(_ reference: SnapshotReference) throws -> StoredSnapshot? {
        try look(reference) { [store, reader] in try store.read(reference, with: reader) }
    }

    /// The commit of a snapshot, nil when it is lost.
    package mutating func commit(_ reference: SnapshotReference) throws -> Commit? {
        try look(reference) { [store, reader] in try store.commit(reference.commit, with: reader) }
    }

    /// Whether a snapshot only saves what a restore was about to replace, nil when it is lost.
    package mutating func isSafety(_ reference: SnapshotReference) throws -> Bool? {
        try look(reference) { [store, reader] in try store.isSafety(reference, with: reader) }
    }

    /// The snapshots that a restore or a drill has restored and checked, as far as evidence can be read.
    package mutating func provenSnapshots() throws -> Set<SnapshotID> {
        var proven: Set<SnapshotID> = []
        let prefix = "refs/evidence/\(system)/"
        for reference in try store.references(prefix) {
            proven.formUnion(
                try records(of: String(reference.name.dropFirst(prefix.count))).compactMap(\.proves))
        }
        return proven
    }

    /// Takes what a verification noted as damaged or missing, and still is, for lost.
    package mutating func addKnownDamage() throws {
        do {
            let damaged = try store.knownDamage(reader)
            guard let first = damaged.min() else { return }
            let more = damaged.count > 1 ? ", and \(damaged.count - 1) more objects" : ""
            add(
                Loss(
                    what: Self.partOfStore,
                    reason: "'understudy verify' found the object \(first) damaged or missing\(more)"))
        } catch let failure as FileFailure where failure.reason == .permissionDenied {
            // Somebody else's store: what its owner noted is for its owner.
        }
    }

    /// The records of one kind, newest first, with their reports, as far as they can be read.
    package mutating func reports<Report: Decodable>(
        _ kind: String, as type: Report.Type
    ) throws -> [(record: EvidenceRecord, report: Report)] {
        try records(of: kind).compactMap { record in
            do {
                return (record, try store.report(of: record, as: type, with: reader))
            } catch {
                add(Loss(what: "the record \(record.commit) of \(kind)", reason: try Self.reason(error)))
                return nil
            }
        }
    }

    private mutating func records(of kind: String) throws -> [EvidenceRecord] {
        let line = try store.line(store.reference("refs/evidence/\(system)/\(kind)"), downTo: nil)
        if let id = line.commits.last, let loss = line.loss {
            add(Loss(what: "the record \(id) of \(kind), with those before it,", reason: "\(loss)"))
        }
        return try line.commits.dropLast(line.loss == nil ? 0 : 1).map {
            EvidenceRecord(kind: kind, id: $0, try store.commit($0, with: reader))
        }
    }

    private mutating func look<Found>(
        _ reference: SnapshotReference, _ read: () throws -> Found
    ) throws -> Found? {
        guard lost[reference.id] == nil else { return nil }
        do {
            return try read()
        } catch {
            let loss = Loss(what: "the snapshot \(reference.id)", reason: try Self.reason(error))
            lost[reference.id] = loss
            add(loss)
            return nil
        }
    }

    private mutating func add(_ loss: Loss) {
        if !losses.contains(loss) { losses.append(loss) }
    }

    /// The words of a failure that says that something is lost; throws any other.
    static func reason(_ error: any Error) throws -> String {
        switch error {
        case let error as GitError where error.isLoss: return error.description
        case let error as StoreFailure where error.code == .damaged: return error.description
        default: throw error
        }
    }
}
