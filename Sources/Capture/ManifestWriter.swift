internal import Cryptography
internal import FileTree
internal import Git
internal import SnapshotModel
internal import Synchronization

/// Writes the manifest of a captured tree in parts, each by the thread that completed the directory that begins it.
///
/// A directory begins a part of its own when there is enough below it, down to where other parts begin; every entry is in
/// the part of the nearest such directory above it. So parts are short whatever the shape of the tree, a night's change
/// touches few of them, and a part in which nothing changed is last night's, by its id.
final class ManifestWriter: Sendable {
    /// A directory begins a part when more entries than this would be in it: fewer make many parts and a long list of them,
    /// more make a change cost more.
    private static let smallestPart = 64

    /// A manifest in the store.
    struct Written {
        /// The tree of its parts.
        var tree: ObjectID
        /// SHA-256 of what `sha256sum *` prints in the directory of the parts.
        var digest: [UInt8]
        /// How much there is by class.
        var classes: [EntryClass: CapturedComponent.Amount] = [:]
        /// Entries of class `plugin` that are files, for the locks.
        var archives: [Entry] = []
        /// Files that are sealed although their class is none that is, because something in them looks like a secret.
        var leaks: [EntryPath] = []
        /// Names of one file that were read in different states of it.
        var torn: [EntryPath] = []
        /// Names in clear of files that another name makes secrets, with that name.
        var inClear: [(name: EntryPath, secret: EntryPath)] = []
    }

    fileprivate struct Part {
        var name: [UInt8]
        var id: ObjectID
        var digest: [UInt8]
    }

    /// What threads have gathered.
    fileprivate struct Gathered {
        var parts: [Part] = []
        var amounts = [CapturedComponent.Amount](repeating: .init(), count: EntryRecord.classes.count)
        var archives: [Entry] = []
        var leaks: [EntryPath] = []
        /// Directories that begin parts with files of several names: which comes first is known at the end.
        var deferred: [DirectoryNode] = []
    }

    /// One thread's way into the manifest.
    final class Lane {
        fileprivate let lane: any ObjectLane
        fileprivate var gathered = Gathered()
        fileprivate var text: [UInt8] = []
        fileprivate var ownerWords: [UInt32: [UInt8]] = [:]
        fileprivate var groupWords: [UInt32: [UInt8]] = [:]

        init(_ lane: any ObjectLane) { self.lane = lane }
    }

    private let sink: any ObjectSink
    private let cache: StatCache
    private let newTexts: NewTexts
    private let all = Mutex(Gathered())

    /// A manifest of a walk that began with a cache; its parts go to `newTexts` too.
    init(_ sink: any ObjectSink, cache: StatCache, newTexts: NewTexts) {
        self.sink = sink
        self.cache = cache
        self.newTexts = newTexts
    }

    /// Takes a directory whose children have all been taken, and writes the part that it begins, if it does.
    func add(_ node: DirectoryNode, _ lane: Lane) throws {
        measureRegion(of: node)
        node.forgetUnchangedChildren()
        lane.gathered.amounts[Int(node.record.own.classNumber)].entries += 1
        count(node, lane)
        node.record.flags.remove(.isHead)
        if node.parent == nil || node.regionCount > Self.smallestPart {
            node.record.flags.insert(.isHead)
            if node.hasLinkedFiles {
                lane.gathered.deferred.append(node)
            } else {
                try writePart(node, lane)
            }
        }
    }

    /// Adds up what lies in the part that a directory lies in, from here down.
    private func measureRegion(of node: DirectoryNode) {
        node.isRegionSame = node.isSame
        node.regionCount = node.withEntries { records, _ in records.count }
        for child in node.children.lazy.compactMap(\.node) {
            let isHead = child.record.flags.contains(.isHead)
            node.isRegionSame =
                node.isRegionSame && child.isLineSame
                && isHead == child.knownRecord?.flags.contains(.isHead) && (isHead || child.isRegionSame)
            guard !isHead else { continue }
            node.regionCount += child.regionCount
            node.hasLinkedFiles = node.hasLinkedFiles || child.hasLinkedFiles
        }
        if node.parent == nil { node.isRegionSame = node.isRegionSame && node.isLineSame }
    }

