import Capture
import Drivers
import FileTree
import GitStore
import Programs
import Restore
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

/// The way back of a promotion, in a component that is a file of configuration and a server that writes it anew.
@Suite struct ReplacementTests {
    private struct Breach: Error {}

    /// What runs, what it is described by, and what is exchanged.
    private struct World {
        let directory: FilePath
        let system: DeliverySystem
        let store: SnapshotStore
        let lock: WriterLock
        var local: FilePath { directory.appending("store.git/understudy") }

        init(_ directory: FilePath) throws {
            self.directory = directory
            let up = "\(directory)/up"
            let commands = [
                "capture": "true", "restore": "true", "ready": "test -e \(up)",
                "start":
                    "cp \(directory)/store.git/understudy/restore.json \(directory)/journal; test ! -e \(directory)/broken && touch \(up)",
                "stop": "test ! -e \(directory)/stuck && rm -f \(up)",
            ]
            let component = Component(
                name: "ci", driver: "command", settings: commands.mapValues { .text($0) })
            system = DeliverySystem(
                name: "acme", text: [], components: [(component, try makeDriver(component))],
                options: CaptureOptions(), recipients: [], host: "here", tool: "0")
            store = try SnapshotStore.create(at: directory.appending("store.git"), system: "acme")
            lock = try store.lock(purpose: "test")
            for name in ["up", "config"] { try write(name, "old") }
        }

        func write(_ name: String, _ text: String) throws {
            try Files.replace(directory.appending(name), with: Array(text.utf8))
        }

        func text() throws -> String {
            String(decoding: try Files.read(directory.appending("config")), as: UTF8.self)
        }

        func isUp() throws -> Bool { try Files.exists(directory.appending("up")) }

        /// Replaces the configuration, or another file; what is thrown then.
        func failure(
            _ text: String = "new", at name: String = "config", prepare: () throws -> Void = {},
            watch: () throws -> Void = {}
        ) async throws -> (any Error)? {
            let replacement = try await Replacement(
                system, store: store, component: "ci", snapshot: SnapshotID(seconds: 0, random: 1),
                verdict: "verdict", holding: lock, progress: { _ in })
            let live = directory.appending(name)
            let staged = try replacement.staging(for: live)
            try Files.replace(staged, with: Array(text.utf8))
            do {
                try await replacement.run(
                    [("root", live, staged)],
                    prepare: {
                        try prepare()
                        return []
                    }, beforeStart: {}, watch: { try watch() })
                return nil
            } catch {
                return error
            }
        }

        func phase() throws -> Journal.Phase? { try Journal.read(local)?.phase }

        func recover() async throws -> Recovery.Report {
            try await Recovery.run(local, system: system, progress: { _ in })
        }

        func staging() throws -> Int {
            try Files.names(directory).count { $0.starts(with: ".understudy-".utf8) }
        }
    }

    /// As a port that is taken meanwhile would do it, what was there before does not start either.
    @Test func whatDoesNotStartAgainIsTriedByTheNextCommand() async throws {
        try await withTemporaryDirectory { directory in
            let world = try World(directory)
            let failure = try await world.failure(watch: {
                #expect(try world.text() == "new")
                try world.write("broken", "")
                throw Breach()
            })
            let outcome = try #require(failure as? ReplacementFailure)
            #expect(outcome.isPutBack && outcome.description.contains("ci is down"), "\(outcome)")
            #expect(outcome.hint.contains("understudy undo"), "\(outcome.hint)")
            #expect(try world.text() == "old" && !world.isUp() && world.phase() == .starting)
            try Files.remove(directory.appending("broken"))
            #expect(try await world.recover().failures == [])
            #expect(try world.isUp() && world.phase() == .undone && world.staging() == 0)
        }
    }

    @Test func whatFailsBeforeTheExchangeIsThrownAsItIs() async throws {
        try await withTemporaryDirectory { directory in
            let world = try World(directory)
            try world.write("stuck", "")
            #expect(try await world.failure() is DriverFailure)
            #expect(try world.isUp() && world.phase() == .undone && world.staging() == 0)
            try Files.remove(directory.appending("stuck"))
            #expect(try await world.failure(prepare: { throw Breach() }) is Breach)
            #expect(try world.isUp() && world.phase() == .undone && world.text() == "old")
            // Where it stays down that is said, and the verdict is not used up.
            let failure = try await world.failure(prepare: {
                try world.write("broken", "")
                throw Breach()
            })
            let words = try #require(failure as? RestoreFailure).description
            #expect(words.contains("nothing was exchanged, and ci is down"), "\(words)")
            #expect(try world.phase() == .starting)
        }
    }

