internal import FileTree
internal import Git
internal import SnapshotModel
internal import Synchronization

/// A directory of a walked tree.
enum WalkedDirectory: Sendable {
    /// One that is looked at, or in which something is not what the cache holds.
    case node(DirectoryNode)
    /// One that is, with all below, what the cache holds at this place: all that is kept of most directories.
    case known(Int)

    /// The directory in it that one of its entries stands for, `position` directories after the first.
    func child(_ position: Int, _ record: EntryRecord) -> WalkedDirectory {
        switch self {
        case .node(let node): node.children[position]
        case .known: .known(Int(record.directory))
        }
    }

    /// The node, nil when there is none any more.
    var node: DirectoryNode? {
        if case .node(let node) = self { node } else { nil }
    }
}

/// A directory on its way into the store.
///
/// The fields are written by the one thread that visits the directory, then by the one that completes it, and read by the one
/// that completes its parent; the work stack's lock and the atomic count of open parts order them, and a lock those that put
/// pieces of its files into the table: that is what makes sharing it safe.
final class DirectoryNode: @unchecked Sendable {
    /// The directory that holds it; whoever walks holds the root, and each node its children, so that it is there.
    unowned let parent: DirectoryNode?
    /// The path below the root, as bytes; empty for the root itself.
    let path: [UInt8]
    /// What is not done yet of it: directories in it, and pieces of its files.
    let openParts = Atomic<Int>(0)
    /// The places of files that could not be read; its lock is the table's too, while pieces of its files are read.
    private let unreadable = Mutex<Set<Int>>([])
    /// The directory's own status, and its trees and its manifest part once it is complete.
    var record = DirectoryRecord()
    /// Its extended attributes.
    var extra = EntryExtra()
    /// The directories in it, in the order of its entries.
    var children: [WalkedDirectory] = []
    /// What is left of the classification in here, when this directory or the one that holds it had to be listed.
    var state: Classification.Matcher.State?
    /// Its entries, when they had to be listed; else they are those of the cache.
    private(set) var table: EntryTable?
    /// Databases in it that have a log beside them, by their names, as they were when they were listed.
    var databases: [[UInt8]: EntryRecord] = [:]
    /// Whether that listing can be relied on tomorrow.
    var isListed = false
    /// Whether it could not be listed, and is among what is unreadable.
    var isUnreadable = false
    /// From where what is in it and below is looked at; nil when all of that is done.
    var anchor: Anchor?
    /// Its record in the cache, nil when there is none.
    let known: Int?
    let cache: StatCache
    /// Whether the repository holds what the cache knows of it, with all below.
    var isHeld = false
    /// Whether its entries are the cache's: the same lines in the manifest, the same entries in the tree.
    var isSame = false
    /// Whether its own line in the manifest is the cache's.
    var isLineSame = false
    /// Whether all lines of the manifest part that it lies in, from here down, are the cache's.
    var isRegionSame = false
    /// How many lines that region has.
    var regionCount = 0
    /// Whether a file in that region has several names.
    var hasLinkedFiles = false

    /// Whether it and all below is what the cache holds, to the last id; known when it is completed.
    private(set) var isUnchanged = false

    init(
        parent: DirectoryNode?, path: [UInt8], known: Int?, cache: StatCache
    ) {
        self.parent = parent
        self.path = path
        self.known = known
        self.cache = cache
    }

    /// Lets the children go that the cache can stand for.
    func forgetUnchangedChildren() {
        for index in children.indices {
            guard let child = children[index].node, child.isUnchanged, let known = child.known else {
                continue
            }
            children[index] = .known(known)
        }
    }

    /// Finds out whether the cache can stand for it: when all that would be written of it is done, and its children that
    /// are unchanged were let go.
    func complete() {
        anchor = nil
        databases = [:]
        guard let known = knownRecord, table == nil, isSame, isLineSame, !hasLinkedFiles else { return }
        isUnchanged =
            record.tree == known.tree && record.historyTree == known.historyTree && record.part == known.part
            && record.flags == known.flags && children.allSatisfy { $0.node == nil }
    }

    /// What the cache says of it.
    var knownRecord: DirectoryRecord? { known.map { cache.directory($0) } }

    /// Its extended attributes as the cache knows them, nil when they cannot be read or it knows none of it.
    var knownExtra: EntryExtra? {
        guard let known else { return nil }
        let own = cache.directory(known).own
        guard own.extraCount > 0 else { return EntryExtra() }
        return cache.withEntries(of: known) { _, bytes in EntryExtra(encoded: bytes.extra(of: own)) }
    }

