internal import SystemPackage
internal import Cryptography
internal import FileTree
internal import Git
internal import SnapshotModel

/// What the contents of a file became.
struct FileContents: Sendable {
    /// The blob, or the tree of chunks.
    var id: ObjectID
    /// SHA-256 of the whole contents.
    var digest: [32 of UInt8]
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
    }

    let lane: any ObjectLane
    /// A failure of the sink ends the capture; a failure of a file does not.
    private(set) var sinkFailure: (any Error)?
    private let sink: any ObjectSink
    private let buffer: UnsafeMutableRawBufferPointer
    /// Made for the first large file: there may be none.
    private var chunkWriter: ChunkWriter?

    init(_ sink: any ObjectSink) {
        self.sink = sink
        lane = sink.makeLane()
        unsafe buffer = .allocate(byteCount: Chunker.threshold, alignment: 4096)
    }

    deinit {
        unsafe buffer.deallocate()
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
    /// A file that is only `isAppended` (a log) is whole as far as it went when it was opened.
    func read(_ file: consuming OpenFile, isAppended: Bool) throws(FileFailure) -> Result {
        var triesLeft = Self.tries
        while true {
            triesLeft -= 1
            let before = try file.status()
            guard before.kind == .file else {
                throw FileFailure("read a regular file at", [], .invalidArgument)
            }
            let attributes = try file.attributes().map { Entry.Attribute(name: $0.name, value: $0.value) }
            let isSparse =
                before.size > 0 && before.blocks * 512 < before.size
                ? try file.hasHole(size: before.size) : false
            var contents = try read(file, size: before.size)
            contents.isSparse = isSparse
            let after = try file.status()
            let isSame =
                after.size == before.size && after.modified == before.modified
                && after.changed == before.changed
            let hasGrown = isAppended && contents.size == before.size && after.size >= before.size
            if contents.size == before.size && (isSame || hasGrown) || triesLeft == 0 {
                var status = before
                status.size = contents.size
                return Result(
                    contents: contents, status: status, attributes: attributes,
                    isTorn: !(contents.size == before.size && (isSame || hasGrown)))
            }
            try file.rewind()
        }
    }

    /// Adds an object to the sink; a failure there is kept for ``sinkFailure``, and told as one of the file.
    func add(_ kind: ObjectKind, _ contents: [UInt8]) throws(FileFailure) -> ObjectID {
        try storing { lane in try lane.add(kind, contents) }
    }

    @unsafe private func add(_ kind: ObjectKind, _ contents: UnsafeRawBufferPointer) throws(FileFailure)
        -> ObjectID
    {
        try storing { lane in try unsafe lane.add(kind, contents, stores: false) }
    }

    private func storing(_ body: (any ObjectLane) throws -> ObjectID) throws(FileFailure) -> ObjectID {
        do {
            return try body(lane)
        } catch {
            sinkFailure = error
            throw FileFailure("store", [], .ioError)
        }
    }

    /// Reads up to `size` bytes: one blob for a small file, a tree of chunks for a large one.
    private func read(_ file: borrowing OpenFile, size: Int64) throws(FileFailure) -> FileContents {
        guard size <= Chunker.threshold else { return try readChunks(file, size: size) }
        let count = try unsafe file.read(
            into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(size)]))
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
        var hash = SHA256()
        unsafe hash.update(bytes)
        return contents(try unsafe add(.blob, bytes), hash, size: Int64(count), isChunked: false)
    }

    private func readChunks(_ file: borrowing OpenFile, size: Int64) throws(FileFailure) -> FileContents {
        let writer = chunkWriter ?? ChunkWriter(sink)
        chunkWriter = writer
        let written: ChunkWriter.Written
        do {
            written = try writer.write(file, size: size)
        } catch let failure as FileFailure {
            throw failure
        } catch {
            sinkFailure = (error as? ChunkWriter.SinkFailure)?.cause ?? error
            throw FileFailure("store", [], .ioError)
        }
        return contents(
            try add(.tree, Tree.contents(written.chunks)), written.digest, size: written.size, isChunked: true
        )
    }

    private func contents(_ id: ObjectID, _ hash: SHA256, size: Int64, isChunked: Bool) -> FileContents {
        var hash = hash
        let bytes = hash.finish()
        var digest = [32 of UInt8](repeating: 0)
        for index in 0..<32 { digest[index] = bytes[index] }
        return FileContents(id: id, digest: digest, size: size, isChunked: isChunked)
    }
}
