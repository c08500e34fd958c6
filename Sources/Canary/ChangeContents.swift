package import Drivers
internal import Git
package import Judge
internal import SnapshotModel

/// A change with all that it brings: files with their new contents, and archives.
package struct ChangeContents: Sendable {
    /// What is changed.
    package private(set) var change: ComponentChange
    /// What is to be gone afterwards, and is no surprise.
    package var removals: [ObjectName] = []
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

    /// A file is to have these contents, or to go when they are nil; said again, the last word counts.
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

    /// Whether nothing would be other than `source` has it: no package is named, and no file gets other contents or goes.
    package func isNothing(to source: any FileSource) throws -> Bool {
        guard change.packages.isEmpty else { return false }
        return try change.files.allSatisfy { file in
            guard let blob = file.blob else { return false }
            return try source.contents(root: file.root, path: EntryPath(file.path)) == blobs[blob]
        }
    }

    /// One line for people: what is changed, without what is needed for it.
    package var summary: String {
        var parts = change.packages.map { package in
            package.version.map { "\(package.name) \($0)" } ?? "without \(package.name)"
        }
        parts += change.files.prefix(3).map { "\($0.root)/\($0.path)" }
        if change.files.count > 3 { parts.append("\(change.files.count - 3) more files") }
        return parts.isEmpty ? "no change" : parts.joined(separator: ", ")
    }
}
