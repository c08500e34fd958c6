package import Drivers
internal import FileTree
package import SnapshotModel
internal import SystemPackage

extension RestorePlanner {
    /// Why roots cannot change places: what comes is made in the directory that a root is in, and exchanged with it; of a root
    /// that is a mount point, in that.
    package static func refusals(ofExchanging roots: [Root]) throws -> [Refusal] {
        let mounts = try MountPoints.all()
        return try refusals(
            ofWritingIn: roots.map { root in
                let path = FilePath(root.path)
                return try RestorePlan.RootPlan.isMountPoint(root, in: mounts)
                    ? path : path.removingLastComponent()
            })
    }

    /// Why nothing can be made or exchanged in directories, or in those where they would be made.
    static func refusals(ofWritingIn directories: [FilePath]) throws -> [Refusal] {
        var seen: Set<FilePath> = []
        return try directories.compactMap { path in
            let directory = try Files.nearest(to: path)
            guard seen.insert(directory).inserted else { return nil }
            guard try Files.isDirectory(directory) else {
                return Refusal(
                    "\(directory), in which it would be made, is no directory",
                    hint: "move it away: a directory has to stand there")
            }
            guard let reason = try Files.obstacle(toWritingIn: directory),
                let status = try Files.status(Files.resolved(directory))
            else { return nil }
            let own = Accounts.ownNumbers.user
            return Refusal(
                "\(directory), in which it would be made and exchanged, cannot be written by \(Accounts.shown(user: own)), who "
                    + "runs this: \(reason) (it belongs to \(Accounts.shown(user: status.owner)), mode 0\(String(status.mode, radix: 8)))",
                hint: reason == .readOnlyFileSystem
                    ? "mount it for writing, or restore beside production with --to DIR"
                    : "run it as root, or restore beside production with --to DIR")
        }
    }
}