    private func count(_ node: DirectoryNode, _ lane: Lane) {
        // Taken out of the lane: an access to what is in a class is checked, and there are some for each entry.
        var amounts: [CapturedComponent.Amount] = []
        swap(&amounts, &lane.gathered.amounts)
        defer { swap(&amounts, &lane.gathered.amounts) }
        node.withEntries { records, bytes in
            for index in records.indices where records[index].kind != .directory {
                let record = records[index]
                amounts[Int(record.classNumber)].entries += 1
                if record.kind == .file {
                    amounts[Int(record.classNumber)].bytes += record.size
                }
                if record.flags.contains(.isSealed), !record.entryClass.isSealed {
                    lane.gathered.leaks.append(EntryPath(node.path(of: bytes.name(of: record))))
                }
                if record.entryClass == .plugin {
                    lane.gathered.archives.append(entry(record, bytes, in: node))
                }
            }
        }
    }

    /// An entry as drivers know it.
    private func entry(_ record: EntryRecord, _ bytes: Span<UInt8>, in node: DirectoryNode) -> Entry {
        let extra = EntryExtra(encoded: bytes.extra(of: record)) ?? EntryExtra()
        return Entry(
            path: EntryPath(node.path(of: bytes.name(of: record))),
            kind: record.kind == .link ? .link(target: extra.target) : .file, mode: record.mode,
            owner: record.owner, group: record.group, ownerName: "", groupName: "",
            modified: Entry.Time(
                seconds: record.modifiedSeconds, nanoseconds: Int64(record.modifiedNanoseconds)),
            size: record.kind == .file ? record.size : 0, digest: (0..<32).map { record.digest[$0] },
            entryClass: record.entryClass)
    }

    /// Takes what a thread has gathered, when it is done.
    func merge(_ lane: Lane) {
        let gathered = lane.gathered
        all.withLock { all in
            all.parts += gathered.parts
            all.archives += gathered.archives
            all.leaks += gathered.leaks
            all.deferred += gathered.deferred
            for index in all.amounts.indices {
                all.amounts[index].entries += gathered.amounts[index].entries
                all.amounts[index].bytes += gathered.amounts[index].bytes
            }
        }
    }

    /// Writes what had to wait, and the tree of the parts.
    func finish(_ root: DirectoryNode, _ sinkLane: any ObjectLane) throws -> Written {
        let deferred = all.withLock { $0.deferred }
        let links = HardLinks(below: deferred)
        let torn = links.resolve()
        let lane = Lane(sinkLane)
        for node in deferred { try writePart(node, lane) }
        merge(lane)
        let gathered = all.withLock { $0 }
        var hash = SHA256()
        let parts = gathered.parts.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        for part in parts {
            hash.update(Array("\(hex(part.digest))  ".utf8) + part.name + [UInt8(ascii: "\n")])
        }
        let tree = try sinkLane.add(
            .tree, Tree.contents(parts.map { TreeEntry(name: $0.name, mode: .file, id: $0.id) }))
        var written = Written(tree: tree, digest: hash.finish())
        for (index, amount) in gathered.amounts.enumerated() where amount.entries > 0 {
            written.classes[EntryRecord.classes[index]] = amount
        }
        written.archives = gathered.archives.sorted { $0.path < $1.path }
        written.leaks = gathered.leaks.sorted()
        written.torn = torn
        written.inClear = links.inClear()
        return written
    }

    /// Writes the manifest of a root that is one file.
    func write(
        _ record: EntryRecord, _ extra: EntryExtra, name: [UInt8], _ sinkLane: any ObjectLane
    ) throws -> Written {
        var table = EntryTable()
        table.append(record, name: name, extra: extra.encoded)
        let node = DirectoryNode(parent: nil, path: [], known: nil, cache: cache)
        node.set(table)
        let lane = Lane(sinkLane)
        count(node, lane)
        appendRegion(of: node, lane)
        try addPart(node, lane)
        merge(lane)
        return try finish(node, sinkLane)
    }

    // MARK: - One part

