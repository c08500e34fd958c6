/// A git tree that is a list: its names are the numbers of its objects, with eight digits, so that the order of names is that
/// of the list.
///
/// It may have a million entries, so it is never more than its bytes while it is made, and its ids when it is read.
package struct NumberedTree {
    /// The contents of the tree object.
    package private(set) var contents: [UInt8] = []
    /// How many objects there are.
    package private(set) var count = 0
    /// The number of the next object, in digits.
    private var digits = [UInt8](repeating: UInt8(ascii: "0"), count: 8)

    /// An empty list with room for so many objects.
    package init(capacity: Int = 0) {
        contents.reserveCapacity(capacity * 36)
    }

    /// Adds a file at the end of the list.
    package mutating func append(_ id: ObjectID) {
        precondition(count < 100_000_000, "a number has eight digits")
        contents.append(contentsOf: "100644 ".utf8)
        contents.append(contentsOf: digits)
        contents.append(0)
        id.append(to: &contents)
        count += 1
        var place = digits.count - 1
        while place >= 0, digits[place] == UInt8(ascii: "9") {
            digits[place] = UInt8(ascii: "0")
            place -= 1
        }
        if place >= 0 { digits[place] += 1 }
    }

    /// The objects of a list, in order, by the contents of the tree `id`.
    ///
    /// Throws a ``GitError`` with code `damaged` for what is no tree of ours.
    package static func ids(_ contents: [UInt8], of id: ObjectID) throws(GitError) -> [ObjectID] {
        var ids: [ObjectID] = []
        ids.reserveCapacity(contents.count / 36)
        try Tree.forEach(contents, of: id) { mode, name, child in
            guard TreeEntry.Mode(rawValue: mode) != nil, !name.isEmpty else { return false }
            ids.append(child)
            return true
        }
        return ids
    }
}
