/// One name in a git tree.
package struct TreeEntry: Hashable, Sendable {
    /// What the name stands for.
    package enum Mode: UInt32, Sendable {
        /// A directory.
        case tree = 0o040000
        /// A file.
        case file = 0o100644
        /// A file that its owner may run.
        case executable = 0o100755
        /// A symbolic link; the blob is its target.
        case link = 0o120000

        fileprivate var digits: String {
            switch self {
            case .tree: "40000"
            case .file: "100644"
            case .executable: "100755"
            case .link: "120000"
            }
        }
    }

    /// The name.
    package var name: [UInt8]
    /// What it stands for.
    package var mode: Mode
    /// The object.
    package var id: ObjectID

    /// An entry.
    package init(name: [UInt8], mode: Mode, id: ObjectID) {
        self.name = name
        self.mode = mode
        self.id = id
    }

    /// An entry whose name is text.
    package init(_ name: String, _ mode: Mode, _ id: ObjectID) {
        self.init(name: Array(name.utf8), mode: mode, id: id)
    }

    /// Less than 0 before an entry of another name in git's order, 0 for that name, more behind it.
    ///
    /// The order is by bytes, a directory as if its name ended in a slash.
    package func order(to other: [UInt8], isTree: Bool) -> Int {
        let count = min(name.count, other.count)
        for index in 0..<count where name[index] != other[index] {
            return Int(name[index]) - Int(other[index])
        }
        let end = name.count > count ? name[count] : mode == .tree ? UInt8(ascii: "/") : 0
        let otherEnd = other.count > count ? other[count] : isTree ? UInt8(ascii: "/") : 0
        return Int(end) - Int(otherEnd)
    }
}

/// A git tree as bytes and back.
package enum Tree {
    /// The contents of a tree object with these entries, in any order.
    package static func contents(_ entries: [TreeEntry]) -> [UInt8] {
        var contents: [UInt8] = []
        contents.reserveCapacity(entries.reduce(0) { $0 + 28 + $1.name.count })
        for entry in entries.sorted(by: { $0.order(to: $1.name, isTree: $1.mode == .tree) < 0 }) {
            contents.append(contentsOf: entry.mode.digits.utf8)
            contents.append(UInt8(ascii: " "))
            contents.append(contentsOf: entry.name)
            contents.append(0)
            entry.id.append(to: &contents)
        }
        return contents
    }

    /// What any tree refers to, whoever made it: submodules' commits are not in the repository and left out.
    ///
    /// Throws a ``GitError`` with code `damaged` for what is no tree.
    package static func references(_ contents: [UInt8], of id: ObjectID) throws(GitError) -> [(
        id: ObjectID, isTree: Bool
    )] {
        var references: [(id: ObjectID, isTree: Bool)] = []
        try forEach(contents, of: id) { mode, _, child in
            if mode & 0o170000 != 0o160000 { references.append((child, mode & 0o170000 == 0o040000)) }
            return true
        }
        return references
    }

    /// The entries of a tree object.
    ///
    /// Throws a ``GitError`` with code `damaged` for what is no tree, or holds a mode that we never write or a name that would
    /// lead elsewhere.
    package static func entries(_ contents: [UInt8], of id: ObjectID) throws(GitError) -> [TreeEntry] {
        var entries: [TreeEntry] = []
        try forEach(contents, of: id) { number, name, child in
            guard let mode = TreeEntry.Mode(rawValue: number), isPlain(name) else { return false }
            entries.append(
                TreeEntry(
                    name: unsafe name.withUnsafeBufferPointer { unsafe Array($0) }, mode: mode, id: child))
            return true
        }
        return entries
    }

    /// Whether a name stands for something in its directory: not for the directory itself, the one above, or one further away.
    private static func isPlain(_ name: Span<UInt8>) -> Bool {
        var dots = 0
        for index in name.indices {
            if name[index] == UInt8(ascii: "/") { return false }
            if name[index] == UInt8(ascii: ".") { dots += 1 }
        }
        return name.count > 2 || dots < name.count
    }

    /// Hands mode, name and object of each entry to `body`, which says whether it may be there.
    ///
    /// Throws a ``GitError`` with code `damaged` for what is no tree, and for an entry that may not be there.
    static func forEach(
        _ contents: [UInt8], of id: ObjectID, _ body: (UInt32, Span<UInt8>, ObjectID) -> Bool
    ) throws(GitError) {
        let bytes = contents.span
        var place = 0
        while place < bytes.count {
            var mode: UInt32 = 0
            let start = place
            while place < bytes.count, bytes[place] & 0xf8 == UInt8(ascii: "0"), place - start < 7 {
                mode = mode << 3 | UInt32(bytes[place] & 7)
                place += 1
            }
            let nameStart = place + 1
            var end = nameStart
            while end < bytes.count, bytes[end] != 0 { end += 1 }
            guard place > start, place < bytes.count, bytes[place] == UInt8(ascii: " "),
                end + 20 < bytes.count
            else { throw GitError(.damaged, "read tree \(id)", "its contents are not those of a tree") }
            let child = unsafe bytes.extracting((end + 1)..<(end + 21)).withUnsafeBytes { object in
                unsafe ObjectID(object)
            }
            guard body(mode, bytes.extracting(nameStart..<end), child) else {
                throw GitError(
                    .damaged, "read tree \(id)", "its contents are not those of a tree of ours")
            }
            place = end + 21
        }
    }
}
