internal import Cryptography
internal import SnapshotModel

/// One part of a manifest: the entries below the directory that begins it, down to where other parts begin.
final class ManifestPart: Sendable {
    /// Why a part cannot be believed.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// The entry of the root itself; only its first part has one.
    let root: Entry?
    /// What is in each of its directories.
    let children: [EntryPath: [Entry]]

    /// The name of the part that begins at the root.
    static let rootName = Array("root.mtree".utf8)

    /// The name of the part that a directory begins, if it begins one: docs/design.md section 4.
    static func name(of directory: EntryPath) -> [UInt8] {
        Array("\(hex(SHA256.digest(directory.bytes).prefix(8))).mtree".utf8)
    }

    /// Reads the part that `head` begins.
    ///
    /// A manifest may come from a stranger: a name must not come twice, and must not be below what is no directory.
    init(_ text: [UInt8], below head: EntryPath) throws {
        var root: Entry?
        var children: [EntryPath: [Entry]] = [:]
        var seen: Set<EntryPath> = []
        var directories: Set<EntryPath> = [head]
        for entry in try Manifest.entries(text) {
            guard seen.insert(entry.path).inserted, entry.path != head || head.isRoot else {
                throw Failure(description: "\(entry.path) is in it twice")
            }
            if entry.kind == .directory { directories.insert(entry.path) }
            if entry.path.isRoot {
                root = entry
            } else {
                children[entry.path.parent, default: []].append(entry)
            }
        }
        if let orphan = children.keys.first(where: { !directories.contains($0) }) {
            throw Failure(description: "\(orphan) has entries and is no directory of it")
        }
        self.root = root
        self.children = children
    }
}
