package import FileTree
package import Git
package import SnapshotModel

/// Files whose contents are known because we have just written and hashed them.
///
/// A restore reads back what it staged as a night would: names, types, modes, owners, times and links. What it wrote
/// itself, and what has not been touched since, needs no second reading.
package struct WrittenFiles: Sendable {
    private struct Key: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    struct File {
        var record: EntryRecord
        var attributes: [Entry.Attribute]
        var sealedDigest: [UInt8]
    }

    /// A table for each thread that wrote: to make one of them would need the memory of all once more.
    private var tables: [[Key: File]] = [[:]]

    /// No files.
    package init() {}

    /// Adds a file that was found to be what `entry` says; `status` is what it was after the last change.
    package mutating func add(_ status: FileStatus, id: ObjectID, isChunked: Bool, _ entry: Entry) {
        precondition(entry.digest.count == 32, "a regular file has a digest")
        var contents = FileContents(
            id: id, digest: [32 of UInt8](repeating: 0), sealedDigest: entry.sealedDigest, size: status.size,
            isChunked: isChunked)
        for index in 0..<32 { contents.digest[index] = entry.digest[index] }
        var record = EntryRecord(status)
        record.set(contents)
        record.flags.insert(.isSettled)
        tables[0][Key(device: status.device, inode: status.inode)] = File(
            record: record, attributes: entry.attributes, sealedDigest: entry.sealedDigest)
    }

    /// Adds all of another.
    package mutating func merge(_ other: WrittenFiles) {
        tables += other.tables
    }

    /// The contents and attributes of a file, nil when it is not one of these, or was changed since.
    func find(_ status: FileStatus) -> File? {
        let key = Key(device: status.device, inode: status.inode)
        let now = EntryRecord(status)
        for table in tables {
            if let file = table[key], file.record.isUntouched(now) { return file }
        }
        return nil
    }
}
