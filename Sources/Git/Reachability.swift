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
