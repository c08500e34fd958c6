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
    private enum Work: Sendable {
        /// A directory with what is in it, which is made already.
        case directory(StoredRoot.Directory, OpenDirectory, parent: Pending?)
        /// Some of the large files of a directory, the largest first.
        case files(ArraySlice<FileWork>, Pending)
    }

    /// A file that is to be written, and where its contents are.
    private struct FileWork: Sendable {
        var entry: Entry
        var name: [UInt8]
        var contents: StoredRoot.Contents

        /// Whether hashing it takes longer than all else: two of these are hashed at once.
        var isLarge: Bool { entry.size >= 1 << 16 }
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
        /// Those that no file is read through.
        var streams: [BlobStream] = []

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
            try root.checkLinks([top.entry])
            let lane = Lane(reader)
            let stored = try StoredTree(of: top, with: lane.lane)
            try write(fileWork(top.entry, name, stored), in: parent, lane)
            return lane.written
        }
        let place = try parent.createDirectory(name)
        work.push([.directory(top, place, parent: nil)])
        try work.run(
            start: { _ in Lane(reader) },
            body: { piece, lane in
                switch piece {
                case .directory(let directory, let place, let parent):
                    try write(directory, Pending(directory.entry, place, parent: parent), lane)
                case .files(let files, let directory):
                    try write(files, in: directory.place, lane)
                    try finish(directory)
                }
            },
            end: { lane in written.withLock { $0.merge(lane.written) } })
        if only == nil { try root.checkAllWasMet() }
        try root.checkLinks(hardLinks.withLock { links in links.map { $0.entry } })
        try writeHardLinks(top: place)
        return written.withLock { $0 }
    }

    private func write(_ directory: StoredRoot.Directory, _ pending: Pending, _ lane: Lane) throws {
        let place = pending.place
        let stored = try StoredTree(of: directory, with: lane.lane)
        var next: [Work] = []
        var large: [FileWork] = []
        for entry in directory.children where isWritten(entry.path) {
            let name = Array(entry.path.name)
            switch entry.kind {
            case .directory:
                // Nobody else can come to it yet, whatever its mode: the root's own is set last.
                let below = try place.createDirectory(name, mode: entry.mode)
                let child = try root.directory(entry, in: directory, stored: stored)
                next.append(.directory(child, below, parent: pending))
            case .link(let target):
                let ids = owners.ids(of: entry)
                try place.createLink(
                    name, target: target, owner: ids.owner, group: ids.group,
                    modified: (entry.modified.seconds, entry.modified.nanoseconds))
            case .file:
                if let first = firstName(of: entry) {
                    pending.open.add(1, ordering: .relaxed)
                    hardLinks.withLock { $0.append((place, pending, entry, first)) }
                    continue
                }
                let file = try fileWork(entry, name, stored)
                if file.isLarge { large.append(file) } else { try write(file, in: place, lane) }
            }
        }
        next += Self.pieces(of: large).map { .files($0, pending) }
        // One more than the children, so that none of them can finish the directory before this is done with it.
        pending.open.add(next.count + 1, ordering: .relaxed)
        work.push(next)
        try finish(pending)
    }

    /// Shares large files out, so that no thread has all those of a directory: the largest first, because two of a size are
    /// hashed together to their ends.
    private static func pieces(of files: [FileWork]) -> [ArraySlice<FileWork>] {
        files.sorted { $0.entry.size > $1.entry.size }.pieces(of: pieceSize, atLeast: 2) { $0.entry.size }
    }

    /// Bytes of large files that are one piece of work, or thereabouts.
    private static let pieceSize: Int64 = 1 << 26

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

    private func fileWork(_ entry: Entry, _ name: [UInt8], _ tree: StoredTree) throws -> FileWork {
        guard let contents = tree.contents(of: entry) else {
            throw damaged(entry, "the snapshot does not hold its contents")
        }
        return FileWork(entry: entry, name: name, contents: contents)
    }

    /// A large file on its way, and what was read of it and is not written yet.
    @unsafe private struct Streamed {
        var work: FileWork
        var file: NewFile
        var stream: BlobStream
        var rest: BlobStream.Piece?
    }

    /// Writes large files, two at a time: two hashes at once take little longer than one.
    private func write(_ files: ArraySlice<FileWork>, in place: OpenDirectory, _ lane: Lane) throws {
        var begun: Streamed?
        func endOrKeep(_ file: inout Streamed) throws {
            guard try unsafe rest(&file) != nil else { return try unsafe end(file, lane) }
            unsafe begun = file
        }
        for work in files {
            guard !work.entry.isSparse, !work.contents.isSealed else {
                try write(work, in: place, lane)
                continue
            }
            var next = try unsafe begin(work, in: place, lane)
            guard var current = unsafe begun else {
                unsafe begun = next
                continue
            }
            while var piece = try unsafe rest(&current), var other = try unsafe rest(&next) {
                let count = unsafe min(piece.bytes.count, other.bytes.count)
                try unsafe NewFile.write(
                    piece.take(count), to: current.file, other.take(count), to: next.file)
                unsafe (current.rest, next.rest) = (piece, other)
                lane.lane.forget(2 * count)
            }
            unsafe begun = nil
            try unsafe endOrKeep(&current)
            try unsafe endOrKeep(&next)
        }
        guard var last = unsafe begun else { return }
        while let piece = try unsafe rest(&last) {
            try unsafe last.file.write(piece)
            unsafe last.rest = nil
            unsafe lane.lane.forget(piece.bytes.count)
        }
        try unsafe end(last, lane)
    }

    private func begin(_ work: FileWork, in place: OpenDirectory, _ lane: Lane) throws -> Streamed {
        let stream = lane.streams.popLast() ?? BlobStream(lane.lane)
        do {
            stream.begin(try lane.lane.blobs(of: work.contents))
        } catch let error as GitError {
            throw damaged(work.entry, "\(error)")
        }
        return unsafe Streamed(
            work: work, file: try NewFile(work.entry, work.name, in: place), stream: stream)
    }

    /// What is to be written of a file next, nil at its end.
    private func rest(_ file: inout Streamed) throws -> BlobStream.Piece? {
        if let rest = unsafe file.rest, unsafe !rest.bytes.isEmpty { return unsafe rest }
        do throws(GitError) {
            unsafe file.rest = try unsafe file.stream.next()
            return unsafe file.rest
        } catch {
            throw unsafe damaged(file.work.entry, "\(error)")
        }
    }

    private func end(_ file: Streamed, _ lane: Lane) throws {
        try unsafe finish(file.file, file.work, lane)
        unsafe lane.streams.append(file.stream)
    }

    private func write(_ work: FileWork, in place: OpenDirectory, _ lane: Lane) throws {
        // Nobody else can reach it yet, as above.
        let file = try NewFile(work.entry, work.name, in: place)
        do {
            if let opening, work.contents.isSealed {
                try unsafe lane.lane.open(
                    work.contents, with: opening.identities, sealed: { unsafe file.addSealed($0) },
                    { try unsafe file.write($0) })
            } else {
                try unsafe lane.lane.read(work.contents, checks: false) { try unsafe file.write($0) }
            }
        } catch let error as GitError {
            throw damaged(work.entry, "\(error)")
        } catch let error as SealingFailure {
            throw damaged(work.entry, "\(error)")
        }
        try finish(file, work, lane)
    }

    /// Compares a file with the manifest, and sets its metadata.
    private func finish(_ file: NewFile, _ work: FileWork, _ lane: Lane) throws {
        let sealer = work.contents.isSealed ? opening?.sealer : nil
        guard file.isWhole(opening: sealer) else {
            throw damaged(
                work.entry,
                sealer == nil
                    ? "its SHA-256 is not that of the manifest"
                    : "what is sealed is not what the manifest says")
        }
        let status = try file.set(owners.metadata(of: work.entry))
        // Holes are made block by block: what became of them is read back.
        guard !work.entry.isSparse else { return }
        lane.written.add(status, id: work.contents.id, isChunked: work.contents.isChunked, work.entry)
    }

    private func damaged(_ entry: Entry, _ reason: String) -> RestoreFailure {
        RestoreFailure(
            .verification, "\(root.name)/\(entry.path) is damaged in the store: \(reason)",
            hint: "nothing was changed; 'understudy verify --all' says what is whole; restore that")
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
