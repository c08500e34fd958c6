internal import Cryptography
internal import FileTree
internal import Git
internal import SnapshotModel
internal import Synchronization
internal import SystemPackage
internal import Workers

/// Last night's directories and files of one root, mapped: what still has its inode, size and times is not read again.
///
/// A table of ``DirectoryRecord``, one of ``EntryRecord`` and the bytes of names in one file, checked by a checksum; it
/// may be deleted at any time, and a damaged one, or one of another host or policy, is as good as none. A record counts
/// only when its times lie a minute before the night that wrote it, by git's rule for racy timestamps and more: a later
/// change then always shows.
@safe final class StatCache: Sendable {
    static let magic: UInt64 = 0x5544_5354_4154_0003
    static let headerSize = 128

    /// The records, in memory that `file` keeps.
    @unsafe private struct Tables {
        var directories = unsafe UnsafeBufferPointer<DirectoryRecord>(start: nil, count: 0)
        var entries = unsafe UnsafeBufferPointer<EntryRecord>(start: nil, count: 0)
        var bytes = unsafe UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    }

    private let file: MappedFile?
    // Written before anything else sees it, and never again.
    private nonisolated(unsafe) let tables: Tables
    /// Whether the names of users and groups are what they were, so that manifest lines still say the truth.
    let hasSameOwners: Bool
    /// Bytes of records that were lent since the mapping was let go.
    private let lentCount = Atomic<Int>(0)
    /// The mapping is let go whenever this much of it may be in memory: what is gone through once need not stay.
    private static let mostLent = 1 << 22

    /// A cache that knows nothing.
    init() {
        file = nil
        unsafe tables = Tables()
        hasSameOwners = true
    }

    /// Maps a cache; one that is missing, damaged, or of another `fingerprint` knows nothing.
    convenience init(_ path: FilePath, fingerprint: [UInt8]) throws(FileFailure) {
        guard let status = try Files.status(path), status.kind == .file, status.size > 0 else {
            self.init()
            return
        }
        self.init(try MappedFile(path), fingerprint)
    }

    private init(_ file: MappedFile, _ fingerprint: [UInt8]) {
        let all = unsafe file.bytes
        guard let counts = Self.counts(file, fingerprint) else {
            self.file = nil
            unsafe tables = Tables()
            hasSameOwners = true
            return
        }
        let firstEntry = Self.headerSize + counts.directories * MemoryLayout<DirectoryRecord>.stride
        let firstByte = firstEntry + counts.entries * MemoryLayout<EntryRecord>.stride
        nonisolated(unsafe) let found = unsafe Tables(
            directories: UnsafeRawBufferPointer(rebasing: all[Self.headerSize..<firstEntry])
                .bindMemory(to: DirectoryRecord.self),
            entries: UnsafeRawBufferPointer(rebasing: all[firstEntry..<firstByte])
                .bindMemory(to: EntryRecord.self),
            bytes: UnsafeRawBufferPointer(rebasing: all[firstByte...]).bindMemory(to: UInt8.self))
        // Either goes through all of it.
        let (isWhole, allOwners) = together({ Self.isWhole(file) }, { unsafe Self.owners(found, in: file) })
        let staysWhole = file.mustNotLose(hint: "remove it: the next snapshot reads every file again")
        let owners = isWhole && staysWhole ? allOwners : nil
        self.file = owners == nil ? nil : file
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
        let count = range.count * MemoryLayout<EntryRecord>.stride
        // Whoever still reads what goes has it again from the file.
        if lentCount.add(count, ordering: .relaxed).newValue >= Self.mostLent {
            lentCount.store(0, ordering: .relaxed)
            file?.forget()
        }
        return try unsafe body(Span(_unsafeElements: slice), Span(_unsafeElements: tables.bytes))
    }

    // MARK: - Directories of a walk that began with this cache

    /// What is known of a directory now.
    func record(of directory: WalkedDirectory) -> DirectoryRecord {
        switch directory {
        case .node(let node): node.record
        case .known(let index): self.directory(index)
        }
    }

    /// What a directory itself has of what few entries have, encoded.
    func extra(of directory: WalkedDirectory) -> [UInt8] {
        switch directory {
        case .node(let node): node.extra.encoded
        case .known(let index):
            withEntries(of: index) { _, bytes in bytes.extra(of: self.directory(index).own) }
        }
    }

    /// Lends the entries of a directory, and the bytes that hold their names.
    func withEntries<Result, Failure: Error>(
        of directory: WalkedDirectory, _ body: (Span<EntryRecord>, Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch directory {
        case .node(let node): try node.withEntries(body)
        case .known(let index): try withEntries(of: index, body)
        }
    }

    // MARK: - The file

    private static func counts(
        _ file: MappedFile, _ fingerprint: [UInt8]
    ) -> (directories: Int, entries: Int)? {
        let all = unsafe file.bytes
        guard all.count >= headerSize, unsafe all.load(as: UInt64.self) == magic,
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

    /// Whether its checksum is what it says.
    private static func isWhole(_ file: MappedFile) -> Bool {
        let all = unsafe file.bytes
        var crc: UInt32 = 0
        for start in stride(from: 16, to: all.count, by: mostLent) {
            let end = min(start + mostLent, all.count)
            unsafe crc = crc32(UnsafeRawBufferPointer(rebasing: all[start..<end]), after: crc)
            file.forget()
        }
        return unsafe all.load(fromByteOffset: 8, as: UInt64.self) == UInt64(crc)
    }

    /// The owners of all records; nil when a record points outside of the tables, so that none of them is believed.
    private static func owners(_ tables: Tables, in file: MappedFile) -> OwnerNumbers? {
        defer { file.forget() }
        var lentCount = 0
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
            lentCount += Int(record.entryCount) * MemoryLayout<EntryRecord>.stride
            if lentCount >= mostLent {
                lentCount = 0
                file.forget()
            }
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
}

/// The users and groups that own anything, and a digest of what they are called here.
struct OwnerNumbers {
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
