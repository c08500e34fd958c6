internal import FileTree
internal import SnapshotModel
package import SystemPackage

extension StagedComponent.StagedRoot {
    /// Where a relative path below the root is staged, for what writes there.
    ///
    /// Throws a ``DriverFailure`` when it, or anything on the way to it, is a link: what that leads to is not staged, and may
    /// be production.
    package func place(of path: FilePath) throws -> FilePath {
        if let link = try Files.link(on: path, below: staged) {
            throw DriverFailure(
                "\(root.name)/\(link) is a link, and what it leads to is not in the snapshot: a copy of it could write there",
                hint: "put what it leads to in its place, or bind-mount it there, and take a snapshot")
        }
        guard path.isRelative, !path.components.contains(where: { $0.kind == .parentDirectory }) else {
            throw DriverFailure(
                "\(root.name)/\(path) is outside of \(root.path), and so not in the snapshot",
                hint: "put it below \(root.path), and take a snapshot")
        }
        return staged.pushing(path)
    }
}

extension Fix {
    /// What would be written to is a link, and what it leads to is none of what was restored.
    static func leftAlone(_ subject: String) -> Fix {
        Fix(subject, "left as it is: it is a link, and what it leads to is not in the snapshot")
    }
}
