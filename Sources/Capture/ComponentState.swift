package import Drivers
internal import FileTree
package import Git
internal import GitStore
package import Sealing
package import SnapshotModel
internal import Synchronization
internal import SystemPackage

/// A state of a component that can be read and compared: in a snapshot, or live.
package struct ComponentState: Sendable {
    /// What is said of it.
    package let captured: CapturedComponent
    /// Its tree.
    package let tree: ObjectID
    private let reader: ObjectReader
    private let sink: (any ObjectSink)?
    private let newTexts: NewTexts?
    private let identities: [Identity]?
    private let gone = Gone()

    /// Files of which nothing was told, since they were no longer where they had been captured.
    private final class Gone: Sendable {
        let paths = Mutex<Set<String>>([])
    }

    /// The files, by root and path, that went away after they were captured, and so could not be read; sorted.
    var untold: [String] { gone.paths.withLock { $0.sorted() } }

    /// A component as a snapshot holds it; its sealed files can be read with identities alone.
    package init(
        _ captured: CapturedComponent, tree: ObjectID, reader: ObjectReader, identities: [Identity]?
    ) {
        self.identities = identities
        self.captured = captured
        self.tree = tree
        self.reader = reader
        sink = nil
        newTexts = nil
    }

    /// A component that was just captured into `sink`; its files are read where they stand.
    ///
    /// What would be sealed is not read without identities: so it says as much as a snapshot of it would.
    package init(
        _ result: CaptureResult, sink: any ObjectSink, reader: ObjectReader, identities: [Identity]?
    ) {
        self.identities = identities
        captured = result.captured
        tree = result.tree
        self.reader = reader
        self.sink = sink
        newTexts = result.newTexts
    }

    func tree(_ id: ObjectID) throws -> [TreeEntry] {
        if let entries = try sink?.newTree(id) { return entries }
        return try reader.tree(id)
    }

    /// A small file that is never changed in place: a manifest part or a lock.
    func text(_ id: ObjectID) throws -> [UInt8] {
        if let text = try newTexts?.text(id) { return text }
        return try reader.contents(id, .blob)
    }

    /// The tree entry at a path of stored names, nil when there is none.
    func entry(_ names: [[UInt8]]) throws -> TreeEntry? {
        var id = tree
        for (index, name) in names.enumerated() {
            guard let entry = try tree(id).first(where: { $0.name == name }) else { return nil }
            if index == names.count - 1 { return entry }
            guard entry.mode == .tree else { return nil }
            id = entry.id
        }
        return nil
    }

    /// Whether the contents of a file are in clear, or there is something to open them with.
    func canRead(_ entry: TreeEntry) -> Bool {
        identities != nil || !withoutSuffixes(entry).isSealed
    }

    /// Whether a file at a path, below whichever root, is sealed and can be read all the same.
    func isSealed(_ path: EntryPath) throws -> Bool {
        guard identities != nil, let files = try entry([Array("files".utf8)]), files.mode == .tree else {
            return false
        }
        let source = StateSource(state: self, other: nil)
        return try tree(files.id).contains {
            try source.isSealed(root: String(decoding: $0.name, as: UTF8.self), path: path)
        }
    }

    /// The contents of a captured file, nil when it is sealed and there is nothing to open it with, and when it was just
    /// captured and went away since: then it is among ``untold``.
    func contents(root: String, path: EntryPath, _ entry: TreeEntry) throws -> [UInt8]? {
        let isSealed = withoutSuffixes(entry).isSealed
        guard canRead(entry) else { return nil }
        if sink != nil, !reader.contains(entry.id),
            let place = captured.roots.first(where: { $0.name == root })
        {
            let file = FilePath(bytes: Array(place.path.utf8) + [UInt8(ascii: "/")] + path.bytes)
            // Beyond that the system takes no path: that it changed is told, and not what in it did.
            guard file.byteArray.count < 4096 else { return nil }
            if try Files.status(file)?.kind == .file, let contents = try Files.readIfPresent(file) {
                return contents
            }
            gone.paths.withLock { _ = $0.insert("\(root)/\(path)") }
            return nil
        }
        return try ReaderLane(reader).contents(
            of: StoredRoot.Contents(id: entry.id, isChunked: entry.mode == .tree, isSealed: isSealed),
            opening: identities ?? [])
    }

    /// The name of a file or directory in the tree, as far as it is its own.
    func withoutSuffixes(_ entry: TreeEntry) -> (name: [UInt8], isSealed: Bool, isChunked: Bool) {
        StoredName.withoutSuffixes(
            entry.name, isTree: entry.mode == .tree, hasSealed: captured.sealing != nil)
    }

    /// The component as its driver reads it.
    package var source: any FileSource { StateSource(state: self, other: nil) }

    /// The component narrowed to what differs from another state of it.
    func source(narrowedAgainst other: ComponentState) -> any FileSource {
        StateSource(state: self, other: other)
    }
}

/// A state as drivers read it; narrowed to what differs from another, it costs what differs.
private struct StateSource: FileSource {
    let state: ComponentState
    let other: ComponentState?

    func names(root: String, directory: EntryPath) throws -> [(name: [UInt8], isDirectory: Bool)] {
        guard let entry = try state.entry(stored(root, directory)), entry.mode == .tree else { return [] }
        var entries = try state.tree(entry.id)
        if let same = try other?.entry(stored(root, directory)), same.mode == .tree, let other {
            guard same.id != entry.id else { return [] }
            let known = Set(try other.tree(same.id))
            entries.removeAll { known.contains($0) }
        }
        return entries.map { entry in
            let stored = state.withoutSuffixes(entry)
            return (StoredName.decoded(stored.name), entry.mode == .tree && !stored.isChunked)
        }
        .sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    func contents(root: String, path: EntryPath) throws -> [UInt8]? {
        guard let entry = try file(root, path, of: state) else { return nil }
        if let other, let same = try file(root, path, of: other) {
            // What is the same is not told; and what one side alone can read would look as if the other lost it.
            guard same != entry, other.canRead(same) else { return nil }
        }
        return try state.contents(root: root, path: path, entry)
    }

    func lock(_ name: String) throws -> [UInt8]? {
        guard let entry = try state.entry(names(name)) else { return nil }
        if let other, name.contains("/"), try other.entry(names(name)) == entry { return nil }
        return try state.text(entry.id)
    }

    func hides(root: String, path: EntryPath) throws -> Bool {
        guard let entry = try file(root, path, of: state), !state.canRead(entry) else { return false }
        // What is the same is not told.
        return try other.map { try file(root, path, of: $0) != entry } ?? true
    }

    func isSealed(root: String, path: EntryPath) throws -> Bool {
        try file(root, path, of: state).map { state.withoutSuffixes($0).isSealed } ?? false
    }

    private func file(_ root: String, _ path: EntryPath, of state: ComponentState) throws -> TreeEntry? {
        guard !path.isRoot, let last = stored(root, path).last else { return nil }
        let directory = stored(root, path).dropLast()
        for suffix in state.captured.sealing == nil ? [[]] : [[], StoredName.sealedSuffix] {
            if let entry = try state.entry(directory + [last + suffix]),
                entry.mode == .file || entry.mode == .executable
            {
                return entry
            }
            if let chunks = try state.entry(directory + [last + suffix + StoredName.chunksSuffix]) {
                return chunks
            }
        }
        return nil
    }

    private func stored(_ root: String, _ path: EntryPath) -> [[UInt8]] {
        [Array("files".utf8)] + names(root) + path.components.map { StoredName.escaped(Array($0)) }
    }

    private func names(_ text: String) -> [[UInt8]] {
        text.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
    }
}
