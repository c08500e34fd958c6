internal import Synchronization
internal import Workers

/// The ids of objects, filled from several threads.
package final class ObjectSet: Sendable {
    private let shards = (0..<64).map { _ in Mutex<Set<ObjectID>>.Box([]) }

    /// An empty set.
    package init() {}

    /// Adds an id; false when it was there.
    func insert(_ id: ObjectID) -> Bool {
        shards[Int(id.firstByte) % shards.count].value.withLock { $0.insert(id).inserted }
    }

    /// Whether the id is there.
    package func contains(_ id: ObjectID) -> Bool {
        shards[Int(id.firstByte) % shards.count].value.withLock { $0.contains(id) }
    }

    /// How many ids there are.
    package var count: Int {
        shards.reduce(0) { $0 + $1.value.withLock { $0.count } }
    }
}

extension ObjectReader {
    /// Adds everything that can be reached from `tips` to `set`.
    ///
    /// Commits, trees and tags are hashed again, blobs must be there. Throws a ``GitError`` at the first object that is
    /// missing or damaged: who wants to remove the rest must not guess.
    package func reach(from tips: [ObjectID], into set: ObjectSet) throws {
        let work = WorkStack<ObjectID>(threads: usualThreads)
        work.push(tips.filter { set.insert($0) })
        try work.run(
            start: { _ in () },
            body: { id, _ in
                let next = try children(of: id)
                for blob in next.blobs where set.insert(blob) {
                    guard contains(blob) else {
                        throw GitError(
                            .notFound, "read blob \(blob) of \(id)", "the repository does not hold it")
                    }
                }
                work.push(next.others.filter { set.insert($0) })
            },
            end: { _ in })
    }

    /// What is damaged or missing of all that can be reached from commits, a line each, sorted; every object is hashed.
    ///
    /// An object is sound when one of the packs holds it whole: so it is read. Files in `sound` are not hashed again, and
    /// those that are found whole are added to it.
    package func damage(from commits: [ObjectID], sound: ObjectSet) throws -> [String] {
        let seen = ObjectSet()
        let problems = Mutex<[String]>([])
        let work = WorkStack<Wanted>(threads: usualThreads)
        work.push(commits.filter { seen.insert($0) }.map { Wanted(id: $0, kind: .commit) })
        try work.run(
            start: { _ in ReaderLane(self) },
            body: { wanted, lane in
                do {
                    work.push(try names(of: wanted, lane, sound).filter { seen.insert($0.id) })
                } catch let error as GitError where error.code != .system {
                    problems.withLock { $0.append("\(error)") }
                }
            },
            end: { _ in })
        return problems.withLock { $0.sorted() }
    }

    private struct Wanted {
        var id: ObjectID
        var kind: ObjectKind
    }

    /// Hashes an object, and returns what it names.
    private func names(of wanted: Wanted, _ lane: ReaderLane, _ sound: ObjectSet) throws -> [Wanted] {
        let id = wanted.id
        switch wanted.kind {
        case .blob, .tag:
            guard !sound.contains(id) else { return [] }
            do {
                try unsafe lane.read(id, wanted.kind, checks: true) { _ in }
            } catch let error as GitError where error.isLoss {
                guard furtherCopy(id)?.kind == wanted.kind else { throw error }
            }
            _ = sound.insert(id)
            return []
        case .commit:
            let commit = try Commit.references(sure(wanted, lane), of: id)
            return [Wanted(id: commit.tree, kind: .tree)]
                + commit.parents.map { Wanted(id: $0, kind: .commit) }
        case .tree:
            return try Tree.references(sure(wanted, lane), of: id).map {
                Wanted(id: $0.id, kind: $0.isTree ? .tree : .blob)
            }
        }
    }

    /// The contents of an object, hashed, as the first of the packs gives them that holds it whole.
    private func sure(_ wanted: Wanted, _ lane: ReaderLane) throws -> [UInt8] {
        do {
            return try lane.contents(wanted.id, wanted.kind)
        } catch let error as GitError where error.isLoss {
            guard let copy = furtherCopy(wanted.id), copy.kind == wanted.kind else { throw error }
            return copy.contents
        }
    }

    /// What an object names; work trees of other repositories (`160000`) are not in this one.
    private func children(of id: ObjectID) throws -> (blobs: [ObjectID], others: [ObjectID]) {
        let (kind, contents) = try object(id)
        guard ObjectID.of(kind, contents) == id else {
            throw GitError(.damaged, "read \(kind.word) \(id)", "its contents have another id")
        }
        switch kind {
        case .blob: return ([], [])
        case .commit:
            let commit = try Commit.references(contents, of: id)
            return ([], [commit.tree] + commit.parents)
        case .tag:
            let line = contents.prefix { $0 != UInt8(ascii: "\n") }
            guard line.starts(with: "object ".utf8), let target = ObjectID(hex: line.dropFirst(7)) else {
                throw GitError(.damaged, "read tag \(id)", "it names no object")
            }
            return ([], [target])
        case .tree:
            let references = try Tree.references(contents, of: id)
            return (references.filter { !$0.isTree }.map(\.id), references.filter(\.isTree).map(\.id))
        }
    }
}
