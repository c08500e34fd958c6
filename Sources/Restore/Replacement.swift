package import Capture
internal import Drivers
internal import FileTree
package import GitStore
internal import Programs
package import SnapshotModel
package import SystemPackage

/// Replaces single places of one component of production, and puts them back when what follows goes wrong.
///
/// It writes the same journal as a restore, so that after a kill the next command puts the old places back, and `undo` takes
/// it back later.
package final class Replacement {
    private let system: DeliverySystem
    private let store: SnapshotStore
    private let component: String
    private let progress: @Sendable (String) -> Void
    private var journal: Journal

    /// How long the component may take until it serves.
    private static let readyLimit = Duration.seconds(180)

    /// A replacement in a component by a verdict; `snapshot` holds the state of before.
    ///
    /// Gives up what the last restore kept for `undo`.
    package init(
        _ system: DeliverySystem, store: SnapshotStore, component: String, snapshot: SnapshotID,
        verdict: String, holding lock: WriterLock, progress: @escaping @Sendable (String) -> Void
    ) async throws {
        self.system = system
        self.store = store
        self.component = component
        self.progress = progress
        journal = Journal(
            snapshot: snapshot.description, phase: .staging, places: [], stagingDirectories: [], running: [],
            started: CivilTime(seconds: Clock.now.seconds).iso8601, verdict: verdict)
        var left: [String] = []
        if var last = try Journal.readToGiveUp(store.localDirectory, &left) {
            left += try await last.giveUp(in: system, store.localDirectory)
            journal.takeOverLeftovers(of: last)
        }
        for line in left { progress(line) }
        try journal.write(store.localDirectory)
    }

    /// A path beside a place of production, on the same file system, in which its replacement is to be made.
    package func staging(for live: FilePath) throws -> FilePath {
        try system.refuseLinks(onTheWayTo: [live])
        // A new file may be for a directory that is not there yet.
        let parent = try Files.nearest(to: live.removingLastComponent())
        let directory = try journal.makeStagingDirectory(in: parent, store.localDirectory)
        return directory.appending(live.lastComponent?.string ?? "place")
    }

    /// Stops the component, lets `prepare` finish what can only be made now, exchanges, starts, and lets `watch` look.
    ///
    /// `places` are roots and paths with what was made for them; nothing made means that the place goes away. Whatever fails
    /// brings the old places back and starts what was running. What fails before anything is exchanged is thrown as it is
    /// then; else a ``ReplacementFailure`` says what became of production.
    package func run(
        _ places: [(root: String, live: FilePath, staged: FilePath)],
        prepare: () async throws -> [(root: String, live: FilePath, staged: FilePath)],
        beforeStart: () async throws -> Void, watch: () async throws -> Void
    ) async throws {
        LastWords.set(
            "the promotion is in the middle: what it brings may stand in production, and \(component) may be down",
            hint: "run 'understudy undo': it puts the old places back and starts it")
        do {
            try await stop()
            for place in try await places + prepare() {
                // A place that goes away has nothing that would come to it.
                let inode = try Files.status(place.staged)?.inode ?? Journal.Place.nothing
                journal.places.append(
                    .init(
                        component: component, root: place.root, live: place.live.string,
                        other: place.staged.string, inode: inode,
                        before: try Files.status(place.live)?.inode ?? Journal.Place.nothing))
            }
            try system.refuseLinks(onTheWayTo: journal.changedPaths)
            try refuseLogs()
            journal.newDirectories = try newDirectories()
            try journal.syncStaged()
            journal.phase = .exchanging
            try journal.write(store.localDirectory)
            progress("exchanging")
            for directory in journal.newDirectories ?? [] { try make(FilePath(directory)) }
            for place in journal.places { try Journal.exchange(place) }
            try await beforeStart()
            if let lifecycle = system.driver(of: component)?.lifecycle, !journal.running.isEmpty {
                progress("starting \(component)")
                try await lifecycle.start()
                try await lifecycle.waitUntilReady(limit: Self.readyLimit)
            }
            try await watch()
            var done = journal
            done.phase = .done
            // While this fails, the journal in memory says as the one on the disk what is to be put back.
            try done.write(store.localDirectory)
            LastWords.clear()
        } catch {
            throw await putBack(error)
        }
    }

    /// Throws where the log of a database that is to be exchanged is not empty: what is in it belongs to the one that stands
    /// there, and SQLite would play it into the other.
    private func refuseLogs() throws {
        for place in journal.places where try Journal.isDatabase(FilePath(place.other)) {
            for log in ["-wal", "-journal"].map({ FilePath(place.live + $0) }) {
                guard let size = try Files.status(log)?.size, size > 0 else { continue }
                throw RestoreFailure(
                    .refused,
                    "\(log) is still there after the stop: what is in it is not in the database that would come",
                    hint: "start and stop \(component) once, so that SQLite puts it into the database, and "
                        + "promote again")
            }
        }
    }

    /// The directories that new places are in and that are not there yet, the outer ones first.
    private func newDirectories() throws -> [String] {
        var missing: Set<String> = []
        for place in journal.places where place.inode != Journal.Place.nothing {
            var directory = FilePath(place.live).removingLastComponent()
            while try !Files.exists(directory) {
                missing.insert(directory.string)
                directory.removeLastComponent()
            }
        }
        return missing.sorted()
    }

    /// Makes a directory that belongs to whom the one around it belongs to.
    private func make(_ directory: FilePath) throws {
        try Files.makeDirectory(directory)
        if Accounts.ownNumbers.user == 0, let parent = try Files.status(directory.removingLastComponent()) {
            try Files.setOwner(directory, owner: parent.owner, group: parent.group)
        }
        try Files.syncDirectory(directory.removingLastComponent())
    }

    private func stop() async throws {
        guard let lifecycle = system.driver(of: component)?.lifecycle, try await lifecycle.isRunning() else {
            return
        }
        progress("stopping \(component)")
        journal.running = [component]
        try journal.write(store.localDirectory)
        try await lifecycle.stop()
    }

    /// Takes back what was staged before anything was stopped.
    package func abandon() async throws {
        for line in try await journal.giveUp(in: system, store.localDirectory) { progress(line) }
    }

    /// Puts the old places back after a failure, starts what ran, and says what became of production; of a failure before
    /// anything was exchanged there is nothing more to say.
    private func putBack(_ failure: any Error) async -> any Error {
        progress("failed; putting the old places back")
        let isUntouched = journal.phase == .staging
        var taking = TakingBack(journal, of: system, in: store.localDirectory, progress: progress)
        do {
            if !isUntouched { try await taking.stop() }
        } catch {
            // Nothing is changed by that, and what ran until now can go on as it did.
            let down = await taking.resume()
            let words = ["\(failure); and the old places could not be put back: \(error)"] + down
            return ReplacementFailure(
                isPutBack: false, words.joined(separator: "; "),
                hint: "run 'understudy undo': it finds the journal and puts the old places back first")
        }
        let outcome = await taking.run()
        for line in outcome.notes { progress(line) }
        let left = outcome.failures.joined(separator: "; ")
        let again = "fix the cause and run 'understudy undo': it does what is left"
        guard !isUntouched else {
            return left.isEmpty
                ? failure
                : RestoreFailure(.failed, "\(failure) (nothing was exchanged, and \(left))", hint: again)
        }
        let words = (["\(failure)"] + outcome.kept).joined(separator: "; ")
        guard left.isEmpty else {
            return ReplacementFailure(
                isPutBack: outcome.isBack,
                outcome.isBack
                    ? "\(words); the old places are back, except for this: \(left)"
                    : "\(words); and not all could be put back: \(left)", hint: again)
        }
        do {
            let problems =
                journal.running.isEmpty
                ? [] : try await system.driver(of: component)?.lifecycle?.problems() ?? []
            guard problems.isEmpty else {
                return ReplacementFailure(
                    isPutBack: true,
                    "\(words); the old places are back, and \(component) is unhealthy: \(problems.joined(separator: "; "))",
                    hint: "check its logs; 'understudy restore \(journal.snapshot)' puts all of it back"
                )
            }
        } catch {
            return ReplacementFailure(
                isPutBack: true,
                "\(words); the old places are back, and whether \(component) is healthy cannot be determined: \(error)",
                hint: "check its logs; 'understudy restore \(journal.snapshot)' puts all of it back")
        }
        return ReplacementFailure(
            isPutBack: true,
            "\(words) (rolled back: \(component) is as it was\(journal.running.isEmpty ? "" : ", and healthy"))",
            hint: "find the cause; a verdict that was rolled back is not promoted again")
    }
}

/// What became of production when a replacement failed that had begun to exchange, or could not be taken back.
package struct ReplacementFailure: Error, Sendable, CustomStringConvertible {
    /// Whether the old places are back.
    package var isPutBack: Bool
    /// What failed, and how production is now.
    package var description: String
    /// What to do.
    package var hint: String

    init(isPutBack: Bool, _ description: String, hint: String) {
        self.isPutBack = isPutBack
        self.description = description
        self.hint = hint
    }
}
