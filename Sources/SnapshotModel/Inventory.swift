/// What a component holds in the words of its users: jobs, plugins, builders, agents.
package struct Inventory: Hashable, Sendable {
    /// The name of the lock below a component for what no file says of it.
    package static let lockName = "inventory.lock"

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
        /// What is left to compare its contents by where two states are sealed with different keys and ``digest`` hangs on the
        /// key; nil where it does not.
        package var digestWithoutKey: String?
        /// One short phrase more: `pipeline`, `disabled`.
        package var detail: String
        /// What it consists of, for people who ask what changed in it; empty where that is not told.
        package var facets: [Facet] = []
        /// Whether it is known to be there and could not be looked at, so that nobody knows what is in it.
        package var isUnknown = false
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

    /// One thing inside an item.
    package struct Facet: Hashable, Sendable {
        /// What it is: `trigger`, `parameter`, `step`, `script`.
        package var aspect: String
        /// Its name, empty where an item has one only.
        package var name: String
        /// What it says.
        package var value: String
        /// Whether the order among those of its aspect means something.
        package var isOrdered: Bool
        /// Whether the value is compared and never shown.
        package var isHidden: Bool

        /// A thing inside an item.
        package init(
            _ aspect: String, _ name: String, _ value: String, isOrdered: Bool = false,
            isHidden: Bool = false
        ) {
            self.aspect = aspect
            self.name = name
            self.value = value
            self.isOrdered = isOrdered
            self.isHidden = isHidden
        }
    }

    /// A file that describes items, and is sealed: what is in it is not told.
    package struct Sealed: Hashable, Sendable {
        /// The file.
        package var file: EntryPath
        /// The kind of the one item that it is, nil when it is none.
        package var kind: String?
        /// The kinds of items of which it may hold any number.
        package var others: [String]

        /// A file.
        package init(file: EntryPath, kind: String?, others: [String]) {
            self.file = file
            self.kind = kind
            self.others = others
        }
    }

    /// Every item; the order means nothing.
    package var items: [Item]
    /// The files of which no item is told because they are sealed; the order means nothing.
    package var sealed: [Sealed] = []

    /// An inventory of these items.
    package init(items: [Item] = []) {
        self.items = items
    }

    /// This, to be compared with one of a state that is sealed with another key.
    package var withoutKeyedDigests: Inventory {
        var inventory = self
        for index in items.indices {
            inventory.items[index].digest = items[index].digestWithoutKey ?? items[index].digest
        }
        return inventory
    }
}
