internal import Drivers
internal import FileTree
internal import SnapshotModel
internal import SystemPackage

extension Journal {
    /// A root that is a mount point: it cannot change places itself, so all that is in it does, name by name.
    package struct MountedRoot: Codable, Sendable {
        /// The component.
        var component: String
        /// The path in production.
        var live: String
        /// The directory of ours in it; everything is on one file system.
        var staging: String
        /// The tree that changes places with it.
        var other: String
        /// An empty directory with the owner, mode, attributes and time that the root itself had before.
        var before: String
        /// One with those that it gets.
        var after: String
        /// All that changes places.
        var names: [String]

        /// Whether a place is in it.
        func has(_ place: Place) -> Bool {
            place.isEntry == true && FilePath(place.live).removingLastComponent() == FilePath(live)
        }

        /// Where what came since goes.
        private var since: FilePath { FilePath("\(other).since") }

        /// Whether what is ours is in it.
        var isThere: Bool { get throws { try Files.exists(FilePath(before)) } }

        /// That it is not: it may be the directory below a mount point, and what is in that says nothing.
        var notThere: RestoreFailure {
            RestoreFailure(
                .failed, "\(staging), which holds what stood in \(live) before, is not there",
                hint: "mount what belongs at \(live), and run 'understudy undo' or the same restore again; "
                    + "if somebody removed it, remove the journal (understudy/restore.json in the store), and "
                    + "restore a snapshot")
        }

        /// Whether it is back, and what was staged is removed.
        ///
        /// Only a journal that could not be written has it then, and what stands at its places was made since. Throws
        /// ``notThere`` where what is ours is missing for another reason.
        func isBack(_ places: [Place]) throws -> Bool {
            guard try !isThere else { return false }
            let isMounted = try MountPoints.all().contains(RestorePlanner.withoutLinks(FilePath(live)))
            let isRestored = try places.contains { place in
                try has(place) && place.inode != Place.nothing && Journal.inode(place.live) == place.inode
            }
            guard isMounted, !isRestored else { throw notThere }
            return true
        }

        /// Ends the exchange, when all places are exchanged.
        func finish() throws {
            try Self.copyOwn(from: FilePath(after), to: FilePath(live))
            try sync()
        }

        /// Ends the way back, when all places are back: what came since goes with what was restored.
        func takeBack() throws {
            let live = FilePath(live)
            // By bytes: texts are equal that are spelled otherwise, and what came since may be no text.
            var known = Set(names.map { Array($0.utf8) })
            if try MountedRoot.hasLostAndFound(live) { known.insert(Array(FileStatus.lostAndFound.utf8)) }
            for name in try Files.names(live) where !known.contains(name) && !StagingName.isOne(name) {
                let (path, place) = (FilePath(bytes: name), since.pushing(FilePath(bytes: name)))
                // What was moved there before a kill came since too.
                try Files.removeTree(place)
                try Files.renameWithoutReplacing(live.pushing(path), to: place)
            }
            try Self.copyOwn(from: FilePath(before), to: live)
            try sync()
        }

        func sync() throws {
            for path in [live, other, staging] { try Files.syncDirectory(FilePath(path)) }
        }

        /// Makes the directories that keep what changes with every name in the trees, and all that the way back needs: it must
        /// not need room.
        func keepOwn() throws {
            try Files.makeDirectory(since, mode: 0o700)
            for (tree, kept) in [(live, before), (other, after)] {
                try Files.makeDirectory(FilePath(kept), mode: 0o700)
                try Self.copyOwn(from: FilePath(tree), to: FilePath(kept))
            }
        }

        /// Gives a directory the owner, mode, attributes and time of another; where it is not ours, it keeps its own.
        private static func copyOwn(from one: FilePath, to other: FilePath) throws {
            let source = try OpenDirectory(one)
            let target = try OpenDirectory(other)
            let (wanted, present) = (try source.status(), try target.status())
            let isRoot = Accounts.ownNumbers.user == 0
            guard isRoot || present.owner == Accounts.ownNumbers.user else { return }
            try target.set(
                FileMetadata(
                    owner: isRoot ? wanted.owner : present.owner,
                    group: isRoot ? wanted.group : present.group,
                    mode: wanted.mode, attributes: source.attributes(), modified: wanted.modified))
        }

        /// Makes or removes what is ours in a directory; where that is a mount point, it keeps the time of its last change.
        static func keepingTime(of directory: FilePath, _ body: () throws -> Void) throws {
            guard try Files.isDirectory(directory),
                try MountPoints.all().contains(RestorePlanner.withoutLinks(directory))
            else { return try body() }
            let place = try OpenDirectory(directory)
            let before = try place.status()
            try body()
            let user = Accounts.ownNumbers.user
            guard user == 0 || before.owner == user else { return }
            try place.set(
                FileMetadata(
                    owner: before.owner, group: before.group, mode: before.mode,
                    attributes: place.attributes(), modified: before.modified))
        }

        /// Throws a ``RestoreFailure`` where the file system of a directory of ours cannot exchange, as NFS cannot: else that would
        /// be met when all is stopped.
        static func tryExchange(in directory: FilePath) throws {
            let (one, other) = (directory.appending("one"), directory.appending("other"))
            do throws(FileFailure) {
                for path in [one, other] { try Files.makeDirectory(path, mode: 0o700) }
                try Files.exchange(one, other)
                for path in [one, other] { try Files.removeDirectoryIfEmpty(path) }
            } catch {
                let unable: [Errno] = [.invalidArgument, .noFunction, .notSupported]
                guard unable.contains(error.reason) else { throw error }
                let root = directory.removingLastComponent()
                throw RestoreFailure(
                    .refused,
                    "the file system at \(root) cannot exchange two names in one step: \(error)",
                    hint: "restore with --to DIR, and copy while what runs there is stopped")
            }
        }

        /// Why names in a root, now or in a snapshot, cannot change places: the journal holds paths as text.
        static func refusals(ofNamesIn live: FilePath, and stored: [[UInt8]]) throws -> [Refusal] {
            try (Files.names(live) + stored).filter { String(validating: $0, as: UTF8.self) == nil }.prefix(3)
                .map { name in
                    Refusal(
                        "\(live)/\(printable(name)) is no UTF-8, and cannot be exchanged alone",
                        hint: "rename it, or restore with --to DIR and copy")
                }
        }

        /// Whether a root has what the check of its file system keeps there: that stays.
        static func hasLostAndFound(_ live: FilePath) throws -> Bool {
            try Files.status(live.appending(FileStatus.lostAndFound))?.isLostAndFound == true
        }

        /// What is in a directory, without what is ours; all of it text in UTF-8.
        static func names(in directory: FilePath) throws -> [[UInt8]] {
            try Files.names(directory).filter { bytes in
                guard !StagingName.isOne(bytes) else { return false }
                guard String(validating: bytes, as: UTF8.self) != nil else {
                    let path = directory.pushing(FilePath(bytes: bytes))
                    throw RestoreFailure(
                        .failed,
                        "\(printable(path.byteArray)) came while the restore was planned, and is no UTF-8",
                        hint: "find out who writes there, and rename it")
                }
                return true
            }
        }
    }

