package import FileTree
internal import Glibc
internal import Synchronization
internal import SystemPackage
internal import Workers

/// Writes objects from many threads at once, into one pack or, when there is much, into up to two for each thread.
///
/// Each thread has a ``PackLane`` that hashes, compresses and gathers objects. Nothing can be seen in the repository before
/// ``finish()``.
package final class PackWriter: Sendable {
    /// From this size on, in bytes, there is another pack: a pack's checksum is one pass over all of it, in order, and
    /// several packs take that pass at once, two on each thread.
    private static let sharedSize = 1 << 25

    private let packDirectory: FilePath
    private let files: Mutex<[PackFile]>
    private let written: [Mutex<Set<ObjectID>>.Box]
    let repository: ObjectReader
    let keepsTrees: Bool
    private let rewrites: Bool
    /// What makes its packs the newest ones, which we and git look into first; nil where they take no damaged copy's place.
    private let time: Int64?
    private let trees = Mutex<[ObjectID: [UInt8]]>([:])

    /// Begins to write to the repository that `existing` reads; objects that are there already are not written again.
    ///
    /// With `keepsTrees` new trees can be read by ``newTree(_:)`` before the end. With `rewrites` what is there is written
    /// all the same: it is damaged, and the new copy takes its place.
    package init(
        _ existing: ObjectReader, keepsTrees: Bool = false, rewrites: Bool = false
    ) throws(FileFailure) {
        repository = existing
        self.keepsTrees = keepsTrees
        self.rewrites = rewrites
        packDirectory = existing.repository.appending("objects").appending("pack")
        // Nor older than it is: `git gc` keeps what nothing reaches yet for two weeks.
        time =
            rewrites || !existing.lostObjects.isEmpty
            ? existing.newestPack.map { max($0 + 1, Int64(Glibc.time(nil))) } : nil
        files = Mutex([try PackFile(in: packDirectory, time: time)])
        written = (0..<64).map { _ in Mutex<Set<ObjectID>>.Box([]) }
    }

    /// How the names of unfinished packs and indexes begin.
    package static var temporaryPrefixes: [String] { PackFile.temporaryPrefixes }

    /// A lane for one thread.
    package func lane() -> PackLane {
        PackLane(self)
    }

    /// Whether the repository holds the object already.
    package func holds(_ id: ObjectID) -> Bool {
        repository.contains(id)
    }

    /// The entries of a tree that was given and is not yet in the repository, nil when it is not such a tree.
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
        // Asked first, so that in a night the set does not come to hold what did not change.
        if !rewrites, repository.contains(id) { return true }
        return !written[Int(id.firstByte) % written.count].value.withLock { $0.insert(id).inserted }
    }

    /// The pack to append to: the shortest, once there are several.
    fileprivate func shortestFile() throws(FileFailure) -> PackFile {
        try files.withLock { (files) throws(FileFailure) in
            let shortest = files.min { $0.size < $1.size }
            if let shortest, shortest.size < Self.sharedSize || files.count == 2 * usualThreads {
                return shortest
            }
            let file = try PackFile(in: packDirectory, time: time)
            files.append(file)
            return file
        }
    }

    /// Completes what was written and makes it part of the repository, durably; returns the number of objects.
    ///
    /// Every lane must have been flushed. The order is that of docs/design.md: pack, index, sync of both, names, sync of
    /// the directory.
    package func finish() throws -> Int {
        let count = Atomic<Int>(0)
        // Neighbours by size go together, so that the longer one is not left alone for long.
        let files = files.withLock { $0 }.sorted { $0.size < $1.size }
        let together = files.count > usualThreads ? 2 : 1
        let work = WorkStack<[PackFile]>(threads: usualThreads)
        work.push(
            stride(from: 0, to: files.count, by: together).map {
                Array(files[$0..<min($0 + together, files.count)])
            })
        try work.run(
            start: { _ in () },
            body: { files, _ in
                for (_, objects) in try PackFile.finish(files) { count.add(objects, ordering: .relaxed) }
            },
            end: { _ in })
        let total = count.load(ordering: .relaxed)
        if total > 0 { try Files.syncDirectory(packDirectory) }
        return total
    }

    /// Drops what was written.
    package func abandon() throws(FileFailure) {
        for file in files.withLock({ $0 }) { try file.abandon() }
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
    private var records: [PackFile.Record] = []

    fileprivate init(_ writer: PackWriter) {
        self.writer = writer
        unsafe buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * Self.flushSize, alignment: 4096)
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// Takes an object and writes it unless the repository or this pack holds it already.
    @unsafe package func add(
        _ id: ObjectID, _ kind: ObjectKind, _ contents: UnsafeRawBufferPointer, stores: Bool
    ) throws {
        guard try !writer.isKnown(id) else { return }
        if kind == .tree { unsafe writer.keep(id, contents) }
        let room = compressor.bound(contents.count) + 16
        if unsafe used + room > buffer.count { try flush() }
        if unsafe room > buffer.count {
            unsafe buffer.deallocate()
            unsafe buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 4096)
        }
        let start = used
        used += unsafe RecordHeader.write(
            type: kind.rawValue, count: contents.count,
            to: UnsafeMutableRawBufferPointer(rebasing: buffer[used...]))
        used += unsafe compressor.compress(
            contents, into: UnsafeMutableRawBufferPointer(rebasing: buffer[used...]), stores: stores)
        let crc = unsafe crc32(UnsafeRawBufferPointer(rebasing: buffer[start..<used]))
        records.append(PackFile.Record(id: id, crc: crc, offset: Int64(start)))
        if used >= Self.flushSize { try flush() }
    }

    /// Hands everything gathered to the pack; must be called before ``PackWriter/finish()``.
    package func flush() throws {
        guard used > 0 else { return }
        let file = try writer.shortestFile()
        try unsafe file.append(UnsafeRawBufferPointer(rebasing: buffer[..<used]), records: records)
        used = 0
        records.removeAll(keepingCapacity: true)
    }
}

func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
    unsafe withUnsafeBytes(of: number.bigEndian) { unsafe Array($0) }
}
