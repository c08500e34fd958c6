internal import Cryptography
internal import FileTree
internal import Glibc
internal import Synchronization
package import SystemPackage

/// Reads objects of a repository from many threads at once.
///
/// Packs are mapped, and a ``ReaderLane``, which reads much, reads straight from them. Single objects are read from the open
/// file. What is loose, or in a pack that came later, is read through libgit2, one thread at a time; we write nothing loose.
package final class ObjectReader: Sendable {
    /// The repository's path.
    package let repository: FilePath

    struct Pack {
        let index: PackIndex
        let file: MappedFile
    }

    /// A pack that cannot be read, it or its index, and why.
    package struct LostPack: Sendable, CustomStringConvertible {
        let path: FilePath
        let reason: String
        /// It, when it and an index can be opened but do not belong together: what it gives counts only when it has its id.
        var pack: Pack?

        /// For people.
        package var description: String { "\(path): \(reason)" }
    }

    /// The packs of a repository, the newest first: most of what is looked up was written last.
    private struct OpenedPacks {
        var packs: [Pack] = []
        var lost: [LostPack] = []
        var newest: Int64?
    }

    let packs: [Pack]
    /// Packs that cannot be read, they or their indexes: what is in them counts as missing.
    package let lostPacks: [LostPack]
    /// Objects that count as missing although a pack has their names: somebody found them damaged.
    package let lostObjects: Set<ObjectID>
    /// Those of them, by their names without an ending, that were there once and are not any more.
    package let gonePacks: [String]
    /// When the newest pack was changed last, in seconds since 1970; nil when there is none.
    let newestPack: Int64?
    /// Opened for the first object that no pack holds.
    private let fallback = Mutex<ObjectDatabase?>(nil)
    /// What serves single objects, one at a time each; as many as threads have read at once.
    private let recordReaders = Mutex<[RecordReader]>([])
    /// First bytes of loose objects; we write none, so mostly there are none.
    private let looseBytes: Set<UInt8>

    /// Opens the packs that are there now; packs that come later are only found by the fallback.
    ///
    /// Those that were there, by their names without an ending, count as lost; so do the objects.
    package init(
        _ repository: FilePath, withoutPacks gone: [String] = [], withoutObjects lost: Set<ObjectID> = []
    ) throws {
        self.repository = repository
        lostObjects = lost
        gonePacks = gone
        let directory = repository.appending("objects").appending("pack")
        let opened = try Self.openPacks(directory)
        packs = opened.packs
        lostPacks =
            opened.lost
            + gone.map {
                LostPack(path: directory.appending("\($0).pack"), reason: "it or its index is gone")
            }
        newestPack = opened.newest
        looseBytes = Set(
            try Files.names(repository.appending("objects")).compactMap { name in
                name.count == 2 ? bytes(hex: name)?.first : nil
            })
    }

    /// Opens every pack; again from the start when packs came or went meanwhile, as they do in `prune` and `git gc`: what
    /// was in a pack that went is in one that came before.
    private static func openPacks(_ directory: FilePath) throws -> OpenedPacks {
        var names = try Files.names(directory)
        for _ in 0..<20 {
            let result = Result { try open(names, directory) }
            let now = try Files.names(directory)
            if Set(now) == Set(names) { return try result.get() }
            names = now
        }
        return try open(names, directory)
    }

    /// The names of the packs that were there with an index, without an ending.
    package var packNames: Set<String> {
        Set((packs.map(\.file.path) + lostPacks.map(\.path)).compactMap(\.stem))
    }

    /// The names of the packs that have an index now, without an ending.
    package static func packNames(of repository: FilePath) throws -> Set<String> {
        let names = try Files.names(repository.appending("objects").appending("pack")).map {
            String(decoding: $0, as: UTF8.self)
        }
        // Others neither git nor we look into.
        let packs = Set(
            names.filter { $0.hasPrefix("pack-") && $0.hasSuffix(".pack") }.map { String($0.dropLast(5)) })
        return packs.intersection(names.filter { $0.hasSuffix(".idx") }.map { String($0.dropLast(4)) })
    }

    private static func open(_ names: [[UInt8]], _ directory: FilePath) throws -> OpenedPacks {
        var found: [(pack: FilePath, index: FilePath, status: FileStatus)] = []
        for name in names where name.suffix(4).elementsEqual(".idx".utf8) {
            guard name.starts(with: "pack-".utf8) else { continue }
            let pack = directory.appending(String(decoding: name.dropLast(4), as: UTF8.self) + ".pack")
            // An index whose pack is not there (a power loss between two names) holds nothing; git passes over it too.
            guard let status = try Files.status(pack) else { continue }
            let index = directory.appending(String(decoding: name, as: UTF8.self))
            found.append((pack, index, status))
        }
        found.sort { $0.status.modified > $1.status.modified }
        let open = Set(
            found.indices.sorted { found[$0].status.size > found[$1].status.size }.prefix(mostOpen))
        var opened = OpenedPacks(newest: found.first?.status.modified.seconds)
        for place in found.indices {
            // A cut file: its header and its checksum alone are longer.
            guard found[place].status.size >= 32 else {
                opened.lost.append(LostPack(path: found[place].pack, reason: "it is too short for a pack"))
                continue
            }
            do {
                let pack = Pack(
                    index: try PackIndex(found[place].index),
                    file: try MappedFile(found[place].pack, staysOpen: open.contains(place)))
                if let reason = try pack.mismatch() {
                    opened.lost.append(LostPack(path: found[place].pack, reason: reason, pack: pack))
                } else {
                    opened.packs.append(pack)
                }
            } catch let error as GitError where error.code == .damaged {
                opened.lost.append(LostPack(path: found[place].pack, reason: "\(error)"))
            } catch let error as FileFailure where error.reason == .invalidArgument {
                opened.lost.append(
                    LostPack(path: found[place].pack, reason: "it or its index is empty, or no file"))
            }
        }
        return opened
    }

    /// Packs that stay open, the largest: of small ones a mapping takes in little, and a store may have hundreds.
    private static let mostOpen = 32

    /// Whether the repository holds the object.
    package func contains(_ id: ObjectID) -> Bool {
        guard !isLost(id) else { return false }
        if packs.contains(where: { $0.index.position(of: id) != nil }) { return true }
        guard looseBytes.contains(id.firstByte) else { return false }
        let digits = id.description
        let path = repository.appending("objects").appending(String(digits.prefix(2))).appending(
            String(digits.dropFirst(2)))
        // A power loss may leave one without a byte.
        var status = stat()
        return unsafe path.withPlatformString { unsafe stat($0, &status) } == 0 && status.st_size > 0
    }

    private func isLost(_ id: ObjectID) -> Bool { !lostObjects.isEmpty && lostObjects.contains(id) }

    /// Whether something that was stored is lost.
    package var hasLosses: Bool { !lostPacks.isEmpty || !lostObjects.isEmpty }

    /// What is lost, for people.
    package var losses: [String] { lostPacks.map(\.description) + lostObjectsInWords }

    /// How many objects are lost and which, for people; none when none is.
    package var lostObjectsInWords: [String] {
        guard let first = lostObjects.min() else { return [] }
        return [
            lostObjects.count == 1
                ? "the object \(first) of the store was found damaged or missing"
                : "\(lostObjects.count) objects of the store were found damaged or missing, the first is \(first)"
        ]
    }

    /// Whether what an error misses may be among what is lost.
    package func mayHaveLost(_ error: any Error) -> Bool {
        hasLosses && (error as? GitError)?.code == .notFound
    }

    /// Whether an object is there, can be read and is what its id says.
    package func isWhole(_ id: ObjectID) throws -> Bool {
        do {
            let object = try object(id)
            return ObjectID.of(object.kind, object.contents) == id
        } catch let error as GitError where error.code != .system {
            return false
        }
    }

    /// The kind and the contents of an object.
    ///
    /// Throws a ``GitError``: `notFound` when the repository does not hold it, `damaged` when it cannot be read, or has more
    /// than `limit` bytes. The contents are not hashed again; who must be sure compares ``ObjectID/of(_:_:)``.
    package func object(
        _ id: ObjectID, limit: Int = .max
    ) throws -> (kind: ObjectKind, contents: [UInt8]) {
        guard let (pack, position) = find(id) else { return try loose(id) }
        let reader = recordReaders.withLock { $0.popLast() } ?? RecordReader()
        defer { recordReaders.withLock { $0.append(reader) } }
        return try reader.object(id, at: position, in: pack, limit: limit)
    }

    /// The contents of an object that must be of one kind, and have no more than `limit` bytes.
    package func contents(_ id: ObjectID, _ kind: ObjectKind, limit: Int = .max) throws -> [UInt8] {
        let object = try object(id, limit: limit)
        guard object.contents.count <= limit else {
            throw GitError.tooLong(id, object.contents.count, limit: limit)
        }
        guard object.kind == kind else {
            throw GitError(.damaged, "read \(kind.word) \(id)", "it is a \(object.kind.word)")
        }
        return object.contents
    }

    /// The entries of a tree.
    package func tree(_ id: ObjectID) throws -> [TreeEntry] {
        try Tree.entries(try contents(id, .tree), of: id)
    }

    /// Where an object that is stored whole lies in its pack.
    @unsafe struct Place {
        var kind: ObjectKind
        var size: Int
        /// The zlib stream, and what follows it in the pack.
        var stream: UnsafeRawBufferPointer
        var pack: FilePath
    }

    /// The first pack that holds an object, and the object's place in its index.
    func find(_ id: ObjectID) -> (Pack, position: Int)? {
        guard !isLost(id) else { return nil }
        for pack in packs {
            if let position = pack.index.position(of: id) { return (pack, position) }
        }
        return nil
    }

    /// An object as one of the packs holds it that are not looked into first, nil where none does; it has the id.
    package func furtherCopy(_ id: ObjectID) -> (kind: ObjectKind, contents: [UInt8])? {
        let others = packs.drop { $0.index.position(of: id) == nil }.dropFirst()
        return Self.checkedCopy(id, in: others + doubtfulPacks)
    }

    /// Packs that are lost and yet may give one or the other object.
    var doubtfulPacks: [Pack] { lostPacks.compactMap(\.pack) }

    /// An object out of the first of the packs that gives it with its id.
    private static func checkedCopy(_ id: ObjectID, in packs: some Sequence<Pack>) -> (
        kind: ObjectKind, contents: [UInt8]
    )? {
        for pack in packs {
            guard let position = pack.index.position(of: id),
                // A damaged copy is none; whoever asks names the object when there is no good one.
                let object = try? RecordReader().object(id, at: position, in: pack),
                ObjectID.of(object.kind, object.contents) == id
            else { continue }
            return object
        }
        return nil
    }

    /// Finds an object that a pack holds whole; nil for a delta, for a loose object, and for one that is not there.
    func place(of id: ObjectID) throws(GitError) -> Place? {
        guard let (pack, position) = find(id) else { return nil }
        let header = try pack.header(of: id, at: pack.offset(of: id, at: position))
        guard case .whole(let kind) = header.form else { return nil }
        return unsafe Place(kind: kind, size: header.size, stream: pack.stream(header), pack: pack.file.path)
    }

    /// Takes what was read of the packs out of this process's memory.
    func forgetPages() {
        for pack in packs { pack.file.forget() }
    }

    /// An object that none of the packs holds that are open.
    func loose(_ id: ObjectID) throws(GitError) -> (kind: ObjectKind, contents: [UInt8]) {
        guard !isLost(id) else {
            throw GitError(.notFound, "read object \(id)", "it was found damaged or missing before")
        }
        do throws(GitError) {
            return try fallback.withLock { (fallback) throws(GitError) in
                switch fallback {
                case .some(let database): return try database.object(id)
                case .none: break
                }
                let database = try ObjectDatabase(repository)
                let object = try database.object(id)
                fallback = consume database
                return object
            }
        } catch {
            guard error.code == .notFound, let lost = lostPacks.first else { throw error }
            if let copy = Self.checkedCopy(id, in: doubtfulPacks) { return copy }
            throw GitError(
                .notFound, error.operation, "\(error.reason); this pack cannot be read: \(lost)")
        }
    }
}

extension GitError {
    /// An object is longer than anything of its use.
    static func tooLong(_ id: ObjectID, _ size: Int, limit: Int) -> GitError {
        GitError(.damaged, "read object \(id)", "it has \(size) bytes, and may have \(limit) at most")
    }

    /// What a pack holds of an object cannot be decompressed.
    static func damagedStream(of id: ObjectID, in pack: FilePath) -> GitError {
        GitError(.damaged, "read object \(id) of \(pack)", "its compressed bytes are damaged")
    }
}
