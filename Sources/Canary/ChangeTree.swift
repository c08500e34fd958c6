internal import Capture
internal import Configuration
internal import Drivers
package import Git
internal import Judge
internal import Restore
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

/// A change as a tree that people can read and write with stock git: `change.yaml`, `files/ROOT/PATH`, `archives/NAME`.
///
/// Names below `files/` are spelled as in a snapshot, also those of sealed files. Two equal changes are one tree.
extension ChangeContents {
    static let files = "files"
    static let archives = "archives"

    /// Writes the tree, with secrets sealed as `sealing` says; without, everything is in clear.
    package func write(to lane: any ObjectLane, _ sealing: ChangeSealing?) throws -> ObjectID {
        var entries = [
            TreeEntry(ChangeFile.fileName, .file, try lane.add(.blob, Array(description.text.utf8)))
        ]
        let changed = try change.files.compactMap { file -> (names: ArraySlice<[UInt8]>, id: ObjectID)? in
            guard let blob = file.blob else { return nil }
            guard let contents = blobs[blob] else {
                preconditionFailure("a change holds the contents of its files")
            }
            var names = "\(file.root)/\(file.path)".split(separator: "/").map {
                StoredName.escaped(Array($0.utf8))
            }
            let sealed = try sealing?.sealed(file, contents)
            if sealed != nil, let last = names.popLast() { names.append(last + StoredName.sealedSuffix) }
            return (names[...], try lane.add(.blob, sealed ?? contents))
        }
        if !changed.isEmpty {
            entries.append(TreeEntry(Self.files, .tree, try Self.tree(changed, lane)))
        }
        let archives = try archives.sorted { $0.key < $1.key }.map { name, contents in
            TreeEntry(name, .file, try lane.add(.blob, contents))
        }
        if !archives.isEmpty {
            entries.append(TreeEntry(Self.archives, .tree, try lane.add(.tree, Tree.contents(archives))))
        }
        return try lane.add(.tree, Tree.contents(entries))
    }

    /// The id of the tree in clear, which verdicts are bound to however the change is kept.
    package var tree: ObjectID {
        get throws { try write(to: Rehearsal(nil).makeLane(), nil) }
    }

    /// What `change.yaml` says.
    private var description: ChangeFile {
        var file = ChangeFile(component: change.component)
        for package in change.packages {
            if let version = package.version {
                file.packages[package.name] = version
            } else {
                file.removePackages.append(package.name)
            }
        }
        file.removeFiles = change.files.filter { $0.blob == nil }.map { "\($0.root)/\($0.path)" }
        file.removes = removals.map { "\($0.kind):\($0.name)" }
        return file
    }

    private static func tree(
        _ files: [(names: ArraySlice<[UInt8]>, id: ObjectID)], _ lane: any ObjectLane
    ) throws -> ObjectID {
        var entries: [TreeEntry] = []
        for (name, group) in Dictionary(grouping: files, by: { $0.names.first ?? [] }) {
            let below = group.filter { $0.names.count > 1 }
            if let leaf = group.first(where: { $0.names.count == 1 }) {
                guard below.isEmpty else {
                    throw CanaryFailure(
                        .refused,
                        "the change has \(printable(name)) both as a file and as a directory",
                        hint: "leave one of them out")
                }
                entries.append(TreeEntry(name: name, mode: .file, id: leaf.id))
            } else {
                entries.append(
                    TreeEntry(
                        name: name, mode: .tree,
                        id: try tree(below.map { ($0.names.dropFirst(), $0.id) }, lane)))
            }
        }
        return try lane.add(.tree, Tree.contents(entries))
    }
}

/// Reads a change out of a tree, whoever made it: nothing in it is trusted.
struct ChangeReading {
    let origin: OpenedStore
    /// What is read, for messages: `the change fix`.
    let what: String

    /// Directories may be this deep.
    static let deepest = 64

    /// The change whose tree is this.
    func contents(of tree: ObjectID) throws -> ChangeContents {
        var file = ChangeFile(component: nil)
        var files: ObjectID?
        var archives: ObjectID?
        for entry in try entries(tree) {
            switch (String(decoding: entry.name, as: UTF8.self), entry.mode) {
            case (ChangeFile.fileName, .file): file = try description(entry.id)
            case (ChangeContents.files, .tree): files = entry.id
            case (ChangeContents.archives, .tree): archives = entry.id
            default:
                throw refusal("it has \(printable(entry.name)), which is no part of a change")
            }
        }
        guard let component = file.component else {
            throw refusal("its \(ChangeFile.fileName) names no component")
        }
        var contents = ChangeContents(component: component)
        try add(file, to: &contents)
        if let files {
            try walk(files, "", 0) { path, id, isSealed in
                let (root, path) = try split(path, component)
                let bytes = try origin.reader.contents(id, .blob)
                try contents.set(root: root, path: path, contents: isSealed ? open(bytes, path) : bytes)
            }
        }
        if let archives { try add(archives: archives, to: &contents) }
        return contents
    }

