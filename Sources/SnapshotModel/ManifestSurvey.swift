extension Manifest {
    /// What lines amount to, and who owns what they name; read of them is no more than that.
    package struct Survey: Sendable {
        /// Files, links and directories.
        package private(set) var entries = 0
        /// Bytes in files, a petabyte at most: sizes come from a store, and may be made up.
        package private(set) var bytes: Int64 = 0
        /// The names of those who own anything; an empty one for who has none.
        package private(set) var users: Set<String> = []
        /// The names of the groups of anything; an empty one for what has none.
        package private(set) var groups: Set<String> = []

        /// No lines.
        package init() {}

        /// Adds the lines of a part.
        package mutating func add(_ text: [UInt8]) throws(ManifestFailure) {
            var parser = LineParser(text)
            var (user, group): (String?, String?)
            for (index, line) in try Manifest.lines(text).enumerated() {
                let head = try parser.head(line, number: index + 1)
                entries += 1
                add(bytes: head.size)
                // Mostly those of the line before.
                if head.ownerName != user { users.insert(head.ownerName) }
                if head.groupName != group { groups.insert(head.groupName) }
                (user, group) = (head.ownerName, head.groupName)
            }
        }

        /// Adds all of another.
        package mutating func add(_ other: Survey) {
            entries += other.entries
            add(bytes: other.bytes)
            users.formUnion(other.users)
            groups.formUnion(other.groups)
        }

        private mutating func add(bytes count: Int64) {
            let most: Int64 = 1 << 50
            bytes = min(bytes + min(count, most), most)
        }
    }
}