    private func writePart(_ node: DirectoryNode, _ lane: Lane) throws {
        // Lines of the cache still say the truth where owners are called what they were.
        if cache.hasSameOwners, node.isRegionSame, let known = node.knownRecord, known.flags.contains(.isHead)
        {
            if known.part == .none { return }
            if sink.holds(known.part) {
                node.record.part = known.part
                node.record.partDigest = known.partDigest
                let digest = (0..<32).map { known.partDigest[$0] }
                lane.gathered.parts.append(Part(name: name(of: node), id: known.part, digest: digest))
                return
            }
        }
        lane.text.removeAll(keepingCapacity: true)
        if node.parent == nil {
            append(node.record.own, node.extra, path: Array(".".utf8), name: [UInt8]().span, lane)
        }
        appendRegion(of: node, lane)
        try addPart(node, lane)
    }

    private func addPart(_ node: DirectoryNode, _ lane: Lane) throws {
        guard !lane.text.isEmpty else { return }
        let (id, digest) = try unsafe lane.text.withUnsafeBytes { text in
            let (id, digest) = unsafe ObjectID.ofBlob(text)
            try unsafe lane.lane.add(id, .blob, text, stores: false)
            try unsafe newTexts.add(id, text)
            return (id, digest)
        }
        node.record.part = id
        for index in 0..<32 { node.record.partDigest[index] = digest[index] }
        lane.gathered.parts.append(Part(name: name(of: node), id: id, digest: digest))
    }

    private func name(of node: DirectoryNode) -> [UInt8] {
        guard node.parent != nil else { return Array("root.mtree".utf8) }
        return Array("\(hex(SHA256.digest(node.path).prefix(8))).mtree".utf8)
    }

    /// A directory on the way down, and how far its entries are written.
    private struct Place {
        var directory: WalkedDirectory
        var path: [UInt8]
        /// How a line spells the path.
        var word: [UInt8]
        var entry = 0
        var child = 0

        init(_ directory: WalkedDirectory, path: [UInt8]) {
            self.directory = directory
            self.path = path
            word = Manifest.word(ofPath: path)
        }
    }

    /// Adds the lines of everything below a directory but what is in parts of its own; a stack of its own, because a
    /// tree may be deeper than a thread's.
    private func appendRegion(of head: DirectoryNode, _ lane: Lane) {
        var places = [Place(.node(head), path: head.path)]
        while var place = places.popLast() {
            let next: Place? = cache.withEntries(of: place.directory) { records, bytes in
                while place.entry < records.count {
                    let record = records[place.entry]
                    place.entry += 1
                    let start = Int(record.nameStart)
                    let name = bytes.extracting(start..<(start + Int(record.nameCount)))
                    guard record.kind == .directory else {
                        append(
                            record, extra(record.extraCount == 0 ? [] : bytes.extra(of: record)),
                            path: place.word, name: name, lane)
                        continue
                    }
                    let child = place.directory.child(place.child, record)
                    place.child += 1
                    let own = cache.record(of: child)
                    append(own.own, extra(cache.extra(of: child)), path: place.word, name: name, lane)
                    if !own.flags.contains(.isHead) {
                        return Place(
                            child, path: EntryPath(place.path).appending(bytes.name(of: record)).bytes)
                    }
                }
                return nil
            }
            guard let next else { continue }
            places.append(place)
            places.append(next)
        }
    }

    private func extra(_ encoded: [UInt8]) -> EntryExtra? {
        encoded.isEmpty ? nil : EntryExtra(encoded: encoded)
    }

    private func append(
        _ record: EntryRecord, _ extra: EntryExtra?, path: [UInt8], name: Span<UInt8>, _ lane: Lane
    ) {
        let line = Manifest.Line(
            kind: record.kind == .directory ? .directory : record.kind == .file ? .file : .link,
            mode: record.mode, owner: record.owner, group: record.group,
            ownerWord: word(&lane.ownerWords, "uname", record.owner, Accounts.userName),
            groupWord: word(&lane.groupWords, "gname", record.group, Accounts.groupName),
            modified: Entry.Time(
                seconds: record.modifiedSeconds, nanoseconds: Int64(record.modifiedNanoseconds)),
            size: record.size, entryClass: record.entryClass, isSparse: record.flags.contains(.isSparse))
        unsafe withUnsafeBytes(of: record.digest) { digest in
            unsafe Manifest.append(
                line, path: path, name: name, digest: Span(_unsafeBytes: digest),
                sealedDigest: extra?.sealedDigest ?? [], target: extra?.target ?? [],
                hardLink: extra?.hardLink ?? [],
                attributes: extra?.attributes ?? [], to: &lane.text)
        }
    }

