internal import Git

/// A tree being put together from paths: `files/etc/nginx`, `plugins.lock`.
struct NestedTree {
    private var entries: [TreeEntry] = []
    private var directories: [[UInt8]: NestedTree] = [:]

    /// Adds a file or a whole tree at a path of stored names.
    mutating func insert(_ path: ArraySlice<[UInt8]>, _ mode: TreeEntry.Mode, _ id: ObjectID) {
        guard let name = path.first else { return }
        if path.count == 1 {
            entries.append(TreeEntry(name: name, mode: mode, id: id))
        } else {
            directories[name, default: NestedTree()].insert(path.dropFirst(), mode, id)
        }
    }

    /// Adds a file or a whole tree at a path of stored names.
    mutating func insert(_ path: String, _ mode: TreeEntry.Mode, _ id: ObjectID) {
        insert(path.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }[...], mode, id)
    }

    /// Writes the trees, nil when there is nothing in them.
    func write(_ lane: any ObjectLane) throws -> ObjectID? {
        var entries = self.entries
        for (name, directory) in directories {
            if let id = try directory.write(lane) {
                entries.append(TreeEntry(name: name, mode: .tree, id: id))
            }
        }
        return entries.isEmpty ? nil : try lane.add(.tree, Tree.contents(entries))
    }
}
