internal import Cryptography
package import Git
package import SnapshotModel

/// One root of a component as a snapshot holds it: the manifest says what there is, the tree holds the contents.
package struct StoredRoot: Sendable {
    /// A directory, and what the manifest and the tree say is in it.
    package struct Directory: Sendable {
        /// Its own entry.
        package var entry: Entry
        /// Files, links and directories in it, in the order of the manifest.
        package var children: [Entry]
        /// The tree that holds the contents of its files, nil when there are none.
        package var tree: ObjectID?
    }

    /// Where the contents of a file are.
    package struct Contents: Hashable, Sendable {
        /// The blob, or the tree of chunks.
        package var id: ObjectID
        /// Whether `id` is a tree of chunks.
        package var isChunked: Bool
        /// Whether it is an age file, or each chunk is one.
        package var isSealed: Bool

        /// Contents at an object.
        package init(id: ObjectID, isChunked: Bool, isSealed: Bool = false) {
            self.id = id
            self.isChunked = isChunked
            self.isSealed = isSealed
        }
    }

    /// The root's name.
    package let name: String
    private let children: [EntryPath: [Entry]]
    private let top: Entry
    private let tree: ObjectID?

    /// Reads the manifest of a root.
    ///
    /// `digest` is what `snapshot.json` says of it. Throws a ``StoreFailure`` with code `damaged` when the manifest is
    /// another, or cannot be read.
    package init(
        _ name: String, in component: ObjectID, digest: String, with reader: ObjectReader
    ) throws {
        self.name = name
        func damaged(_ reason: String) -> StoreFailure {
            StoreFailure(
                .damaged, "the manifest of \(name) is damaged: \(reason)",
                hint: "'understudy verify --all' says what else is; restore another snapshot")
        }
        guard let manifest = try reader.entry("manifest/\(name)", of: component) else {
            throw damaged("the snapshot does not hold it")
        }
        var hash = SHA256()
        var children: [EntryPath: [Entry]] = [:]
        var top: Entry?
        for part in try reader.tree(manifest.id) where part.mode == .file {
            let text = try reader.contents(part.id, .blob)
            hash.update(Array("\(hex(SHA256.digest(text)))  ".utf8) + part.name + [UInt8(ascii: "\n")])
            do {
                for entry in try Manifest.entries(text) {
                    if entry.path.isRoot {
                        top = entry
                    } else {
                        children[entry.path.parent, default: []].append(entry)
                    }
                }
            } catch {
                throw damaged("\(printable(part.name)): \(error)")
            }
        }
        guard hex(hash.finish()) == digest else {
            throw damaged("its SHA-256 is not the one in snapshot.json")
        }
        tree = try reader.entry("files/\(name)", of: component)?.id
        if let top {
            self.top = top
        } else if let file = children[.root]?.first, children.count == 1, children[.root]?.count == 1 {
            self.top = file
        } else {
            throw damaged("it has no entry for the root")
        }
        self.children = children
        try Self.checkNames(children, damaged)
    }

    /// A manifest may come from a stranger: a name must not come twice, and must not be below what is no directory.
    private static func checkNames(
        _ children: [EntryPath: [Entry]], _ damaged: (String) -> StoreFailure
    ) throws {
        var directories: Set<EntryPath> = [.root]
        var seen: Set<EntryPath> = []
        for entry in children.values.joined() {
            guard seen.insert(entry.path).inserted else { throw damaged("\(entry.path) is in it twice") }
            if entry.kind == .directory { directories.insert(entry.path) }
        }
        if let orphan = children.keys.first(where: { !directories.contains($0) }) {
            throw damaged("\(orphan) has entries and is no directory")
        }
    }

    /// The directory at the top; for a root that is one file, a directory that holds only the file.
    package var directory: Directory {
        Directory(entry: top, children: children[.root] ?? [], tree: tree)
    }

    /// Whether the root is one file.
    package var isFile: Bool { top.kind == .file }

    /// A directory of the root: `entry` is one of the `children` of `parent`.
    package func directory(_ entry: Entry, contents: [[UInt8]: TreeEntry]) -> Directory {
        let stored = Self.stored(entry, in: contents)
        return Directory(
            entry: entry, children: children[entry.path] ?? [], tree: stored?.mode == .tree ? stored?.id : nil
        )
    }

    /// Every entry, in no order.
    package var entries: [Entry] {
        (isFile ? [] : [top]) + children.values.joined()
    }

    /// The tree entries of a directory by stored name.
    package static func contents(_ directory: Directory, with reader: ObjectReader) throws -> [[UInt8]:
        TreeEntry]
    {
        guard let tree = directory.tree else { return [:] }
        return Dictionary(try reader.tree(tree).map { ($0.name, $0) }) { first, _ in first }
    }

    /// Where the contents of a file are, nil when the tree does not hold them.
    package static func contents(of entry: Entry, in contents: [[UInt8]: TreeEntry]) -> Contents? {
        let suffix = entry.isSealed ? StoredName.sealedSuffix : []
        // Format 1 knew no sealed files, and a name of a file's own that ends like one's stands there as it is.
        for name in [StoredName.escaped(Array(entry.path.name)), Array(entry.path.name)] {
            if let whole = contents[name + suffix], whole.mode == .file || whole.mode == .executable {
                return Contents(id: whole.id, isChunked: false, isSealed: entry.isSealed)
            }
            if let chunks = contents[name + suffix + StoredName.chunksSuffix], chunks.mode == .tree {
                return Contents(id: chunks.id, isChunked: true, isSealed: entry.isSealed)
            }
        }
        return nil
    }

    /// What the tree holds at the name of a directory or link.
    package static func stored(_ entry: Entry, in contents: [[UInt8]: TreeEntry]) -> TreeEntry? {
        // As above.
        contents[StoredName.escaped(Array(entry.path.name))] ?? contents[Array(entry.path.name)]
    }
}

extension ObjectReader {
    /// The tree entry at a path of stored names below a tree, nil when there is none.
    package func entry(_ path: String, of tree: ObjectID) throws -> TreeEntry? {
        try entry(path.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }, of: tree)
    }

    /// The tree entry at a path of stored names below a tree, nil when there is none.
    package func entry(_ names: [[UInt8]], of tree: ObjectID) throws -> TreeEntry? {
        var tree = tree
        for (index, name) in names.enumerated() {
            guard let entry = try self.tree(tree).first(where: { $0.name == name }) else { return nil }
            if index == names.count - 1 { return entry }
            guard entry.mode == .tree else { return nil }
            tree = entry.id
        }
        return nil
    }
}

extension ReaderLane {
    /// Hands the contents of a file to `body`, piece by piece.
    ///
    /// With `checks` each object is checked against its id; a caller that compares the whole with a SHA-256 of its own
    /// needs no more. Throws a ``GitError`` with code `damaged` for what cannot be read.
    @unsafe package func read(
        _ contents: StoredRoot.Contents, checks: Bool, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard contents.isChunked else {
            return try unsafe read(contents.id, .blob, checks: checks, body)
        }
        for chunk in try Tree.entries(self.contents(contents.id, .tree), of: contents.id) {
            try unsafe read(chunk.id, .blob, checks: checks, body)
        }
    }

    /// The whole contents of a file; for files of which it is known that they are not large.
    package func contents(of contents: StoredRoot.Contents) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try unsafe read(contents, checks: true) { unsafe bytes.append(contentsOf: $0) }
        return bytes
    }
}
