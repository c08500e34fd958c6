internal import FileTree
internal import Git
internal import Sealing
internal import SnapshotModel
internal import Synchronization
internal import SystemPackage
internal import Workers

/// Walks one root with several threads: each file is read, hashed and given to the sink by the thread that met it, and
/// each directory's tree and manifest part are made by the thread that finished the last of what is in it.
///
/// A directory whose times are the cache's is not opened: each name that the cache has is looked at once. All else is
/// opened below the root's descriptor without following a link, listed, and compared name by name.
@safe final class RootCapture: Sendable {
    private let matcher: Classification.Matcher
    private let cache: StatCache
    private let sink: any ObjectSink
    private let replacements: [[UInt8]: [[UInt8]: FilePath]]
    private let leftOut: Set<EntryClass>
    private let sealer: Sealer?
    private let rules: ReadingRules
    private let root: OpenDirectory
    private let work = WorkStack<Work>(threads: usualThreads)
    private let manifest: ManifestWriter
    /// Whether the cache comes from an earlier pass into the same sink, which then holds all that the cache knows.
    private let isLaterPass: Bool
    /// What changed from then on may have changed after the walk began.
    private let began: (seconds: Int64, nanoseconds: Int64)
    private let found = Mutex(CapturedTree.Found())

    enum Work: Sendable {
        /// A directory that is to be looked at, with all below.
        case directory(DirectoryNode)
        /// Some of the files of a directory that are to be read.
        case files(ArraySlice<UnreadFile>, OpenDirectory, DirectoryNode)
    }

    /// Opens the directory at `path`; throws when it cannot be opened.
    ///
    /// `isLaterPass` says that the cache was made by a walk into the same sink; `now` is when the walk begins.
    init(
        _ path: FilePath, classification: Classification, cache: StatCache, isLaterPass: Bool = false,
        sink: any ObjectSink, newTexts: NewTexts, replacements: [EntryPath: FilePath],
        leavingOut leftOut: Set<EntryClass>,
        keeping keeps: Set<EntryClass> = [], written: WrittenFiles?, sealer: Sealer?,
        allowedInClear: [[UInt8]: Set<[UInt8]>] = [:],
        now: (seconds: Int64, nanoseconds: Int64) = Clock.ofFiles
    ) throws(FileFailure) {
        self.isLaterPass = isLaterPass
        began = now
        root = try OpenDirectory(path)
        matcher = Classification.Matcher(classification)
        self.cache = cache
        self.sink = sink
        var byDirectory: [[UInt8]: [[UInt8]: FilePath]] = [:]
        for (path, copy) in replacements {
            byDirectory[path.parent.bytes, default: [:]][Array(path.name)] = copy
        }
        self.replacements = byDirectory
        self.leftOut = leftOut
        self.sealer = sealer
        // Some file systems keep whole seconds. And a write through a mapping sets the times only when its page was written to the disk
        // since the write before, which the kernel does after 30 s, looking every 5.
        rules = ReadingRules(
            sink: sink, keeps: keeps, written: written, allowedInClear: allowedInClear,
            settledBefore: (now.seconds - 60, now.nanoseconds))
        manifest = ManifestWriter(sink, cache: cache, newTexts: newTexts)
    }

    /// Captures the directory; throws when the sink fails, all else is in the result.
    func run(rootClass: EntryClass) throws -> CapturedTree {
        let status = try root.status()
        let node = DirectoryNode(parent: nil, path: [], known: cache.root, cache: cache)
        node.anchor = Anchor(root)
        node.record.own = EntryRecord(status, .directory, rootClass)
        work.push([.directory(node)])
        try work.run(
            start: { _ in
                let reader = FileReader(sink, sealer: sealer)
                return Walker(reader, ManifestWriter.Lane(reader.lane), rules)
            },
            body: { first, walker in
                walker.own = [first]
                while let next = walker.own.popLast() {
                    switch next {
                    case .directory(let node): try visit(node, walker)
                    case .files(let files, let directory, let node):
                        try walker.read(files, in: directory, of: node)
                        try finishPart(of: node, walker)
                    }
                    if work.hasIdleThreads, walker.own.count > 1 {
                        // The oldest is the nearest to the root, and so the most work.
                        work.push([walker.own.removeFirst()])
                    }
                }
            },
            end: { walker in
                manifest.merge(walker.manifest)
                walker.found.kept = walker.reader.kept
                found.withLock { $0.add(walker.found) }
                try walker.reader.flush()
            })
        let lane = sink.makeLane()
        let written = try manifest.finish(node, lane)
        try lane.flush()
        var all = found.withLock { $0 }
        all.torn += written.torn
        return CapturedTree(root: node, manifest: written, found: all)
    }

