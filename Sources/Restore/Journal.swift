internal import FileTree
internal import FoundationEssentials
package import SystemPackage

/// What a restore is about to exchange, written down before it does: so that whoever comes after a kill knows which tree
/// stands where, and can put back or go on.
package struct Journal: Codable, Sendable {
    /// How far the restore came.
    package enum Phase: String, Codable, Sendable {
        /// Nothing is exchanged yet; what is staged may be removed.
        case staging
        /// Some places may be exchanged.
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
    /// What drivers put in place themselves; nil in a journal of a version that had none.
    package var applied: [Applied]?
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

    /// What it is about, for people: `the restore of 2026…`.
    var what: String { verdict.map { "the promotion of \($0)" } ?? "the restore of \(snapshot)" }

    static func file(_ local: FilePath) -> FilePath { local.appending("restore.json") }

    /// The journal of the last restore, nil when there was none.
    package static func read(_ local: FilePath) throws -> Journal? {
        guard let bytes = try Files.readIfPresent(file(local)) else { return nil }
        do {
            return try JSONDecoder().decode(Journal.self, from: Data(bytes))
        } catch {
            throw RestoreFailure(
                .failed, "the journal of the last restore, \(file(local)), cannot be read: \(error)",
                hint: "look beside the restored paths for .understudy-* directories, then remove the journal")
        }
    }

    /// Writes the journal, durably.
    func write(_ local: FilePath) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try Files.makeDirectories(local, mode: 0o700)
        try Files.replace(Self.file(local), with: Array(try encoder.encode(self)), mode: 0o600)
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

    /// Puts the restored tree of a place into production, or the old one back; does nothing when it is there already.
    ///
    /// Throws a ``RestoreFailure``, and leaves what is in production, when what should come is nowhere.
    static func exchange(_ place: Place, restored: Bool) throws {
        guard try isExchanged(place) != restored else { return }
        let live = FilePath(place.live)
        let other = FilePath(place.other)
        switch (try Files.exists(live), try Files.exists(other)) {
        case (true, true): try Files.exchange(live, other)
        case (false, true): try Files.renameWithoutReplacing(other, to: live)
        case (true, false) where isLeftEmpty(place, restored: restored):
            try Files.renameWithoutReplacing(live, to: other)
        case (_, false):
            throw RestoreFailure(
                .failed, "what belongs at \(live) is neither there nor at \(other)",
                hint: "somebody removed it. What stands there now can stay: remove the journal "
                    + "(understudy/restore.json in the store), and restore a snapshot again")
        }
        try Files.syncDirectory(live.removingLastComponent())
        try Files.syncDirectory(other.removingLastComponent())
    }

    /// Whether nothing stands in production after an exchange: else there must be something that comes for what goes.
    private static func isLeftEmpty(_ place: Place, restored: Bool) -> Bool {
        restored ? place.inode == Place.nothing : (place.before ?? Place.nothing) == Place.nothing
    }

    /// Puts the old places back, all of them, and takes away what was made from the new ones and the directories that
    /// were made for them.
    func putBack() throws {
        for place in places.reversed() { try Self.exchange(place, restored: false) }
        try removeDerived()
        for directory in (newDirectories ?? []).reversed() {
            // Where somebody else has put something meanwhile, the directory is his.
            try Files.removeDirectoryIfEmpty(FilePath(directory))
            try Files.syncDirectory(FilePath(directory).removingLastComponent())
        }
    }
}
