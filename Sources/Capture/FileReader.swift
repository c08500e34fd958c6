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
    private let buffer: UnsafeMutableRawBufferPointer

    init(_ lane: any ObjectLane) {
        self.lane = lane
        unsafe buffer = .allocate(byteCount: Chunker.threshold + 1, alignment: 4096)
    }

    deinit {
        unsafe buffer.deallocate()
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
        var hash = SHA256()
        guard size > Chunker.threshold else {
            let count = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(size)]))
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
            unsafe hash.update(bytes)
            return contents(try unsafe add(.blob, bytes), hash, size: Int64(count), isChunked: false)
        }
        var chunks: [TreeEntry] = []
        var filled = 0
        var left = size
        var total: Int64 = 0
        while true {
            let wanted = min(Chunker.threshold - filled, Int(left))
            let count = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<(filled + wanted)]))
            unsafe hash.update(UnsafeRawBufferPointer(rebasing: buffer[filled..<(filled + count)]))
            filled += count
            total += Int64(count)
            left -= Int64(count)
            let isEnd = count < wanted || left == 0
            var start = 0
            while filled - start >= Chunker.maximum || (isEnd && start < filled) {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[start..<filled])
                let cut = unsafe Chunker.firstCut(rest)
                let id = try unsafe add(.blob, UnsafeRawBufferPointer(rebasing: rest[..<cut]))
                chunks.append(TreeEntry(name: chunkName(chunks.count), mode: .file, id: id))
                start += cut
            }
            if let base = unsafe buffer.baseAddress, start > 0 {
                unsafe base.copyMemory(from: base + start, byteCount: filled - start)
                filled -= start
            }
            if isEnd { break }
        }
        return contents(try add(.tree, Tree.contents(chunks)), hash, size: total, isChunked: true)
    }

    private func contents(_ id: ObjectID, _ hash: SHA256, size: Int64, isChunked: Bool) -> FileContents {
        var hash = hash
        let bytes = hash.finish()
        var digest = [32 of UInt8](repeating: 0)
        for index in 0..<32 { digest[index] = bytes[index] }
        return FileContents(
            id: id, digest: digest, size: size, isChunked: isChunked)
    }

    /// Eight digits, so that the order of names is the order of chunks.
    private func chunkName(_ number: Int) -> [UInt8] {
        let digits = String(number)
        return Array((String(repeating: "0", count: max(0, 8 - digits.count)) + digits).utf8)
    }
}
