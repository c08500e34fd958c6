internal import Cryptography
internal import FileTree
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// A pack on its way: lanes append to it at an offset taken from one counter, so that they never wait for each other.
final class PackFile: Sendable {
    struct Record {
        var id: ObjectID
        var crc: UInt32
        var offset: Int64
    }

    /// How the names of unfinished packs and indexes begin; git would take anything that ends in `.idx` for an index,
    /// and takes stale files of these prefixes away by itself, as our next writer does.
    static let temporaryPrefixes = ["tmp_pack_understudy_", "tmp_idx_understudy_"]

    private let directory: FilePath
    private let temporary: FilePath
    private let temporaryIndex: FilePath
    private let descriptor: CInt
    private let nextOffset = Atomic<Int64>(12)
    private let records = Mutex<[Record]>([])

    init(in directory: FilePath) throws(FileFailure) {
        self.directory = directory
        let number = UInt64.random(in: 0...UInt64.max)
        temporary = directory.appending("\(Self.temporaryPrefixes[0])\(number)")
        temporaryIndex = directory.appending("\(Self.temporaryPrefixes[1])\(number)")
        descriptor = try Files.createExclusively(temporary, mode: 0o444)
    }

    deinit {
        close(descriptor)
    }

    /// Bytes so far.
    var size: Int64 { nextOffset.load(ordering: .relaxed) }

    /// Adds objects; the offsets of `local` are those in `bytes`.
    @unsafe func append(_ bytes: UnsafeRawBufferPointer, records local: [Record]) throws(FileFailure) {
        let offset = nextOffset.add(Int64(bytes.count), ordering: .relaxed).oldValue
        try unsafe writeAll(bytes, to: descriptor, at: offset, path: temporary)
        // Start writing to the disk now, so that the sync at the end has little left to do.
        Files.startWriteback(descriptor, offset: offset, count: bytes.count)
        records.withLock { all in
            for record in local {
                all.append(Record(id: record.id, crc: record.crc, offset: record.offset + offset))
            }
        }
    }

    /// Completes the pack and its index, both synced, and gives them their names; durable when the directory is synced.
    ///
    /// A pack without objects is dropped. Returns the number of objects.
    func finish() throws -> Int {
        let sorted = PackIndexWriter.sorted(records.withLock { $0 })
        guard !sorted.isEmpty else {
            try abandon()
            return 0
        }
        let header: [UInt8] = Array("PACK".utf8) + bigEndian(UInt32(2)) + bigEndian(UInt32(sorted.count))
        try unsafe header.withUnsafeBytes { try unsafe writeAll($0, to: descriptor, at: 0, path: temporary) }
        let checksum = try checksum()
        try unsafe checksum.withUnsafeBytes {
            try unsafe writeAll($0, to: descriptor, at: size, path: temporary)
        }
        try systemCall("sync", temporary.byteArray) { fsync(descriptor) }
        try Files.createDurably(
            temporaryIndex, PackIndexWriter.contents(sorted, packChecksum: checksum), mode: 0o444)
        let name = "pack-\(hex(checksum))"
        try Files.rename(temporary, to: directory.appending("\(name).pack"))
        try Files.rename(temporaryIndex, to: directory.appending("\(name).idx"))
        return sorted.count
    }

    /// Drops the pack.
    func abandon() throws(FileFailure) {
        try Files.remove(temporary)
    }

    /// SHA-1 of the pack so far, read back in windows that stay in the processor's cache: the count in its header, which is
    /// hashed first, is only known at the end.
    private func checksum() throws(FileFailure) -> [UInt8] {
        var hash = SHA1()
        let window = 1 << 18
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: window, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        var offset: Int64 = 0
        while offset < size {
            let wanted = min(window, Int(size - offset))
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
