internal import Cryptography
internal import Git
internal import SnapshotModel
internal import FileTree
internal import Synchronization

/// Writes the manifest of a captured tree in parts.
///
/// A directory whose path hashes to a small number begins a part of its own, and every entry is in the part of the
/// nearest such directory above it. So which part an entry is in depends on its path alone, and a night's change
/// touches few parts.
struct ManifestWriter {
    /// One directory in this many begins a part.
    private static let directoriesPerPart: UInt8 = 32

    /// A manifest in the store.
    struct Written {
        /// The tree of its parts.
        var tree: ObjectID
        /// SHA-256 of what `sha256sum *` prints in the directory of the parts.
        var digest: [UInt8]
    }

    /// How much there is by class.
    private(set) var classes: [EntryClass: CapturedComponent.Amount] = [:]
    /// Entries of class `plugin` that are files, for the locks.
    private(set) var archives: [Entry] = []
    private var parts: [(name: [UInt8], id: ObjectID, digest: [UInt8])] = []
    private var firstPaths: [InodeKey: EntryPath] = [:]
    private var ownerNames: [UInt32: String] = [:]
    private var groupNames: [UInt32: String] = [:]
    private let lane: any ObjectLane
    private let sink: any ObjectSink
    /// Parts that are not in the repository yet.
    private(set) var newParts: [ObjectID: [UInt8]] = [:]

    private struct InodeKey: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    init(_ sink: any ObjectSink, _ lane: any ObjectLane) {
        self.sink = sink
        self.lane = lane
    }

    /// Writes the manifest of everything below `root`, whose own class is `rootClass`.
    mutating func write(_ root: DirectoryNode, rootClass: EntryClass) throws -> Written {
        var text: [UInt8] = []
        if let status = root.status {
            var entry = entry(.root, .directory, status, rootClass)
            entry.attributes = root.attributes
            append(entry, to: &text)
        }
        try append(root, to: &text)
        try addPart(Array("root.mtree".utf8), text)
        return try finish()
    }

    /// Writes the manifest of a root that is one file, under the file's own name.
    mutating func write(_ item: DirectoryNode.Item) throws -> Written {
        var text: [UInt8] = []
        guard case .file(let contents) = item.contents else { preconditionFailure("the root is a file") }
        append(entry(EntryPath(item.name), item, contents), to: &text)
        try addPart(Array("root.mtree".utf8), text)
        return try finish()
    }

    private mutating func finish() throws -> Written {
        defer { parts = [] }
        parts.sort { $0.name.lexicographicallyPrecedes($1.name) }
        var hash = SHA256()
        for part in parts {
            hash.update(Array("\(hex(part.digest))  ".utf8) + part.name + [UInt8(ascii: "\n")])
        }
        let tree = try lane.add(
            .tree, Tree.contents(parts.map { TreeEntry(name: $0.name, mode: .file, id: $0.id) }))
        return Written(tree: tree, digest: hash.finish())
    }

    private mutating func addPart(_ name: [UInt8], _ text: [UInt8]) throws {
        let id = try lane.add(.blob, text)
        if !sink.holds(id) { newParts[id] = text }
        parts.append((name, id, SHA256.digest(text)))
    }

    private mutating func append(_ node: DirectoryNode, to text: inout [UInt8]) throws {
        for item in node.items {
            let path = node.path.appending(item.name)
            switch item.contents {
            case .file(let contents):
                append(entry(path, item, contents), to: &text)
            case .link(let target, _):
                append(entry(path, .link(target: target), item.status, item.entryClass), to: &text)
            case .directory(let child):
                // A directory that could not be opened has no status of its own.
                var entry = entry(path, .directory, child.status ?? item.status, item.entryClass)
                entry.attributes = child.attributes
                append(entry, to: &text)
                let hash = SHA256.digest(path.bytes)
                guard hash[0] < 256 / Int(Self.directoriesPerPart) else {
                    try append(child, to: &text)
                    continue
                }
                var part: [UInt8] = []
                try append(child, to: &part)
                if !part.isEmpty { try addPart(Array("\(hex(hash.prefix(8))).mtree".utf8), part) }
            }
        }
    }

    private mutating func append(_ entry: Entry, to text: inout [UInt8]) {
        Manifest.append(entry, to: &text)
        var amount = classes[entry.entryClass] ?? CapturedComponent.Amount()
        amount.entries += 1
        amount.bytes += entry.size
        classes[entry.entryClass] = amount
        if entry.entryClass == .plugin, entry.kind != .directory { archives.append(entry) }
    }

    private mutating func entry(_ path: EntryPath, _ item: DirectoryNode.Item, _ contents: FileContents)
        -> Entry
    {
        var entry = entry(path, .file, item.status, item.entryClass)
        entry.size = contents.size
        entry.digest = (0..<32).map { contents.digest[$0] }
        entry.isSparse = contents.isSparse
        entry.attributes = item.attributes
        if item.status.links > 1 {
            let key = InodeKey(device: item.status.device, inode: item.status.inode)
            if let first = firstPaths[key] { entry.hardLink = first } else { firstPaths[key] = path }
        }
        return entry
    }

    private mutating func entry(
        _ path: EntryPath, _ kind: Entry.Kind, _ status: FileStatus, _ entryClass: EntryClass
    ) -> Entry {
        Entry(
            path: path, kind: kind, mode: status.mode, owner: status.owner, group: status.group,
            ownerName: name(&ownerNames, status.owner, Accounts.userName),
            groupName: name(&groupNames, status.group, Accounts.groupName),
            modified: Entry.Time(seconds: status.modified.seconds, nanoseconds: status.modified.nanoseconds),
            size: 0, digest: [], entryClass: entryClass)
    }

    private func name(_ known: inout [UInt32: String], _ number: UInt32, _ look: (UInt32) -> String) -> String
    {
        if let name = known[number] { return name }
        let name = look(number)
        known[number] = name
        return name
    }
}