    /// Writes down what changes places of a root that is a mount point, and keeps the root's own metadata.
    mutating func addEntries(of root: StagedComponent.StagedRoot, _ component: String) throws {
        let live = FilePath(root.root.path)
        var names = Set(try MountedRoot.names(in: live)).union(try MountedRoot.names(in: root.staged))
        // A snapshot of a version that captured it has it all the same.
        if try MountedRoot.hasLostAndFound(live) { names.remove(Array(FileStatus.lostAndFound.utf8)) }
        let sorted = names.sorted { $0.lexicographicallyPrecedes($1) }
        let staging = root.staged.removingLastComponent()
        let mounted = MountedRoot(
            component: component, live: live.string, staging: staging.string, other: root.staged.string,
            before: "\(root.staged).before", after: "\(root.staged).after",
            names: sorted.map { String(decoding: $0, as: UTF8.self) })
        try mounted.keepOwn()
        mountedRoots = (mountedRoots ?? []) + [mounted]
        for name in mounted.names {
            let (place, other) = (live.appending(name).string, root.staged.appending(name).string)
            var entry = Place(
                component: component, root: root.root.name, live: place, other: other,
                inode: try Self.inode(other), before: try Self.inode(place))
            entry.isEntry = true
            places.append(entry)
        }
    }

    /// Says of the names in roots that are mount points what was there when they were exchanged: since they were written down
    /// somebody may have taken one away, or written it anew.
    mutating func lookAgainAtEntries() throws {
        for index in places.indices where places[index].isEntry == true {
            places[index].before = try Self.inode(places[index].other)
        }
    }

    /// What changes places, by the paths that people know: a root that is a mount point is one of them.
    var paths: [String] {
        let mounted = mountedRoots ?? []
        return mounted.map(\.live)
            + places.filter { place in !mounted.contains { $0.has(place) } }.map(\.live)
    }
}

extension RestorePlan.RootPlan {
    /// Whether a root that stands there is a mount point, and can be exchanged name by name.
    static func isMountPoint(_ root: Root, in mounts: [FilePath]) throws -> Bool {
        let path = FilePath(root.path)
        guard root.kind == .directory, try Files.status(path)?.kind == .directory else { return false }
        return mounts.contains(try RestorePlanner.withoutLinks(path))
    }
}
