internal import FileTree
internal import Git
internal import SnapshotModel

/// What is known of one name in a directory, in a fixed layout: last night's records are used straight from the mapped
/// ``StatCache``, and tonight's are written to it as they are.
struct EntryRecord: BitwiseCopyable, Sendable {
    /// What kind of file it is; other kinds are not captured and have no record.
    enum Kind: UInt8 {
        case directory = 1
        case file, link
    }

    struct Flags: OptionSet, BitwiseCopyable {
        var rawValue: UInt8
        /// Whether `id` is a tree of chunks.
        static let isChunked = Flags(rawValue: 1)
        /// Whether the file has holes.
        static let isSparse = Flags(rawValue: 2)
        /// Whether its times lie so far back that a later change must show in them.
        static let isSettled = Flags(rawValue: 4)
        /// Whether the store holds it sealed.
        static let isSealed = Flags(rawValue: 8)
        /// Whether its contents are those of a frozen copy, and not what stands at its name.
        static let isFrozen = Flags(rawValue: 16)
        /// What is the same in two states of an entry.
        static let contents: Flags = [.isChunked, .isSparse, .isSealed]
    }

    var device: UInt64 = 0
    var inode: UInt64 = 0
    var size: Int64 = 0
    var modifiedSeconds: Int64 = 0
    var changedSeconds: Int64 = 0
    var modifiedNanoseconds: UInt32 = 0
    var changedNanoseconds: UInt32 = 0
    var owner: UInt32 = 0
    var group: UInt32 = 0
    var links: UInt32 = 0
    var mode: UInt16 = 0
    /// A ``Kind``.
    var kindNumber: UInt8 = 0
    /// The place of the class among all classes.
    var classNumber: UInt8 = 0
    /// The blob, the tree of chunks, or the blob of a link's target.
    var id = ObjectID.none
    /// What names a file's contents in the manifest: their SHA-256, or the keyed digest of a sealed file.
    var digest = [32 of UInt8](repeating: 0)
    /// Where the name begins among the bytes that belong to the records.
    var nameStart: UInt32 = 0
    /// Where the ``EntryExtra`` begins that follows the name; it is empty for most.
    var extraCount: UInt32 = 0
    /// The place of the directory's own record among the directories; used in the cache only.
    var directory: UInt32 = 0
    var nameCount: UInt8 = 0
    var flags: Flags = []

    init() {}

    init(_ status: FileStatus) { set(status) }

    init(_ status: FileStatus, _ kind: Kind, _ entryClass: EntryClass) {
        set(status)
        kindNumber = kind.rawValue
        classNumber = UInt8(EntryClass.allCases.firstIndex(of: entryClass) ?? 0)
    }

    var kind: Kind { Kind(rawValue: kindNumber) ?? .directory }
    var entryClass: EntryClass { EntryRecord.classes[Int(classNumber)] }
    static let classes = EntryClass.allCases

    mutating func set(_ status: FileStatus) {
        device = status.device
        inode = status.inode
        size = status.size
        modifiedSeconds = status.modified.seconds
        modifiedNanoseconds = UInt32(truncatingIfNeeded: status.modified.nanoseconds)
        changedSeconds = status.changed.seconds
        changedNanoseconds = UInt32(truncatingIfNeeded: status.changed.nanoseconds)
        owner = status.owner
        group = status.group
        links = UInt32(truncatingIfNeeded: status.links)
        mode = status.mode
    }

    mutating func set(_ contents: FileContents) {
        id = contents.id
        digest = contents.digest
        size = contents.size
        if contents.isChunked { flags.insert(.isChunked) }
        if contents.isSparse { flags.insert(.isSparse) }
        if !contents.sealedDigest.isEmpty { flags.insert(.isSealed) }
    }

    /// Whether the file is what it was: no change since leaves device, inode, size and both times as they are.
    func isUntouched(_ now: EntryRecord) -> Bool {
        flags.contains(.isSettled) && inode == now.inode && hasTimes(of: now) && device == now.device
            && (size == now.size || kind == .directory)
    }

    func hasTimes(of other: EntryRecord) -> Bool {
        changedSeconds == other.changedSeconds && changedNanoseconds == other.changedNanoseconds
            && modifiedSeconds == other.modifiedSeconds
            && modifiedNanoseconds == other.modifiedNanoseconds
    }

    /// Whether history carries the entry beside the snapshot: what people read, and small secrets when they are sealed.
    var isHistory: Bool {
        entryClass.isHistory
            || (entryClass == .secret && flags.contains(.isSealed) && !flags.contains(.isChunked))
    }

    /// Whether two records stand for the same line in a manifest and the same entry in a tree, names and extras apart.
    func isSame(as other: EntryRecord) -> Bool {
        kindNumber == other.kindNumber && classNumber == other.classNumber && mode == other.mode
            && owner == other.owner && group == other.group && modifiedSeconds == other.modifiedSeconds
            && modifiedNanoseconds == other.modifiedNanoseconds && id == other.id
            && flags.intersection(.contents) == other.flags.intersection(.contents)
            && (kind != .file || (size == other.size && isDigestSame(as: other)))
    }

    private func isDigestSame(as other: EntryRecord) -> Bool {
        for index in 0..<32 where digest[index] != other.digest[index] { return false }
        return true
    }

    /// Marks the record as one to rely on tomorrow when it did not change after `limit`.
    mutating func settle(before limit: (seconds: Int64, nanoseconds: Int64)) {
        if (changedSeconds, Int64(changedNanoseconds)) < limit { flags.insert(.isSettled) }
    }
}

