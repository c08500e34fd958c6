/// What a component holds in the words of its users: jobs, plugins, builders, agents.
package struct Inventory: Hashable, Sendable {
    /// One thing that a user has a name for.
    package struct Item: Hashable, Sendable {
        /// What it is, as people say it: `job`, `plugin`, `builder`.
        package var kind: String
        /// Its full name: `folder/job`.
        package var name: String
        /// Its version, where such things have one.
        package var version: String?
        /// A fingerprint of what people would call its contents: noise that the tool rewrites by itself is left out.
        package var digest: String
        /// One short phrase more: `pipeline`, `disabled`.
        package var detail: String
        /// The files that it consists of, so that a change of them is not told twice.
        package var files: [EntryPath]

        /// An item.
        package init(
            kind: String, name: String, version: String? = nil, digest: String = "", detail: String = "",
            files: [EntryPath] = []
        ) {
            self.kind = kind
            self.name = name
            self.version = version
            self.digest = digest
            self.detail = detail
            self.files = files
        }
    }

    /// Every item; the order means nothing.
    package var items: [Item]

    /// An inventory of these items.
    package init(items: [Item] = []) {
        self.items = items
    }
}

/// A difference between two states of a system, in the words of its users.
package struct Change: Hashable, Codable, Sendable {
    /// How it changed.
    package enum Kind: String, Codable, Sendable {
        case added, removed, changed, renamed, upgraded, downgraded
    }

    /// The component.
    package var component: String
    /// What it is: `job`, `plugin`, `file`.
    package var kind: String
    /// Its name.
    package var name: String
    /// How it changed.
    package var change: Kind
    /// What changed in it: `5.2.1 → 5.5.2`.
    package var detail: String

    /// A change.
    package init(component: String, kind: String, name: String, change: Kind, detail: String = "") {
        self.component = component
        self.kind = kind
        self.name = name
        self.change = change
        self.detail = detail
    }
}

extension Inventory {
    /// The changes that lead from this inventory to `newer`, sorted by kind and name.
    ///
    /// `isOlder(a, b)` says whether version `a` comes before version `b`, by the rules of the system.
    package func changes(
        to newer: Inventory, component: String, isOlder: (String, String) -> Bool
    ) -> [Change] {
        struct Key: Hashable {
            let kind: String
            let name: String
        }
        func keyed(_ items: [Item]) -> [Key: Item] {
            Dictionary(items.map { (Key(kind: $0.kind, name: $0.name), $0) }) { first, _ in first }
        }
        let before = keyed(items)
        let after = keyed(newer.items)
        var changes: [Change] = []
        func add(_ item: Item, _ change: Change.Kind, _ detail: String) {
            changes.append(
                Change(component: component, kind: item.kind, name: item.name, change: change, detail: detail)
            )
        }
        for (key, item) in after {
            guard let old = before[key] else {
                add(
                    item, .added,
                    [item.version ?? "", item.detail].filter { !$0.isEmpty }.joined(separator: ", "))
                continue
            }
            if let from = old.version, let to = item.version, from != to {
                add(item, isOlder(from, to) ? .upgraded : .downgraded, "\(from) → \(to)")
            } else if old.digest != item.digest || old.detail != item.detail {
                add(item, .changed, old.detail == item.detail ? "" : "\(old.detail) → \(item.detail)")
            }
        }
        for (key, item) in before where after[key] == nil {
            add(
                item, .removed,
                [item.version ?? "", item.detail].filter { !$0.isEmpty }.joined(separator: ", "))
        }
        return changes.sorted {
            ($0.kind, $0.name, $0.change.rawValue) < ($1.kind, $1.name, $1.change.rawValue)
        }
    }
}
