internal import Cryptography
internal import FileTree
internal import Git
internal import SnapshotModel
internal import SystemPackage

/// Last night's directories and files of one root, mapped: what still has its inode, size and times is not read again.
///
/// A table of ``DirectoryRecord``, one of ``EntryRecord`` and the bytes of names in one file, checked by a checksum; it
/// may be deleted at any time, and a damaged one, or one of another host or policy, is as good as none. A record counts
/// only when its times lie before the night that wrote it, by git's rule for racy timestamps: a later change then
/// always shows.
@safe final class StatCache: Sendable {
    private static let magic: UInt64 = 0x5544_5354_4154_0003
    private static let headerSize = 128

    @unsafe private enum Storage {
        case mapped(MappedFile)
        case owned(UnsafeMutableRawBufferPointer)
    }

    /// The records, in memory that `storage` keeps.
    @unsafe private struct Tables {
        var directories = unsafe UnsafeBufferPointer<DirectoryRecord>(start: nil, count: 0)
        var entries = unsafe UnsafeBufferPointer<EntryRecord>(start: nil, count: 0)
        var bytes = unsafe UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    }

    // Written before anything else sees it, and never again.
    private nonisolated(unsafe) let storage: Storage?
    private nonisolated(unsafe) let tables: Tables
    /// Whether the names of users and groups are what they were, so that manifest lines still say the truth.
    let hasSameOwners: Bool

    /// A cache that knows nothing.
    init() {
        unsafe storage = nil
        unsafe tables = Tables()
        hasSameOwners = true
    }

    /// Maps a cache; one that is missing, damaged, or of another `fingerprint` knows nothing.
    convenience init(_ path: FilePath, fingerprint: [UInt8]) throws(FileFailure) {
        guard let status = try Files.status(path), status.kind == .file, status.size > 0 else {
            self.init()
            return
        }
        let file = try MappedFile(path)
        unsafe self.init(.mapped(file), file.bytes, fingerprint)
    }

