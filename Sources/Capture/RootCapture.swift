internal import Cryptography
internal import FileTree
internal import Git
internal import SnapshotModel
internal import Synchronization
internal import SystemPackage
internal import Workers

/// What one walk over a root found.
struct CapturedTree {
    /// The directory itself.
    var root: DirectoryNode
    /// What could not be read, and why.
    var unreadable: [CapturedComponent.Problem]
    /// Sockets, fifos, devices.
    var notCaptured: [CapturedComponent.Problem]
    /// Files that changed during each of the tries to read them.
    var torn: [EntryPath]
    /// Directories that changed while what is below them was read.
    var moving: [EntryPath]
    /// Files whose contents are now known, for the next night.
    var seen: [(FileStatus, FileContents)]
}

/// Walks one root with several threads: each file is read, hashed and given to the sink by the thread that met it, and
/// each directory's tree is made by the thread that finished the last of what is in it.
@safe final class RootCapture: Sendable {
    private struct Found {
        var unreadable: [CapturedComponent.Problem] = []
        var notCaptured: [CapturedComponent.Problem] = []
        var torn: [EntryPath] = []
        var moving: [EntryPath] = []
        var seen: [(FileStatus, FileContents)] = []
    }

    private let matcher: Classification.Matcher
    private let cache: StatCache
    private let sink: any ObjectSink
    private let replacements: [EntryPath: FilePath]
    private let leftOut: Set<EntryClass>
    private let work: WorkStack<DirectoryNode>
    private let found = Mutex(Found())

    init(
        classification: Classification, cache: StatCache, sink: any ObjectSink,
        replacements: [EntryPath: FilePath], leavingOut leftOut: Set<EntryClass>
    ) {
        matcher = Classification.Matcher(classification)
        self.cache = cache
        self.sink = sink
        self.replacements = replacements
        self.leftOut = leftOut
        work = WorkStack(threads: usualThreads)
    }

    /// Captures the directory at `path`.
    ///
    /// Throws when the root itself cannot be opened, or the sink fails; all else is in the result.
    func run(_ path: FilePath) throws -> CapturedTree {
        let root = DirectoryNode(parent: nil, name: [], path: .root, state: matcher.start)
        root.directory = try OpenDirectory(path)
        work.push([root])
        try work.run(
            start: { _ in FileReader(sink.makeLane()) },
            body: { node, reader in try list(node, reader) },
            end: { reader in try reader.lane.flush() })
        return found.withLock { found in
            CapturedTree(
                root: root, unreadable: found.unreadable, notCaptured: found.notCaptured, torn: found.torn,
                moving: found.moving, seen: found.seen)
        }
    }

    private func list(_ node: DirectoryNode, _ reader: FileReader) throws {
        var local = Found()
        var children: [DirectoryNode] = []
        do {
            let directory = try node.directory ?? open(node)
            node.directory = directory
            node.status = try directory.status()
            node.attributes = try directory.attributes().map {
                Entry.Attribute(name: $0.name, value: $0.value)
            }
            for name in try directory.names() {
                let path = node.path.appending(name)
                do throws(FileFailure) {
                    guard let item = try item(name, path, in: node, directory, reader, &local) else {
                        continue
                    }
                    if case .directory(let child) = item.contents { children.append(child) }
                    node.items.append(item)
                } catch  where error.reason == .noSuchFileOrDirectory {
                    // It went away after it was listed: the directory moved.
                    local.moving.append(node.path)
                } catch {
                    local.unreadable.append(.init(path: path.description, reason: "\(error)"))
                }
            }
        } catch let error as FileFailure {
            if error.reason == .noSuchFileOrDirectory, let parent = node.parent {
                local.moving.append(parent.path)
            } else {
                local.unreadable.append(.init(path: node.path.description, reason: "\(error)"))
            }
        }
        if let failure = reader.sinkFailure { throw failure }
        merge(local)
        if children.isEmpty { return try complete(node, reader.lane) }
        node.openChildren.store(children.count, ordering: .releasing)
        // The first child is worked on first, so the last is pushed first.
        work.push(children.reversed())
    }

