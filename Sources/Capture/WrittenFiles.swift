package import FileTree
package import Git
package import SnapshotModel

/// Files whose contents are known because we have just written and hashed them.
///
/// A restore reads back what it staged as a night would: names, types, modes, owners, times and links. What it wrote
/// itself, and what has not been touched since, needs no second reading.
package struct WrittenFiles: Sendable {
    /// What is known of a file.
    struct File {
        var id: ObjectID
        var digest: [32 of UInt8]
        var flags: EntryRecord.Flags
        var attributes: [Entry.Attribute] = []
        var sealedDigest: [UInt8] = []
    }

    /// A table for each thread that wrote: to make one of them would need the memory of all once more.
    private var tables = [Table()]

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
        tables[0].add(record, entry)
    }

    /// Adds all of another.
    package mutating func merge(_ other: WrittenFiles) {
        tables += other.tables
    }

    /// The contents and attributes of a file, nil when it is not one of these, or was changed since.
    func find(_ status: FileStatus) -> File? {
        let now = EntryRecord(status)
        for table in tables {
            if let file = table.find(now) { return file }
        }
        return nil
    }
}

/// Files by inode: what is needed of each and no more, in pieces that never move, and their numbers by hash.
private struct Table {
    /// A file as it was after the last change, and what is in it.
    private struct Row: BitwiseCopyable {
        var device: UInt64
        var inode: UInt64
        var size: Int64
        var modifiedSeconds: Int64
        var changedSeconds: Int64
        var id: ObjectID
        var modifiedNanoseconds: UInt32
        var changedNanoseconds: UInt32
        var digest: [32 of UInt8]
        var flags: EntryRecord.Flags

        init(_ record: EntryRecord) {
            device = record.device
            inode = record.inode
            size = record.size
            modifiedSeconds = record.modifiedSeconds
            changedSeconds = record.changedSeconds
            id = record.id
            modifiedNanoseconds = record.modifiedNanoseconds
            changedNanoseconds = record.changedNanoseconds
            digest = record.digest
            flags = record.flags
        }

        func isUntouched(_ now: EntryRecord) -> Bool {
            inode == now.inode && device == now.device && size == now.size
                && changedSeconds == now.changedSeconds && changedNanoseconds == now.changedNanoseconds
                && modifiedSeconds == now.modifiedSeconds && modifiedNanoseconds == now.modifiedNanoseconds
        }
    }

    /// What few files have.
    private struct Extra {
        var attributes: [Entry.Attribute]
        var sealedDigest: [UInt8]
    }

    private static let pieceSize = 4096
    private var pieces: [[Row]] = []
    private var count = 0
    private var extras: [Int: Extra] = [:]
    /// One more than the number of a row, 0 for none: a power of two of them, three quarters full at most.
    private var slots = [UInt32](repeating: 0, count: 64)

    mutating func add(_ record: EntryRecord, _ entry: Entry) {
        if count == pieces.count * Self.pieceSize {
            var piece: [Row] = []
            piece.reserveCapacity(Self.pieceSize)
            pieces.append(piece)
        }
        pieces[pieces.count - 1].append(Row(record))
        if !entry.attributes.isEmpty || !entry.sealedDigest.isEmpty {
            extras[count] = Extra(attributes: entry.attributes, sealedDigest: entry.sealedDigest)
        }
        count += 1
        if count * 4 > slots.count * 3 {
            slots = [UInt32](repeating: 0, count: slots.count * 2)
            for number in 0..<count { enter(number) }
        } else {
            enter(count - 1)
        }
    }

    func find(_ now: EntryRecord) -> WrittenFiles.File? {
        var slot = firstSlot(now.inode)
        while slots[slot] != 0 {
            let number = Int(slots[slot]) - 1
            if row(number).isUntouched(now) { return file(number) }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private func file(_ number: Int) -> WrittenFiles.File {
        let row = row(number)
        var file = WrittenFiles.File(id: row.id, digest: row.digest, flags: row.flags)
        if let extra = extras[number] {
            file.attributes = extra.attributes
            file.sealedDigest = extra.sealedDigest
        }
        return file
    }

    private func row(_ number: Int) -> Row { pieces[number / Self.pieceSize][number % Self.pieceSize] }

    private mutating func enter(_ number: Int) {
        var slot = firstSlot(row(number).inode)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = UInt32(number + 1)
    }

    /// Inodes are counted up, so that neighbours would crowd without a multiplication (Knuth).
    private func firstSlot(_ inode: UInt64) -> Int {
        Int(truncatingIfNeeded: (inode &* 0x9e37_79b9_7f4a_7c15) >> 32) & (slots.count - 1)
    }
}