    @Test func whatSomebodyPutInItsPlaceIsLeftAndNothingStartsOnIt() async throws {
        try await withTemporaryDirectory { directory in
            let world = try World(directory)
            let config = directory.appending("config")
            let failure = try await world.failure(watch: {
                try Files.rename(config, to: directory.appending("config.new"))
                try Files.makeDirectory(config)
                throw Breach()
            })
            let outcome = try #require(failure as? ReplacementFailure)
            #expect(!outcome.isPutBack, "\(outcome)")
            #expect(outcome.description.contains("\(config) is not what was restored there"), "\(outcome)")
            #expect(try Files.isDirectory(config) && !world.isUp() && world.phase() == .exchanging)
            try Files.removeTree(config)
            #expect(try await world.recover().failures == [])
            #expect(try world.text() == "old" && world.isUp())
            #expect(try world.phase() == .undone && world.staging() == 0)
        }
    }

    @Test func aJournalThatCannotBeWrittenAtTheEndTakesAllBack() async throws {
        try await withTemporaryDirectory { directory in
            let world = try World(directory)
            let away = directory.appending("away")
            let failure = try await world.failure(watch: {
                try Files.rename(world.local, to: away)
                try Files.replace(world.local, with: [])
            })
            let outcome = try #require(failure as? ReplacementFailure)
            #expect(outcome.isPutBack, "\(outcome)")
            #expect(outcome.description.contains("the journal cannot be written"), "\(outcome)")
            #expect(try world.text() == "old" && world.isUp())
            try Files.remove(world.local)
            try Files.rename(away, to: world.local)
            #expect(try world.phase() == .exchanging)
            #expect(try await world.recover().failures == [])
            #expect(try world.text() == "old" && world.isUp())
            #expect(try world.phase() == .undone && world.staging() == 0)
        }
    }

    @Test func aFileThatTheServerWroteAnewGoesTooAndTheOldOneComesBack() async throws {
        try await withTemporaryDirectory { directory in
            let world = try World(directory)
            let failure = try await world.failure(watch: {
                try world.write("config", "new, and written anew")
                throw Breach()
            })
            #expect((failure as? ReplacementFailure)?.isPutBack == true, "\(String(describing: failure))")
            #expect(try world.text() == "old" && world.isUp() && world.staging() == 0)
        }
    }

    @Test func aFileThatTheServerWroteAnewWhereNothingStoodIsKeptBeside() async throws {
        try await withTemporaryDirectory { directory in
            let world = try World(directory)
            let failure = try await world.failure(
                at: "state",
                watch: {
                    try world.write("state", "SQLite format 3\0, written anew")
                    try world.write("state-wal", "of it")
                    throw Breach()
                })
            let outcome = try #require(failure as? ReplacementFailure)
            let words = "\(directory)/state since, where nothing stood before, is kept as "
            #expect(outcome.isPutBack && outcome.description.contains(words), "\(outcome)")
            let rest = try #require(outcome.description.firstRange(of: words))
            let kept = FilePath(String(outcome.description[rest.upperBound...].prefix { $0 != " " }))
            #expect(try Files.read(kept) == Array("SQLite format 3\0, written anew".utf8))
            #expect(try Files.read(FilePath("\(kept)-wal")) == Array("of it".utf8))
            for name in ["state", "state-wal"] { #expect(try !Files.exists(directory.appending(name))) }
            #expect(try world.isUp() && world.phase() == .undone && world.staging() == 1)
        }
    }

    @Test func whatWasPutAsideIsToldAlsoAfterAKillWhileItStarts() async throws {
        try await withTemporaryDirectory { directory in
            let world = try World(directory)
            let failure = try await world.failure(
                at: "state",
                watch: {
                    try world.write("state", "written anew")
                    throw Breach()
                })
            #expect(
                (failure as? ReplacementFailure)?.description.contains("is kept as ") == true,
                "\(String(describing: failure))")
            try Files.rename(directory.appending("journal"), to: world.local.appending("restore.json"))
            let report = try await world.recover()
            #expect(report.kept.count == 1 && report.kept.first?.contains("is kept as ") == true)
            #expect(throws: RestoreFailure.self) { try report.check() }
            #expect(try await world.recover().kept == [])
        }
    }

    /// SQLite would play the log that a killed server left into the database that comes in the place of its own.
    @Test func aDatabaseGoesWithItsLogAndNotWithoutIt() async throws {
        try await withTemporaryDirectory { directory in
            let world = try World(directory)
            let database = "SQLite format 3\0new"
            for text in [database, "no database"] {
                let failure = try await world.failure(
                    text,
                    watch: {
                        try world.write("config-wal", "of the new one")
                        throw Breach()
                    })
                #expect(
                    (failure as? ReplacementFailure)?.isPutBack == true, "\(String(describing: failure))")
                #expect(try world.text() == "old" && world.isUp())
                #expect(try Files.exists(directory.appending("config-wal")) == (text != database))
            }
            let failure = try await world.failure(database)
            let words = try #require(failure as? RestoreFailure).description
            #expect(words.contains("config-wal is still there after the stop"), "\(words)")
            #expect(try world.text() == "old" && world.isUp() && world.phase() == .undone)
            #expect(try Files.exists(directory.appending("config-wal")))
        }
    }
}
