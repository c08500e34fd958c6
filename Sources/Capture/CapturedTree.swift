internal import Git
internal import SnapshotModel

/// What one walk over a root made of it.
struct CapturedTree {
    /// The directory itself.
    var root: DirectoryNode
    /// The manifest of all below.
    var manifest: ManifestWriter.Written
    /// What there is to say of it besides.
    var found: Found

    /// What there is to say of files that one name makes secrets and another does not.
    func notesOnNamesInClear(below root: String) -> [String] {
        guard let first = manifest.inClear.first else { return [] }
        let others = manifest.inClear.count - 1
        return [
            "\(root)/\(first.name) is captured in clear, and is the file that is sealed as \(root)/\(first.secret)"
                + (others > 0 ? ", and so with \(counted(others, "other name"))" : "")
                + ": class it as secret in the policy (classify), or make it a file of its own"
        ]
    }

    /// What one thread of a walk, or all of them, found.
    struct Found: Sendable {
        /// What could not be read, and why.
        var unreadable: [CapturedComponent.Problem] = []
        /// Sockets, fifos, devices.
        var notCaptured: [CapturedComponent.Problem] = []
        /// Files that changed during each of the tries to read them.
        var torn: [EntryPath] = []
        /// Directories that changed while what is below them was read.
        var moving: [EntryPath] = []
        /// Directories that changed after the walk began, and before they were listed: what was in them may be now where
        /// the walk had been before.
        var left: [EntryPath] = []
        /// Files that were read now and sealed although their class is none that is, and why.
        var leaks: [CapturedComponent.Problem] = []
        /// Files whose contents were taken from a copy of them.
        var replaced: Set<EntryPath> = []
        /// Contents of the classes that were to be kept.
        var kept: [ObjectID: [UInt8]] = [:]
        /// Whether anything had to be listed or read, so that the cache must be written anew.
        var hasNews = false

        /// Adds what another thread found.
        mutating func add(_ other: Found) {
            unreadable += other.unreadable
            notCaptured += other.notCaptured
            torn += other.torn
            moving += other.moving
            left += other.left
            leaks += other.leaks
            replaced.formUnion(other.replaced)
            kept.merge(other.kept) { first, _ in first }
            hasNews = hasNews || other.hasNews
        }
    }
}
