package import SnapshotModel

/// What stands in sealed files is not told: an identity opens them for a restore, and not for everybody who reads a terminal,
/// a log or a merge request.
extension [Change] {
    /// These, of which those of items in sealed files say only which parts changed; `isSealed` says it of a file, and the
    /// inventories are those that the changes lead from and to.
    package func withoutSealedContents(
        from before: Inventory, to after: Inventory, _ isSealed: (EntryPath) throws -> Bool
    ) throws -> [Change] {
        let old = Self.files(before)
        let new = Self.files(after)
        return try map { change in
            guard let parts = change.parts, !parts.isEmpty else { return change }
            let files =
                (old[[change.kind, change.was ?? change.name]] ?? [])
                + (new[[change.kind, change.name]] ?? [])
            guard try files.contains(where: isSealed) else { return change }
            var change = change
            change.parts = parts.map { .init(aspect: $0.aspect, name: $0.name, change: $0.change) }
            change.detail += change.detail.isEmpty ? "sealed" : ", sealed"
            return change
        }
    }

    /// The files of items by kind and name.
    private static func files(_ inventory: Inventory) -> [[String]: [EntryPath]] {
        Dictionary(inventory.items.map { ([$0.kind, $0.name], $0.files) }) { first, _ in first }
    }
}
