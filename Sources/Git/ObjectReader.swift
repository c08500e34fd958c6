internal import Cryptography
internal import FileTree
internal import Glibc
internal import Synchronization
package import SystemPackage

/// Reads objects of a repository from many threads at once.
///
/// Packs are mapped and whole objects are read straight from them. What is stored as a delta (after `git gc`) or loose
/// is read through libgit2, one thread at a time.
package final class ObjectReader: Sendable {
    /// The repository's path.
    package let repository: FilePath

    struct Pack {
        let index: PackIndex
        let file: MappedFile
    }

    let packs: [Pack]
    /// Opened for the first object that no pack holds whole.
    private let fallback = Mutex<ObjectDatabase?>(nil)
    private let objectsRead = Atomic<Int>(0)
    /// First bytes of loose objects; we write none, so mostly there are none.
    private let looseBytes: Set<UInt8>

    /// Opens the packs that are there now; packs that come later are only found by the fallback.
    package init(_ repository: FilePath) throws {
        self.repository = repository
        let packs = try Self.openPacks(repository.appending("objects").appending("pack"))
        // The newest first: most of what is looked up was written last.
        self.packs = packs.sorted { $0.modified > $1.modified }.map(\.0)
        looseBytes = Set(
            try Files.names(repository.appending("objects")).compactMap { name in
                name.count == 2 ? bytes(hex: name)?.first : nil
            })
    }

    /// Opens every pack; again from the start when packs came or went meanwhile, as they do in `prune` and `git gc`: what
    /// was in a pack that went is in one that came before.
    private static func openPacks(_ directory: FilePath) throws -> [(
        Pack, modified: (seconds: Int64, nanoseconds: Int64)
    )] {
        var names = try Files.names(directory)
        for _ in 0..<20 {
            let result = Result { try open(names, directory) }
            let now = try Files.names(directory)
            if Set(now) == Set(names) { return try result.get() }
            names = now
        }
        return try open(names, directory)
    }

    private static func open(_ names: [[UInt8]], _ directory: FilePath) throws -> [(
        Pack, modified: (seconds: Int64, nanoseconds: Int64)
    )] {
        var packs: [(Pack, modified: (seconds: Int64, nanoseconds: Int64))] = []
        for name in names where name.suffix(4).elementsEqual(".idx".utf8) {
            guard name.starts(with: "pack-".utf8) else { continue }
            let packPath = directory.appending(String(decoding: name.dropLast(4), as: UTF8.self) + ".pack")
            // An index whose pack is not there (a power loss between two names) holds nothing; git passes over it too.
            guard let status = try Files.status(packPath) else { continue }
            let index = try PackIndex(directory.appending(String(decoding: name, as: UTF8.self)))
            packs.append((Pack(index: index, file: try MappedFile(packPath)), status.modified))
        }
        return packs
    }

    /// Whether the repository holds the object.
    package func contains(_ id: ObjectID) -> Bool {
        if packs.contains(where: { $0.index.position(of: id) != nil }) { return true }
        guard looseBytes.contains(id.firstByte) else { return false }
        let digits = id.description
        let path = repository.appending("objects").appending(String(digits.prefix(2))).appending(
            String(digits.dropFirst(2)))
        return unsafe path.withPlatformString { unsafe access($0, F_OK) } == 0
    }

    /// The kind and the contents of an object.
    ///
    /// Throws a ``GitError``: `notFound` when the repository does not hold it, `damaged` when it cannot be read. The
    /// contents are not hashed again; who must be sure compares ``ObjectID/of(_:_:)``.
    package func object(_ id: ObjectID) throws -> (kind: ObjectKind, contents: [UInt8]) {
        guard let place = try unsafe place(of: id) else { return try other(id) }
        let size = unsafe place.size
        let decompressor = Decompressor()
        var isWhole = false
        let contents = unsafe [UInt8](unsafeUninitializedCapacity: size) { output, count in
            isWhole = unsafe decompressor.decompress(
                place.stream,
                into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(output)[..<size]))
            count = isWhole ? size : 0
        }
        guard isWhole else { throw unsafe GitError.damaged(id, place) }
        // Most is read once, and the kernel maps sixteen pages where one is read.
        if objectsRead.add(1, ordering: .relaxed).newValue % 512 == 0 { forgetPages() }
        return unsafe (place.kind, contents)
    }

    /// The contents of an object that must be of one kind.
    package func contents(_ id: ObjectID, _ kind: ObjectKind) throws -> [UInt8] {
        let object = try object(id)
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

    /// Finds an object that a pack holds whole; nil for a delta, for a loose object, and for one that is not there.
    func place(of id: ObjectID) throws(GitError) -> Place? {
        for pack in packs {
            guard let position = pack.index.position(of: id) else { continue }
            return try unsafe place(of: id, at: position, in: pack)
        }
        return nil
    }

    private func place(of id: ObjectID, at position: Int, in pack: Pack) throws(GitError) -> Place? {
        func damaged(_ reason: String) -> GitError {
            GitError(.damaged, "read object \(id) of \(pack.file.path)", reason)
        }
        let bytes = unsafe pack.file.bytes
        guard var offset = pack.index.offset(at: position), offset >= 12, offset < bytes.count - 20 else {
            throw damaged("its index points outside of the pack")
        }
        let end = bytes.count - 20
        var byte = unsafe bytes[offset]
        let type = byte >> 4 & 7
        var size = Int(byte & 15)
        var shift = 4
        while byte & 0x80 != 0 {
            offset += 1
            guard offset < end, shift < 56 else { throw damaged("its header does not end") }
            byte = unsafe bytes[offset]
            size |= Int(byte & 0x7f) << shift
            shift += 7
        }
        offset += 1
        guard type != 6, type != 7 else { return nil }
        guard let kind = ObjectKind(rawValue: type) else { throw damaged("it has the unknown type \(type)") }
        // A stream cannot hold more than 1032 times its own length (RFC 1951), so a lying size costs no memory.
        guard offset <= end, size <= (end - offset) * 1032 else {
            throw damaged("it says to be larger than it can be")
        }
        return unsafe Place(
            kind: kind, size: size, stream: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]),
            pack: pack.file.path)
    }

    /// Takes what was read of the packs out of this process's memory.
    func forgetPages() {
        for pack in packs { pack.file.forget() }
    }

    /// An object that no pack holds whole.
    func other(_ id: ObjectID) throws(GitError) -> (kind: ObjectKind, contents: [UInt8]) {
        try fallback.withLock { (fallback) throws(GitError) in
            switch fallback {
            case .some(let database): return try database.object(id)
            case .none: break
            }
            let database = try ObjectDatabase(repository)
            let object = try database.object(id)
            fallback = consume database
            return object
        }
    }
}

extension GitError {
    /// What a pack holds of an object cannot be decompressed.
    @unsafe static func damaged(_ id: ObjectID, _ place: ObjectReader.Place) -> GitError {
        unsafe GitError(
            .damaged, "read object \(id) of \(place.pack)", "its compressed bytes are damaged")
    }
}
