internal import Cryptography
internal import FileTree
internal import Glibc
internal import Synchronization
internal import SystemPackage
internal import Workers

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

    /// So many bytes after the last one a pack is synced, beside the writing.
    ///
    /// A disk takes what it is given into a cache of its own, and a sync waits until all of that is written: done only once, at
    /// the end, that was a fifth of a first snapshot.
    private static let syncedSize: Int64 = 1 << 24

    private let directory: FilePath
    private let temporary: FilePath
    private let temporaryIndex: FilePath
    private let descriptor: CInt
    /// When it is said to have been changed last, in seconds since 1970; nil for when it was.
    private let time: Int64?
    private let nextOffset = Atomic<Int64>(12)
    private let records = Mutex<[Record]>([])
    /// The last sync beside the writing, and what had been written when it began.
    private let earlySync = Mutex<(work: Background<Void>?, size: Int64)>((nil, 0))

    init(in directory: FilePath, time: Int64? = nil) throws(FileFailure) {
        self.directory = directory
        self.time = time
        let number = UInt64.random(in: 0...UInt64.max)
        temporary = directory.appending("\(Self.temporaryPrefixes[0])\(number)")
        temporaryIndex = directory.appending("\(Self.temporaryPrefixes[1])\(number)")
        descriptor = try Files.createExclusively(temporary, mode: 0o444)
    }

    deinit {
        // A sync that is under way needs the descriptor.
        earlySync.withLock { $0.work = nil }
        close(descriptor)
    }

    /// Bytes so far.
    var size: Int64 { nextOffset.load(ordering: .relaxed) }

    /// Adds objects; the offsets of `local` are those in `bytes`.
    @unsafe func append(_ bytes: UnsafeRawBufferPointer, records local: [Record]) throws {
        let offset = nextOffset.add(Int64(bytes.count), ordering: .relaxed).oldValue
        try unsafe writeAll(bytes, to: descriptor, at: offset, path: temporary)
        // Start writing to the disk now, so that the sync at the end has little left to do.
        Files.startWriteback(descriptor, offset: offset, count: bytes.count)
        records.withLock { all in
            for record in local {
                all.append(Record(id: record.id, crc: record.crc, offset: record.offset + offset))
            }
        }
        try syncEarly(offset + Int64(bytes.count))
    }

    /// Begins a sync of a pack of `size` bytes when there is much new in it and none is under way.
    private func syncEarly(_ size: Int64) throws {
        try earlySync.withLock { last in
            guard size - last.size >= Self.syncedSize, last.work?.isDone ?? true else { return }
            // What failed once may well succeed the next time, with the bytes lost.
            try last.work?.wait()
            last = (Background { [descriptor, temporary] in try Files.sync(descriptor, temporary) }, size)
        }
    }

    /// Completes a pack or two and their indexes, all synced, and gives them their names; durable when the directory is synced.
    ///
    /// Packs without objects are dropped. Two checksums take little longer than one. Returns where they are and how many
    /// objects they hold; a pack of the same bytes, which has the same name, is replaced.
    static func finish(_ files: [PackFile]) throws -> [(pack: FilePath, objects: Int)] {
        let files = try files.filter { file in
            let isEmpty = file.records.withLock { $0.isEmpty }
            if isEmpty { try file.abandon() }
            return !isEmpty
        }
        for file in files { try file.writeHeader() }
        let checksums = try checksums(of: files)
        return try zip(files, checksums).map { try $0.finish($1) }
    }

    private func writeHeader() throws {
        let count = records.withLock { $0.count }
        let header: [UInt8] = Array("PACK".utf8) + bigEndian(UInt32(2)) + bigEndian(UInt32(count))
        try unsafe header.withUnsafeBytes { try unsafe writeAll($0, to: descriptor, at: 0, path: temporary) }
    }

    private func finish(_ checksum: [UInt8]) throws -> (pack: FilePath, objects: Int) {
        let sorted = PackIndexWriter.sorted(records.withLock { $0 })
        try unsafe checksum.withUnsafeBytes {
            try unsafe writeAll($0, to: descriptor, at: size, path: temporary)
        }
        Files.startWriteback(descriptor, offset: size, count: checksum.count)
        // Once it is on its way too, the sync of the pack takes it along: what is left of its own is short.
        let index = try Files.create(
            temporaryIndex, PackIndexWriter.contents(sorted, packChecksum: checksum), mode: 0o444)
        defer { close(index) }
        if let time { try Files.setModified(descriptor, temporary, seconds: time) }
        try earlySync.withLock { try $0.work?.wait() }
        try Files.sync(descriptor, temporary)
        try Files.sync(index, temporaryIndex)
        let name = "pack-\(hex(checksum))"
        let pack = directory.appending("\(name).pack")
        try Files.rename(temporary, to: pack)
        try Files.rename(temporaryIndex, to: directory.appending("\(name).idx"))
        return (pack, sorted.count)
    }

    /// Drops the pack.
    func abandon() throws(FileFailure) {
        try Files.remove(temporary)
    }

    /// SHA-1 of each of at most two packs so far: the count in its header, which is hashed first, is only known at the end.
    private static func checksums(of files: [PackFile]) throws -> [[UInt8]] {
        precondition(files.count <= 2, "hashes are made two at a time")
        let packs = files.map { ReadBack($0) }
        // The shorter pack has nothing more while the longer one goes on.
        while try packs.reduce(false, { try $1.next() || $0 }) {
            if packs.count == 2 {
                unsafe update(&packs[0].hash, packs[0].bytes, &packs[1].hash, packs[1].bytes)
            } else {
                unsafe packs[0].hash.update(packs[0].bytes)
            }
        }
        return packs.map { $0.hash.finish() }
    }

    /// A pack that is read back, in windows that stay in the processor's cache.
    @safe private final class ReadBack {
        private static let windowSize = 1 << 17

        private let file: PackFile
        private let window = UnsafeMutableRawBufferPointer.allocate(
            byteCount: windowSize, alignment: 4096)
        private var offset: Int64 = 0
        /// What was read last; empty at the end.
        private(set) var bytes = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        var hash = SHA1()

        init(_ file: PackFile) {
            self.file = file
        }

        deinit {
            unsafe window.deallocate()
        }

        /// Reads on; false at the end.
        func next() throws(FileFailure) -> Bool {
            let count = Int(min(Int64(Self.windowSize), file.size - offset))
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: window[..<count])
            let read = try unsafe readAll(into: part, from: file.descriptor, at: offset, path: file.temporary)
            guard read == count else { throw FileFailure("read", file.temporary, .ioError) }
            unsafe bytes = UnsafeRawBufferPointer(part)
            offset += Int64(count)
            return count > 0
        }
    }
}