    /// Compares what was listed with what the cache knows.
    func compareWithKnown() {
        guard let known = knownRecord else { return }
        isLineSame = known.own.isSame(as: record.own) && knownExtra == extra
        isSame = withEntries { records, bytes in
            withKnownEntries { knownRecords, knownBytes in
                guard records.count == knownRecords.count else { return false }
                for index in records.indices {
                    let (new, old) = (records[index], knownRecords[index])
                    guard new.kindNumber == old.kindNumber, new.classNumber == old.classNumber,
                        new.kind == .directory || new.isSame(as: old),
                        bytes.name(of: new) == knownBytes.name(of: old),
                        bytes.extra(of: new) == knownBytes.extra(of: old)
                    else { return false }
                }
                return true
            }
        }
    }

    /// Takes entries that were listed in place of the cache's.
    func set(_ table: EntryTable) { self.table = table }

    /// Counts a part as done; true when it was the last.
    func finishPart() -> Bool { openParts.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 }

    /// Puts what files became into the table, from any thread.
    func set(_ files: [ReadFile]) {
        unreadable.withLock { unreadable in
            for file in files {
                guard let record = file.record else {
                    unreadable.insert(file.index)
                    continue
                }
                if record.links > 1 { hasLinkedFiles = true }
                table?.replace(file.index, by: record, extra: file.extra.encoded)
            }
        }
    }

    /// Takes those files out of the table that could not be read.
    func removeUnreadable() {
        let indices = unreadable.withLock { $0 }
        guard !indices.isEmpty else { return }
        isListed = false
        table?.remove(indices)
    }

    /// Changes what is known of one entry.
    func replace(_ index: Int, by record: EntryRecord, _ extra: EntryExtra) {
        var table = table ?? copyOfEntries()
        // The node must not hold a second reference while the table changes.
        self.table = nil
        table.replace(index, by: record, extra: extra.encoded)
        self.table = table
    }

    private func copyOfEntries() -> EntryTable {
        withEntries { records, bytes in
            var table = EntryTable()
            for index in records.indices {
                let record = records[index]
                table.append(record, name: bytes.name(of: record), extra: bytes.extra(of: record))
            }
            return table
        }
    }

    /// Lends the entries, and the bytes that hold their names.
    func withEntries<Result, Failure: Error>(
        _ body: (Span<EntryRecord>, Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if let table { return try body(table.records.span, table.bytes.span) }
        guard let known else { return try body([EntryRecord]().span, [UInt8]().span) }
        return try cache.withEntries(of: known, body)
    }

    /// Lends the entries of the cache; none when it has none.
    func withKnownEntries<Result, Failure: Error>(
        _ body: (Span<EntryRecord>, Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let known else { return try body([EntryRecord]().span, [UInt8]().span) }
        return try cache.withEntries(of: known, body)
    }

    /// From where what is in it and below is looked at, until all of that is done.
    var openAnchor: Anchor {
        guard let anchor else { preconditionFailure("nothing is looked at in what is complete") }
        return anchor
    }

    /// How many names will be looked at in it and below when the cache is right, or thereabouts: its own, and some in each
    /// directory.
    var knownLooks: Int {
        withKnownEntries { records, _ in
            var looks = records.count
            for index in records.indices where records[index].kind == .directory { looks += 3 }
            return looks
        }
    }

    /// The path of an entry in it.
    func path(of name: some Collection<UInt8>) -> [UInt8] {
        guard !path.isEmpty else { return Array(name) }
        var joined: [UInt8] = []
        joined.reserveCapacity(path.count + 1 + name.count)
        joined.append(contentsOf: path)
        joined.append(UInt8(ascii: "/"))
        joined.append(contentsOf: name)
        return joined
    }
}

extension Span<UInt8> {
    /// The name of an entry whose bytes are in here.
    func name(of record: EntryRecord) -> [UInt8] {
        copy(Int(record.nameStart), Int(record.nameCount))
    }

    /// The encoded extra of an entry whose bytes are in here.
    func extra(of record: EntryRecord) -> [UInt8] {
        guard record.extraCount > 0 else { return [] }
        return copy(Int(record.nameStart) + Int(record.nameCount), Int(record.extraCount))
    }

    private func copy(_ start: Int, _ count: Int) -> [UInt8] {
        unsafe withUnsafeBufferPointer { unsafe Array($0[start..<(start + count)]) }
    }
}