    private func visit(_ node: DirectoryNode, _ walker: Walker) throws {
        if let known = node.knownRecord {
            let isKept = isLaterPass || node.parent?.isHeld ?? false
            node.isHeld = isKept || (known.tree != .none && sink.holds(known.tree))
        }
        var pieces: [Work] = []
        if try !look(node, walker) {
            walker.found.hasNews = true
            pieces = try list(node, walker)
            if let failure = walker.reader.sinkFailure { throw failure }
        }
        let parts = node.children.count + pieces.count
        if parts == 0 { return try complete(node, walker) }
        node.openParts.store(parts, ordering: .releasing)
        // The first child is worked on first, so the last is pushed first; and before them what holds the directory open.
        walker.own.append(contentsOf: node.children.reversed().lazy.compactMap(\.node).map { .directory($0) })
        walker.own += pieces
    }

    // MARK: - Directories that did not change

    /// Looks at every name that the cache has; false when the directory must be listed after all.
    private func look(_ node: DirectoryNode, _ walker: Walker) throws -> Bool {
        guard node.isHeld, let known = node.knownRecord, known.flags.contains(.isListed),
            known.own.isUntouched(node.record.own), replacements[node.path] == nil
        else { return false }
        let anchor = node.openAnchor.nearer(to: node.path, looks: node.knownLooks)
        node.anchor = anchor
        // Taken out of the walker: an access to what is in a class is checked, and there are some for each name.
        var path = ZeroTerminatedPath()
        swap(&path, &walker.path)
        defer { swap(&path, &walker.path) }
        path.setDirectory(anchor.names(to: node.path))
        var children: [WalkedDirectory] = []
        var hasLinkedFiles = false
        let isWhole = node.withKnownEntries { records, bytes in
            for index in records.indices {
                let record = records[index]
                path.setName(bytes, Int(record.nameStart), Int(record.nameCount))
                guard path.isShort else { return false }
                // The walk that follows looks again, and names what cannot be looked at.
                guard let status = try? anchor.directory.look(at: path) else { return false }
                if record.kind == .directory {
                    guard status.kind == .directory,
                        status.inode == cache.directory(Int(record.directory)).own.inode
                    else { return false }
                    let name = bytes.name(of: record)
                    let child = child(name, of: node, known: Int(record.directory))
                    child.record.own = EntryRecord(status, .directory, record.entryClass)
                    children.append(.node(child))
                } else {
                    guard record.isUntouched(EntryRecord(status)) else { return false }
                    if record.kind == .file, record.links > 1 { hasLinkedFiles = true }
                }
            }
            return true
        }
        guard isWhole else { return false }
        node.children = children
        node.isSame = true
        node.hasLinkedFiles = hasLinkedFiles
        node.record.own = known.own
        node.record.flags = known.flags
        node.extra = node.knownExtra ?? EntryExtra()
        node.isLineSame = true
        return true
    }

    private func child(_ name: some Collection<UInt8>, of node: DirectoryNode, known: Int?) -> DirectoryNode {
        let child = DirectoryNode(parent: node, path: node.path(of: name), known: known, cache: cache)
        child.anchor = node.anchor
        return child
    }

