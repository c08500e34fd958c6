internal import Drivers
internal import FileTree
internal import SnapshotModel
internal import SystemPackage

extension Journal {
    /// Writes down what changes places: what is staged of components with what stands there now, and `removals`, which have
    /// nothing that comes in their place.
    ///
    /// The roots at `mounted` are mount points.
    mutating func addPlaces(
        of components: [StagedComponent], removing removals: [Place], mounted: Set<String>
    ) throws {
        for component in components {
            for root in component.roots {
                guard root.only != nil || !mounted.contains(root.root.path) else {
                    try addEntries(of: root, component.captured.name)
                    continue
                }
                let target = FilePath(root.root.path).appending(root.only)
                let staged = root.staged.appending(root.only)
                guard let inode = try Files.status(staged)?.inode else {
                    throw RestoreFailure(
                        .failed, "\(staged) went away before it was exchanged",
                        hint: "run the restore again")
                }
                places.append(
                    .init(
                        component: component.captured.name, root: root.root.name, live: target.string,
                        other: staged.string, inode: inode, before: try Self.inode(target.string)))
            }
        }
        for var place in removals {
            place.before = try Self.inode(place.live)
            // It went away by itself when the component stopped.
            if place.before != Place.nothing { places.append(place) }
        }
        try addLogs()
    }

    /// Makes all that is staged survive a power loss; what an earlier restore left, which we may not enter, is none of it.
    func syncStaged() throws {
        var seen: Set<UInt64> = []
        for directory in stagingDirectories.map({ FilePath($0) })
        where places.contains(where: { FilePath($0.other).starts(with: directory) }) {
            guard let status = try Files.status(directory), seen.insert(status.device).inserted else {
                continue
            }
            try Files.syncFileSystem(directory)
        }
    }

    /// What a server that was killed left beside its database goes away with it: SQLite would play it into the one that comes.
    private mutating func addLogs() throws {
        for place in places where try Self.isDatabase(FilePath(place.other)) {
            for suffix in Self.besides {
                let live = place.live + suffix
                let before = try Self.inode(live)
                guard before != Place.nothing, !places.contains(where: { $0.live == live }) else { continue }
                places.append(
                    .init(
                        component: place.component, root: place.root, live: live,
                        other: "\(place.other)\(suffix)-before", inode: Place.nothing, before: before))
            }
        }
    }
}
