internal import FileTree

/// An open directory from which a walk looks at what is below it: the nearer, the fewer names the kernel has to follow.
final class Anchor: Sendable {
    let directory: OpenDirectory
    /// The bytes of a path below the root that lead here, the last slash among them.
    private let pathCount: Int
    /// Anchors on the way here, each of which holds a descriptor while the walk is below it.
    private let depth: Int

    /// Descriptors are few in some places: so many anchors above each other, and no more.
    private static let deepest = 8
    /// To open and close a directory costs about as much as so many names on the way of a path.
    private static let worthwhile = 24

    private init(_ directory: OpenDirectory, pathCount: Int, depth: Int) {
        self.directory = directory
        self.pathCount = pathCount
        self.depth = depth
    }

    /// The anchor of a root.
    convenience init(_ root: OpenDirectory) {
        self.init(root, pathCount: 0, depth: 0)
    }

    /// What leads from here to a path below the root; empty for this directory itself.
    func names(to path: [UInt8]) -> ArraySlice<UInt8> { path.dropFirst(pathCount) }

    /// The anchor for what is below the directory at `path`: itself when so many looks are worth opening it, else this one.
    ///
    /// One that cannot be opened is told when its entries are looked at.
    func nearer(to path: [UInt8], looks: Int) -> Anchor {
        guard depth < Self.deepest, looks > 3, pathCount < path.count else { return self }
        let names = names(to: path)
        let count = names.count { $0 == UInt8(ascii: "/") } + 1
        // As above: the look at its entries names it.
        guard looks * count >= Self.worthwhile, let directory = try? directory.descend(Array(names)) else {
            return self
        }
        return below(directory, path)
    }

    /// The anchor for what is below a directory that is open anyway.
    func nearer(_ directory: OpenDirectory, at path: [UInt8], looks: Int) -> Anchor {
        depth < Self.deepest && looks > 3 && pathCount < path.count ? below(directory, path) : self
    }

    private func below(_ directory: OpenDirectory, _ path: [UInt8]) -> Anchor {
        Anchor(directory, pathCount: path.count + 1, depth: depth + 1)
    }
}
