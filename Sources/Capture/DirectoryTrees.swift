internal import Git
internal import SnapshotModel

extension DirectoryNode {
    /// Adds the directory's tree, and that of what people read in it, from those of the directories in it, which are complete;
    /// neither is made where nothing of it differs from what the cache holds.
    func writeTrees(to lane: any ObjectLane) throws {
        if let known = knownRecord, isSame, isHeld,
            children.lazy.compactMap(\.node).allSatisfy({ child in
                child.knownRecord.map {
                    $0.tree == child.record.tree && $0.historyTree == child.record.historyTree
                } ?? false
            })
        {
            record.tree = known.tree
            record.historyTree = known.historyTree
            return
        }
        var entries: [TreeEntry] = []
        var history: [TreeEntry] = []
        withEntries { records, bytes in
            var next = 0
            for index in records.indices {
                let record = records[index]
                guard record.kind == .directory else {
                    let entry = treeEntry(record, bytes.name(of: record))
                    entries.append(entry)
                    if record.isHistory { history.append(entry) }
                    continue
                }
                let child = cache.record(of: children[next])
                next += 1
                guard child.tree != .none else { continue }
                let name = StoredName.escaped(bytes.name(of: record))
                entries.append(TreeEntry(name: name, mode: .tree, id: child.tree))
                if child.historyTree != .none {
                    history.append(TreeEntry(name: name, mode: .tree, id: child.historyTree))
                }
            }
        }
        if !entries.isEmpty { record.tree = try lane.add(.tree, Tree.contents(entries)) }
        if !history.isEmpty {
            record.historyTree =
                history == entries ? record.tree : try lane.add(.tree, Tree.contents(history))
        }
    }
}
