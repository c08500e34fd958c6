package import Capture
internal import Cryptography
internal import FileTree
package import Git
package import GitStore
package import Sealing
package import SnapshotModel
internal import Synchronization
package import SystemPackage
internal import Workers

/// Writes a stored root to a directory with everything that the manifest says, from several threads.
///
/// Every file is hashed while it is written: a damaged object ends the restore before anything is exchanged.
@safe package final class TreeWriter: Sendable {
    private struct Work: Sendable {
        var directory: StoredRoot.Directory
        var place: OpenDirectory
        var parent: Pending?
    }

    /// A directory whose metadata waits until all in it is written: writing into it changes its time.
    private final class Pending: Sendable {
        let entry: Entry
        let place: OpenDirectory
        let parent: Pending?
        let open = Atomic<Int>(0)

        init(_ entry: Entry, _ place: OpenDirectory, parent: Pending?) {
            self.entry = entry
            self.place = place
            self.parent = parent
        }
    }

    private let root: StoredRoot
    private let reader: ObjectReader
    private let owners: OwnerMap
    private let opening: SealedOpening?
    private let only: EntryPath?
    private let work = WorkStack<Work>(threads: usualThreads)
    private let written = Mutex(WrittenFiles())
    private let hardLinks = Mutex<
        [(place: OpenDirectory, directory: Pending, entry: Entry, first: EntryPath)]
    >([])
    /// First names that are not written, and the names that stand for them.
    private let standIns = Mutex<[EntryPath: EntryPath]>([:])

    /// One thread's own.
    private final class Lane {
        let lane: ReaderLane
        var written = WrittenFiles()

        init(_ reader: ObjectReader) { lane = ReaderLane(reader) }
    }

    /// A writer of one root; `opening` opens what is sealed of it, `only` is the path that is written with all below it and
    /// the directories above it, nil for everything.
    package init(
        _ root: StoredRoot, reader: ObjectReader, owners: OwnerMap, opening: SealedOpening? = nil,
        only: EntryPath? = nil
    ) {
        self.only = only
        self.opening = opening
        self.root = root
        self.reader = reader
        self.owners = owners
    }

    /// Writes the root to `path`, where nothing may stand; what was written is returned, so that it is not read again.
    package func write(to path: FilePath) throws -> WrittenFiles {
        let parent = try OpenDirectory(path.removingLastComponent())
        let bytes = path.byteArray
        let name = bytes.lastIndex(of: UInt8(ascii: "/")).map { Array(bytes[($0 + 1)...]) } ?? bytes
        let top = root.directory
        if root.isFile {
            let lane = Lane(reader)
            try writeFile(top.entry, name, in: parent, try StoredTree(of: top, with: lane.lane), lane)
            return lane.written
        }
        let place = try parent.createDirectory(name)
        work.push([Work(directory: top, place: place, parent: nil)])
        try work.run(
            start: { _ in Lane(reader) }, body: { piece, lane in try write(piece, lane) },
            end: { lane in written.withLock { $0.merge(lane.written) } })
        if only == nil { try root.checkAllWasMet() }
        try writeHardLinks(top: place)
        return written.withLock { $0 }
    }

    private func write(_ piece: Work, _ lane: Lane) throws {
        let pending = Pending(piece.directory.entry, piece.place, parent: piece.parent)
        let stored = try StoredTree(of: piece.directory, with: lane.lane)
        var next: [Work] = []
        for entry in piece.directory.children where isWritten(entry.path) {
            let name = Array(entry.path.name)
            switch entry.kind {
            case .directory:
                // Nobody else can come to it yet, whatever its mode: the root's own is set last.
                let place = try piece.place.createDirectory(name, mode: entry.mode)
                let directory = try root.directory(entry, in: piece.directory, stored: stored)
                next.append(Work(directory: directory, place: place, parent: pending))
            case .link(let target):
                let ids = owners.ids(of: entry)
                try piece.place.createLink(
                    name, target: target, owner: ids.owner, group: ids.group,
                    modified: (entry.modified.seconds, entry.modified.nanoseconds))
            case .file:
                if let first = firstName(of: entry) {
                    pending.open.add(1, ordering: .relaxed)
                    hardLinks.withLock { $0.append((piece.place, pending, entry, first)) }
                } else {
                    try writeFile(entry, name, in: piece.place, stored, lane)
                }
            }
        }
        // One more than the children, so that none of them can finish the directory before this is done with it.
        pending.open.add(next.count + 1, ordering: .relaxed)
        work.push(next)
        try finish(pending)
    }

    /// The name that an entry is another name of; nil for a file whose contents are written here.
    private func firstName(of entry: Entry) -> EntryPath? {
        guard let first = entry.hardLink else { return nil }
        guard let only, !first.isAtOrBelow(only) else { return first }
        return standIns.withLock { known in
            if let other = known[first] { return other }
            known[first] = entry.path
            return nil
        }
    }

    private func isWritten(_ path: EntryPath) -> Bool {
        guard let only else { return true }
        return path.isAtOrBelow(only) || only.isAtOrBelow(path)
    }

    /// Counts one part of a directory as done, and sets its metadata when that was the last; then its parent's.
    private func finish(_ pending: Pending) throws {
        var pending = pending
        while pending.open.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
            let entry = pending.entry
            try pending.place.set(owners.metadata(of: entry))
            guard let parent = pending.parent else { return }
            pending = parent
        }
    }

    /// Gives files their further names, when all first names are there.
    private func writeHardLinks(top: OpenDirectory) throws {
        for (place, directory, entry, first) in hardLinks.withLock({ $0 }) {
            var holder = top
            for name in first.parent.components { holder = try holder.directory(Array(name)) }
            try place.createHardLink(Array(entry.path.name), to: Array(first.name), in: holder)
            try finish(directory)
        }
    }

    private func writeFile(
        _ entry: Entry, _ name: [UInt8], in place: OpenDirectory, _ tree: StoredTree, _ lane: Lane
    ) throws {
        guard let stored = tree.contents(of: entry) else {
            throw damaged(entry, "the snapshot does not hold its contents")
        }
        // Nobody else can reach it yet, as above.
        let file = try place.createFile(name, mode: entry.mode)
        var hash = SHA256()
        var sealedHash = SHA256()
        var size: Int64 = 0
        func take(_ bytes: UnsafeRawBufferPointer) throws(FileFailure) {
            unsafe hash.update(bytes)
            size += Int64(bytes.count)
            if entry.isSparse {
                try unsafe writeSparsely(bytes, to: file)
            } else {
                try unsafe file.write(bytes)
            }
        }
        do {
            if let opening, stored.isSealed {
                try unsafe lane.lane.open(
                    stored, with: opening.identities, sealed: { unsafe sealedHash.update($0) },
                    { try unsafe take($0) })
            } else {
                try unsafe lane.lane.read(stored, checks: false) { try unsafe take($0) }
            }
        } catch let error as GitError {
            throw damaged(entry, "\(error)")
        } catch let error as SealingFailure {
            throw damaged(entry, "\(error)")
        }
        let digest = hash.finish()
        if let opening, stored.isSealed {
            guard sealedHash.finish() == entry.sealedDigest, size == entry.size,
                opening.sealer.name(digest: digest) == entry.digest
            else { throw damaged(entry, "what is sealed is not what the manifest says") }
        } else {
            // A file that is sealed ends here too when nothing opens it: its bytes have another digest.
            guard size == entry.size, digest == entry.digest else {
                throw damaged(entry, "its SHA-256 is not that of the manifest")
            }
        }
        if entry.isSparse { try file.truncate(to: size) }
        let status = try file.set(owners.metadata(of: entry))
        // Holes are made block by block: what became of them is read back.
        guard !entry.isSparse else { return }
        lane.written.add(status, id: stored.id, isChunked: stored.isChunked, entry)
    }

    /// Leaves out blocks of zeros.
    @unsafe private func writeSparsely(
        _ bytes: UnsafeRawBufferPointer, to file: borrowing OpenFile
    ) throws(FileFailure) {
        var start = 0
        while start < bytes.count {
            let end = min(start + 4096, bytes.count)
            let block = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            if unsafe block.allSatisfy({ $0 == 0 }) {
                try file.skip(end - start)
            } else {
                try unsafe file.write(block)
            }
            start = end
        }
    }

    private func damaged(_ entry: Entry, _ reason: String) -> RestoreFailure {
        RestoreFailure(
            .verification, "\(root.name)/\(entry.path) is damaged in the store: \(reason)",
            hint: "nothing was changed; 'understudy verify --all' says what is whole, restore that")
    }
}