    /// The cache that these bytes are; they are copied.
    convenience init(bytes: [UInt8], fingerprint: [UInt8]) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 16)
        unsafe copy.copyBytes(from: bytes)
        unsafe self.init(
            .owned(copy), UnsafeRawBufferPointer(rebasing: copy[..<bytes.count]), fingerprint)
    }

    deinit {
        if case .owned(let buffer) = unsafe storage { unsafe buffer.deallocate() }
    }

    @unsafe private init(_ storage: Storage, _ all: UnsafeRawBufferPointer, _ fingerprint: [UInt8]) {
        // One that is not believed only keeps the memory until it goes.
        unsafe self.storage = storage
        guard let counts = unsafe Self.counts(all, fingerprint) else {
            unsafe tables = Tables()
            hasSameOwners = true
            return
        }
        let firstEntry = Self.headerSize + counts.directories * MemoryLayout<DirectoryRecord>.stride
        let firstByte = firstEntry + counts.entries * MemoryLayout<EntryRecord>.stride
        let found = unsafe Tables(
            directories: UnsafeRawBufferPointer(rebasing: all[Self.headerSize..<firstEntry])
                .bindMemory(to: DirectoryRecord.self),
            entries: UnsafeRawBufferPointer(rebasing: all[firstEntry..<firstByte])
                .bindMemory(to: EntryRecord.self),
            bytes: UnsafeRawBufferPointer(rebasing: all[firstByte...]).bindMemory(to: UInt8.self))
        let owners = unsafe Self.owners(found)
        unsafe tables = owners == nil ? Tables() : found
        hasSameOwners = unsafe owners?.digest.elementsEqual(all[64..<96]) ?? true
    }

    /// The record of the root directory, nil when nothing is known.
    var root: Int? { unsafe tables.directories.isEmpty ? nil : 0 }

    /// What is known of a directory.
    func directory(_ index: Int) -> DirectoryRecord { unsafe tables.directories[index] }

    /// Lends the entries of a directory, and the bytes that hold their names.
    func withEntries<Result, Failure: Error>(
        of index: Int, _ body: (Span<EntryRecord>, Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let record = unsafe tables.directories[index]
        let range = Int(record.firstEntry)..<(Int(record.firstEntry) + Int(record.entryCount))
        let slice = unsafe UnsafeBufferPointer(rebasing: tables.entries[range])
        return try unsafe body(Span(_unsafeElements: slice), Span(_unsafeElements: tables.bytes))
    }

    // MARK: - The file

    private static func counts(
        _ all: UnsafeRawBufferPointer, _ fingerprint: [UInt8]
    ) -> (directories: Int, entries: Int)? {
        guard all.count >= headerSize, unsafe all.load(as: UInt64.self) == magic,
            unsafe all.load(fromByteOffset: 8, as: UInt64.self) == checksum(all),
            unsafe all[32..<64].elementsEqual(fingerprint)
        else { return nil }
        let directories = unsafe all.load(fromByteOffset: 16, as: UInt64.self)
        let entries = unsafe all.load(fromByteOffset: 24, as: UInt64.self)
        let limit = UInt64(all.count)
        guard directories <= limit, entries <= limit,
            UInt64(headerSize) + directories * UInt64(MemoryLayout<DirectoryRecord>.stride) + entries
                * UInt64(MemoryLayout<EntryRecord>.stride) <= limit
        else { return nil }
        return (Int(directories), Int(entries))
    }

    private static func checksum(_ all: UnsafeRawBufferPointer) -> UInt64 {
        unsafe UInt64(crc32(UnsafeRawBufferPointer(rebasing: all[16...])))
    }

    /// The owners of all records; nil when a record points outside of the tables, so that none of them is believed.
    private static func owners(_ tables: Tables) -> OwnerNumbers? {
        let byteCount = unsafe tables.bytes.count
        var owners = OwnerNumbers()
        let classes = EntryRecord.classes.count
        for index in unsafe tables.directories.indices {
            let record = unsafe tables.directories[index]
            let end = Int(record.firstEntry) + Int(record.entryCount)
            guard unsafe end <= tables.entries.count, Int(record.own.classNumber) < classes,
                Int(record.own.nameStart) + Int(record.own.nameCount) + Int(record.own.extraCount)
                    <= byteCount
            else { return nil }
            owners.insert(record.own)
            for position in Int(record.firstEntry)..<end {
                let entry = unsafe tables.entries[position]
                guard let kind = EntryRecord.Kind(rawValue: entry.kindNumber),
                    Int(entry.classNumber) < classes, entry.nameCount > 0,
                    Int(entry.nameStart) + Int(entry.nameCount) + Int(entry.extraCount) <= byteCount
                else { return nil }
                // A directory comes after the one that holds it, so that there is no way round.
                if kind == .directory {
                    guard Int(entry.directory) > index, unsafe Int(entry.directory) < tables.directories.count
                    else {
                        return nil
                    }
                } else {
                    owners.insert(entry)
                }
            }
        }
        return owners
    }

    /// The bytes of a cache of a walked tree; empty when it is too large for one.
    static func encoded(_ root: DirectoryNode, fingerprint: [UInt8]) -> [UInt8] {
        var nodes = [root]
        var entryCount = 0
        var byteCount = 0
        var next = 0
        while next < nodes.count {
            let node = nodes[next]
            next += 1
            byteCount += node.extra.encoded.count
            node.withEntries { records, _ in
                entryCount += records.count
                for index in records.indices {
                    byteCount += Int(records[index].nameCount) + Int(records[index].extraCount)
                }
            }
            nodes.append(contentsOf: node.children)
        }
        guard byteCount < UInt32.max, entryCount < UInt32.max else { return [] }
        let firstEntry = headerSize + nodes.count * MemoryLayout<DirectoryRecord>.stride
        let firstByte = firstEntry + entryCount * MemoryLayout<EntryRecord>.stride
        var file = unsafe [UInt8](unsafeUninitializedCapacity: firstByte + byteCount) { buffer, count in
            let all = UnsafeMutableRawBufferPointer(buffer)
            unsafe all.initializeMemory(as: UInt8.self, repeating: 0)
            unsafe all.storeBytes(of: magic, as: UInt64.self)
            unsafe all.storeBytes(of: UInt64(nodes.count), toByteOffset: 16, as: UInt64.self)
            unsafe all.storeBytes(of: UInt64(entryCount), toByteOffset: 24, as: UInt64.self)
            unsafe UnsafeMutableRawBufferPointer(rebasing: all[32..<64]).copyBytes(from: fingerprint)
            let owners = unsafe fill(
                all[headerSize..<firstEntry], all[firstEntry..<firstByte], all[firstByte...], with: nodes)
            unsafe UnsafeMutableRawBufferPointer(rebasing: all[64..<96]).copyBytes(from: owners.digest)
            count = all.count
        }
        setChecksum(of: &file)
        return file
    }

    /// Fills the three tables with directories, each after the one that holds it.
    private static func fill(
        _ directories: Slice<UnsafeMutableRawBufferPointer>, _ entries: Slice<UnsafeMutableRawBufferPointer>,
        _ bytes: Slice<UnsafeMutableRawBufferPointer>, with nodes: [DirectoryNode]
    ) -> OwnerNumbers {
        let directories = unsafe UnsafeMutableRawBufferPointer(rebasing: directories)
            .bindMemory(to: DirectoryRecord.self)
        let entries = unsafe UnsafeMutableRawBufferPointer(rebasing: entries).bindMemory(to: EntryRecord.self)
        let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes)
        var owners = OwnerNumbers()
        var entryCount = 0
        var byteCount = 0
        var nextChild = 1
        func append(_ piece: some Collection<UInt8>) -> UInt32 {
            let start = byteCount
            byteCount += piece.count
            unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start..<byteCount]).copyBytes(from: piece)
            return UInt32(start)
        }
        for (index, node) in nodes.enumerated() {
            var record = node.record
            record.firstEntry = UInt32(entryCount)
            record.own.nameCount = 0
            let extra = node.extra.encoded
            record.own.extraCount = UInt32(extra.count)
            record.own.nameStart = append(extra)
            owners.insert(record.own)
            node.withEntries { records, names in
                record.entryCount = UInt32(records.count)
                for position in records.indices {
                    var entry = records[position]
                    let start = Int(entry.nameStart)
                    let end = start + Int(entry.nameCount) + Int(entry.extraCount)
                    entry.nameStart = unsafe names.withUnsafeBufferPointer { unsafe append($0[start..<end]) }
                    if entry.kind == .directory {
                        entry.directory = UInt32(nextChild)
                        nextChild += 1
                    } else {
                        owners.insert(entry)
                    }
                    unsafe entries[entryCount] = entry
                    entryCount += 1
                }
            }
            unsafe directories[index] = record
        }
        return owners
    }

    /// Writes the checksum of a cache's bytes into them.
    static func setChecksum(of bytes: inout [UInt8]) {
        unsafe bytes.withUnsafeMutableBytes { all in
            unsafe all.storeBytes(
                of: checksum(UnsafeRawBufferPointer(all)), toByteOffset: 8, as: UInt64.self)
        }
    }
}

/// The users and groups that own anything, and a digest of what they are called here.
private struct OwnerNumbers {
    private var users: Set<UInt32> = []
    private var groups: Set<UInt32> = []
    private var last: (user: UInt32, group: UInt32)?

    mutating func insert(_ record: EntryRecord) {
        if let last, last.user == record.owner, last.group == record.group { return }
        last = (record.owner, record.group)
        users.insert(record.owner)
        groups.insert(record.group)
    }

    var digest: [UInt8] {
        let lines =
            users.sorted().map { "u \($0) \(Accounts.userName($0))\n" }
            + groups.sorted().map { "g \($0) \(Accounts.groupName($0))\n" }
        return SHA256.digest(Array(lines.joined().utf8))
    }
}
