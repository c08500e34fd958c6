internal import Capture
internal import Configuration
internal import Git
internal import GitStore
internal import Restore
internal import SnapshotModel

/// A change that was made on top of the history: files of one component, edited where the history has them.
///
/// Beside them the branch may have `change.yaml` and `archives/`, for what is no file of the history.
struct BranchChange {
    let reading: ChangeReading
    /// The tree of the branch.
    let tree: ObjectID
    /// The tree of the history that it was made on.
    let base: ObjectID
    /// The newest tree of the history.
    let newest: ObjectID

    /// What it changes.
    func contents() throws -> ChangeContents {
        var file = ChangeFile(component: nil)
        var archives: ObjectID?
        var changed: [(component: String, old: ObjectID?, new: ObjectID?)] = []
        for (name, old, new) in try differences(base, tree) {
            if let new, name == ChangeFile.fileName, new.mode == .file {
                file = try reading.description(new.id)
            } else if let new, name == ChangeContents.archives, new.mode == .tree {
                archives = new.id
            } else {
                guard old?.mode ?? .tree == .tree, new?.mode ?? .tree == .tree,
                    reading.origin.system.driver(of: name) != nil
                else {
                    throw reading.refusal("it changes \(name), which no change can")
                }
                changed.append((name, old?.id, new?.id))
            }
        }
        let names = Set(changed.map(\.component) + (file.component.map { [$0] } ?? [])).sorted()
        guard let component = names.first, names.count == 1 else {
            throw reading.refusal(
                names.isEmpty
                    ? "it is the history itself, without a change"
                    : "it changes several components: \(names.joined(separator: ", "))")
        }
        var contents = ChangeContents(component: component)
        try reading.add(file, to: &contents)
        for (_, old, new) in changed { try add(component, old, new, to: &contents) }
        if let archives { try reading.add(archives: archives, to: &contents) }
        return contents
    }

    /// Takes over the files of a component that differ.
    private func add(
        _ component: String, _ old: ObjectID?, _ new: ObjectID?, to contents: inout ChangeContents
    ) throws {
        for (name, old, new) in try differences(old, new) {
            guard name == "files" else {
                throw reading.refusal(
                    "it changes \(component)/\(name), which Understudy writes: versions are wanted by "
                        + "\(ChangeFile.fileName)")
            }
            try addFiles(component, ["files"], old?.id, new?.id, to: &contents)
        }
    }

    private func addFiles(
        _ component: String, _ place: [String], _ old: ObjectID?, _ new: ObjectID?,
        to contents: inout ChangeContents
    ) throws {
        guard place.count < ChangeReading.deepest else {
            throw reading.refusal("its directories are too deep")
        }
        for (name, old, new) in try differences(old, new) {
            let stored = place + [name]
            let path = "\(component)/\(stored.joined(separator: "/"))"
            if old?.mode ?? .tree == .tree, new?.mode ?? .tree == .tree {
                try addFiles(component, stored, old?.id, new?.id, to: &contents)
                continue
            }
            let isTree = (new ?? old)?.mode == .tree
            let own = StoredName.withoutSuffixes(Array(name.utf8), isTree: isTree, hasSealed: true)
            guard !own.isSealed, !own.isChunked else {
                throw reading.refusal(
                    "\(path) is sealed or in pieces in the history: give its new contents by "
                        + "'understudy change new --files'")
            }
            for entry in [old, new].compactMap({ $0 }) where ![.file, .executable].contains(entry.mode) {
                throw reading.refusal("\(path) is not a file before and after")
            }
            guard
                try reading.origin.reader.entry(([component] + stored).map { Array($0.utf8) }, of: newest)?.id
                    == old?.id
            else {
                throw reading.refusal(
                    "\(path) was changed in the history after the branch was made: rebase it")
            }
            let below = try stored.dropFirst().map { name in
                guard let decoded = ChangeReading.text(StoredName.decoded(Array(name.utf8))) else {
                    throw reading.refusal("\(path) has a name that cannot be a file's")
                }
                return decoded
            }
            let (root, file) = try reading.split(below.joined(separator: "/"), component)
            try contents.set(
                root: root, path: file, contents: new.map { try reading.origin.reader.contents($0.id, .blob) }
            )
        }
    }

    /// The names in two directories that are not the same in both, in order.
    private func differences(
        _ old: ObjectID?, _ new: ObjectID?
    ) throws -> [(name: String, old: TreeEntry?, new: TreeEntry?)] {
        func named(_ tree: ObjectID?) throws -> [String: TreeEntry] {
            var entries: [String: TreeEntry] = [:]
            for entry in try tree.map({ try reading.entries($0) }) ?? [] {
                guard let name = ChangeReading.text(entry.name) else {
                    throw reading.refusal("\(printable(entry.name)) can be no file's name")
                }
                entries[name] = entry
            }
            return entries
        }
        let (before, after) = (try named(old), try named(new))
        return Set(before.keys).union(after.keys).sorted().filter { before[$0] != after[$0] }.map {
            ($0, before[$0], after[$0])
        }
    }
}
