import FileTree
import GitStore
import Programs
import Restore
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Commands killed at any instant: the store is sound, acknowledged snapshots are whole, production is the old tree or
/// the new one, and the next command finds neither a lock nor a leftover in its way.
///
/// `UNDERSTUDY_TEST_CRASHES` sets how many kills of each command shall hit; `make crash` sets it high.
@Suite struct CrashTests {
    private static let count =
        unsafe getenv("UNDERSTUDY_TEST_CRASHES").flatMap { Int(unsafe String(cString: $0)) } ?? 8

    /// A system of two directories, so that a restore has two places to exchange.
    private struct World {
        let directory: FilePath
        let runner: CommandLineRunner
        var trees: [FilePath] { [directory.appending("a"), directory.appending("b")] }
        var store: FilePath { directory.appending("store.git") }
        private(set) var version = 0

        init(_ directory: FilePath) async throws {
            self.directory = directory
            runner = try CommandLineRunner(directory)
            for tree in trees {
                try Files.makeDirectories(tree.appending("sub/deep"))
                try Files.replace(tree.appending("sub/file"), with: Array("same\n".utf8))
                try Files.replace(tree.appending("large"), with: [UInt8](repeating: 7, count: 100_000))
                try Files.makeLink(tree.appending("link"), to: Array("sub/file".utf8))
            }
            try change()
            try await runner.initialize("a", "b", "--name", "crash", "--store", store.string)
            try await runner.succeed("snapshot")
        }

        /// Changes both trees: a file each, and a name that only this version has.
        mutating func change() throws {
            for tree in trees {
                try Files.remove(tree.appending("only-\(version)"))
                try Files.replace(tree.appending("sub/changing"), with: Array("\(version + 1)\n".utf8))
                try Files.replace(tree.appending("only-\(version + 1)"), with: [])
            }
            version += 1
        }

        func listings() throws -> [TreeListing] { try trees.map { try TreeListing($0) } }

        func snapshots() throws -> Set<String> {
            Set(try SnapshotStore.open(at: store).snapshots(of: "crash").map(\.id.description))
        }

        /// What is beside production: what undo needs, or what was left.
        func besides() throws -> Int {
            try Files.names(directory).count { $0.starts(with: ".understudy-".utf8) }
        }

        /// Looks at the store after a kill: sound for git, with every acknowledged snapshot whole.
        func check(holding acknowledged: Set<String>, _ instant: CrashLoop.Instant) async throws {
            try await runner.checkStore(store)
            let opened = try SnapshotStore.open(at: store)
            let found = try opened.snapshots(of: "crash")
            #expect(acknowledged.isSubset(of: Set(found.map(\.id.description))), "\(instant)")
            let verification = try Verification(opened)
            for reference in found {
                #expect(verification.verify(reference).problems == [], "\(instant): \(reference.id)")
            }
        }
    }

    /// Kills a command again and again, each time in a state that `prepare` made and that `check` looks at.
    private func killing(
        _ arguments: [String], seed: UInt64, prepare: (inout World) async throws -> Void,
        check: (inout World, CrashLoop.Instant) async throws -> Void
    ) async throws {
        var killed = 0
        var tried = 0
        var round: UInt64 = 0
        // Not every kill hits: which thread makes the n-th call depends on how busy the machine is. A world of its own for a
        // few kills each: what is checked after each must not grow with their number.
        while killed < Self.count, tried < 8 * Self.count {
            try await withTemporaryDirectory { directory in
                var world = try await World(directory)
                var loop = CrashLoop(world.runner, seed: seed &+ round)
                try await prepare(&world)
                let instants = try await loop.instants(
                    of: arguments, count: min(max(Self.count - killed, 4), 25))
                for instant in instants {
                    try await prepare(&world)
                    if try await loop.kill(arguments, at: instant) { killed += 1 }
                    try await check(&world, instant)
                    #expect(try CrashLoop.leftovers(in: world.store) == [], "\(instant)")
                }
                tried += instants.count
            }
            round += 1
            // Again and again: whoever stops `make crash` knows what was shown.
            print("\(arguments.joined(separator: " ")): \(killed) of \(tried) kills hit")
            fflush(nil)
        }
        #expect(killed >= Self.count, "of \(tried) kills only \(killed) hit")
    }

    @Test func aKilledSnapshotIsThereWholeOrNotAtAll() async throws {
        var acknowledged: Set<String> = []
        var live: [TreeListing] = []
        try await killing(["snapshot"], seed: 1) { world in
            try world.change()
            acknowledged = try world.snapshots()
            live = try world.listings()
        } check: { world, instant in
            try await world.check(holding: acknowledged, instant)
            #expect(try world.listings() == live, "\(instant): production was touched")
            let next = try await world.runner.run("snapshot")
            #expect(next.status == 0, "\(instant): \(next.errorOutput)")
        }
    }

