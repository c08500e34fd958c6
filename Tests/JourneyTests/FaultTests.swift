import FileTree
import GitStore
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Calls that fail, disks that are full, hosts that lie: never a crash, never a wrong snapshot, never half a tree.
///
/// `UNDERSTUDY_TEST_FAULTS` sets how many calls of each kind fail, one at a time; `make crash` lets every one fail.
@Suite struct FaultTests {
    private static let count =
        unsafe getenv("UNDERSTUDY_TEST_FAULTS").flatMap { Int(unsafe String(cString: $0)) } ?? 2

    /// Which calls of a snapshot fail, and how.
    private static let faults = [
        ("pwrite64", "ENOSPC"), ("write", "EDQUOT"), ("fsync", "EIO"), ("rename", "ENOSPC"),
        ("openat", "EMFILE"), ("openat", "EIO"), ("read", "EIO"), ("getdents64", "EIO"), ("mmap", "ENOMEM"),
        ("newfstatat", "EIO"), ("mkdir", "ENOSPC"), ("unlink", "EIO"), ("ftruncate", "EIO"),
    ]

    /// Which calls of a restore fail, which makes more kinds of them.
    private static let restoreFaults =
        faults + [
            ("writev", "ENOSPC"), ("renameat2", "EIO"), ("mkdirat", "ENOSPC"), ("syncfs", "EIO"),
            ("fchmod", "EIO"), ("utimensat", "EIO"),
        ]

    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        let tree = directory.appending("tree")
        try Files.makeDirectories(tree.appending("sub/deep"))
        try Files.replace(tree.appending("sub/file"), with: Array("one\n".utf8))
        try Files.replace(tree.appending("sub/deep/large"), with: [UInt8](repeating: 3, count: 200_000))
        // What does not compress is written in another way.
        var random = SplitMix(state: 4)
        try Files.replace(
            tree.appending("sub/deep/noise"),
            with: (0..<200_000).map { _ in UInt8.random(in: 0...255, using: &random) })
        try Files.makeLink(tree.appending("link"), to: Array("sub/file".utf8))
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try await runner.succeed("snapshot")
        return runner
    }

    private func change(_ directory: FilePath, _ words: String) throws {
        try Files.replace(directory.appending("tree/sub/file"), with: Array("\(words)\n".utf8))
    }

    /// Says what is wrong with how a command failed: every failure has words, a hint and a status of the list.
    private func check(_ outcome: Program.Outcome, _ comment: String) {
        #expect(
            [0, 1, 3, 6, 7, 10, 12, 64].contains(outcome.status),
            "\(comment): \(outcome.status) \(outcome.errorOutput)")
        if ![0, 3].contains(outcome.status) {
            #expect(outcome.errorOutput.contains("error: "), "\(comment): \(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains("hint: "), "\(comment): \(outcome.errorOutput)")
        }
    }

    /// The snapshot that a command says it took is whole and is what was there, or names what it lacks.
    private func checkSnapshot(
        _ runner: CommandLineRunner, _ outcome: Program.Outcome, _ live: TreeListing, _ comment: String
    ) async throws {
        guard outcome.status == 0 || outcome.status == 3 else { return }
        if outcome.status == 3 {
            #expect(outcome.output.contains("unreadable: "), "\(comment): \(outcome.output)")
            return
        }
        let out = runner.directory.appending("out")
        try await runner.succeed("restore", "--to", out.string)
        let place = out.appending("tree").pushing(FilePath(String("\(runner.directory)/tree".dropFirst())))
        #expect(try TreeListing(place).differences(from: live) == [], "\(comment)")
        try Files.removeTree(out)
    }

    @Test(arguments: faults) func aCallThatFailsInASnapshotIsToldAndHarmsNothing(
        _ call: String, _ error: String
    ) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let store = directory.appending("tree.git")
            var random = SplitMix(state: 5)
            let loop = CrashLoop(runner, seed: 5)
            try change(directory, "measured")
            // Not every fault hits: names and threads of the next run may be others.
            var hits = 0
            for instant in try await loop.calls([call], of: ["snapshot"]).shuffled(using: &random)
            where hits < Self.count {
                let comment = "\(instant) failing with \(error)"
                try change(directory, comment)
                let live = try TreeListing(directory.appending("tree"))
                let (outcome, hasFailed) = try await loop.run(["snapshot"], failing: instant, with: error)
                if hasFailed { hits += 1 }
                check(outcome, comment)
                try await runner.checkStore(store)
                try await checkSnapshot(runner, outcome, live, comment)
                let next = try await runner.run("snapshot")
                #expect(next.status == 0, "\(comment), and the next: \(next.errorOutput)")
                try await checkSnapshot(runner, next, live, "after \(comment)")
                #expect(try TreeListing(directory.appending("tree")) == live, "\(comment)")
                let left = try CrashLoop.leftovers(in: store)
                #expect(left == [], "\(comment)")
            }
            #expect(hits > 0, "no \(call) has failed")
        }
    }

    @Test(arguments: restoreFaults) func aCallThatFailsInARestoreLeavesAWholeTree(
        _ call: String, _ error: String
    ) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let store = directory.appending("tree.git")
            let wanted = try TreeListing(directory.appending("tree"))
            let id = try #require(
                try SnapshotStore.open(at: store).snapshots(of: "tree").last?.id.description)
            var random = SplitMix(state: 6)
            let loop = CrashLoop(runner, seed: 6)
            try change(directory, "measured")
            let restore = ["restore", id]
            var hits = 0
            for instant in try await loop.calls([call], of: restore).shuffled(using: &random)
            where hits < Self.count {
                let comment = "\(instant) failing with \(error)"
                try change(directory, comment)
                let live = try TreeListing(directory.appending("tree"))
                let (outcome, hasFailed) = try await loop.run(restore, failing: instant, with: error)
                if hasFailed { hits += 1 }
                check(outcome, comment)
                let found = try TreeListing(directory.appending("tree"))
                #expect(
                    found == wanted || (outcome.status != 0 && found == live),
                    "\(comment): \(outcome.errorOutput)")
                try await runner.checkStore(store)
                let next = try await runner.run("restore", id)
                #expect(next.status == 0, "\(comment), and the next: \(next.errorOutput)")
                #expect(try TreeListing(directory.appending("tree")) == wanted, "after \(comment)")
                let left = try CrashLoop.leftovers(in: store)
                #expect(left == [], "\(comment)")
            }
            #expect(hits > 0, "no \(call) has failed")
        }
    }

    /// Fails the first sync of a pack that has no index yet, which is the one beside the writing, and leaves a file to say so.
    private static let earlySync = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <stdatomic.h>
        #include <stdio.h>
        #include <string.h>
        #include <unistd.h>
        static atomic_flag failed = ATOMIC_FLAG_INIT;
        int fsync(int file) {
            char link[64], path[4096] = "", index[4096] = "";
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            readlink(link, path, sizeof path - 1);
            char *name = strstr(path, "/tmp_pack_");
            if (name) {
                snprintf(index, sizeof index, "%.*s/tmp_idx_%s", (int)(name - path), path, name + 10);
                if (access(index, F_OK) && !atomic_flag_test_and_set(&failed)) {
                    close(creat("failed", 0600));
                    errno = EIO;
                    return -1;
                }
            }
            return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
        }
        """

    @Test func aSyncThatFailsBesideTheWritingIsTheEndOfTheSnapshot() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let store = directory.appending("tree.git")
            let before = try SnapshotStore.open(at: store).snapshots(of: "tree").count
            try Files.replace(directory.appending("fail.c"), with: Array(Self.earlySync.utf8))
            let script = """
                cc -shared -fPIC -o fail.so fail.c -ldl 2>cc.log
                for i in 1 2 3 4; do head -c 12000000 /dev/urandom >tree/noise-$i; done
                """
            try await shell(script, in: directory)
            let live = try TreeListing(directory.appending("tree"))
            let outcome = try await runner.run(
                under: ["env", "LD_PRELOAD=\(directory)/fail.so"], ["snapshot"])
            #expect(try Files.exists(directory.appending("failed")), "no sync was early")
            check(outcome, "an early sync failing")
            #expect(outcome.status != 0 && outcome.status != 3, "\(outcome.output)")
            #expect(outcome.errorOutput.contains("tmp_pack_"), "\(outcome.errorOutput)")
            #expect(try SnapshotStore.open(at: store).snapshots(of: "tree").count == before)
            try await runner.checkStore(store)
            let next = try await runner.run("snapshot")
            #expect(next.status == 0, "\(next.errorOutput)")
            try await checkSnapshot(runner, next, live, "after an early sync that failed")
            #expect(try CrashLoop.leftovers(in: store) == [])
        }
    }
}
