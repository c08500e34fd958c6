internal import FileTree
internal import Glibc
internal import Synchronization
package import SystemPackage

/// Whose a store is: what root writes into that of another user becomes that user's, whose next night could not read it otherwise.
///
/// Refusing to write there would keep root from a restore, which saves what it replaces and keeps its journal in the store.
package enum StoreOwner {
    /// Where this process looked for stores.
    private static let expected = Mutex<Set<FilePath>>([])
    /// The stores that it opened or made, as they were called, and when.
    private static let opened = Mutex<[FilePath: Int64]>([:])

    /// Takes note of a path at which a store is to be, whatever is there.
    static func expect(_ store: FilePath) {
        expected.withLock { _ = $0.insert(store) }
    }

    /// Takes note of a store that is opened, for what root writes into it.
    static func note(_ store: FilePath) {
        let now = Int64(time(nil))
        opened.withLock { stores in
            if stores[store] == nil { stores[store] = now }
        }
    }

    /// The store of this process that a path is in, or is; nil where it is in none.
    package static func store(around path: FilePath) -> FilePath? {
        expected.withLock { stores in stores.first { path.starts(with: $0) } }
    }

    // MARK: - What root wrote

    /// What of `understudy/`, and of `staged/` in it, is kept for later, beside plain files: all else there is copies of
    /// production, whose owners are their own, and scratch, which goes.
    private static let kept = Set(
        ["cache", "remotes", "incoming", "damaged", "environments", "staged"].map { Array($0.utf8) })
    private static let local = Array("understudy".utf8)
    private static let staged = Array("staged".utf8)
    /// What a driver keeps there for `undo`, and nobody else looks at.
    private static let applied = Array("applied-".utf8)
    /// What root does what it says: the journal of a restore, which its owner could say anything in.
    private static let followed = Array("restore.json".utf8)

    /// How long before the store was opened a file may have been written, for clocks of file servers differ.
    ///
    /// A longer time would give away what root wrote elsewhere: the owner may move a file in here from any directory of its own.
    private static let tolerance: Int64 = 60

    /// Gives what root wrote into the stores of other users to these, at the end of a command; says why where that failed.
    package static func handOver() -> [String] {
        guard Accounts.ownNumbers.user == 0 else { return [] }
        return opened.withLock { $0 }.compactMap { (store, time) -> String? in
            do throws(FileFailure) {
                // One that a refused file was imported into went again.
                guard try Files.exists(store) else { return nil }
                try handOver(store, since: time - tolerance)
                return nil
            } catch {
                return "what root wrote into \(store) still belongs to root: \(error)"
            }
        }
    }

    /// Goes by descriptors and follows no link: the owner may change names meanwhile.
    ///
    /// A file of further names, or one that was written before, came here otherwise than by root's writing, and stays root's.
    private static func handOver(_ store: FilePath, since: Int64) throws(FileFailure) {
        let top = try OpenDirectory(Files.resolved(store))
        let owner = try top.status()
        guard owner.owner != 0 else { return }
        func isRoots(_ status: FileStatus) -> Bool {
            status.owner == 0 && status.modified.seconds >= since
                && (status.kind == .directory || (status.kind == .file && status.links == 1))
        }
        let names = NameList()
        var waiting: [(parent: OpenDirectory, name: [UInt8], isLocal: Bool)] = []
        func give(_ directory: OpenDirectory, isLocal: Bool) throws(FileFailure) {
            if isRoots(try directory.status()) {
                try directory.setOwner(owner.owner, group: owner.group)
            }
            try directory.read(into: names)
            for index in 0..<names.count {
                let name = Array(names.name(index))
                guard let status = try directory.statusIfThere(name) else { continue }
                if status.kind == .directory {
                    if !isLocal || kept.contains(name) {
                        let isNext = directory === top ? name == local : isLocal && name == staged
                        waiting.append((directory, name, isNext))
                    }
                } else if isRoots(status), !isLocal || name != followed {
                    do {
                        let file = try directory.file(name)
                        if isRoots(try file.status()) {
                            try file.setOwner(owner.owner, group: owner.group)
                        }
                    } catch  where error.reason == .noSuchFileOrDirectory {
                        // Another writer removed it.
                    }
                }
            }
        }
        try give(top, isLocal: false)
        while let place = waiting.popLast() {
            do {
                try give(place.parent.directory(place.name), isLocal: place.isLocal)
            } catch  where error.reason == .noSuchFileOrDirectory {
                // As above; the others are there.
            }
        }
    }

    // MARK: - What its user cannot read

    /// What in a store its user may not read, and directories in which nothing can be made; what is below a directory that cannot be
    /// listed is not named.
    package static func unreachable(in store: FilePath) throws -> [FilePath] {
        var found: [FilePath] = []
        var waiting = [store]
        func look(in directory: FilePath) throws {
            let isListed = try Files.obstacle(toReading: directory) != .permissionDenied
            let isEntered = try Files.obstacle(toWritingIn: directory) != .permissionDenied
            guard isListed, isEntered else { return found.append(directory) }
            for name in try Files.names(directory) {
                let path = FilePath(bytes: directory.byteArray + [UInt8(ascii: "/")] + name)
                guard let status = try Files.status(path) else { continue }
                let isApplied = directory == store.appending("understudy") && name.starts(with: applied)
                if status.kind == .directory, !isApplied { waiting.append(path) }
                guard status.kind == .file else { continue }
                if try Files.obstacle(toReading: path) == .permissionDenied { found.append(path) }
            }
        }
        while let directory = waiting.popLast() {
            do {
                try look(in: directory)
            } catch let failure as FileFailure where failure.reason == .noSuchFileOrDirectory {
                // Somebody removed it meanwhile, or a file in it.
            }
        }
        return found.sorted { $0.string < $1.string }
    }

    /// What to do about something in a store that may not be read or written; nil for what is in none, and
    /// where the owner has nothing to do with it.
    package static func advice(on path: FilePath) -> String? {
        let own = Accounts.ownNumbers.user
        // This is about a failure already: what cannot be looked at only makes it say less.
        guard own != 0, let store = store(around: path),
            let owner = (try? Files.status(Files.resolved(store)))?.owner
        else { return nil }
        let name = Accounts.shown(user: owner)
        guard own == owner else {
            return "the store \(store) belongs to \(name): run the command as that user"
        }
        var culprit = path
        while culprit.starts(with: store), culprit != store {
            if let other = (try? Files.status(culprit))?.owner, other != own {
                return
                    "\(culprit) belongs to \(Accounts.shown(user: other)), and the store to \(name): as root, "
                    + "'chown -R \(name) \(store)'"
            }
            culprit.removeLastComponent()
        }
        return nil
    }
}
