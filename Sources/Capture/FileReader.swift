internal import SystemPackage
internal import Cryptography
internal import FileTree
internal import Git
internal import Sealing
internal import SnapshotModel

/// What the contents of a file became.
struct FileContents: Sendable {
    /// The blob, or the tree of chunks.
    var id: ObjectID
    /// SHA-256 of the whole contents, or their keyed name when they are sealed.
    var digest: [32 of UInt8]
    /// SHA-256 of what the sink holds of sealed contents, empty for what is in clear.
    var sealedDigest: [UInt8] = []
    /// Bytes.
    var size: Int64
    /// Whether `id` is a tree of chunks.
    var isChunked: Bool
    /// Whether the file has holes.
    var isSparse = false
}

/// Reads regular files into a sink, for one thread; memory does not grow with the size of a file.
@safe final class FileReader {
    struct Result {
        var contents: FileContents
        /// As it was before the last reading.
        var status: FileStatus
        var attributes: [Entry.Attribute]
        /// Whether it changed during each try.
        var isTorn: Bool
        /// What in it looks like a secret although its class is none; then it is sealed.
        var leak: Leak?
    }

    /// Something that must not be stored in clear.
    struct Leak {
        /// What it looks like.
        var kind: String
        /// Its line, from 1; nil in a large file.
        var line: Int?

        /// For people.
        var words: String { kind + (line.map { ", line \($0)" } ?? "") }
    }

    let lane: any ObjectLane
    /// A failure of the sink ends the capture; a failure of a file does not.
    private(set) var sinkFailure: (any Error)?
    private let sink: any ObjectSink
    /// Whether the contents of the next file are kept in ``kept``.
    var keepsContents = false
    /// Blobs whose bytes are needed again before the sink can be read.
    private(set) var kept: [ObjectID: [UInt8]] = [:]
    private let buffer: UnsafeMutableRawBufferPointer
    private let sealer: Sealer?
    /// What is sealed; made for the first sealed file.
    private var sealed = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// Made for the first large file: there may be none.
    private var chunkWriter: ChunkWriter?
    /// With so many chunks the list of them takes more memory than what made it, which is let go first.
    private static let longList = 1 << 18

    /// A reader for one thread; without a `sealer` everything is stored in clear.
    init(_ sink: any ObjectSink, sealer: Sealer?) {
        self.sink = sink
        self.sealer = sealer
        lane = sink.makeLane()
        unsafe buffer = .allocate(byteCount: Chunker.threshold, alignment: 4096)
    }

    deinit {
        unsafe buffer.deallocate()
        unsafe sealed.deallocate()
    }

    /// Hands on what is still gathered; must be called before the sink is finished.
    func flush() throws {
        try lane.flush()
        try chunkWriter?.flush()
    }

    /// How often a file that changes is read before it is called torn.
    static let tries = 3

    /// Reads a file until two looks at it agree: stat, read, stat.
    ///
    /// A file of class `bulk` (a log) that is only appended to is whole as far as it went when it was opened. What looks
    /// like a secret is sealed, whatever its class, unless the SHA-256 of the contents is among those `allowed` in clear.
    /// `seen` is what stood at the file's name just before it was opened.
    func read(
        _ file: consuming OpenFile, _ entryClass: EntryClass, seen: FileStatus? = nil,
        allowed: Set<[UInt8]> = []
    ) throws(FileFailure) -> Result {
        let seals = sealer != nil && entryClass.isSealed
        var leak: Leak?
        var triesLeft = Self.tries
        var seen = seen
        while true {
            triesLeft -= 1
            let before = if let seen { seen } else { try file.status() }
            seen = nil
            guard before.kind == .file else {
                throw FileFailure.notRegular([])
            }
            let attributes = try file.attributes().map { Entry.Attribute(name: $0.name, value: $0.value) }
            let isSparse =
                before.size > 0 && before.blocks * 512 < before.size
                ? try file.hasHole(size: before.size) : false
            leak = nil
            var contents = try read(file, size: before.size, seals: seals, allowed, &leak)
            contents.isSparse = isSparse
            let after = try file.status()
            // Between the look at its name and the opening another may have taken its place.
            let isThatFile = after.inode == before.inode && after.device == before.device
            let isSame =
                after.size == before.size && after.modified == before.modified
                && after.changed == before.changed
            let hasGrown = entryClass == .bulk && after.size > before.size
            let isWhole = isThatFile && contents.size == before.size && (isSame || hasGrown)
            if isWhole || triesLeft == 0 {
                var status = before
                status.size = contents.size
                return Result(
                    contents: contents, status: status, attributes: attributes,
                    isTorn: !isWhole, leak: leak)
            }
            try file.rewind()
        }
    }

    /// Adds an object to the sink; a failure there is kept for ``sinkFailure``, and told as one of the file.
    func add(_ kind: ObjectKind, _ contents: [UInt8]) throws(FileFailure) -> ObjectID {
        try storing { lane in try lane.add(kind, contents) }
    }

