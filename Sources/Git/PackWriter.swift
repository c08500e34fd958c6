internal import Cryptography
package import FileTree
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Writes one pack from many threads at once.
///
/// Each thread has a ``PackLane`` that hashes, compresses and gathers objects, and appends them at an offset taken from
/// one counter; so the lanes never wait for each other. Nothing can be seen in the repository before ``finish()``.
package final class PackWriter: Sendable {
    struct Record {
        var id: ObjectID
        var crc: UInt32
        var offset: Int64
    }

    private let packDirectory: FilePath
    private let temporary: FilePath
    private let temporaryIndex: FilePath
    private let descriptor: CInt
    private let nextOffset = Atomic<Int64>(12)
    private let records = Mutex<[Record]>([])
    private let written: [Mutex<Set<ObjectID>>.Box]
    private let existing: ObjectReader
    private let keepsTrees: Bool
    private let trees = Mutex<[ObjectID: [UInt8]]>([:])

    /// Begins a pack in the repository that `existing` reads; objects that are there already are not written again.
    ///
    /// With `keepsTrees` new trees can be read by ``newTree(_:)`` before the pack is finished.
    package init(_ existing: ObjectReader, keepsTrees: Bool = false) throws(FileFailure) {
        self.existing = existing
        self.keepsTrees = keepsTrees
        packDirectory = existing.repository.appending("objects").appending("pack")
        // Git takes stale files of this prefix away by itself, as our next writer does.
        let number = UInt64.random(in: 0...UInt64.max)
        temporary = packDirectory.appending("\(Self.temporaryPrefixes[0])\(number)")
        temporaryIndex = packDirectory.appending("\(Self.temporaryPrefixes[1])\(number)")
        descriptor = try Files.createExclusively(temporary, mode: 0o444)
        written = (0..<64).map { _ in Mutex<Set<ObjectID>>.Box([]) }
    }

    /// How the names of unfinished packs and indexes begin; git would take anything that ends in `.idx` for an index.
    package static let temporaryPrefixes = ["tmp_pack_understudy_", "tmp_idx_understudy_"]

    deinit {
        close(descriptor)
    }

    /// A lane for one thread.
    package func lane() -> PackLane {
        PackLane(self)
    }

    /// Whether the repository holds the object already.
    package func holds(_ id: ObjectID) -> Bool {
        existing.contains(id)
    }

    /// The entries of a tree that is in this pack and not yet in the repository, nil when it is not.
    package func newTree(_ id: ObjectID) throws -> [TreeEntry]? {
        guard let contents = trees.withLock({ $0[id] }) else { return nil }
        return try Tree.entries(contents, of: id)
    }

    @unsafe fileprivate func keep(_ id: ObjectID, _ contents: UnsafeRawBufferPointer) {
        guard keepsTrees else { return }
        let copy = unsafe Array(contents)
        trees.withLock { $0[id] = copy }
    }

    /// Whether the object needs no writing; from then on the caller must write it.
    fileprivate func isKnown(_ id: ObjectID) throws -> Bool {
        let isNew = written[Int(id.firstByte) % written.count].value.withLock { $0.insert(id).inserted }
        guard isNew else { return true }
        return existing.contains(id)
    }

    @unsafe fileprivate func append(_ bytes: UnsafeRawBufferPointer, records local: [Record])
        throws(FileFailure)
    {
        let offset = nextOffset.add(Int64(bytes.count), ordering: .relaxed).oldValue
        try unsafe writeAll(bytes, at: offset)
        // Start writing to the disk now, so that the sync at the end has little left to do.
        Files.startWriteback(descriptor, offset: offset, count: bytes.count)
        records.withLock { all in
            for record in local {
                all.append(Record(id: record.id, crc: record.crc, offset: record.offset + offset))
            }
        }
    }

    @unsafe private func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileFailure) {
        var done = 0
        while done < bytes.count {
            done += try systemCall("write", temporary.byteArray) {
                unsafe pwrite(
                    descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done,
                    off_t(offset) + done)
            }
        }
    }

    /// Completes the pack and makes it part of the repository, durably; returns the number of objects in it.
    ///
    /// Every lane must have been flushed. A pack without objects is dropped. The order is that of docs/design.md: pack,
    /// sync, index, sync, names, sync of the directory.
    package func finish() throws -> Int {
        let sorted = PackIndexWriter.sorted(records.withLock { $0 })
        guard !sorted.isEmpty else {
            try Files.remove(temporary)
            return 0
        }
        var header: [UInt8] = Array("PACK".utf8) + bigEndian(UInt32(2)) + bigEndian(UInt32(sorted.count))
        try unsafe header.withUnsafeMutableBytes { try unsafe writeAll(UnsafeRawBufferPointer($0), at: 0) }
        let end = nextOffset.load(ordering: .relaxed)
        let checksum = try checksum(upTo: end)
        try unsafe checksum.withUnsafeBytes { try unsafe writeAll($0, at: end) }
        try systemCall("sync", temporary.byteArray) { fsync(descriptor) }

        try Files.createDurably(
            temporaryIndex, PackIndexWriter.contents(sorted, packChecksum: checksum), mode: 0o444)
        let name = "pack-\(hex(checksum))"
        try Files.rename(temporary, to: packDirectory.appending("\(name).pack"))
        try Files.rename(temporaryIndex, to: packDirectory.appending("\(name).idx"))
        try Files.syncDirectory(packDirectory)
        return sorted.count
    }

    /// Drops the pack.
    package func abandon() throws(FileFailure) {
        try Files.remove(temporary)
    }

    /// SHA-1 of the pack so far: the count in the header is only known at the end, so the pack is read back in windows.
    private func checksum(upTo end: Int64) throws(FileFailure) -> [UInt8] {
        var hash = SHA1()
        let window = 1 << 22
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: window, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        var offset: Int64 = 0
        while offset < end {
            let wanted = min(window, Int(end - offset))
            let count = try systemCall("read", temporary.byteArray) {
                unsafe pread(descriptor, buffer.baseAddress, wanted, off_t(offset))
            }
            guard count > 0 else { throw FileFailure("read", temporary, .ioError) }
            unsafe hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += Int64(count)
        }
        return hash.finish()
    }
}

