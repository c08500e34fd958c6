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

    private struct File {
        var record: EntryRecord
        var attributes: [Entry.Attribute]
    }

    private var files: [Key: File] = [:]

    /// No files.
    package init() {}

    /// Adds a file; `status` is what it was after the last change, `digest` the SHA-256 of what was written.
    package mutating func add(
        _ status: FileStatus, id: ObjectID, isChunked: Bool, digest: [UInt8], attributes: [Entry.Attribute]
    ) {
        precondition(digest.count == 32, "a SHA-256 has 32 bytes")
        var contents = FileContents(
            id: id, digest: [32 of UInt8](repeating: 0), size: status.size, isChunked: isChunked)
        for index in 0..<32 { contents.digest[index] = digest[index] }
        var record = EntryRecord(status)
        record.set(contents)
        record.flags.insert(.isSettled)
        files[Key(device: status.device, inode: status.inode)] = File(record: record, attributes: attributes)
    }

    /// Adds all of another.
    package mutating func merge(_ other: WrittenFiles) {
        files.merge(other.files) { first, _ in first }
    }

    /// The contents and attributes of a file, nil when it is not one of these, or was changed since.
    func find(_ status: FileStatus) -> (record: EntryRecord, attributes: [Entry.Attribute])? {
        guard let file = files[Key(device: status.device, inode: status.inode)],
            file.record.isUntouched(EntryRecord(status))
        else { return nil }
        return (file.record, file.attributes)
    }
}