    private func word(
        _ known: inout [UInt32: [UInt8]], _ keyword: StaticString, _ number: UInt32,
        _ look: (UInt32) -> String
    ) -> [UInt8] {
        if let word = known[number] { return word }
        let word = Manifest.word("\(keyword)", look(number))
        known[number] = word
        return word
    }
}

/// Files with several names: the first in the order of the manifest is the file, the others are links to it.
private struct HardLinks {
    private struct Name {
        var node: DirectoryNode
        var index: Int
        var head: DirectoryNode
        var record: EntryRecord
        var path: [UInt8]
        var extra: EntryExtra
    }

    private struct File: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    /// What names must have in common to be restored as one file.
    private struct State: Hashable {
        var id: ObjectID
        var modifiedSeconds: Int64
        var modifiedNanoseconds: UInt32
        var flags: UInt8

        init(_ record: EntryRecord) {
            id = record.id
            modifiedSeconds = record.modifiedSeconds
            modifiedNanoseconds = record.modifiedNanoseconds
            flags = record.flags.intersection(.contents).rawValue
        }
    }

    private var names: [File: [Name]] = [:]

    /// Finds the files in the parts that these directories begin.
    init(below heads: [DirectoryNode]) {
        for head in heads {
            var nodes = [head]
            while let node = nodes.popLast() {
                node.withEntries { records, bytes in
                    for index in records.indices {
                        let record = records[index]
                        guard record.kind == .file, record.links > 1 else { continue }
                        let name = Name(
                            node: node, index: index, head: head, record: record,
                            path: node.path(of: bytes.name(of: record)),
                            extra: EntryExtra(encoded: bytes.extra(of: record)) ?? EntryExtra())
                        names[File(device: record.device, inode: record.inode), default: []].append(name)
                    }
                }
                nodes += node.children.compactMap(\.node).filter {
                    !$0.record.flags.contains(.isHead) && $0.hasLinkedFiles
                }
            }
        }
    }

    /// Writes down what links to what, and returns the names whose file changed between the readings of two of them.
    ///
    /// Names that do not agree become files of their own.
    func resolve() -> [EntryPath] {
        var torn: [EntryPath] = []
        for group in names.values {
            let states = Dictionary(grouping: group) { State($0.record) }
            for same in states.values { link(same) }
            if states.count > 1 { torn += self.torn(group) }
        }
        return torn.sorted()
    }

    /// The names under which a file is in clear that is sealed under another, for the class that this one gives it.
    func inClear() -> [(name: EntryPath, secret: EntryPath)] {
        var found: [(name: EntryPath, secret: EntryPath)] = []
        for group in names.values {
            let sealed = group.filter { $0.record.flags.contains(.isSealed) }
            let secrets = sealed.filter { $0.record.entryClass.isSealed }.map { EntryPath($0.path) }
            guard let secret = secrets.min() else { continue }
            for name in group where !name.record.flags.contains(.isSealed) {
                found.append((name: EntryPath(name.path), secret: secret))
            }
        }
        return found.sorted { $0.name < $1.name }
    }

    private func link(_ names: [Name]) {
        let names = names.sorted { EntryPath($0.path).isBeforeInWalk(EntryPath($1.path)) }
        for name in names {
            var extra = name.extra
            extra.hardLink = name.path == names[0].path ? [] : names[0].path
            guard extra != name.extra else { continue }
            name.node.replace(name.index, by: name.record, extra)
            name.node.isSame = false
            name.head.isRegionSame = false
        }
    }

    /// The names of a file that changed, none when something else explains the difference: one of them is read from a
    /// frozen copy, or is sealed and the other is not.
    private func torn(_ group: [Name]) -> [EntryPath] {
        let read = group.filter { !$0.record.flags.contains(.isFrozen) }
        let states = Dictionary(grouping: read) { $0.record.flags.contains(.isSealed) }.mapValues {
            Set($0.map { State($0.record) })
        }
        let times = Set(read.map { [$0.record.modifiedSeconds, Int64($0.record.modifiedNanoseconds)] })
        guard times.count > 1 || states.values.contains(where: { $0.count > 1 }) else { return [] }
        return read.map { EntryPath($0.path) }
    }
}
