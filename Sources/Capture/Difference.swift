package import Drivers
internal import Git
internal import Sealing
package import SnapshotModel
internal import Synchronization
internal import Workers

/// A file that differs between two states.
package struct FileChange: Hashable, Sendable {
    /// The root's name.
    package var root: String
    /// The path below the root.
    package var path: EntryPath
    /// How it changed.
    package var change: Change.Kind
    /// What changed in it beside the contents: `mode 0600 → 0644`.
    package var detail: String
    /// Its class.
    package var entryClass: EntryClass
    /// What of the entry differs.
    package var aspects: Set<Aspect> = []
    /// Whether it is sealed in one of the states.
    package var isSealed = false

    /// A part of an entry that can differ.
    package enum Aspect: Hashable, Sendable {
        case kind, contents, mode, owner, time, attributes, entryClass, sealing
    }

    /// Whether both states have the path, and nothing but these aspects of it differs.
    package func differsOnly(in allowed: Set<Aspect>) -> Bool {
        change == .changed && aspects.isSubset(of: allowed)
    }
}

/// What differs between two states of a component: in its users' words, and file by file.
package struct Difference: Sendable {
    /// Jobs, plugins, builders, and configuration files that belong to none of them.
    package var changes: [Change]
    /// Every file that differs, sorted by path.
    package var files: [FileChange]
    /// ``changes`` without what only seems to be gone or new, because one of the states could not look there: what people are
    /// told beside ``unknown``.
    package var told: [Change]
    private let unseen: Unseen

    /// Whether nothing differs.
    package var isEmpty: Bool { files.isEmpty && changes.isEmpty }

    /// What could not be read in one of the states, or in both, in words: nobody knows whether it differs.
    package var unknown: [String] { unseen.words }

    /// What of it could not be read in the later state alone, in words.
    package var unreadLater: [String] { unseen.laterWords }

    /// ``files`` without what only seems to be gone or new, as ``told``.
    package var toldFiles: [FileChange] { files.filter { !unseen.hides($0) } }

    /// Compares two states of a component; nil stands for a component that was not there.
    ///
    /// Costs what differs: equal trees and equal manifest parts are not looked into.
    ///
    /// With `readsTexts` it says what changed in configuration files that are told by their names, line by line.
    package init(
        from old: ComponentState?, to new: ComponentState?, driver: any Driver, readsTexts: Bool = false
    ) throws {
        let name = new?.captured.name ?? old?.captured.name ?? ""
        let unseen = Unseen(old?.captured, new?.captured)
        self.unseen = unseen
        guard let old, let new else {
            let change: Change.Kind = old == nil ? .added : .removed
            changes = [Change(component: name, kind: "component", name: name, change: change)]
            told = changes
            files = []
            return
        }
        guard old.tree != new.tree else {
            changes = []
            told = []
            files = []
            return
        }
        files = try Self.fileChanges(from: old, to: new)
        let (before, after) = try Self.inventories(old, new, driver)
        let sealed = Set(files.filter(\.isSealed).map(\.path))
        let named = try before.changes(to: after, component: name) { driver.isOlder($0, $1) }
            .withoutSealedContents(from: before, to: after) { sealed.contains($0) }
        let items = Set((before.items + after.items).flatMap(\.files))
        let rest = files.filter { $0.entryClass == .config || $0.entryClass == .secret }
            .filter { !items.contains($0.path) && $0.path != .root && !$0.isOnlyTime }
        func change(_ file: FileChange) throws -> Change {
            var change = Change(
                component: name, kind: "file", name: "\(file.root)/\(file.path)", change: file.change,
                detail: file.detail)
            guard readsTexts else { return change }
            change.parts = try Self.parts(of: file, from: old, to: new)
            if file.isSealed, file.change == .changed {
                change.detail += change.detail.isEmpty ? "sealed" : ", sealed"
            }
            return change
        }
        let others = try rest.map { try (file: $0, change: change($0)) }
        let moved = unseen.words.isEmpty ? Self.moved(old.captured, new.captured) : []
        changes = moved + named + others.map(\.change)
        told =
            moved + unseen.told(named, from: before, to: after)
            + others.filter { !unseen.hides($0.file) }.map(\.change)
    }

    /// That a component lies elsewhere, where its roots are named by their paths, and so is all in them.
    private static func moved(_ old: CapturedComponent, _ new: CapturedComponent) -> [Change] {
        typealias Roots = [CapturedComponent.CapturedRoot]
        func paths(_ roots: Roots, without others: Roots) -> String? {
            let paths = roots.filter { root in !others.contains { $0.name == root.name } }.map(\.path)
            guard let first = paths.first else { return nil }
            return printable(first.utf8) + (paths.count > 1 ? " and \(paths.count - 1) more" : "")
        }
        guard let gone = paths(old.roots, without: new.roots), let come = paths(new.roots, without: old.roots)
        else { return [] }
        let detail =
            "its places were \(gone), and are \(come): what is named by its path is told as gone and new, even where it is the same"
        return [
            Change(component: new.name, kind: "component", name: new.name, change: .changed, detail: detail)
        ]
    }

    /// The changes of the inventory alone, whatever else differs, and the files that were not looked into because they are
    /// sealed; nil stands for a component that was not there.
    static func inventoryChanges(
        from old: ComponentState?, to new: ComponentState?, component: String, driver: any Driver,
        tellsAll: Bool
    ) throws -> (changes: [Change], sealed: Set<Inventory.Sealed>) {
        let (before, after) = try inventories(old, new, driver)
        let changes = try before.changes(to: after, component: component, tellsAll: tellsAll) {
            driver.isOlder($0, $1)
        }.withoutSealedContents(from: before, to: after) { path in
            try [old, new].contains { try $0?.isSealed(path) ?? false }
        }
        return (changes, Set(before.sealed + after.sealed))
    }

    /// What two states hold, each narrowed to what differs from the other; nil stands for a component that was not there.
    private static func inventories(
        _ old: ComponentState?, _ new: ComponentState?, _ driver: any Driver
    ) throws -> (before: Inventory, after: Inventory) {
        func items(_ state: ComponentState?, _ other: ComponentState?) throws -> Inventory {
            guard let state else { return Inventory() }
            return try driver.inventory(of: other.map { state.source(narrowedAgainst: $0) } ?? state.source)
        }
        let (before, after) = (try items(old, new), try items(new, old))
        guard let old, let new, !haveSameNames(old, new) else { return (before, after) }
        return (before.withoutKeyedDigests, after.withoutKeyedDigests)
    }

    /// Whether one sealing key, or none, named the contents of both states.
    private static func haveSameNames(_ old: ComponentState, _ new: ComponentState) -> Bool {
        old.captured.sealing?.key == new.captured.sealing?.key
    }

    /// How long a text may be whose lines are compared.
    private static let textLimit = 1 << 18

    /// What changed in a configuration that is text; nil for what is none, is sealed, is secret, or holds what looks like a
    /// secret.
    private static func parts(
        of file: FileChange, from old: ComponentState, to new: ComponentState
    ) throws -> [Change.Part]? {
        guard file.entryClass == .config, file.change == .changed, file.aspects.contains(.contents),
            !file.isSealed,
            let before = try old.source.contents(root: file.root, path: file.path),
            let after = try new.source.contents(root: file.root, path: file.path),
            let part = textPart(before, after)
        else { return nil }
        return [part]
    }

    /// What changed in a text, line by line; nil for what is none, is long, or holds what looks like a secret.
    package static func textPart(_ before: [UInt8], _ after: [UInt8]) -> Change.Part? {
        guard max(before.count, after.count) <= textLimit, !before.contains(0), !after.contains(0),
            let earlier = String(validating: before, as: UTF8.self),
            let later = String(validating: after, as: UTF8.self), !holdsSecret(before), !holdsSecret(after)
        else { return nil }
        return .init(
            aspect: "text", name: "", change: .changed, lines: TextDifference(earlier, later).lines)
    }

    private static func holdsSecret(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBytes { unsafe LeakScanner.find($0) } != nil
    }

    /// The difference that is left when a component is gone.
    init(removed component: String) {
        changes = [Change(component: component, kind: "component", name: component, change: .removed)]
        told = changes
        files = []
        unseen = Unseen(nil, nil)
    }

    /// How many files of each class differ that ``told`` does not speak of.
    package var otherFiles: [String: Int] {
        toldFiles.filter { $0.entryClass != .config && $0.entryClass != .secret && !$0.isOnlyTime }
            .reduce(into: [:]) { $0[$1.entryClass.rawValue, default: 0] += 1 }
    }

    private static func fileChanges(from old: ComponentState, to new: ComponentState) throws -> [FileChange] {
        var changes: [FileChange] = []
        let roots = Set(old.captured.roots.map(\.name) + new.captured.roots.map(\.name))
        for root in roots.sorted() {
            let before = try parts(of: root, in: old)
            let after = try parts(of: root, in: new)
            let hasSameNames = haveSameNames(old, new)
            // A part that only one state has may hold what lay in another part before, so that paths decide in the end.
            var removed: [EntryPath: Entry] = [:]
            var added: [EntryPath: Entry] = [:]
            let differing = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
                .map { (before[$0], after[$0]) }
            for found in try entries(in: differing, old, new) {
                if let was = found.was { removed[was.path] = was }
                if let now = found.now { added[now.path] = now }
            }
            for (path, entry) in added {
                guard let was = removed.removeValue(forKey: path) else {
                    changes.append(
                        .init(
                            root: root, path: path, change: .added, detail: "", entryClass: entry.entryClass,
                            isSealed: entry.isSealed))
                    continue
                }
                guard was != entry else { continue }
                changes.append(
                    .init(
                        root: root, path: path, change: .changed, detail: detail(was, entry),
                        entryClass: entry.entryClass, aspects: aspects(was, entry, hasSameNames),
                        isSealed: was.isSealed || entry.isSealed))
            }
            for (path, was) in removed {
                changes.append(
                    .init(
                        root: root, path: path, change: .removed, detail: "", entryClass: was.entryClass,
                        isSealed: was.isSealed))
            }
        }
        return changes.sorted { $0.root == $1.root ? $0.path < $1.path : $0.root < $1.root }
    }

    /// The entries that differ within manifest parts, each as it was and as it is; several threads read the parts.
    private static func entries(
        in parts: [(old: ObjectID?, new: ObjectID?)], _ old: ComponentState, _ new: ComponentState
    ) throws -> [(was: Entry?, now: Entry?)] {
        let all = Mutex<[(was: Entry?, now: Entry?)]>([])
        let work = WorkStack<(old: ObjectID?, new: ObjectID?)>(threads: usualThreads)
        work.push(parts)
        try work.run(
            start: { _ in [(was: Entry?, now: Entry?)]() },
            body: { part, found in
                let oldText = try part.old.map { try old.text($0) } ?? []
                let newText = try part.new.map { try new.text($0) } ?? []
                try Manifest.differences(oldText, newText) { found.append((was: $0, now: $1)) }
            },
            end: { found in all.withLock { $0 += found } })
        return all.withLock { $0 }
    }

    private static func parts(of root: String, in state: ComponentState) throws -> [[UInt8]: ObjectID] {
        let names = ["manifest"] + root.split(separator: "/").map(String.init)
        guard let entry = try state.entry(names.map { Array($0.utf8) }), entry.mode == .tree else {
            return [:]
        }
        return Dictionary(try state.tree(entry.id).map { ($0.name, $0.id) }) { first, _ in first }
    }

    /// What differs between two entries of one path, besides their contents.
    private static func detail(_ old: Entry, _ new: Entry) -> String {
        var details: [String] = []
        if old.kind != new.kind { details.append("\(word(old.kind)) → \(word(new.kind))") }
        if old.mode != new.mode {
            details.append("mode 0\(String(old.mode, radix: 8)) → 0\(String(new.mode, radix: 8))")
        }
        if old.owner != new.owner || old.ownerName != new.ownerName {
            details.append("owner \(shown(old.ownerName, old.owner)) → \(shown(new.ownerName, new.owner))")
        }
        if old.group != new.group || old.groupName != new.groupName {
            details.append("group \(shown(old.groupName, old.group)) → \(shown(new.groupName, new.group))")
        }
        if old.attributes != new.attributes { details.append("attributes") }
        return details.joined(separator: ", ")
    }

    /// What differs between two entries of one path; `hasSameNames` says that one sealing key named their contents.
    private static func aspects(_ old: Entry, _ new: Entry, _ hasSameNames: Bool) -> Set<FileChange.Aspect> {
        var aspects: Set<FileChange.Aspect> = []
        if old.kind != new.kind || old.hardLink != new.hardLink { aspects.insert(.kind) }
        if old.size != new.size || old.isSparse != new.isSparse { aspects.insert(.contents) }
        if old.isSealed == new.isSealed, hasSameNames || !old.isSealed {
            if old.digest != new.digest { aspects.insert(.contents) }
        } else if old.modified != new.modified {
            // Sealed since, or under another key: nobody can tell, and the time decides.
            aspects.insert(.contents)
        }
        if old.sealedDigest != new.sealedDigest { aspects.insert(.sealing) }
        if old.mode != new.mode { aspects.insert(.mode) }
        let owners = (old.owner, old.group, old.ownerName, old.groupName)
        if owners != (new.owner, new.group, new.ownerName, new.groupName) { aspects.insert(.owner) }
        if old.modified != new.modified { aspects.insert(.time) }
        if old.attributes != new.attributes { aspects.insert(.attributes) }
        if old.entryClass != new.entryClass { aspects.insert(.entryClass) }
        return aspects
    }

    private static func shown(_ name: String, _ number: UInt32) -> String {
        name.isEmpty ? "\(number)" : name
    }

    private static func word(_ kind: Entry.Kind) -> String {
        switch kind {
        case .directory: "directory"
        case .file: "file"
        case .link(let target): "link to \(printable(target))"
        }
    }
}

extension FileChange {
    /// Whether nothing but a time, a class, or how it is sealed differs.
    package var isOnlyTime: Bool { differsOnly(in: [.time, .entryClass, .sealing]) }
}
