import Drivers
import FileTree
import Git
import Glibc
import SnapshotModel
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Capture

/// What a walk makes of a tree in which something happens meanwhile.
@Suite struct MovingTreeTests {
    /// A rehearsal in which something happens when an object of some contents comes, once; it counts the blobs.
    private final class Sink: ObjectSink {
        private final class Lane: ObjectLane {
            let sink: Sink
            let lane: any ObjectLane

            init(_ sink: Sink) {
                self.sink = sink
                lane = sink.rehearsal.makeLane()
            }

            @unsafe func add(
                _ id: ObjectID, _ kind: ObjectKind, _ contents: UnsafeRawBufferPointer, stores: Bool
            ) throws {
                try unsafe lane.add(id, kind, contents, stores: stores)
                if kind == .blob { sink.blobs.add(1, ordering: .relaxed) }
                guard unsafe contents.elementsEqual(sink.trigger.utf8),
                    !sink.hasHappened.exchange(true, ordering: .relaxed)
                else { return }
                try sink.event()
            }

            func flush() throws { try lane.flush() }
        }

        let rehearsal: Rehearsal
        let trigger: String
        let event: @Sendable () throws -> Void
        let hasHappened = Atomic(false)
        let blobs = Atomic(0)

        init(
            _ reader: ObjectReader? = nil, at trigger: String = "",
            _ event: @escaping @Sendable () throws -> Void = {}
        ) {
            rehearsal = Rehearsal(reader)
            self.trigger = trigger
            self.event = event
        }

        func makeLane() -> any ObjectLane { Lane(self) }
        func holds(_ id: ObjectID) -> Bool { rehearsal.holds(id) }
        var isWritten: Bool { false }
        var isReadBack: Bool { true }
        var existing: ObjectReader? { rehearsal.existing }
        func newTree(_ id: ObjectID) throws -> [TreeEntry]? { try rehearsal.newTree(id) }
    }

    private static let fingerprint = [UInt8](repeating: 5, count: 32)

    /// So late that nothing in the tree changed a moment ago.
    private var later: (seconds: Int64, nanoseconds: Int64) { (Clock.now.seconds + 70, 0) }

    private func walk(
        _ tree: FilePath, from cache: StatCache = StatCache(), _ sink: any ObjectSink,
        isLaterPass: Bool = false, replacements: [EntryPath: FilePath] = [:],
        _ classification: Classification = Classification([], defaultClass: .config),
        now: (seconds: Int64, nanoseconds: Int64)
    ) throws -> CapturedTree {
        try RootCapture(
            tree, classification: classification, cache: cache,
            isLaterPass: isLaterPass, sink: sink,
            newTexts: NewTexts(of: sink, in: tree.removingLastComponent()), replacements: replacements,
            leavingOut: [], written: nil, sealer: nil, now: now
        ).run(rootClass: .config)
    }

    private func cache(_ walked: CapturedTree, in directory: FilePath) throws -> StatCache {
        let file = directory.appending("cache")
        try StatCache.write(walked.root, over: StatCache(), to: file, fingerprint: Self.fingerprint).commit()
        return try StatCache(file, fingerprint: Self.fingerprint)
    }

    private func write(_ path: FilePath, _ text: String) throws {
        try Files.makeDirectories(path.removingLastComponent())
        try Files.replaceWithoutSync(path, with: Array(text.utf8))
    }