    /// Adds a blob that is sealed; `digest` is the SHA-256 of the bytes.
    @unsafe private func addSealed(
        _ contents: UnsafeRawBufferPointer, _ digest: [UInt8], _ sealer: Sealer, _ sealedHash: inout SHA256
    ) throws(FileFailure) -> ObjectID {
        let room = contents.count + sealer.overhead(contents.count)
        if unsafe sealed.count < room {
            unsafe sealed.deallocate()
            unsafe sealed = .allocate(byteCount: room, alignment: 4096)
        }
        let bytes: UnsafeRawBufferPointer
        do {
            let count = try unsafe sealer.seal(contents, digest: digest, into: sealed)
            unsafe bytes = UnsafeRawBufferPointer(rebasing: sealed[..<count])
        } catch {
            sinkFailure = error
            throw FileFailure("seal", [], .ioError)
        }
        unsafe sealedHash.update(bytes)
        return try storing { lane in try unsafe lane.add(.blob, bytes, stores: true) }
    }

    private func storing<Result>(_ body: (any ObjectLane) throws -> Result) throws(FileFailure) -> Result {
        do {
            return try body(lane)
        } catch {
            sinkFailure = error
            throw FileFailure("store", [], .ioError)
        }
    }

    /// Reads up to `size` bytes: one blob for a small file, a tree of chunks for a large one.
    private func read(
        _ file: borrowing OpenFile, size: Int64, seals: Bool, _ allowed: Set<[UInt8]>, _ leak: inout Leak?
    ) throws(FileFailure) -> FileContents {
        guard size > Chunker.threshold else {
            return try readSmall(file, Int(size), seals: seals, allowed, &leak)
        }
        if !seals, sealer != nil {
            var isAllowed = false
            if !allowed.isEmpty { isAllowed = allowed.contains(try digest(of: file, size)) }
            let chunks = try write(file, size, nil, scans: !isAllowed)
            guard let finding = chunks.finding else { return try contents(of: chunks, nil) }
            // What went to the sink so far was looked at and is no secret; now all of the file is sealed.
            leak = Leak(kind: finding.kind)
            try file.rewind()
        }
        return try contents(of: try write(file, size, sealer, scans: false), sealer)
    }

    private func readSmall(
        _ file: borrowing OpenFile, _ size: Int, seals: Bool, _ allowed: Set<[UInt8]>, _ leak: inout Leak?
    ) throws(FileFailure) -> FileContents {
        let count = try unsafe file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<size]))
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
        let (blob, digest) = unsafe ObjectID.ofBlob(bytes)
        if !seals, sealer != nil, !allowed.contains(digest), let finding = unsafe LeakScanner.find(bytes) {
            let line = unsafe bytes[..<finding.offset].reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
            leak = Leak(kind: finding.kind, line: line)
        }
        let sealer = seals || leak != nil ? sealer : nil
        var sealedHash = SHA256()
        var id = blob
        if let sealer {
            id = try unsafe addSealed(bytes, digest, sealer, &sealedHash)
        } else {
            try storing { lane in try unsafe lane.add(blob, .blob, bytes, stores: false) }
        }
        if keepsContents { kept[id] = unsafe Array(bytes) }
        return contents(id, digest, sealer, sealedHash, size: Int64(count), isChunked: false)
    }

    private func digest(of file: borrowing OpenFile, _ size: Int64) throws(FileFailure) -> [UInt8] {
        var hash = SHA256()
        var left = size
        while left > 0 {
            let wanted = min(Chunker.threshold, Int(left))
            let count = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
            unsafe hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            left -= Int64(count)
            if count < wanted { break }
        }
        try file.rewind()
        return hash.finish()
    }

    private func write(
        _ file: borrowing OpenFile, _ size: Int64, _ sealer: Sealer?, scans: Bool
    ) throws(FileFailure) -> ChunkWriter.Written {
        let writer = chunkWriter ?? ChunkWriter(sink)
        chunkWriter = writer
        do {
            writer.keepsContents = keepsContents
            let written = try writer.write(file, size: size, sealer, scans: scans)
            kept.merge(writer.kept) { first, _ in first }
            writer.kept = [:]
            return written
        } catch let failure as FileFailure {
            throw failure
        } catch {
            sinkFailure = (error as? ChunkWriter.SinkFailure)?.cause ?? error
            throw FileFailure("store", [], .ioError)
        }
    }

    private func contents(
        of chunks: ChunkWriter.Written, _ sealer: Sealer?
    ) throws(FileFailure) -> FileContents {
        var chunks = chunks
        if chunks.chunks.count > Self.longList {
            // The list is about to be there three times: as it is, compressed, and kept for the comparison with last night.
            try storing { _ in try chunkWriter?.flush() }
            chunkWriter = nil
        }
        let id = try add(.tree, chunks.chunks.contents)
        return contents(
            id, chunks.digest.finish(), sealer, chunks.sealedDigest, size: chunks.size, isChunked: true)
    }

    private func contents(
        _ id: ObjectID, _ digest: [UInt8], _ sealer: Sealer?, _ sealedHash: SHA256, size: Int64,
        isChunked: Bool
    ) -> FileContents {
        let name = sealer?.name(digest: digest) ?? digest
        var contents = FileContents(
            id: id, digest: [32 of UInt8](repeating: 0), size: size, isChunked: isChunked)
        for index in 0..<32 { contents.digest[index] = name[index] }
        if sealer != nil {
            var sealedHash = sealedHash
            contents.sealedDigest = sealedHash.finish()
        }
        return contents
    }
}