/// What few entries have: a link's target, extended attributes, the first path of a hard link, the SHA-256 of a sealed
/// file.
struct EntryExtra: Hashable, Sendable {
    var target: [UInt8] = []
    var hardLink: [UInt8] = []
    var attributes: [Entry.Attribute] = []
    var sealedDigest: [UInt8] = []

    var isEmpty: Bool {
        target.isEmpty && hardLink.isEmpty && attributes.isEmpty && sealedDigest.isEmpty
    }

    /// Fields of a tag, four bytes of length, and the bytes.
    var encoded: [UInt8] {
        guard !isEmpty else { return [] }
        var bytes: [UInt8] = []
        func append(_ tag: UInt8, _ field: [UInt8]) {
            bytes.append(tag)
            for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: field.count >> shift)) }
            bytes += field
        }
        if !target.isEmpty { append(1, target) }
        if !hardLink.isEmpty { append(2, hardLink) }
        if !sealedDigest.isEmpty { append(5, sealedDigest) }
        for attribute in attributes {
            append(3, attribute.name)
            append(4, attribute.value)
        }
        return bytes
    }

    init() {}

    /// Nil for anything but what ``encoded`` makes.
    init?(encoded bytes: some Collection<UInt8>) {
        var rest = Array(bytes)[...]
        while let tag = rest.first {
            guard rest.count >= 5 else { return nil }
            let count = (0..<4).reduce(0) { $0 | Int(rest[rest.startIndex + 1 + $1]) << ($1 * 8) }
            guard rest.count - 5 >= count else { return nil }
            let field = Array(rest.dropFirst(5).prefix(count))
            rest = rest.dropFirst(5 + count)
            switch (tag, attributes.indices.last) {
            case (1, _): target = field
            case (2, _): hardLink = field
            case (5, _): sealedDigest = field
            case (3, _): attributes.append(Entry.Attribute(name: field, value: []))
            case (4, let last?): attributes[last].value = field
            default: return nil
            }
        }
    }
}

/// The records of one directory, sorted by name, with the bytes of their names and extras.
struct EntryTable: Sendable {
    private(set) var records: [EntryRecord] = []
    private(set) var bytes: [UInt8] = []

    /// The longest name that has room, in bytes; that of Linux, but a file system may have longer ones.
    static let longestName = 255

    /// Adds a record under a name no longer than ``longestName``; names must come in their order.
    mutating func append(_ record: EntryRecord, name: some Collection<UInt8>, extra: [UInt8] = []) {
        var record = record
        record.nameStart = UInt32(bytes.count)
        record.nameCount = UInt8(name.count)
        record.extraCount = UInt32(extra.count)
        bytes.append(contentsOf: name)
        bytes.append(contentsOf: extra)
        records.append(record)
    }

    /// Changes what is known of an entry.
    mutating func replace(_ index: Int, by record: EntryRecord, extra: [UInt8]) {
        let old = records[index]
        var record = record
        record.nameStart = old.nameStart
        record.nameCount = old.nameCount
        record.extraCount = UInt32(extra.count)
        if !extra.isEmpty {
            let name = Array(bytes[Int(old.nameStart)..<(Int(old.nameStart) + Int(old.nameCount))])
            record.nameStart = UInt32(bytes.count)
            bytes += name + extra
        }
        records[index] = record
    }

    /// Takes entries out.
    mutating func remove(_ indices: Set<Int>) {
        records = records.enumerated().filter { !indices.contains($0.offset) }.map(\.element)
    }

    /// Takes all out, in no more memory than it needs, and keeps the room for the next directory; that of a large table goes with
    /// it, since a copy beside it may be too much.
    mutating func take() -> EntryTable {
        guard records.count < 1 << 14 else {
            defer { self = EntryTable() }
            return self
        }
        var table = EntryTable()
        unsafe records.withUnsafeBufferPointer { unsafe table.records = Array($0) }
        unsafe bytes.withUnsafeBufferPointer { unsafe table.bytes = Array($0) }
        records.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: true)
        return table
    }
}

/// What is known of a directory itself.
struct DirectoryRecord: BitwiseCopyable, Sendable {
    /// Its own status and class.
    var own = EntryRecord()
    /// Its entries among all.
    var firstEntry: UInt32 = 0
    var entryCount: UInt32 = 0
    /// The tree of everything below, ``ObjectID/none`` when there is nothing.
    var tree = ObjectID.none
    /// The tree of what history carries, ``ObjectID/none`` when there is nothing.
    var historyTree = ObjectID.none
    /// The manifest part that it begins, ``ObjectID/none`` when it begins none.
    var part = ObjectID.none
    /// SHA-256 of that part.
    var partDigest = [32 of UInt8](repeating: 0)
    var flags: Flags = []

    struct Flags: OptionSet, BitwiseCopyable {
        var rawValue: UInt8
        /// Whether the listing can be relied on while the directory's times stay as they are.
        static let isListed = Flags(rawValue: 1)
        /// Whether the path makes it begin a manifest part; one with nothing below has none.
        static let isHead = Flags(rawValue: 2)
    }
}

/// The entry of a file or link in a git tree.
func treeEntry(_ record: EntryRecord, _ name: [UInt8]) -> TreeEntry {
    var stored = StoredName.escaped(name)
    if record.kind == .link { return TreeEntry(name: stored, mode: .link, id: record.id) }
    if record.flags.contains(.isSealed) { stored += StoredName.sealedSuffix }
    if record.flags.contains(.isChunked) {
        return TreeEntry(name: stored + StoredName.chunksSuffix, mode: .tree, id: record.id)
    }
    let isExecutable = record.mode & 0o100 != 0 && !record.flags.contains(.isSealed)
    return TreeEntry(name: stored, mode: isExecutable ? .executable : .file, id: record.id)
}