    /// What is left of the classification in a directory; those above that were not listed have not asked for theirs.
    private func state(of node: DirectoryNode) -> Classification.Matcher.State {
        if let state = node.state { return state }
        guard let parent = node.parent else { return matcher.start }
        let name = node.path[(parent.path.isEmpty ? 0 : parent.path.count + 1)...]
        return matcher.step(state(of: parent), name: name, isDirectory: true).1
    }

    // MARK: - Directories that may have changed

    /// What follows the name of a database in that of a log, from which it is made whole when it is opened.
    private static let logs = ["-wal", "-journal"].map { Array($0.utf8) }

    /// Lists a directory, and reads the files in it that the store does not hold; where they are much work, it is returned in
    /// pieces.
    private func list(_ node: DirectoryNode, _ walker: Walker) throws -> [Work] {
        var children: [WalkedDirectory] = []
        var unread: [UnreadFile] = []
        var opened: OpenDirectory?
        let state = state(of: node)
        node.state = state
        node.hasLinkedFiles = false
        do throws(FileFailure) {
            let anchor = node.openAnchor
            let directory = try anchor.directory.descend(Array(anchor.names(to: node.path)))
            opened = directory
            let status = try directory.status()
            node.record.own.set(status)
            node.record.own.settle(before: rules.settledBefore)
            // What we have just written ourselves nobody else changes.
            if rules.written == nil, isChanged(status) { walker.found.left.append(EntryPath(node.path)) }
            // Whatever is not as it should be is looked for again tomorrow.
            node.isListed = node.record.own.flags.contains(.isSettled)
            node.extra.attributes = try directory.attributes().map {
                Entry.Attribute(name: $0.name, value: $0.value)
            }
            try directory.read(into: walker.names)
            node.anchor = anchor.nearer(directory, at: node.path, looks: walker.names.count)
            var known = KnownNames(node)
            var databases: [[UInt8]: EntryRecord] = [:]
            let replaced = replacements[node.path] ?? [:]
            walker.path.setDirectory([])
            for index in 0..<walker.names.count {
                let name = walker.names.name(index)
                walker.names.setName(index, of: &walker.path)
                do throws(FileFailure) {
                    guard name.count <= EntryTable.longestName else {
                        throw FileFailure("store", Array(name), .fileNameTooLong)
                    }
                    let status = try directory.look(at: walker.path)
                    let place = known.find(name)
                    if status.kind == .directory {
                        guard !isLostAndFound(name, status, in: node) else { continue }
                        let (entryClass, next) = matcher.step(state, name: name, isDirectory: true)
                        guard isCaptured(entryClass) else { continue }
                        let child = child(name, of: node, known: known.directory(place))
                        child.state = next
                        child.record.own = EntryRecord(status, .directory, entryClass)
                        children.append(.node(child))
                        walker.table.append(EntryRecord(status, .directory, entryClass), name: name)
                        continue
                    }
                    let entryClass = matcher.entryClass(state, name: name)
                    let replacement = replaced[Array(name)]
                    guard replacement != nil || isCaptured(entryClass) else { continue }
                    if entryClass == .database, replacement == nil {
                        databases[Array(name)] = EntryRecord(status)
                    }
                    if let replacement {
                        let item = try walker.frozen(replacement, Array(name), status, directory)
                        walker.table.append(item.record, name: name, extra: item.extra.encoded)
                        walker.found.replaced.insert(EntryPath(node.path).appending(Array(name)))
                    } else if let place, isUsable(place.record, status, node) {
                        walker.table.append(place.record, name: name, extra: place.extra)
                    } else if let item = try walker.item(
                        Array(name), status, entryClass, in: node, directory)
                    {
                        walker.table.append(item.record, name: name, extra: item.extra.encoded)
                    } else if status.kind == .file {
                        let index = walker.table.records.count
                        unread.append(
                            UnreadFile(
                                index: index, name: Array(name), status: status, entryClass: entryClass))
                        walker.table.append(EntryRecord(status, .file, entryClass), name: name)
                    } else {
                        node.isListed = false
                        continue
                    }
                    if let last = walker.table.records.last, last.kind == .file, last.links > 1 {
                        node.hasLinkedFiles = true
                    }
                } catch {
                    node.isListed = false
                    walker.note(error, at: name, in: node)
                }
            }
            node.databases = databases.filter { name, _ in
                Self.logs.contains { databases[name + $0] != nil }
            }
        } catch {
            node.isListed = false
            if error.reason == .noSuchFileOrDirectory, let parent = node.parent {
                walker.found.moving.append(EntryPath(parent.path))
            } else {
                node.isUnreadable = true
                walker.found.unreadable.append(
                    .init(path: EntryPath(node.path).description, reason: "\(error)"))
            }
        }
        node.set(walker.table.take())
        node.children = children
        guard let opened, !unread.isEmpty else { return [] }
        let pieces = UnreadFile.pieces(of: unread)
        if pieces.count > 1 { return pieces.map { .files($0, opened, node) } }
        try walker.read(unread[...], in: opened, of: node)
        return []
    }

