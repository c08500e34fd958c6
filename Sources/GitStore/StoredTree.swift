package import Git
package import SnapshotModel

/// The tree that holds the contents of the files of one directory, under the names that ``StoredName`` gives them.
package struct StoredTree: Sendable {
    /// In git's order.
    private let entries: [TreeEntry]

    /// The tree of a directory; without an entry where the directory has none.
    ///
    /// It is not checked against its id: what is in it is checked, or was not found.
    package init(of directory: StoredRoot.Directory, with lane: ReaderLane) throws {
        guard let tree = directory.tree else {
            self = .empty
            return
        }
        try self.init(lane.contents(tree, .tree, checks: false), of: tree)
    }

    /// The tree with these contents.
    init(_ contents: [UInt8], of tree: ObjectID) throws(GitError) {
        entries = try Tree.entries(contents, of: tree)
    }

    private init() { entries = [] }

    /// No entries: for who asks what there is, and not where it is.
    package static let empty = StoredTree()

    /// Where the contents of a file are, nil when the tree does not hold them.
    package func contents(of entry: Entry) -> StoredRoot.Contents? {
        let suffix = entry.isSealed ? StoredName.sealedSuffix : []
        return firstFound(entry) { name in
            let stored = suffix.isEmpty ? name : name + suffix
            if let whole = find(stored, isTree: false), whole.mode == .file || whole.mode == .executable {
                return StoredRoot.Contents(id: whole.id, isChunked: false, isSealed: entry.isSealed)
            }
            return find(stored + StoredName.chunksSuffix, isTree: true).map {
                StoredRoot.Contents(id: $0.id, isChunked: true, isSealed: entry.isSealed)
            }
        }
    }

    /// The tree of a directory in it, nil when it holds nothing.
    package func tree(of entry: Entry) -> ObjectID? {
        firstFound(entry) { find($0, isTree: true)?.id }
    }

    /// The blob that is a link's target, nil when the tree does not hold it.
    package func target(of entry: Entry) -> ObjectID? {
        firstFound(entry) { find($0, isTree: false) }.flatMap { $0.mode == .link ? $0.id : nil }
    }

    /// What is found under the spelling of a name, or under the name itself.
    ///
    /// Format 1 knew no sealed files, and a name of a file's own that ends like one's stands there as it is.
    private func firstFound<Found>(_ entry: Entry, _ look: ([UInt8]) -> Found?) -> Found? {
        let name = Array(entry.path.name)
        let spelled = StoredName.escaped(name)
        return look(spelled) ?? (spelled == name ? nil : look(name))
    }

    /// By halves: a tree in another order than git's is not found whole, and nothing of it is believed.
    private func find(_ name: [UInt8], isTree: Bool) -> TreeEntry? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            switch entries[middle].order(to: name, isTree: isTree) {
            case ..<0: low = middle + 1
            case 0: return entries[middle]
            default: high = middle
            }
        }
        return nil
    }
}
