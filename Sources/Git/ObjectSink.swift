internal import Synchronization

/// Takes objects and names them: a pack being written, or a rehearsal that only computes ids.
package protocol ObjectSink: Sendable {
    /// A way in for one thread.
    func makeLane() -> any ObjectLane
    /// Whether an object known from another night need not be given again.
    func holds(_ id: ObjectID) -> Bool
    /// Whether what is given is kept: a rehearsal keeps nothing.
    var isWritten: Bool { get }
    /// Whether new objects are asked for before the end, as by ``newTree(_:)``: a first snapshot is compared with nothing.
    var isReadBack: Bool { get }
    /// Reads the repository that is written to, nil when there is none.
    var existing: ObjectReader? { get }
    /// The entries of a tree that was given and is not yet in the repository, nil when it is not such a tree.
    func newTree(_ id: ObjectID) throws -> [TreeEntry]?
}

/// One thread's way into an ``ObjectSink``.
package protocol ObjectLane: AnyObject {
    /// Takes an object whose id the caller has computed; `stores` says that compressing is known to be useless.
    @unsafe func add(
        _ id: ObjectID, _ kind: ObjectKind, _ contents: UnsafeRawBufferPointer, stores: Bool) throws
    /// Hands on what is still gathered; must be called before the sink is finished.
    func flush() throws
}

extension ObjectLane {
    /// Takes an object and returns its id; `stores` says that compressing is known to be useless.
    @unsafe package func add(
        _ kind: ObjectKind, _ contents: UnsafeRawBufferPointer, stores: Bool
    ) throws -> ObjectID {
        let id = unsafe ObjectID.of(kind, contents)
        try unsafe add(id, kind, contents, stores: stores)
        return id
    }

    /// Takes an object and returns its id.
    package func add(_ kind: ObjectKind, _ contents: [UInt8]) throws -> ObjectID {
        try unsafe contents.withUnsafeBytes { try unsafe add(kind, $0, stores: false) }
    }
}

extension PackWriter: ObjectSink {
    /// A lane for one thread.
    package func makeLane() -> any ObjectLane { lane() }

    /// Trees are kept in memory when somebody will ask for them.
    package var isReadBack: Bool { keepsTrees }
    /// Reads the repository that the pack is for.
    package var existing: ObjectReader? { repository }

    /// A pack keeps what it is given.
    package var isWritten: Bool { true }
}

/// Names objects and writes nothing; trees are kept in memory, so that a live system can be compared like a snapshot.
package final class Rehearsal: ObjectSink {
    private let trees = Mutex<[ObjectID: [UInt8]]>([:])
    /// Reads the repository that would be written to.
    package let existing: ObjectReader?

    /// A rehearsal of writing to the repository that `existing` reads; nil for one that does not exist.
    package init(_ existing: ObjectReader?) {
        self.existing = existing
    }

    /// A lane for one thread.
    package func makeLane() -> any ObjectLane { RehearsalLane(self) }

    /// What is rehearsed is there to be compared.
    package var isReadBack: Bool { true }

    /// A rehearsal keeps nothing.
    package var isWritten: Bool { false }

    /// Whether the repository holds the object.
    package func holds(_ id: ObjectID) -> Bool { existing?.contains(id) ?? false }

    /// The entries of a tree that was given, nil when it was not.
    package func newTree(_ id: ObjectID) throws -> [TreeEntry]? {
        guard let contents = trees.withLock({ $0[id] }) else { return nil }
        return try Tree.entries(contents, of: id)
    }

    fileprivate func keep(_ id: ObjectID, _ contents: [UInt8]) {
        trees.withLock { $0[id] = contents }
    }
}

private final class RehearsalLane: ObjectLane {
    private let rehearsal: Rehearsal

    init(_ rehearsal: Rehearsal) {
        self.rehearsal = rehearsal
    }

    @unsafe func add(
        _ id: ObjectID, _ kind: ObjectKind, _ contents: UnsafeRawBufferPointer, stores: Bool
    ) throws {
        if kind == .tree, !rehearsal.holds(id) { rehearsal.keep(id, unsafe Array(contents)) }
    }

    func flush() throws {}
}
