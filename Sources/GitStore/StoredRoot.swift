internal import Cryptography
package import Git
package import SnapshotModel
internal import Synchronization
internal import Workers

/// One root of a component as a snapshot holds it: the manifest says what there is, the tree holds the contents.
///
/// The manifest is read part by part on the way down, so that memory does not grow with the root.
package struct StoredRoot: Sendable {
    /// A directory, and what the manifest and the tree say is in it.
    package struct Directory: Sendable {
        /// Its own entry.
        package var entry: Entry
        /// Files, links and directories in it, in the order of the manifest.
        package var children: [Entry]
        /// The tree that holds the contents of its files, nil when there are none.
        package var tree: ObjectID?
        /// The part of the manifest that lists what is in it.
        fileprivate var part: ManifestPart
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
    /// The directory at the top; for a root that is one file, a directory that holds only the file.
    package let directory: Directory
    private let reader: ObjectReader
    private let parts: [[UInt8]: ObjectID]
    /// Parts that were met on the way down: one that nothing leads to would be left out in silence.
    private let met: Met

    private final class Met: Sendable {
        let names = Mutex<Set<[UInt8]>>([])
    }

    /// Finds the manifest of a root.
    ///
    /// `digest` is what `snapshot.json` says of it. Throws a ``StoreFailure`` with code `damaged` when the manifest is
    /// another, or cannot be read.
    package init(
        _ name: String, in component: ObjectID, digest: String, with reader: ObjectReader
    ) throws {
        self.name = name
        self.reader = reader
        guard let manifest = try reader.entry("manifest/\(name)", of: component) else {
            throw Self.damaged(name, "the snapshot does not hold it")
        }
        var hash = SHA256()
        var parts: [[UInt8]: ObjectID] = [:]
        let listed = try reader.tree(manifest.id).filter { $0.mode == .file }
        for (part, digest) in zip(listed, try Self.digests(of: listed, with: reader)) {
            hash.update(Array("\(hex(digest))  ".utf8) + part.name + [UInt8(ascii: "\n")])
            parts[part.name] = part.id
        }
        guard hex(hash.finish()) == digest else {
            throw Self.damaged(name, "its SHA-256 is not the one in snapshot.json")
        }
        self.parts = parts
        met = Met()
        let part = try Self.part(ManifestPart.rootName, below: .root, of: name, parts, met, reader)
        let children = part.children[.root] ?? []
        let tree = try reader.entry("files/\(name)", of: component)?.id
        if let top = part.root {
            directory = Directory(entry: top, children: children, tree: tree, part: part)
        } else if children.count == 1, part.children.count == 1, let file = children.first, file.kind == .file
        {
            directory = Directory(entry: file, children: children, tree: tree, part: part)
        } else {
            throw Self.damaged(name, "it has no entry for the root")
        }
    }

    /// The SHA-256 of each part, from several threads: nothing else of a restore can begin before.
    private static func digests(of parts: [TreeEntry], with reader: ObjectReader) throws -> [[UInt8]] {
        let digests = Mutex([[UInt8]](repeating: [], count: parts.count))
        let work = WorkStack<(index: Int, id: ObjectID)>(threads: usualThreads)
        work.push(parts.enumerated().map { ($0.offset, $0.element.id) })
        try work.run(
            start: { _ in () },
            body: { part, _ in
                let digest = SHA256.digest(try reader.contents(part.id, .blob))
                digests.withLock { $0[part.index] = digest }
            },
            end: { _ in })
        return digests.withLock { $0 }
    }

    private static func damaged(_ name: String, _ reason: String) -> StoreFailure {
        StoreFailure(
            .damaged, "the manifest of \(name) is damaged: \(reason)",
            hint: "'understudy verify --all' says what else is; restore another snapshot")
    }

    private static func part(
        _ partName: [UInt8], below head: EntryPath, of name: String, _ parts: [[UInt8]: ObjectID], _ met: Met,
        _ reader: ObjectReader
    ) throws -> ManifestPart {
        guard let id = parts[partName] else { throw damaged(name, "it has no part \(printable(partName))") }
        met.names.withLock { _ = $0.insert(partName) }
        let text = try reader.contents(id, .blob)
        do {
            return try ManifestPart(text, below: head)
        } catch {
            throw damaged(name, "\(printable(partName)): \(error)")
        }
    }

    /// Whether the root is one file.
    package var isFile: Bool { directory.entry.kind == .file }

    /// A directory of the root: `entry` is one of the children of `parent`, `stored` is the parent's tree.
    ///
    /// What is in it is in the part that it begins when its parent's part says nothing of it: one that says it again is never
    /// met (``checkAllWasMet()``).
    package func directory(_ entry: Entry, in parent: Directory, stored: StoredTree) throws -> Directory {
        let tree = stored.tree(of: entry)
        if let children = parent.part.children[entry.path] {
            return Directory(entry: entry, children: children, tree: tree, part: parent.part)
        }
        var part = parent.part
        let partName = ManifestPart.name(of: entry.path)
        if parts[partName] != nil {
            part = try Self.part(partName, below: entry.path, of: name, parts, met, reader)
        }
        return Directory(entry: entry, children: part.children[entry.path] ?? [], tree: tree, part: part)
    }

    /// Throws when a part of the manifest was not met on the way down; to be asked at its end.
    package func checkAllWasMet() throws {
        let missed = Set(parts.keys).subtracting(met.names.withLock { $0 })
        guard let first = missed.min(by: { $0.lexicographicallyPrecedes($1) }) else { return }
        throw Self.damaged(name, "nothing leads to its part \(printable(first))")
    }

    /// Throws when the manifest is not one of a root of this kind.
    package func check(_ kind: Root.Kind) throws {
        guard isFile != (kind == .file) else { return }
        throw Self.damaged(
            name, isFile ? "it has no entry for the root" : "it is of a directory, and the root is one file")
    }

    /// Throws when one of the entries is a further name of what is no file of its own in the root, or one with other contents:
    /// nothing could be linked to it.
    ///
    /// The manifest is read once for that, where any is such a name.
    package func checkLinks(_ entries: [Entry]) throws {
        var wanted: [EntryPath: Set<[UInt8]>] = [:]
        for entry in entries {
            if let first = entry.hardLink { wanted[first, default: []].insert(entry.digest) }
        }
        guard !wanted.isEmpty else { return }
        let sound = Mutex<Set<EntryPath>>([])
        let work = WorkStack<(name: [UInt8], id: ObjectID)>(threads: usualThreads)
        work.push(parts.map { ($0.key, $0.value) })
        try work.run(
            start: { _ in () },
            body: { [wanted] part, _ in
                let text = try reader.contents(part.id, .blob)
                do {
                    let found = try Manifest.entries(text).filter {
                        $0.kind == .file && $0.hardLink == nil && wanted[$0.path] == [$0.digest]
                    }
                    sound.withLock { $0.formUnion(found.map(\.path)) }
                } catch {
                    throw Self.damaged(name, "\(printable(part.name)): \(error)")
                }
            },
            end: { _ in })
        let files = sound.withLock { $0 }
        let broken = entries.first { entry in entry.hardLink.map { !files.contains($0) } ?? false }
        guard let broken else { return }
        throw Self.damaged(name, "\(broken.path) is a further name of what is no file, or another one")
    }

    /// What the whole root amounts to; its manifest is read once for that.
    package func survey() throws -> Manifest.Survey {
        let all = Mutex(Manifest.Survey())
        let work = WorkStack<(name: [UInt8], id: ObjectID)>(threads: usualThreads)
        work.push(parts.map { ($0.key, $0.value) })
        try work.run(
            start: { _ in Manifest.Survey() },
            body: { part, survey in
                let text = try reader.contents(part.id, .blob)
                do {
                    try survey.add(text)
                } catch {
                    throw Self.damaged(name, "\(printable(part.name)): \(error)")
                }
            },
            end: { survey in all.withLock { $0.add(survey) } })
        return all.withLock { $0 }
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
        for blob in try blobs(of: contents) { try unsafe read(blob, .blob, checks: checks, body) }
    }

    /// The blobs that the contents of a file are in, in order.
    package func blobs(of contents: StoredRoot.Contents) throws -> [ObjectID] {
        guard contents.isChunked else { return [contents.id] }
        return try list(contents.id)
    }

    /// Checks the objects of a file against their ids, and returns the SHA-256 of what they hold and its size in bytes.
    ///
    /// Throws a ``GitError`` with code `damaged` for what cannot be read or has another id.
    package func check(_ contents: StoredRoot.Contents) throws -> (digest: [UInt8], size: Int64) {
        var hash = SHA256()
        var size = 0
        let blobs = try blobs(of: contents)
        // Holes of a disk image, say, are the same chunk many times over.
        var last: (id: ObjectID, bytes: [UInt8])?
        for (index, blob) in blobs.enumerated() {
            if last?.id != blob {
                last = nil
                guard index + 1 < blobs.count, blobs[index + 1] == blob else {
                    size += try check(blob, .blob, adding: &hash)
                    continue
                }
                last = (blob, try self.contents(blob, .blob))
            }
            guard let last else { preconditionFailure("it was read just now") }
            hash.update(last.bytes)
            size += last.bytes.count
        }
        return (hash.finish(), Int64(size))
    }

    /// The whole contents of a file; for files of which it is known that they are not large.
    package func contents(of contents: StoredRoot.Contents) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try unsafe read(contents, checks: true) { unsafe bytes.append(contentsOf: $0) }
        return bytes
    }
}
