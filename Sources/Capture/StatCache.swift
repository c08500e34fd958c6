internal import FileTree
internal import Git
internal import SystemPackage

/// What is known of a file's contents without reading them again.
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
    var isSparse: Bool
    /// Whether the file has extended attributes.
    var hasAttributes: Bool
}

/// Last night's files by device and inode, mapped: a file whose size and times are the same is not read again.
///
/// A hash table of fixed records in one file, checked by a checksum; it may be deleted at any time, and a damaged one is
/// as good as none. An entry counts only when its times lie before the night that wrote it, by git's rule for racy
/// timestamps: a later change then always shows.
struct StatCache: Sendable {
    /// Device, inode, size, modified, changed (seconds and nanoseconds), id, digest, flags.
    private static let wordsPerRecord = 16
    private static let magic: UInt64 = 0x5544_5354_4154_0001

    /// The table's words: magic, checksum, capacity, 0, then the records.
    private let words: [UInt64]

    /// A cache that knows nothing.
    init() {
        words = []
    }

    /// Reads a cache; one that is missing, damaged or of another version knows nothing.
    init(_ path: FilePath) throws(FileFailure) {
        self.init(bytes: try Files.readIfPresent(path) ?? [])
    }

    /// The cache that these bytes are; damaged ones know nothing.
    init(bytes: [UInt8]) {
        guard bytes.count.isMultiple(of: 8), bytes.count >= 32 else {
            words = []
            return
        }
        let words = unsafe bytes.withUnsafeBytes { unsafe Array($0.bindMemory(to: UInt64.self)) }
        let isIntact =
            words[0] == Self.magic && words[2].nonzeroBitCount == 1
            && UInt64(words.count) == 4 + words[2] &* UInt64(Self.wordsPerRecord)
            && words[1] == Self.checksum(words)
        self.words = isIntact ? words : []
    }

    /// What is known of the file's contents, nil when nothing is or when the file changed.
    func contents(_ status: FileStatus) -> FileContents? {
        guard !words.isEmpty else { return nil }
        var slot = Self.slot(status, capacity: words[2])
        while true {
            let start = 4 + Int(slot) * Self.wordsPerRecord
            guard words[start + 15] != 0 else { return nil }
            if words[start] == status.device, words[start + 1] == status.inode {
                return matches(status, start) ? contents(start) : nil
            }
            slot = (slot + 1) & (words[2] - 1)
        }
    }

    private func matches(_ status: FileStatus, _ start: Int) -> Bool {
        words[start + 2] == UInt64(bitPattern: status.size)
            && words[start + 3] == UInt64(bitPattern: status.modified.seconds)
            && words[start + 4] == UInt64(bitPattern: status.modified.nanoseconds)
            && words[start + 5] == UInt64(bitPattern: status.changed.seconds)
            && words[start + 6] == UInt64(bitPattern: status.changed.nanoseconds)
    }

    private func contents(_ start: Int) -> FileContents? {
        var id: [UInt8] = []
        for word in words[(start + 7)..<(start + 10)] { id.append(contentsOf: bytes(word)) }
        guard let id = ObjectID(bytes: id.prefix(20)) else { return nil }
        var digest = [32 of UInt8](repeating: 0)
        for index in 0..<32 { digest[index] = bytes(words[start + 10 + index / 8])[index % 8] }
        let flags = words[start + 15]
        return FileContents(
            id: id, digest: digest, size: Int64(bitPattern: words[start + 2]), isChunked: flags & 2 != 0,
            isSparse: flags & 4 != 0, hasAttributes: flags & 8 != 0)
    }

    /// The bytes of a cache of these files.
    static func encoded(_ files: [(FileStatus, FileContents)]) -> [UInt8] {
        var capacity: UInt64 = 16
        while capacity < UInt64(files.count) * 2 { capacity *= 2 }
        var words = [UInt64](repeating: 0, count: 4 + Int(capacity) * wordsPerRecord)
        words[0] = magic
        words[2] = capacity
        for (status, contents) in files {
            var slot = slot(status, capacity: capacity)
            while words[4 + Int(slot) * wordsPerRecord + 15] != 0 { slot = (slot + 1) & (capacity - 1) }
            let start = 4 + Int(slot) * wordsPerRecord
            words[start] = status.device
            words[start + 1] = status.inode
            words[start + 2] = UInt64(bitPattern: status.size)
            words[start + 3] = UInt64(bitPattern: status.modified.seconds)
            words[start + 4] = UInt64(bitPattern: status.modified.nanoseconds)
            words[start + 5] = UInt64(bitPattern: status.changed.seconds)
            words[start + 6] = UInt64(bitPattern: status.changed.nanoseconds)
            let id = contents.id.bytes + [0, 0, 0, 0]
            for index in 0..<3 { words[start + 7 + index] = word(id[(index * 8)..<(index * 8 + 8)]) }
            for index in 0..<4 {
                var value: UInt64 = 0
                for byte in 0..<8 { value |= UInt64(contents.digest[index * 8 + byte]) << UInt64(byte * 8) }
                words[start + 10 + index] = value
            }
            words[start + 15] =
                1 | (contents.isChunked ? 2 : 0) | (contents.isSparse ? 4 : 0)
                | (contents.hasAttributes ? 8 : 0)
        }
        words[1] = checksum(words)
        return unsafe words.withUnsafeBytes { unsafe Array($0) }
    }

    private static func slot(_ status: FileStatus, capacity: UInt64) -> UInt64 {
        var hash = status.inode &+ status.device &* 0x9e37_79b9_7f4a_7c15
        hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
        return (hash ^ hash >> 31) & (capacity - 1)
    }

    private static func checksum(_ words: [UInt64]) -> UInt64 {
        unsafe words.withUnsafeBytes { UInt64(unsafe crc32(UnsafeRawBufferPointer(rebasing: $0[16...]))) + 1 }
    }

    private func bytes(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
    }

    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64($1.offset * 8) }
    }
}
