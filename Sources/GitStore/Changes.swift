internal import FileTree
package import Git
internal import SystemPackage

/// A proposed change: a reference that somebody pushed, or that was made here; it is kept until it is dropped.
package struct ChangeReference: Hashable, Sendable {
    /// The name, without what stands before it in every such reference.
    package var name: String
    /// The commit.
    package var commit: ObjectID
}

extension SnapshotStore {
    private func prefix(_ system: String) -> String { "refs/changes/\(system)/" }

    /// The proposed changes of a system, sorted by name.
    package func changes(of system: String) throws -> [ChangeReference] {
        let prefix = prefix(system)
        return try references(prefix).map {
            ChangeReference(name: String($0.name.dropFirst(prefix.count)), commit: $0.target)
        }
    }

    /// Adds a change under a name that no other has, durably; `tree` writes what it consists of.
    ///
    /// Throws a ``StoreFailure`` with code `raced` when there is one of that name.
    package func addChange(
        _ name: String, system: String, message: String, author: String, time: Int64,
        holding lock: WriterLock, tree: (any ObjectLane) throws -> ObjectID
    ) throws -> ChangeReference {
        let pack = try PackWriter(reader())
        let lane = pack.lane()
        let commit = Commit(
            tree: try tree(lane), parents: [], author: author, time: time, message: message)
        let id = try lane.add(.commit, commit.contents)
        try lane.flush()
        _ = try pack.finish()
        try setReference(prefix(system) + name, to: id, expecting: nil)
        return ChangeReference(name: name, commit: id)
    }

    /// Forgets a change, durably; what only it held goes with the next prune.
    package func dropChange(_ change: ChangeReference, system: String, holding lock: WriterLock) throws {
        let name = prefix(system) + change.name
        try removeReference(name, expecting: change.commit)
        // A name with slashes has directories of its own, which git removes when they are empty.
        var directory = path.appending(name).removingLastComponent()
        while try !Files.exists(directory), directory != path { directory.removeLastComponent() }
        try Files.syncDirectory(directory)
        try Files.syncDirectory(path)
    }
}
