internal import Cryptography
internal import FileTree
internal import Git
internal import GitStore
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

/// Writes what lies beside the roots of a component into a directory: wheels, dumps, locks.
struct ArtifactWriter {
    private let reader: ObjectReader
    private let opening: SealedOpening?
    private let format: Int

    /// A writer for a snapshot of a store format; `opening` opens what is sealed.
    init(_ reader: ObjectReader, opening: SealedOpening?, format: Int) {
        self.reader = reader
        self.opening = opening
        self.format = format
    }

    /// Writes all of them, and compares dumps with what `database.lock` says of them.
    ///
    /// Throws a ``RestoreFailure`` when something is damaged.
    func write(_ captured: CapturedComponent, in tree: ObjectID, to directory: FilePath) throws {
        var found: [String: DatabaseLock.Line] = [:]
        for entry in try reader.tree(tree) where !Self.isOurs(entry) {
            try write(entry, to: directory, below: "", &found)
        }
        guard captured.locks[DatabaseLock.name] != nil else { return }
        let wanted = try DatabaseLock(Files.read(directory.appending(DatabaseLock.name))).lines
        for line in wanted where found[line.name] != line {
            throw damaged(line.name, "it is not what \(DatabaseLock.name) says")
        }
        let names = Set(wanted.map(\.name))
        if let more = found.keys.sorted().first(where: { $0.hasPrefix("database/") && !names.contains($0) }) {
            throw damaged(more, "\(DatabaseLock.name) does not name it")
        }
    }

    private static func isOurs(_ entry: TreeEntry) -> Bool {
        ["files", "manifest", CapturedComponent.Sealing.keyName].contains { entry.name == Array($0.utf8) }
    }

    private func write(
        _ entry: TreeEntry, to directory: FilePath, below place: String,
        _ found: inout [String: DatabaseLock.Line]
    ) throws {
        let (spelled, isSealed, isChunked) = StoredName.withoutSuffixes(
            entry.name, isTree: entry.mode == .tree, hasSealed: opening != nil)
        // Format 1 did not escape the names of artifacts.
        let name = format == 1 ? spelled : StoredName.decoded(spelled)
        guard name != Array("..".utf8), name != Array(".".utf8), !name.contains(UInt8(ascii: "/")) else {
            throw RestoreFailure(
                .verification, "the snapshot holds an artifact called '\(printable(name))'",
                hint: "the store was tampered with: restore another snapshot")
        }
        let path = FilePath(bytes: directory.byteArray + [UInt8(ascii: "/")] + name)
        let whole = place + String(decoding: name, as: UTF8.self)
        if entry.mode == .tree && !isChunked {
            try Files.makeDirectory(path, mode: 0o700)
            for child in try reader.tree(entry.id) {
                try write(child, to: path, below: whole + "/", &found)
            }
            return
        }
        let file = try OpenDirectory(directory).createFile(name)
        let contents = StoredRoot.Contents(id: entry.id, isChunked: isChunked, isSealed: isSealed)
        var hash = SHA256()
        var sealedHash = SHA256()
        var size: Int64 = 0
        func take(_ bytes: UnsafeRawBufferPointer) throws(FileFailure) {
            unsafe hash.update(bytes)
            size += Int64(bytes.count)
            try unsafe file.write(bytes)
        }
        guard let opening, isSealed else {
            try unsafe ReaderLane(reader).read(contents, checks: true) { try unsafe take($0) }
            found[whole] = .init(name: whole, size: size, digest: hex(hash.finish()), sealedDigest: "")
            return
        }
        do {
            try unsafe ReaderLane(reader).open(
                contents, with: opening.identities, sealed: { unsafe sealedHash.update($0) }
            ) { try unsafe take($0) }
        } catch let error as SealingFailure {
            throw damaged(whole, "\(error)")
        }
        found[whole] = .init(
            name: whole, size: size, digest: hex(opening.sealer.name(digest: hash.finish())),
            sealedDigest: hex(sealedHash.finish()))
    }

    private func damaged(_ name: String, _ reason: String) -> RestoreFailure {
        RestoreFailure(
            .verification, "the artifact \(printable(name.utf8)) is damaged in the store: \(reason)",
            hint: "nothing was changed; 'understudy verify --all' says what is whole; restore that")
    }
}
