internal import Capture
package import Drivers
internal import Sealing
package import SnapshotModel

/// What a change would do to a component, in the words of its users.
package struct ChangedInventory {
    /// What it would add, change and remove.
    package let changes: [Change]
    /// What it asks for and what is so already, or cannot be: one line each.
    package let notes: [String]

    /// What a change would do to a component as `source` has it; `rules` are the policy's classes.
    package init(
        _ contents: ChangeContents, in source: any FileSource, _ driver: any Driver,
        rules: [Classification.Rule]
    ) throws {
        let change = contents.change
        let before = try driver.inventory(of: ChangedSource(base: source, files: change.files, blobs: nil))
        let after = try driver.inventory(
            of: ChangedSource(base: source, files: change.files, blobs: contents.blobs))
        // As with snapshots: what is sealed where it is kept is told to nobody.
        func entryClass(_ file: ComponentChange.File) -> EntryClass {
            driver.classification(of: file.root).extended(by: rules)
                .entryClass(of: EntryPath(file.path), isDirectory: false)
        }
        let sealed = try change.files.filter { file in
            let path = EntryPath(file.path)
            let (old, new) = (
                try source.contents(root: file.root, path: path), file.blob.flatMap { contents.blobs[$0] }
            )
            return entryClass(file).isSealed
                || [old, new].contains { $0.flatMap { Self.leak(in: $0) } != nil }
        }.map { EntryPath($0.path) }
        var changes = try before.changes(to: after, component: change.component) { driver.isOlder($0, $1) }
            .withoutSealedContents(from: before, to: after) { sealed.contains($0) }
        var notes: [String] = []
        let told = Set((before.items + after.items).flatMap(\.files))
        for file in change.files {
            let path = EntryPath(file.path)
            let shown = printable("\(file.root)/\(file.path)".utf8)
            let old = try source.contents(root: file.root, path: path)
            let new = file.blob.flatMap { contents.blobs[$0] }
            guard old != new else {
                notes.append(
                    "\(shown) \(new == nil ? "is not there" : "has these contents already")")
                continue
            }
            guard !told.contains(path) else { continue }
            var entry = Change(
                component: change.component, kind: "file", name: shown,
                change: old == nil ? .added : new == nil ? .removed : .changed)
            if let old, let new, entryClass(file) == .config, !sealed.contains(path) {
                entry.parts = Difference.textPart(old, new).map { [$0] }
            }
            changes.append(entry)
        }
        let present = before.items.filter { ["package", "plugin", "core"].contains($0.kind) }
        let kind = present.first { $0.kind != "core" }?.kind ?? "package"
        for package in change.packages {
            let item = present.first { Self.isSame($0.name, package.name) }
            var entry = Change(
                component: change.component, kind: item?.kind ?? kind, name: item?.name ?? package.name,
                change: .added, detail: package.version ?? "")
            switch (item?.version, package.version) {
            case (_, nil):
                guard let item else {
                    notes.append("\(package.name) is not there")
                    continue
                }
                entry.change = .removed
                entry.detail = item.version ?? ""
            case (let old?, let new?):
                guard old != new else {
                    notes.append("\(package.name) is \(new) already")
                    continue
                }
                entry.change = driver.isOlder(old, new) ? .upgraded : .downgraded
                entry.detail = "\(old) → \(new)"
            case (nil, _?): break
            }
            changes.append(entry)
        }
        for file in change.files {
            guard let contents = file.blob.flatMap({ contents.blobs[$0] }),
                let leak = Self.leak(in: contents)
            else { continue }
            let line = contents[..<leak.offset].count { $0 == UInt8(ascii: "\n") } + 1
            notes.append(
                "\(printable("\(file.root)/\(file.path)".utf8)), line \(line): \(leak.kind); it is sealed where the change is "
                    + "kept, unless git pushed it or the system file has no recipients")
        }
        self.changes = changes
        self.notes = notes
    }

    private static func leak(in contents: [UInt8]) -> LeakScanner.Finding? {
        unsafe contents.withUnsafeBytes { unsafe LeakScanner.find($0) }
    }

    /// Whether two spellings name one package: pip takes '-', '_' and '.', and capitals, for the same.
    private static func isSame(_ one: String, _ other: String) -> Bool {
        func plain(_ name: String) -> String {
            name.lowercased().replacing("_", with: "-").replacing(".", with: "-")
        }
        return plain(one) == plain(other)
    }
}

/// The files that a change touches, as they are, or as they would be; and the locks.
private struct ChangedSource: FileSource {
    let base: any FileSource
    let files: [ComponentChange.File]
    /// The new contents; nil for the old ones.
    let blobs: [String: [UInt8]]?

    func contents(root: String, path: EntryPath) throws -> [UInt8]? {
        guard let file = files.first(where: { $0.root == root && EntryPath($0.path) == path }) else {
            return nil
        }
        guard let blobs else { return try base.contents(root: root, path: path) }
        return file.blob.flatMap { blobs[$0] }
    }

    func names(root: String, directory: EntryPath) throws -> [(name: [UInt8], isDirectory: Bool)] {
        var names: [[UInt8]: Bool] = [:]
        for file in files where file.root == root {
            let path = EntryPath(file.path)
            let depth = directory.components.count
            guard path.components.count > depth,
                path.components.prefix(depth).elementsEqual(directory.components),
                try contents(root: root, path: path) != nil
            else { continue }
            names[Array(path.components[depth])] = path.components.count > depth + 1
        }
        return names.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) }
    }

    func lock(_ name: String) throws -> [UInt8]? { try base.lock(name) }
}