/// What opens the sealed files of a component, and names what comes out.
package struct SealedOpening: Sendable {
    /// What opens them.
    package var identities: [Identity]
    /// What sealed them.
    package var sealer: Sealer

    /// An opening.
    package init(identities: [Identity], sealer: Sealer) {
        self.identities = identities
        self.sealer = sealer
    }
}

/// Who owns restored files: by name where this host knows the name, else by number; ourselves when we may not choose.
package struct OwnerMap: Sendable {
    private let isRoot: Bool
    private let owner: UInt32
    private let group: UInt32
    private let users: [String: UInt32]
    private let groups: [String: UInt32]

    /// The names in the snapshot that this host does not know, of users and of groups; nobody but root asks for them.
    package let unknownUsers: Set<String>
    /// As above, groups.
    package let unknownGroups: Set<String>

    /// The owners of a root's entries on this host, where some are called otherwise.
    package init(_ survey: Manifest.Survey, calling accounts: [String: String] = [:]) {
        (owner, group) = Accounts.ownNumbers
        isRoot = owner == 0
        var users: [String: UInt32] = [:]
        var groups: [String: UInt32] = [:]
        if isRoot {
            for name in survey.users { users[name] = Accounts.userNumber(accounts[name] ?? name) }
            for name in survey.groups { groups[name] = Accounts.groupNumber(accounts[name] ?? name) }
        }
        self.users = users
        self.groups = groups
        unknownUsers = isRoot ? survey.users.filter { !$0.isEmpty && users[$0] == nil } : []
        unknownGroups = isRoot ? survey.groups.filter { !$0.isEmpty && groups[$0] == nil } : []
    }

    func metadata(of entry: Entry) -> FileMetadata {
        let ids = ids(of: entry)
        return FileMetadata(
            owner: ids.owner, group: ids.group, mode: entry.mode,
            attributes: entry.attributes.map { ($0.name, $0.value) },
            modified: (entry.modified.seconds, entry.modified.nanoseconds))
    }

    func ids(of entry: Entry) -> (owner: UInt32, group: UInt32) {
        guard isRoot else { return (owner, group) }
        return (users[entry.ownerName] ?? entry.owner, groups[entry.groupName] ?? entry.group)
    }
}
