internal import SnapshotModel

/// How much there was of a component.
package struct ComponentSize: Codable, Hashable, Sendable {
    /// Files, directories and links.
    package var entries: Int
    /// Bytes of files.
    package var bytes: Int64
    /// Things that people have names for, by kind: `job`, `plugin`, `table`.
    package var items: [String: Int]
    /// How many files are sealed that may hold any number of things, by their kind; older reports lack it.
    package var uncounted: [String: Int]?

    /// A size.
    package init(entries: Int, bytes: Int64, items: [String: Int], uncounted: [String: Int]? = nil) {
        self.entries = entries
        self.bytes = bytes
        self.items = items
        self.uncounted = uncounted
    }
}

/// Finds what vanished all at once: jobs, plugins, bytes, a whole component.
package enum Shrink {
    /// How many per cent may vanish.
    package struct Limits: Hashable, Sendable {
        /// Of the entries of a component.
        package var entries: Int
        /// Of its bytes.
        package var bytes: Int
        /// Of the things of a kind.
        package var items: Int

        /// Limits, from 1 to 100.
        package init(entries: Int, bytes: Int, items: Int) {
            self.entries = entries
            self.bytes = bytes
            self.items = items
        }
    }

    /// What shrank by more than the limits, in words, sorted by component.
    package static func findings(
        from old: [String: ComponentSize], to new: [String: ComponentSize], limits: Limits
    ) -> [String] {
        old.sorted { $0.key < $1.key }.flatMap { name, before in
            guard let now = new[name] else { return ["\(name) is gone"] }
            var words: [String] = []
            if isBeyond(limits.entries, Int64(before.entries), Int64(now.entries)) {
                words.append("\(name): \(before.entries) entries → \(now.entries)")
            }
            if isBeyond(limits.bytes, before.bytes, now.bytes) {
                words.append("\(name): \(before.bytes) bytes → \(now.bytes)")
            }
            for (kind, count) in before.items.sorted(by: { $0.key < $1.key }) {
                // What stands in a file that is sealed now did not vanish.
                guard now.uncounted?[kind] ?? 0 <= before.uncounted?[kind] ?? 0 else { continue }
                let left = now.items[kind] ?? 0
                if isBeyond(limits.items, Int64(count), Int64(left)) {
                    words.append("\(name): \(counted(count, kind)) → \(left)")
                }
            }
            return words
        }
    }

    private static func isBeyond(_ percent: Int, _ before: Int64, _ now: Int64) -> Bool {
        // One of two is no alarm; none of what there was is.
        guard now < before, before - now > 1 || now == 0 else { return false }
        return Double(before - now) * 100 > Double(before) * Double(percent) || now == 0
    }
}
