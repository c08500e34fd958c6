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
    /// A manifest may come from a stranger: its names must come in the order of a walk, each once, and none below what is
    /// no directory.
    init(_ text: [UInt8], below head: EntryPath) throws {
        var root: Entry?
        var children: [EntryPath: [Entry]] = [:]
        // The directories that the walk is in, each with what it has met there.
        var open: [(path: EntryPath, met: [Entry])] = [(head, [])]
        func close() {
            let (path, met) = open.removeLast()
            if !met.isEmpty { children[path] = met }
        }
        for entry in try Manifest.entries(text) {
            if entry.path.isRoot, head.isRoot, root == nil, open[0].met.isEmpty {
                root = entry
                continue
            }
            while open.count > 1, !entry.path.isDirectly(in: open[open.count - 1].path) { close() }
            let last = open.count - 1
            guard entry.path.isDirectly(in: open[last].path) else {
                throw Failure(description: "\(entry.path) is below what is no directory of it")
            }
            if let before = open[last].met.last,
                !before.path.name.lexicographicallyPrecedes(entry.path.name)
            {
                throw Failure(description: "\(entry.path) is in it twice, or comes too late")
            }
            open[last].met.append(entry)
            if entry.kind == .directory { open.append((entry.path, [])) }
        }
        while !open.isEmpty { close() }
        self.root = root
        self.children = children
    }
}
