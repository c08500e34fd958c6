package import SnapshotModel

/// One item of a component as its driver takes it apart: what comes back, and what must not stay beside it.
package struct SingleItem: Hashable, Sendable {
    /// The root that it is in.
    package var root: String
    /// The paths below the root that come back as the snapshot has them, each with all below it.
    package var paths: [EntryPath] = []
    /// Paths that stand there now, belong to the item, and are not in the snapshot: they go away.
    package var leftovers: [EntryPath] = []
    /// Paths that the tool makes from the others by itself; removed whenever these change, in either direction.
    package var derived: [EntryPath] = []
    /// The packages that a rebuilt root takes from the snapshot; all others stay as they are now.
    package var packages: [String] = []
    /// What people should know before.
    package var warnings: [String] = []
    /// Reasons not to restore it alone.
    package var refusals: [Refusal] = []

    /// An item in a root, so far without parts.
    package init(root: String, paths: [EntryPath] = []) {
        self.root = root
        self.paths = paths
    }
}

/// How a running component takes up single items that were exchanged below it, without a restart.
package protocol Reloading: Sendable {
    /// What would make the running component take these paths up; `paths` are by root.
    ///
    /// Throws a ``DriverFailure`` when it cannot be asked.
    func way(for paths: [(root: String, path: EntryPath)]) async throws -> ReloadWay
    /// Lets it take them up and returns when it has; does nothing when it does not run any more.
    ///
    /// `targets` are those of a ``ReloadWay``. Throws a ``DriverFailure`` when it did not, or only in part.
    func reload(_ targets: [String]) async throws
}

/// How exchanged paths take effect.
package enum ReloadWay: Hashable, Sendable {
    /// It does not run: whatever it finds at its next start.
    case idle
    /// By a reload; `words` say of what, `targets` are the driver's own names for it.
    case reload(words: String, targets: [String])
    /// Only by a restart, and why.
    case restart(reason: String)
}
