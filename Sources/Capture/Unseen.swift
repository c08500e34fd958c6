internal import SnapshotModel

/// What one of two states of a component lacks because it could not be read: of it nobody knows whether it differs.
struct Unseen: Sendable {
    /// What a state lacks, by path, with the reason.
    private struct Gaps: Sendable {
        let reasons: [String: String]
        /// The roots that were looked at, and those of which nothing could be.
        private let roots: Set<String>
        private let missing: Set<String>
        /// The paths as items are called, which know of no root: `buildbot` for `database/buildbot`.
        private let names: Set<String>
        /// Whether there is no list of what a database says, as of builders, where the other state has one.
        private let lacksInventory: Bool

        init(_ captured: CapturedComponent?, beside other: CapturedComponent?) {
            // What says that a root itself could not be listed ends in a dot.
            let problems = (captured?.unreadable ?? []).map { problem in
                let path = problem.path
                return (path: path.hasSuffix("/.") ? String(path.dropLast(2)) : path, reason: problem.reason)
            }
            reasons = Dictionary(problems.map { ($0.path, $0.reason) }) { first, _ in first }
            let roots = Set(captured?.roots.map(\.name) ?? [])
            self.roots = roots
            lacksInventory =
                !problems.isEmpty && captured?.locks[Inventory.lockName] == nil
                && other?.locks[Inventory.lockName] != nil
            let whole = (captured?.unreadable ?? []).filter { $0.path.hasSuffix("/.") }
            missing = Set(whole.map { String($0.path.dropLast(2)) }).subtracting(roots)
            names = Set(
                problems.flatMap { problem in
                    (roots + ["database"]).filter { problem.path.hasPrefix("\($0)/") }
                        .map { String(problem.path.dropFirst($0.count + 1)) }
                })
        }

        /// Whether a path is one of those, or lies below one.
        func contain(_ path: String) -> Bool {
            path.isAtOrBelow(separators: "/") { reasons[$0] != nil }
        }

        /// Whether something that an item consists of is one of those.
        func contain(_ item: Inventory.Item) -> Bool {
            item.files.contains { file in
                // A root that is one file is called like that file.
                contain("\(file)") || (roots.isEmpty ? missing : roots).contains { contain("\($0)/\(file)") }
            }
                || item.files.isEmpty && (isOfMissingRoot(item) || lacksInventory && item.kind != "package")
                || [item.name, "\(item.kind)/\(item.name)"].contains {
                    $0.isAtOrBelow(separators: "/ ") { names.contains($0) }
                }
        }

        /// Whether an item that names no file of its own was read from a root of which nothing could be.
        ///
        /// It bears the root's name in front, or it is what a Python environment has installed; whatever else it is comes from a
        /// root without which no other is captured.
        private func isOfMissingRoot(_ item: Inventory.Item) -> Bool {
            guard !missing.isEmpty else { return false }
            return roots.isEmpty || item.kind == "package" && missing.contains("environment")
                || item.name.isAtOrBelow(separators: "/ ") { missing.contains($0) }
        }
    }

    private let earlier: Gaps
    private let later: Gaps

    /// What two states lack; nil stands for one that was not there.
    init(_ old: CapturedComponent?, _ new: CapturedComponent?) {
        earlier = Gaps(old, beside: new)
        later = Gaps(new, beside: old)
    }

    /// Each path with the reason, in words.
    var words: [String] {
        Set(earlier.reasons.keys).union(later.reasons.keys).sorted().map { path in
            switch (earlier.reasons[path], later.reasons[path]) {
            case (_?, let reason?): "\(path) could be read neither time: \(reason)"
            case (let reason?, nil): "\(path) could not be read the first time: \(reason)"
            case (nil, let reason): "\(path) could not be read: \(reason ?? "")"
            }
        }
    }

    /// What only the later state lacks, with the reason, in words.
    var laterWords: [String] {
        later.reasons.filter { earlier.reasons[$0.key] == nil }.map { "\($0.key): \($0.value)" }.sorted()
    }

    /// Whether there is nothing that one of the states lacks.
    private var isEmpty: Bool { earlier.reasons.isEmpty && later.reasons.isEmpty }

    /// Whether a file only seems to be gone or new, because one state could not look there.
    func hides(_ file: FileChange) -> Bool {
        guard !isEmpty else { return false }
        let path = "\(file.root)/\(file.path)"
        switch file.change {
        case .removed: return later.contain(path)
        case .added: return earlier.contain(path)
        case .changed, .renamed, .upgraded, .downgraded: return false
        }
    }

    /// The changes of items between two inventories, without those that only seem to be gone, new or different.
    func told(_ changes: [Change], from before: Inventory, to after: Inventory) -> [Change] {
        guard !isEmpty else { return changes }
        let unknownBefore = before.items.filter(\.isUnknown)
        let unknownAfter = after.items.filter(\.isUnknown)
        func ids(_ items: [Inventory.Item]) -> Set<[String]> { Set(items.map { [$0.kind, $0.name] }) }
        // What is in a thing that could not be looked at bears its name in front.
        func isPart(_ item: Inventory.Item, of things: [Inventory.Item]) -> Bool {
            things.contains { thing in item.name.isAtOrBelow(separators: " ") { $0 == thing.name } }
        }
        let gone = ids(before.items.filter { later.contain($0) || isPart($0, of: unknownAfter) })
        let new = ids(after.items.filter { earlier.contain($0) || isPart($0, of: unknownBefore) })
        let unknown = ids(unknownBefore + unknownAfter)
        return changes.filter { change in
            guard !unknown.contains([change.kind, change.name]) else { return false }
            return switch change.change {
            case .removed: !gone.contains([change.kind, change.name])
            case .added: !new.contains([change.kind, change.name])
            case .changed, .renamed, .upgraded, .downgraded: true
            }
        }
    }
}

extension String {
    /// Whether this, or what stands before one of the separators in it, is known.
    fileprivate func isAtOrBelow(separators: String, _ isKnown: (String) -> Bool) -> Bool {
        isKnown(self)
            || indices.contains { separators.contains(self[$0]) && isKnown(String(self[..<$0])) }
    }
}