    private func open(_ node: DirectoryNode) throws(FileFailure) -> OpenDirectory {
        guard let directory = node.parent?.directory else {
            preconditionFailure("a directory stays open until all below it is done")
        }
        return try directory.directory(node.name)
    }

    private func merge(_ local: Found) {
        found.withLock { found in
            found.unreadable.append(contentsOf: local.unreadable)
            found.notCaptured.append(contentsOf: local.notCaptured)
            found.torn.append(contentsOf: local.torn)
            found.moving.append(contentsOf: local.moving)
            found.seen.append(contentsOf: local.seen)
        }
    }

    private func item(
        _ name: [UInt8], _ path: EntryPath, in node: DirectoryNode, _ directory: OpenDirectory,
        _ reader: FileReader, _ local: inout Found
    ) throws(FileFailure) -> DirectoryNode.Item? {
        var status = try directory.status(name)
        var (entryClass, state) = matcher.step(node.state, name: name, isDirectory: status.kind == .directory)
        let replacement = replacements[path]
        if replacement != nil { entryClass = .database }
        guard entryClass != .derived, !leftOut.contains(entryClass) else { return nil }
        func item(_ contents: DirectoryNode.Contents, _ attributes: [Entry.Attribute] = [])
            -> DirectoryNode.Item
        {
            DirectoryNode.Item(
                name: name, status: status, entryClass: entryClass, attributes: attributes, contents: contents
            )
        }
        switch status.kind {
        case .directory:
            return item(.directory(DirectoryNode(parent: node, name: name, path: path, state: state)))
        case .link:
            let target = try directory.linkTarget(name)
            return item(.link(target: target, try reader.add(.blob, target)))
        case .socket, .fifo, .device:
            local.notCaptured.append(.init(path: path.description, reason: "a \(status.kind)"))
            return nil
        case .file:
            if let replacement {
                let frozen = try reader.read(OpenFile(replacement), path: path, isAppended: false)
                let live = try directory.file(name).attributes()
                status.size = frozen.contents.size
                return item(
                    .file(frozen.contents), live.map { Entry.Attribute(name: $0.name, value: $0.value) })
            }
            if let known = cache.contents(status), sink.holds(known.id) {
                local.seen.append((status, known))
                let attributes = known.hasAttributes ? try directory.file(name).attributes() : []
                return item(.file(known), attributes.map { Entry.Attribute(name: $0.name, value: $0.value) })
            }
            let result = try reader.read(
                try directory.file(name), path: path, isAppended: entryClass == .bulk)
            status = result.status
            if result.isTorn { local.torn.append(path) } else { local.seen.append((status, result.contents)) }
            return item(.file(result.contents), result.attributes)
        }
    }

    /// Makes the tree of a directory whose children are all done, and goes on upwards.
    private func complete(_ node: DirectoryNode, _ lane: any ObjectLane) throws {
        var node = node
        while true {
            try writeTrees(node, lane)
            try look(again: node)
            node.directory = nil
            guard let parent = node.parent else { return }
            guard parent.openChildren.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 else {
                return
            }
            node = parent
        }
    }

    /// Notes a directory that changed since it was listed.
    private func look(again node: DirectoryNode) throws {
        guard let directory = node.directory, let before = node.status else { return }
        let now = try directory.status()
        guard now.modified != before.modified || now.changed != before.changed else { return }
        found.withLock { $0.moving.append(node.path) }
    }

    private func writeTrees(_ node: DirectoryNode, _ lane: any ObjectLane) throws {
        var entries: [TreeEntry] = []
        var history: [TreeEntry] = []
        for item in node.items {
            if case .directory(let child) = item.contents {
                let name = StoredName.escaped(item.name)
                if let tree = child.tree { entries.append(TreeEntry(name: name, mode: .tree, id: tree)) }
                if let tree = child.historyTree {
                    history.append(TreeEntry(name: name, mode: .tree, id: tree))
                }
            } else if let entry = item.treeEntry {
                entries.append(entry)
                if item.entryClass.isHistory { history.append(entry) }
            }
        }
        if !entries.isEmpty { node.tree = try lane.add(.tree, Tree.contents(entries)) }
        if !history.isEmpty {
            node.historyTree = history == entries ? node.tree : try lane.add(.tree, Tree.contents(history))
        }
    }
}