    private func open(_ sealed: [UInt8], _ path: String) throws -> [UInt8] {
        guard let identities = origin.identities else {
            throw SealingFailure(
                .noKeyFits, "\(what) has sealed files, such as \(printable(path.utf8))",
                hint: "give the recovery key: --identity FILE")
        }
        return try AgeReader(identities: identities).open(sealed)
    }

    /// What the tree's `change.yaml` says.
    func description(_ blob: ObjectID) throws -> ChangeFile {
        try ChangeFile.parse(
            String(decoding: origin.reader.contents(blob, .blob), as: UTF8.self),
            path: .init(ChangeFile.fileName))
    }

    /// Takes over what `change.yaml` says.
    func add(_ file: ChangeFile, to contents: inout ChangeContents) throws {
        for (name, version) in file.packages { contents.set(package: name, version: version) }
        for name in file.removePackages { contents.set(package: name, version: nil) }
        for path in file.removeFiles {
            let (root, path) = try split(path, contents.change.component)
            try contents.set(root: root, path: path, contents: nil)
        }
        contents.removals = file.removes.sorted().map { removal in
            let parts = removal.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return ObjectName(String(parts[0]), String(parts[parts.count - 1]))
        }
    }

    /// Takes over a directory of archives.
    func add(archives: ObjectID, to contents: inout ChangeContents) throws {
        for entry in try entries(archives) {
            guard entry.mode == .file, let name = Self.text(entry.name) else {
                throw refusal("\(ChangeContents.archives)/\(printable(entry.name)) is no file")
            }
            try contents.add(archive: name, origin.reader.contents(entry.id, .blob))
        }
    }

    /// A path, `ROOT/PATH`, as a root of a component and the path below it.
    func split(_ path: String, _ component: String) throws -> (root: String, path: String) {
        guard let driver = origin.system.driver(of: component), driver.shadow != nil else {
            throw refusal("it is for the component '\(component)', which cannot be rehearsed")
        }
        guard let place = driver.place(of: path) else {
            let roots = driver.places().map(\.name).joined(separator: ", ")
            throw refusal("\(path) is in no root of \(component), whose roots are \(roots)")
        }
        return place
    }

    /// Calls `body` with every file below a tree, by its path, and with whether it is sealed.
    func walk(
        _ tree: ObjectID, _ place: String, _ depth: Int, _ body: (String, ObjectID, Bool) throws -> Void
    ) throws {
        guard depth < Self.deepest else { throw refusal("its directories are too deep") }
        for entry in try entries(tree) {
            let stored = StoredName.withoutSuffixes(
                entry.name, isTree: entry.mode == .tree, hasSealed: true)
            guard !stored.isChunked, let name = Self.text(StoredName.decoded(stored.name)) else {
                throw refusal("\(place)\(printable(entry.name)) has a name that cannot be a file's")
            }
            switch entry.mode {
            case .tree: try walk(entry.id, place + name + "/", depth + 1, body)
            case .file, .executable: try body(place + name, entry.id, stored.isSealed)
            case .link: throw refusal("\(place)\(name) is a link, and a change consists of files")
            }
        }
    }

    func entries(_ tree: ObjectID) throws -> [TreeEntry] {
        do {
            return try origin.reader.tree(tree)
        } catch let error as GitError where error.code == .damaged {
            throw refusal("it holds what is neither a file nor a directory, such as a submodule (\(error))")
        }
    }

    /// A name as text; nil for what can be no file's name.
    static func text(_ name: [UInt8]) -> String? {
        guard let text = String(validating: name, as: UTF8.self), !text.isEmpty, text != ".", text != "..",
            !text.contains("/"), !text.contains("\0")
        else { return nil }
        return text
    }

    func refusal(_ reason: String) -> CanaryFailure {
        CanaryFailure(
            .refused, "\(what) cannot be used: \(reason)",
            hint: "docs/canary.md says how a change is laid out; 'understudy change drop' forgets one")
    }
}