    @Test func aKilledRestoreLeavesTheOldTreesOrTheNewOnes() async throws {
        var acknowledged: Set<String> = []
        var wanted: [TreeListing] = []
        var live: [TreeListing] = []
        try await killing(["restore"], seed: 2) { world in
            try world.change()
            try await world.runner.succeed("snapshot")
            acknowledged = try world.snapshots()
            wanted = try world.listings()
            try world.change()
            live = try world.listings()
        } check: { world, instant in
            try await world.check(holding: acknowledged, instant)
            for (index, found) in try world.listings().enumerated() {
                #expect(found == live[index] || found == wanted[index], "\(instant): half a tree")
            }
            // Whoever comes next and does not restore leaves production as it is, and still may write where that is a state
            // that somebody made.
            let isHalfway = try Recovery.lookHalfway(world.store.appending("understudy")) != nil
            let snapshot = try await world.runner.run("snapshot", "-m", "after a kill")
            #expect(snapshot.status == (isHalfway ? 7 : 0), "\(instant): \(snapshot.errorOutput)")
            let id = try #require(acknowledged.max())
            let next = try await world.runner.run("restore", id)
            #expect(next.status == 0, "\(instant): \(next.errorOutput)")
            #expect(try world.listings() == wanted, "\(instant)")
            #expect(try world.besides() == 2, "\(instant): what undo needs, and no more")
        }
    }

    @Test func aKilledUndoIsDoneByTheNext() async throws {
        var acknowledged: Set<String> = []
        var before: [TreeListing] = []
        var restored: [TreeListing] = []
        try await killing(["undo"], seed: 3) { world in
            try world.change()
            before = try world.listings()
            try await world.runner.succeed("restore")
            acknowledged = try world.snapshots()
            restored = try world.listings()
        } check: { world, instant in
            try await world.check(holding: acknowledged, instant)
            for (index, found) in try world.listings().enumerated() {
                #expect(found == before[index] || found == restored[index], "\(instant): half a tree")
            }
            let next = try await world.runner.run("undo")
            // It was over when it was killed: then there is nothing left to take back.
            #expect(next.status == 0 || next.status == 7, "\(instant): \(next.errorOutput)")
            #expect(try world.listings() == before, "\(instant)")
            #expect(try world.besides() == 0, "\(instant)")
        }
    }

    @Test func aKilledPruneLosesNothingThatIsKeptAndTheNextGoesOn() async throws {
        var kept: Set<String> = []
        try await killing(["prune"], seed: 4) { world in
            try Files.replace(
                world.directory.appending("policies/retention.yaml"), with: Array("keep: {last: 1}\n".utf8))
            for _ in 0..<2 {
                try world.change()
                try await world.runner.succeed("snapshot")
            }
            kept = Set([try #require(try world.snapshots().max())])
        } check: { world, instant in
            try await world.check(holding: kept, instant)
            let next = try await world.runner.run("prune")
            #expect(next.status == 0, "\(instant): \(next.errorOutput)")
            #expect(try world.snapshots() == kept, "\(instant)")
            try await world.check(holding: kept, instant)
            let left = try await Program("git", ["-C", world.store.string, "fsck", "--unreachable"])
                .runSuccessfully().output
            #expect(!left.contains("unreachable"), "\(instant): \(left)")
        }
    }

    /// Both write the same record into the same pack, and only the second one's is wanted by a reference.
    @Test func aPruneInTheSecondOfAKilledOneKeepsItsRecord() async throws {
        try await withTemporaryDirectory { directory in
            var world = try await World(directory)
            try Files.replace(
                directory.appending("policies/retention.yaml"), with: Array("keep: {last: 1}\n".utf8))
            try world.change()
            try await world.runner.succeed("snapshot")
            let moment = [
                "env", "NO_FAKE_STAT=1", "DONT_FAKE_MONOTONIC=1", "faketime", "-f", "2027-01-01 00:00:00",
            ]
            let lock = world.store.appending("refs/evidence/crash/prunes.lock")
            let killed = try await world.runner.run(
                under: moment + [
                    "strace", "-f", "-qq", "-o", "/dev/null", "-P", lock.string, "-e", "trace=openat", "-e",
                    "inject=openat:signal=KILL:when=1",
                ], ["prune"])
            #expect(killed.errorOutput.contains("Killed"), "\(killed.status): \(killed.errorOutput)")
            let next = try await world.runner.run(under: moment, ["prune"])
            #expect(next.status == 0 && next.output.contains("forgot 1"), "\(next.output)\(next.errorOutput)")
            try await world.runner.checkStore(world.store)
            try await world.runner.succeed("verify", "--all")
        }
    }
}
