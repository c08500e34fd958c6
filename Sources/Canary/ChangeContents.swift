package import Drivers
internal import FoundationEssentials
package import Git
internal import GitStore

/// A change with all that it brings: files with their new contents, and archives.
package struct ChangeContents: Sendable {
    /// What is changed.
    package private(set) var change: ComponentChange
    /// The new contents of files, by git's id.
    package private(set) var blobs: [String: [UInt8]] = [:]
    /// The archives, by file name.
    package private(set) var archives: [String: [UInt8]] = [:]

    /// A change of a component that changes nothing yet.
    package init(component: String) {
        change = ComponentChange(component: component)
    }

    /// A package is to be of a version, or to go when that is nil; said again, the last word counts.
    package mutating func set(package name: String, version: String?) {
        change.packages.removeAll { $0.name == name }
        change.packages.append(.init(name: name, version: version))
        change.packages.sort { $0.name < $1.name }
    }

    /// A file is to have these contents, or to go when they are nil.
    package mutating func set(root: String, path: String, contents: [UInt8]?) throws {
        let id = try contents.map { try Rehearsal(nil).makeLane().add(.blob, $0).description }
        if let id { blobs[id] = contents }
        change.files.removeAll { $0.root == root && $0.path == path }
        change.files.append(.init(root: root, path: path, blob: id))
        change.files.sort { ($0.root, $0.path) < ($1.root, $1.path) }
    }

    /// An archive comes with the change.
    package mutating func add(archive name: String, _ contents: [UInt8]) throws {
        archives[name] = contents
        change.archives[name] = try Rehearsal(nil).makeLane().add(.blob, contents).description
    }

    /// The part of it with only these packages and files.
    func part(packages: [ComponentChange.Package], files: [ComponentChange.File]) -> ChangeContents {
        var part = self
        part.change.packages = packages
        part.change.files = files
        return part
    }

    /// Reads it back from a tree that ``write(to:)`` made.
    ///
    /// Throws a ``CanaryFailure`` when the tree is none.
    package init(_ tree: ObjectID, with reader: ObjectReader) throws {
        guard let entry = try reader.entry("change.json", of: tree) else {
            throw CanaryFailure(
                .failed, "the tree \(tree) is no change: it has no change.json",
                hint: "'understudy verify --all' says what is whole")
        }
        change = try JSONDecoder().decode(
            ComponentChange.self, from: Data(try reader.contents(entry.id, .blob)))
        for (name, isFile) in [("files", true), ("archives", false)] {
            guard let directory = try reader.entry(name, of: tree) else { continue }
            for entry in try reader.tree(directory.id) {
                let contents = try reader.contents(entry.id, .blob)
                let name = String(decoding: entry.name, as: UTF8.self)
                if isFile { blobs[name] = contents } else { archives[name] = contents }
            }
        }
    }

    /// Writes it as a tree: `change.json`, the files, the archives; two equal changes are one tree.
    package func write(to lane: any ObjectLane) throws -> ObjectID {
        var entries = [
            TreeEntry("change.json", .file, try lane.add(.blob, StoredJSON.encode(change)))
        ]
        let files = try blobs.sorted { $0.key < $1.key }.map { id, contents in
            TreeEntry(id, .file, try lane.add(.blob, contents))
        }
        if !files.isEmpty {
            entries.append(TreeEntry("files", .tree, try lane.add(.tree, Tree.contents(files))))
        }
        let archives = try archives.sorted { $0.key < $1.key }.map { name, contents in
            TreeEntry(name, .file, try lane.add(.blob, contents))
        }
        if !archives.isEmpty {
            entries.append(TreeEntry("archives", .tree, try lane.add(.tree, Tree.contents(archives))))
        }
        return try lane.add(.tree, Tree.contents(entries))
    }
}