extension Mutex where Value: ~Copyable {
    /// A mutex in a box: an array cannot hold a noncopyable value.
    final class Box: Sendable {
        let value: Mutex<Value>

        init(_ value: consuming sending Value) {
            self.value = Mutex(value)
        }
    }
}

/// One thread's way into a ``PackWriter``.
@safe package final class PackLane: ObjectLane {
    /// A lane is flushed when it holds this much; large writes keep the disk busy, small ones the memory low.
    private static let flushSize = 1 << 22

    private let writer: PackWriter
    private let compressor = Compressor()
    private var buffer: UnsafeMutableRawBufferPointer
    private var used = 0
    private var records: [PackWriter.Record] = []

    fileprivate init(_ writer: PackWriter) {
        self.writer = writer
        unsafe buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * Self.flushSize, alignment: 4096)
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// Takes an object, writes it unless the repository or this pack holds it already, and returns its id.
    @unsafe package func add(
        _ kind: ObjectKind, _ contents: UnsafeRawBufferPointer, stores: Bool
    ) throws -> ObjectID {
        let id = unsafe ObjectID.of(kind, contents)
        guard try !writer.isKnown(id) else { return id }
        if kind == .tree { unsafe writer.keep(id, contents) }
        let room = compressor.bound(contents.count) + 16
        if unsafe used + room > buffer.count { try flush() }
        if unsafe room > buffer.count {
            unsafe buffer.deallocate()
            unsafe buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 4096)
        }
        let start = used
        appendHeader(kind, contents.count)
        used += unsafe compressor.compress(
            contents, into: UnsafeMutableRawBufferPointer(rebasing: buffer[used...]), stores: stores)
        let crc = unsafe crc32(UnsafeRawBufferPointer(rebasing: buffer[start..<used]))
        records.append(PackWriter.Record(id: id, crc: crc, offset: Int64(start)))
        if used >= Self.flushSize { try flush() }
        return id
    }

    /// The kind and length of an object: three bits, four bits, then seven bits a byte.
    private func appendHeader(_ kind: ObjectKind, _ count: Int) {
        var byte = kind.rawValue << 4 | UInt8(count & 15)
        var rest = count >> 4
        while rest > 0 {
            unsafe buffer[used] = byte | 0x80
            used += 1
            byte = UInt8(rest & 0x7f)
            rest >>= 7
        }
        unsafe buffer[used] = byte
        used += 1
    }

    /// Hands everything gathered to the pack; must be called before ``PackWriter/finish()``.
    package func flush() throws {
        guard used > 0 else { return }
        try unsafe writer.append(UnsafeRawBufferPointer(rebasing: buffer[..<used]), records: records)
        used = 0
        records.removeAll(keepingCapacity: true)
    }
}

func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
    unsafe withUnsafeBytes(of: number.bigEndian) { unsafe Array($0) }
}