    /// References are packed while a file of the same repository is read: that directory was looked at, and is not listed.
    @Test func aDirectoryThatIsNotListedIsLookedAtAgain() throws {
        try withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            let git = tree.appending("r.git")
            try write(git.appending("packed-refs"), "none\n")
            try write(git.appending("refs/heads/main"), "1\n")
            try write(git.appending("hooks/large"), "old\n")
            let repository = directory.appending("store.git")
            _ = try Repository(creatingBareAt: repository)
            let pack = try PackWriter(ObjectReader(repository), keepsTrees: true)
            let first = try walk(tree, pack, now: later)
            _ = try pack.finish()
            let last = try cache(first, in: directory)
            usleep(20_000)
            let hook = try FileDescriptor.open(git.appending("hooks/large"), .writeOnly)
            try hook.closeAfter { _ = try hook.writeAll(Array("new\n".utf8)) }
            let sink = try Sink(ObjectReader(repository), at: "new\n") {
                try Files.replaceWithoutSync(git.appending("packed-refs"), with: Array("main\n".utf8))
                try Files.remove(git.appending("refs/heads/main"))
            }
            let second = try walk(tree, from: last, sink, now: later)
            #expect(second.found.moving.map(\.description).contains("r.git"))
            #expect(try walk(tree, from: last, Sink(ObjectReader(repository)), now: later).found.moving == [])
        }
    }

    @Test func aDirectoryThatChangedBeforeItWasListedMayHaveLostSomething() throws {
        try withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            for name in ["a/one", "m/two", "z/job"] { try write(tree.appending(name), name) }
            usleep(50_000)
            let now = Clock.ofFiles
            #expect(try walk(tree, Sink(), now: now).found.left == [])
            try Files.rename(tree.appending("z/job"), to: tree.appending("a/job"))
            let walked = try walk(tree, Sink(), now: now)
            #expect(Set(walked.found.left.map(\.description)) == ["a", "z"] && walked.found.moving == [])
        }
    }

    @Test func aLaterPassIntoTheSameSinkReadsNothingAgain() throws {
        try withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            for name in ["a/one", "a/b/two", "three"] { try write(tree.appending(name), name) }
            let sink = Sink()
            let first = try walk(tree, sink, now: later)
            let known = try cache(first, in: directory)
            let blobs = sink.blobs.load(ordering: .relaxed)
            usleep(20_000)
            try write(tree.appending("four"), "four")
            let second = try walk(tree, from: known, sink, isLaterPass: true, now: later)
            // The new file, and the manifest.
            #expect(sink.blobs.load(ordering: .relaxed) == blobs + 2)
            let whole = try walk(tree, Sink(), now: later)
            #expect(second.root.record.tree == whole.root.record.tree)
            #expect(second.manifest.digest == whole.manifest.digest)
        }
    }

    /// A write through a mapping sets the times only after the page was written to the disk.
    @Test func whatChangedWithinTheLastMinuteIsReadAgain() throws {
        try withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try write(tree.appending("file"), "1")
            let changed = try #require(try Files.status(tree.appending("file"))).changed
            for (seconds, isSettled) in [(59, false), (61, true)] as [(Int64, Bool)] {
                let now = (changed.seconds + seconds, changed.nanoseconds)
                let root = try walk(tree, Sink(), now: now).root
                root.withEntries { records, _ in
                    #expect(records[0].flags.contains(.isSettled) == isSettled)
                }
            }
        }
    }

    /// Its log was moved into it, and with another beginning of the log it is of no one moment.
    @Test(arguments: [("app.db-wal", ["app.db"]), ("app.db.old", [])] as [(String, [String])])
    func aDatabaseThatChangesBeforeItsLogIsReadIsTorn(_ name: String, _ torn: [String]) throws {
        try withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            let database = tree.appending("app.db")
            try write(database, "old\n")
            try write(tree.appending(name), "second\n")
            usleep(20_000)
            let classes = Classification([.init("app.db*", .database)], defaultClass: .config)
            let sink = Sink(at: "second\n") {
                let file = try FileDescriptor.open(database, .writeOnly)
                try file.closeAfter { _ = try file.writeAll(Array("new\n".utf8)) }
            }
            let walked = try walk(tree, sink, classes, now: later)
            #expect(walked.found.torn.map(\.description) == torn)
            // It is read again.
            #expect(walked.found.moving.count == torn.count)
            let quiet = try walk(tree, Sink(), classes, now: later)
            #expect(quiet.found.torn.isEmpty && quiet.found.moving.isEmpty)
        }
    }

    /// Makes what git takes for a repository.
    private static func makeRepository(_ path: FilePath) throws {
        for name in ["objects", "refs"] { try Files.makeDirectories(path.appending(name)) }
        try Files.replaceWithoutSync(path.appending("HEAD"), with: Array("ref: refs/heads/main\n".utf8))
    }

    /// A night is not lost for it: the component is captured once more.
    @Test func aRepositoryThatIsMadeMeanwhileIsCaptured() async throws {
        try await withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try Self.makeRepository(tree.appending("a.git"))
            try write(tree.appending("note"), "note\n")
            try Files.makeDirectory(directory.appending("local"))
            let store = directory.appending("store.git")
            _ = try Repository(creatingBareAt: store)
            let sink = try Sink(ObjectReader(store), at: "note\n") {
                try Self.makeRepository(tree.appending("b.git"))
            }
            let component = Component(
                name: "git", driver: "git-repositories", settings: ["paths": .list([tree.string])])
            let result = try await ComponentCapture(
                component, driver: try GitRepositoriesDriver(component), sink: sink,
                options: CaptureOptions(), sealer: nil, local: directory.appending("local")
            ).run(previous: [:])
            #expect(result.sources.lines.map(\.repository.path.description) == ["a.git", "b.git"])
            #expect(result.captured.isComplete)
        }
    }

    // MARK: - Files with several names

    private func hardLinks(in walked: CapturedTree) -> [String: [UInt8]] {
        walked.root.withEntries { records, bytes in
            var links: [String: [UInt8]] = [:]
            for index in records.indices {
                let extra = EntryExtra(encoded: bytes.extra(of: records[index]))
                links[String(decoding: bytes.name(of: records[index]), as: UTF8.self)] = extra?.hardLink
            }
            return links
        }
    }

    private func link(_ path: FilePath, _ other: FilePath) {
        #expect(unsafe Glibc.link(path.string, other.string) == 0)
    }

    @Test func namesOfAFileThatChangedBetweenThemAreTornAndNotLinked() throws {
        try withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try write(tree.appending("a"), "old\n")
            try write(tree.appending("m"), "between\n")
            link(tree.appending("a"), tree.appending("z"))
            let quiet = try walk(tree, Sink(), now: later)
            #expect(quiet.found.torn == [] && hardLinks(in: quiet)["z"] == Array("a".utf8))
            let sink = Sink(at: "between\n") {
                let file = try FileDescriptor.open(tree.appending("a"), .writeOnly)
                try file.closeAfter { _ = try file.writeAll(Array("new\n".utf8)) }
            }
            let walked = try walk(tree, sink, now: later)
            #expect(walked.found.torn.map(\.description) == ["a", "z"])
            #expect(hardLinks(in: walked) == ["a": [], "m": [], "z": []])
        }
    }

    @Test func aFrozenCopyIsAFileOfItsOwnAndNotTorn() throws {
        try withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try write(tree.appending("state"), "live\n")
            link(tree.appending("state"), tree.appending("state.bak"))
            try write(directory.appending("copy"), "frozen\n")
            let walked = try walk(
                tree, Sink(), replacements: [EntryPath(Array("state".utf8)): directory.appending("copy")],
                now: later)
            #expect(walked.found.torn == [])
            #expect(hardLinks(in: walked) == ["state": [], "state.bak": []])
        }
    }
}