    /// Whether it is what the check of a file system keeps at its top: no part of what is captured, and root's alone to read.
    private func isLostAndFound(_ name: ArraySlice<UInt8>, _ status: FileStatus, in node: DirectoryNode)
        -> Bool
    {
        status.isLostAndFound && node.parent == nil && name.elementsEqual(FileStatus.lostAndFound.utf8)
    }

    /// Whether something may have changed after the walk began; where times are whole seconds, in the same second.
    private func isChanged(_ status: FileStatus) -> Bool {
        let (seconds, nanoseconds) = status.changed
        return (seconds, nanoseconds == 0 ? 999_999_999 : nanoseconds) >= began
    }

    private func isCaptured(_ entryClass: EntryClass) -> Bool {
        entryClass != .derived && !leftOut.contains(entryClass)
    }

    private func isUsable(_ record: EntryRecord, _ status: FileStatus, _ node: DirectoryNode) -> Bool {
        record.isUntouched(EntryRecord(status)) && (node.isHeld || sink.holds(record.id))
    }

    // MARK: - Completed directories

    /// Counts one part of a directory as done: a child, or some of its files.
    private func finishPart(of node: DirectoryNode, _ walker: Walker) throws {
        if node.finishPart() { try complete(node, walker) }
    }

    /// Makes tree and manifest part of a directory whose parts are all done, and goes on upwards.
    private func complete(_ node: DirectoryNode, _ walker: Walker) throws {
        var node = node
        while true {
            if node.table != nil {
                node.removeUnreadable()
                if node.isListed { node.record.flags.insert(.isListed) }
                node.compareWithKnown()
            }
            try node.writeTrees(to: walker.reader.lane)
            try manifest.add(node, walker.manifest)
            look(again: node, walker)
            node.complete()
            guard let parent = node.parent, parent.finishPart() else { return }
            node = parent
        }
    }

    /// Notes a directory that changed since it was listed or looked at, unless all below is what the cache holds: that
    /// agrees with itself.
    private func look(again node: DirectoryNode, _ walker: Walker) {
        guard node.table != nil || node.children.contains(where: { $0.node != nil }) else { return }
        // By its name, as anybody finds it.
        let anchor = (node.parent ?? node).openAnchor
        walker.path.setDirectory(anchor.names(to: node.path))
        guard walker.path.isShort else { return }
        do throws(FileFailure) {
            // A root that may be listed and not entered has no name to look at in it; each of its entries says so.
            let now = try node.parent == nil ? root.status() : anchor.directory.look(at: walker.path)
            if EntryRecord(now).hasTimes(of: node.record.own) { return }
        } catch  where error.reason == .permissionDenied {
            node.record.flags.remove(.isListed)
            // One that could not be opened is told already.
            guard !node.isUnreadable else { return }
            let path = EntryPath(node.path).description
            return walker.found.unreadable.append(.init(path: path, reason: "\(error)"))
        } catch {
            // What cannot be looked at any more has changed.
        }
        node.record.flags.remove(.isListed)
        walker.found.moving.append(EntryPath(node.path))
    }
}
