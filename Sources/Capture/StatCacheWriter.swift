internal import FileTree
internal import Git
internal import SystemPackage

extension StatCache {
    /// Writes the cache of a walk that began with `last` to a file that is yet to be given its name; it is empty when the
    /// walked tree is too large for one.
    ///
    /// The tree is gone through once for each table, so that none of them is in memory; what did not change is copied
    /// from `last`.
    static func write(
        _ root: DirectoryNode, over last: StatCache, to path: FilePath, fingerprint: [UInt8]
    ) throws(FileFailure) -> ReplacementFile {
        let file = try ReplacementFile(path)
        let tree = WalkedTree(root, last)
        if tree.byteCount < UInt32.max, tree.entryCount < UInt32.max {
            let writer = StatCacheWriter(file)
            try writer.writeHeader(of: tree, fingerprint)
            try writer.writeDirectories(of: tree)
            try writer.writeEntries(of: tree)
            try writer.writeBytes(of: tree)
            try writer.finish()
        }
        return file
    }
}

/// The directories of a walked tree, each after the one that holds it, and how much there is in them.
private struct WalkedTree {
    let last: StatCache
    private(set) var directories: [WalkedDirectory]
    private(set) var entryCount = 0
    /// Bytes of names and extras.
    private(set) var byteCount = 0
    private(set) var owners = OwnerNumbers()

    init(_ root: DirectoryNode, _ last: StatCache) {
        self.last = last
        directories = [.node(root)]
        var next = 0
        while next < directories.count {
            let directory = directories[next]
            next += 1
            let own = last.record(of: directory).own
            owners.insert(own)
            byteCount += last.extra(of: directory).count
            var children = 0
            last.withEntries(of: directory) { records, _ in
                entryCount += records.count
                for index in records.indices {
                    let record = records[index]
                    byteCount += Int(record.nameCount) + Int(record.extraCount)
                    if record.kind == .directory {
                        directories.append(directory.child(children, record))
                        children += 1
                    } else {
                        owners.insert(record)
                    }
                }
            }
        }
    }
}

/// Writes a cache's tables one after the other, and their checksum as they go.
@safe private final class StatCacheWriter {
    private let file: ReplacementFile
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private var used = 0
    /// Where the file ends; it begins with the magic number and the checksum, which does not cover them.
    private var end: Int64 = 16
    private var crc: UInt32 = 0

    init(_ file: ReplacementFile) { self.file = file }

    deinit { unsafe buffer.deallocate() }

    func writeHeader(of tree: WalkedTree, _ fingerprint: [UInt8]) throws(FileFailure) {
        try append(UInt64(tree.directories.count))
        try append(UInt64(tree.entryCount))
        try append(fingerprint)
        try append(tree.owners.digest)
        try append([UInt8](repeating: 0, count: StatCache.headerSize - 96))
    }

    func writeDirectories(of tree: WalkedTree) throws(FileFailure) {
        var firstEntry = 0
        var firstByte = 0
        for directory in tree.directories {
            var record = tree.last.record(of: directory)
            let extraCount = tree.last.extra(of: directory).count
            record.own.nameStart = UInt32(firstByte)
            record.own.nameCount = 0
            record.own.extraCount = UInt32(extraCount)
            record.firstEntry = UInt32(firstEntry)
            firstByte += extraCount
            tree.last.withEntries(of: directory) { records, _ in
                record.entryCount = UInt32(records.count)
                for index in records.indices {
                    firstByte += Int(records[index].nameCount) + Int(records[index].extraCount)
                }
            }
            firstEntry += Int(record.entryCount)
            try append(record)
        }
    }

    func writeEntries(of tree: WalkedTree) throws(FileFailure) {
        var firstByte = 0
        var nextDirectory = 1
        for directory in tree.directories {
            firstByte += tree.last.extra(of: directory).count
            try tree.last.withEntries(of: directory) { (records, _) throws(FileFailure) in
                for index in records.indices {
                    var record = records[index]
                    record.nameStart = UInt32(firstByte)
                    firstByte += Int(record.nameCount) + Int(record.extraCount)
                    if record.kind == .directory {
                        record.directory = UInt32(nextDirectory)
                        nextDirectory += 1
                    }
                    try append(record)
                }
            }
        }
    }

    func writeBytes(of tree: WalkedTree) throws(FileFailure) {
        for directory in tree.directories {
            try append(tree.last.extra(of: directory))
            try tree.last.withEntries(of: directory) { (records, bytes) throws(FileFailure) in
                for index in records.indices {
                    let record = records[index]
                    let start = Int(record.nameStart)
                    let end = start + Int(record.nameCount) + Int(record.extraCount)
                    try unsafe bytes.extracting(start..<end).withUnsafeBytes { (bytes) throws(FileFailure) in
                        try unsafe append(bytes)
                    }
                }
            }
        }
    }

    /// Writes what is left, and what comes before all that the checksum covers.
    func finish() throws(FileFailure) {
        try flush()
        try unsafe withUnsafeBytes(of: (StatCache.magic, UInt64(crc))) { (bytes) throws(FileFailure) in
            try unsafe file.write(bytes, at: 0)
        }
    }

    private func append(_ bytes: [UInt8]) throws(FileFailure) {
        try unsafe bytes.span.withUnsafeBytes { (bytes) throws(FileFailure) in try unsafe append(bytes) }
    }

    /// Adds a value as it lies in memory, whole strides of it: what a cache is read as.
    private func append<Value: BitwiseCopyable>(_ value: Value) throws(FileFailure) {
        let stride = MemoryLayout<Value>.stride
        if unsafe used + stride > buffer.count { try flush() }
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[used..<(used + stride)])
        // What is between and behind the fields is not what memory held before.
        unsafe room.initializeMemory(as: UInt8.self, repeating: 0)
        unsafe room.storeBytes(of: value, as: Value.self)
        used += stride
    }

    @unsafe private func append(_ bytes: UnsafeRawBufferPointer) throws(FileFailure) {
        if unsafe used + bytes.count > buffer.count { try flush() }
        guard unsafe bytes.count <= buffer.count else { return try unsafe write(bytes) }
        unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[used..<(used + bytes.count)]).copyMemory(
            from: bytes)
        used += bytes.count
    }

    private func flush() throws(FileFailure) {
        try unsafe write(UnsafeRawBufferPointer(rebasing: buffer[..<used]))
        used = 0
    }

    @unsafe private func write(_ bytes: UnsafeRawBufferPointer) throws(FileFailure) {
        unsafe crc = crc32(bytes, after: crc)
        try unsafe file.write(bytes, at: end)
        end += Int64(bytes.count)
    }
}
