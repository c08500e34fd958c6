internal import FileTree
internal import FoundationEssentials
internal import SQLite
package import SystemPackage

/// What a restore is about to exchange, written down before it does: so that whoever comes after a kill knows which tree
/// stands where, and can put back or go on.
package struct Journal: Codable, Sendable {
    /// How far the restore came.
    package enum Phase: String, Codable, Sendable {
        /// Nothing is exchanged yet; what is staged may be removed.
        case staging
        /// Some places may be exchanged, or what an earlier restore put in place could not be put back.
        case exchanging
        /// All are exchanged, and the restore was completed: `undo` can take it back.
        case done
        /// The old trees are back everywhere, and not all that ran before is up again.
        case starting
        /// It was taken back.
        case undone
    }

    /// Two places that change with each other.
    package struct Place: Codable, Sendable {
        /// The component.
        package var component: String
        /// The root's name.
        package var root: String
        /// The path in production.
        package var live: String
        /// The path beside it that holds the other tree.
        package var other: String
        /// The inode of the restored tree: it is where this inode is; ``nothing`` where the place goes away.
        package var inode: UInt64
        /// The inode of what stood there before, ``nothing`` where nothing did: it is where the restored tree is not; nil in a
        /// journal of a version that did not say.
        package var before: UInt64?
        /// Whether it is in a root that is a mount point: all that stands there goes with what was restored.
        package var isEntry: Bool?

        /// The inode of what is not there.
        static let nothing: UInt64 = 0
    }

    /// What a driver puts in place itself.
    package struct Applied: Codable, Sendable {
        /// The component.
        package var component: String
        /// The driver's own words for it.
        package var record: [[String: String]]
    }

    /// The snapshot.
    package var snapshot: String
    /// How far it came.
    package var phase: Phase
    /// The places.
    package var places: [Place]
    /// The roots that are mount points; nil where there is none.
    package var mountedRoots: [MountedRoot]?
    /// What drivers put in place themselves; nil in a journal of a version that had none.
    package var applied: [Applied]?
    /// What drivers put in place in restores before this one and have not put back since, the oldest first: it is taken
    /// back after what this one put there; nil where there is none.
    package var owed: [Applied]?
    /// What drivers keep of restores before this one that nobody needs, and could not remove yet; nil where there is none.
    package var leftovers: [Applied]?
    /// Directories beside production that hold what is staged, or what was there before.
    package var stagingDirectories: [String]
    /// The components that were running before.
    package var running: [String]
    /// Components that go on running and read what is exchanged again; nil in a journal of a version that had none.
    package var reloads: [Reload]?
    /// What components make from what is exchanged, by its paths: removed with every exchange, in either direction.
    package var derived: [String]?
    /// When it began, ISO 8601 in UTC.
    package var started: String
    /// The verdict that was promoted; nil for a restore.
    package var verdict: String?
    /// Directories that were made for new places, the outer ones first; they go with what is in them.
    package var newDirectories: [String]?
    /// What was put aside while the old places came back, in words, and nobody was told of yet; nil where there is nothing.
    package var kept: [String]?

    /// What it is about, for people: `the restore of 2026…`.
    var what: String { verdict.map { "the promotion of \($0)" } ?? "the restore of \(snapshot)" }

    private static let name = "restore.json"
    static func file(_ local: FilePath) -> FilePath { local.appending(name) }

    /// The journal of the last restore, nil when there was none.
    package static func read(_ local: FilePath) throws -> Journal? {
        try Files.readIfPresent(file(local)).map { try decoded($0, local) }
    }

    /// The journal of the last restore, for who exchanges and removes what it names; nil when there was none.
    ///
    /// Throws a ``RestoreFailure`` with code `refused` for one of another user than root and whom we act as: in a store of
    /// theirs, root would do that to any path that they write down. Where a file server gives to another user what root
    /// writes, as with `root_squash`, root acts as that one.
    static func readToFollow(_ local: FilePath) throws -> Journal? {
        let bytes: [UInt8]
        do {
            let directory = try OpenDirectory(Files.resolved(local))
            let file = try directory.file(Array(name.utf8))
            let owner = try file.status().owner
            let own = Accounts.ownNumbers.user
            guard try owner == 0 || owner == own || own == 0 && owner == ownerOfNewFiles(directory) else {
                let user = Accounts.shown(user: owner)
                throw RestoreFailure(
                    .refused,
                    "the journal of the last restore, \(Self.file(local)), belongs to \(user), whose word is not "
                        + "enough to exchange and remove what it names",
                    hint: "run the command as \(user); or look beside the restored paths for .understudy-* "
                        + "directories, then remove the journal")
            }
            bytes = try file.contents(limit: 1 << 30)
        } catch let failure as FileFailure where failure.reason == .noSuchFileOrDirectory {
            return nil
        }
        return try decoded(bytes, local)
    }

    /// Whom what we make in a directory belongs to; by the file itself, whose name somebody may give to another.
    private static func ownerOfNewFiles(_ directory: OpenDirectory) throws -> UInt32 {
        // One that a kill leaves goes with the next writer's cleaning.
        let name = Array("artifacts-owner-\(UInt64.random(in: 0...UInt64.max))".utf8)
        let owner = try directory.createFile(name).status().owner
        try directory.remove(name)
        return owner
    }

    /// The journal of the last restore, for who makes room for another; nil when there was none.
    ///
    /// One that ``readToFollow(_:)`` refuses is nobody's hindrance when that restore came to its end: nil then, too, and
    /// `notes` get what stays of it.
    static func readToGiveUp(_ local: FilePath, _ notes: inout [String]) throws -> Journal? {
        do {
            return try readToFollow(local)
        } catch let refusal as RestoreFailure where refusal.code == .refused {
            guard let last = try read(local), [.done, .undone].contains(last.phase) else { throw refusal }
            if !last.stagingDirectories.isEmpty || last.applied?.isEmpty == false {
                // Its paths are somebody's word, too, and root may do as it reads.
                notes.append(
                    "what \(last.what) kept stays, for its journal is another user's: remove the .understudy-* "
                        + "directories beside the restored paths that are older than this restore")
            }
            return nil
        }
    }

    private static func decoded(_ bytes: [UInt8], _ local: FilePath) throws -> Journal {
        do {
            return try JSONDecoder().decode(Journal.self, from: Data(bytes))
        } catch {
            throw RestoreFailure(
                .failed, "the journal of the last restore, \(file(local)), cannot be read: \(error)",
                hint: "look beside the restored paths for .understudy-* directories, then remove the journal")
        }
    }

    /// Writes the journal, durably.
    ///
    /// Root's stays root's in a store of another user, who reads it too.
    func write(_ local: FilePath) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try Files.makeDirectories(local, mode: 0o700)
        try Files.replace(Self.file(local), with: Array(try encoder.encode(self)))
    }

    /// Whether the restored tree of a place stands in production.
    package static func isExchanged(_ place: Place) throws -> Bool {
        try Files.status(FilePath(place.live))?.inode ?? Place.nothing == place.inode
    }

    /// Whether what stood at a place before is kept beside it, so that it can come back.
    ///
    /// A journal that does not say what stood there tells too little to give up what stands there now.
    static func hasBefore(_ place: Place) throws -> Bool {
        let kept = try Files.status(FilePath(place.other))?.inode ?? Place.nothing
        return place.before.map { $0 == kept } ?? (kept != Place.nothing || place.inode == Place.nothing)
    }

    /// What stands at a place in production.
    enum Standing {
        /// What was restored.
        case restored
        /// What stood there before, or, as long as the restored one did not come, what took its place.
        case before
        /// Neither: somebody put something there, or took away what was restored.
        case other
    }

    /// What stands at a place in production; by a journal that does not say what was there before, all that is not restored
    /// was.
    static func standing(at place: Place) throws -> Standing {
        let live = try inode(place.live)
        if live == place.before { return .before }
        if live == place.inode { return .restored }
        guard place.before != nil else { return .before }
        return try place.inode != Place.nothing && inode(place.other) == place.inode ? .before : .other
    }

    /// The inode of what stands at a path, ``Place/nothing`` where nothing does.
    static func inode(_ path: String) throws -> UInt64 {
        try Files.status(FilePath(path))?.inode ?? Place.nothing
    }

    /// Puts the restored tree of a place into production; does nothing when it is there already.
    ///
    /// Throws a ``RestoreFailure``, and leaves what is in production, when what should come is nowhere.
    static func exchange(_ place: Place) throws {
        guard try !isExchanged(place) else { return }
        try exchange(place, leavingNothing: place.inode == Place.nothing)
    }

    /// What SQLite keeps beside a database: it belongs to the file that stands there, and would be played into another.
    static let besides = ["-wal", "-shm", "-journal"]

    /// Whether what stands at a path is a file that begins as a SQLite database does.
    static func isDatabase(_ path: FilePath) throws -> Bool {
        guard try Files.status(path)?.kind == .file else { return false }
        return try Database.begins(OpenFile(path))
    }

    /// Whether a place is what SQLite keeps beside a database that is a place too: who opens the one that came makes it anew,
    /// or takes away what came with it.
    func isBesideDatabase(_ place: Place) -> Bool { owner(of: place) != nil }

    /// Whether what stands at a place, where nothing stood before, is the log of a restored database, and goes with that.
    func isLogThatGoes(_ place: Place) throws -> Bool {
        guard place.isEntry != true, place.before == Place.nothing, let database = owner(of: place),
            try Self.standing(at: database) == .restored, try Self.standing(at: place) == .other,
            try Self.isDatabase(FilePath(database.live))
        else { return false }
        return try Files.status(FilePath(place.live))?.kind == .file
    }

    /// The place beside which another would be what SQLite keeps, nil where there is none.
    private func owner(of place: Place) -> Place? {
        guard let suffix = Self.besides.first(where: { place.live.hasSuffix($0) }) else { return nil }
        let live = String(place.live.dropLast(suffix.count))
        return places.first { $0.live == live }
    }

    /// Puts back what stood at a place before, one of those at `lives`; does nothing when it is there already.
    ///
    /// A file that was written anew since, as services do with their own, goes as the restored one would, and a database goes
    /// with its log; where nothing stood before, it is kept beside `staging`, and `tell` is given the path before it is
    /// there. Throws a ``RestoreFailure``, and leaves what is in production, when what should come is nowhere, and when what
    /// would go is neither such a file nor what was restored.
    static func putBack(
        _ place: Place, amid lives: Set<String>, beside staging: FilePath?, tell: (FilePath) -> Void
    ) throws {
        // It went away, or was written anew, before its turn came to go.
        if place.isEntry == true, place.inode == Place.nothing, try !Files.exists(FilePath(place.other)) {
            return
        }
        switch try standing(at: place) {
        case .before:
            // Where something stands, nothing of ours ever did.
            guard place.before == Place.nothing, let staging, try inode(place.live) == Place.nothing else {
                return
            }
            try setAside(place, amid: lives, beside: staging, tell: tell)
        case .restored:
            let leavesNothing = (place.before ?? Place.nothing) == Place.nothing
            if try leavesNothing || Files.exists(FilePath(place.other)) {
                try removeBesides(of: place, amid: lives)
            }
            try exchange(place, leavingNothing: leavesNothing)
        case .other where place.isEntry == true:
            guard try hasBefore(place) else { throw lost(place) }
            try exchange(place, leavingNothing: place.before == Place.nothing)
        case .other:
            guard place.before != Place.nothing else {
                guard let staging, try Files.status(FilePath(place.live))?.kind == .file else {
                    throw inTheWay(place, "and nothing stood there before")
                }
                return try setAside(place, amid: lives, beside: staging, tell: tell)
            }
            guard try hasBefore(place) else { throw lost(place) }
            let kind = try Files.status(FilePath(place.live))?.kind
            guard kind == nil || kind == .file else {
                throw inTheWay(place, "and what stood there before is at \(place.other)")
            }
            try removeBesides(of: place, amid: lives)
            try exchange(place, leavingNothing: false)
        }
    }

    /// Moves a file of production into a new directory beside `staging`, which nobody of us removes; a database
    /// takes along what SQLite keeps beside it, but for what is a place itself.
    ///
    /// The directory gets the name that is told when all is in it, so that what a kill left in between is gone on with.
    private static func setAside(
        _ place: Place, amid lives: Set<String>, beside staging: FilePath, tell: (FilePath) -> Void
    ) throws {
        let live = FilePath(place.live)
        let moving = FilePath("\(staging)-moving")
        let name = live.lastComponent?.string ?? "file"
        if try !Files.exists(live) {
            // What is in it may be of another place.
            let isHalfway = try ([""] + besides).contains { try Files.exists(moving.appending(name + $0)) }
            guard isHalfway else { return try Files.removeDirectoryIfEmpty(moving) }
        }
        try Files.makeDirectory(moving, mode: 0o700)
        if try isDatabase(live) {
            for suffix in besides where !lives.contains(place.live + suffix) {
                let path = FilePath(place.live + suffix)
                guard try Files.status(path)?.kind == .file else { continue }
                try Files.renameWithoutReplacing(path, to: moving.appending(name + suffix))
            }
        }
        if try Files.exists(live) { try Files.renameWithoutReplacing(live, to: moving.appending(name)) }
        guard try !Files.names(moving).isEmpty else {
            // Somebody took it away since a kill.
            return try Files.removeDirectoryIfEmpty(moving)
        }
        for changed in [live.removingLastComponent(), moving] { try Files.syncDirectory(changed) }
        var directory = FilePath("\(staging)-kept")
        var number = 2
        while try Files.exists(directory) {
            directory = FilePath("\(staging)-kept-\(number)")
            number += 1
        }
        tell(directory.appending(name))
        try Files.renameWithoutReplacing(moving, to: directory)
        try Files.syncDirectory(directory.removingLastComponent())
    }

    /// Removes what SQLite keeps beside a database that is about to go, but for what is a place itself.
    private static func removeBesides(of place: Place, amid lives: Set<String>) throws {
        guard try isDatabase(FilePath(place.live)) else { return }
        for path in besides.map({ place.live + $0 }) where !lives.contains(path) {
            guard try Files.status(FilePath(path))?.kind == .file else { continue }
            try Files.remove(FilePath(path))
        }
        try Files.syncDirectory(FilePath(place.live).removingLastComponent())
    }

    private static func inTheWay(_ place: Place, _ words: String) -> RestoreFailure {
        RestoreFailure(
            .failed, "\(place.live) is not what was restored there, \(words)",
            hint: "somebody put it there: move it away, and run 'understudy undo' or the same restore again")
    }

    private static func lost(_ place: Place) -> RestoreFailure {
        RestoreFailure(
            .failed, "what belongs at \(place.live) is neither there nor at \(place.other)",
            hint: "somebody removed it. What stands there now can stay: remove the journal "
                + "(understudy/restore.json in the store), and restore a snapshot again")
    }

    /// Lets what is in production and what lies beside it change places.
    private static func exchange(_ place: Place, leavingNothing: Bool) throws {
        let live = FilePath(place.live)
        let other = FilePath(place.other)
        switch (try Files.exists(live), try Files.exists(other)) {
        case (true, true): try Files.exchange(live, other)
        case (false, true): try Files.renameWithoutReplacing(other, to: live)
        case (true, false) where leavingNothing: try Files.renameWithoutReplacing(live, to: other)
        case (_, false): throw lost(place)
        }
        // Of many in one directory, that is done once.
        guard place.isEntry != true else { return }
        try Files.syncDirectory(live.removingLastComponent())
        try Files.syncDirectory(other.removingLastComponent())
    }
}
