internal import FileTree
internal import Git
internal import SnapshotModel
internal import Synchronization

/// A directory on its way into the store.
///
/// The fields are written by the one thread that lists the directory, and read by the one that completes it; the work
/// stack's lock and the atomic count of open children order the two, which is what makes sharing it safe.
final class DirectoryNode: @unchecked Sendable {
    /// One name in the directory.
    struct Item {
        var name: [UInt8]
        var status: FileStatus
        var entryClass: EntryClass
        var attributes: [Entry.Attribute] = []
        var contents: Contents

        /// The item in a git tree, nil for a directory.
        var treeEntry: TreeEntry? {
            let name = StoredName.escaped(name)
            switch contents {
            case .directory: return nil
            case .link(_, let id): return TreeEntry(name: name, mode: .link, id: id)
            case .file(let contents) where contents.isChunked:
                return TreeEntry(name: name + StoredName.chunksSuffix, mode: .tree, id: contents.id)
            case .file(let contents):
                return TreeEntry(
                    name: name, mode: status.mode & 0o100 == 0 ? .file : .executable, id: contents.id)
            }
        }
    }

    enum Contents {
        case directory(DirectoryNode)
        case file(FileContents)
        case link(target: [UInt8], ObjectID)
    }

    let parent: DirectoryNode?
    let name: [UInt8]
    let path: EntryPath
    let state: Classification.Matcher.State
    let openChildren = Atomic<Int>(0)
    /// Open from the listing until all below is done.
    var directory: OpenDirectory?
    /// As it was when the directory was opened.
    var status: FileStatus?
    var attributes: [Entry.Attribute] = []
    var items: [Item] = []
    /// The tree of everything below, nil when there is nothing.
    var tree: ObjectID?
    /// The tree of what history carries, nil when there is nothing.
    var historyTree: ObjectID?

    init(parent: DirectoryNode?, name: [UInt8], path: EntryPath, state: Classification.Matcher.State) {
        self.parent = parent
        self.name = name
        self.path = path
        self.state = state
    }
}
