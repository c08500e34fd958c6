import FileTree
import GitStore
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

/// Hosts that are not as they should be: full or read-only disks, few descriptors, a clock that goes back, caches that are
/// damaged or of another host.
@Suite struct HostTests {
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        let tree = directory.appending("tree")
        try Files.makeDirectories(tree.appending("sub"))
        for number in 0..<40 {
            try Files.makeDirectory(tree.appending("sub/\(number)"))
            try Files.replace(tree.appending("sub/\(number)/file"), with: Array("\(number)\n".utf8))
        }
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try await runner.succeed("snapshot")
        return runner
    }

    private func restored(_ runner: CommandLineRunner) async throws -> TreeListing {
        let out = runner.directory.appending("out")
        try Files.removeTree(out)
        try await runner.succeed("restore", "--to", out.string)
        return try TreeListing(
            out.appending("tree").pushing(FilePath(String("\(runner.directory)/tree".dropFirst()))))
    }

    @Test func onADiskWithNoByteLeftTheCacheMakesRoomForAnUndo() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let store = directory.appending("tree.git")
            try Files.replace(directory.appending("tree/new"), with: Array("1\n".utf8))
            try await runner.succeed("restore")
            try await shell("cp -a tree.git copy.git", in: directory)
            let small = ["bwrap", "--dev-bind", "/", "/", "--size", "2097152", "--tmpfs", "\(store)"]
            let script = """
                cp -a \(directory)/copy.git/. \(store)/; chmod 700 \(store); cat /dev/zero >\(store)/full 2>/dev/null
                "$@"; echo "full $?"; rm -r \(store)/understudy/cache; "$@"; echo "with room $?"
                """
            let outcome = try await runner.run(
                under: small + ["/bin/bash", "-c", script, "bash"], ["undo", "--unsaved"])
            #expect(outcome.output.contains("full 1\n"), "\(outcome.output)\(outcome.errorOutput)")
            #expect(outcome.output.contains("with room 0\n"), "\(outcome.output)\(outcome.errorOutput)")
            #expect(
                outcome.errorOutput.contains("error: the disk of the store is full")
                    && outcome.errorOutput.contains("understudy/cache' may be removed"),
                "\(outcome.errorOutput)")
            #expect(try Files.exists(directory.appending("tree/new")))
        }
    }

    @Test func aFullDiskTakesNoSnapshotAndLosesNone() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let store = directory.appending("tree.git")
            var random = SplitMix(state: 1)
            let noise = (0..<3_000_000).map { _ in UInt8.random(in: 0...255, using: &random) }
            try Files.replace(directory.appending("tree/large"), with: noise)
            // The store is copied onto a file system of 2 MiB, which is looked at by the same shell.
            let small = ["bwrap", "--dev-bind", "/", "/", "--size", "2097152", "--tmpfs", "\(store)"]
            let copy = directory.appending("copy.git")
            try await Program("cp", ["-a", store.string, copy.string]).runSuccessfully()
            let outcome = try await runner.run(
                under: small + [
                    "/bin/bash", "-c",
                    "cp -a \(copy)/. \(store)/; chmod 700 \(store); \"$@\"; s=$?; git -C \(store) fsck --full --strict || exit 99; rm -rf \(directory)/after.git; cp -a \(store) \(directory)/after.git; exit $s",
                    "bash",
                ], ["snapshot"])
            #expect(outcome.status == 1, "\(outcome.output)\(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains("the disk is full"), "\(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains("hint: free some space"), "\(outcome.errorOutput)")
            let after = directory.appending("after.git")
            #expect(try SnapshotStore.open(at: after).snapshots(of: "tree").count == 1)
            try Files.removeTree(store)
            try Files.rename(after, to: store)
            try await runner.succeed("snapshot")
            #expect(try CrashLoop.leftovers(in: store) == [])
            #expect(try await restored(runner) == TreeListing(directory.appending("tree")))
        }
    }

    @Test func aRescueSystemWithoutProcIsRefusedAndNotHelped() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let rescue = ["bwrap", "--dev-bind", "/", "/", "--tmpfs", "/proc"]
            let outcome = try await runner.run(under: rescue, ["restore"])
            #expect(outcome.status == 1 && outcome.output.isEmpty, "\(outcome.output)")
            #expect(outcome.errorOutput.contains("mount -t proc proc /proc"), "\(outcome.errorOutput)")
        }
    }

    /// Whoever names all paths from the root needs no working directory.
    @Test func aWorkingDirectoryThatIsGoneIsNotNeeded() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            for command in ["snapshot", "status"] {
                let outcome = try await runner.run(
                    under: ["/bin/sh", "-c", "mkdir gone; cd gone; rmdir ../gone; exec \"$@\"", "sh"],
                    [command, "--system", directory.appending("understudy.yaml").string])
                #expect(outcome.status == 0, "\(command): \(outcome.output)\(outcome.errorOutput)")
            }
        }
    }

    @Test func aReadOnlyStoreIsReadAndNotWritten() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let store = directory.appending("tree.git").string
            let readOnly = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", store, store]
            for arguments in [["snapshots"], ["verify", "--all"], ["show", "latest"], ["log"]] {
                let outcome = try await runner.run(under: readOnly, arguments)
                #expect(outcome.status == 0, "\(arguments): \(outcome.errorOutput)")
            }
            for arguments in [["snapshot"], ["restore"], ["undo"], ["diff"], ["export", "x.tar.zst"]] {
                let outcome = try await runner.run(under: readOnly, arguments)
                #expect(outcome.status == 1, "\(arguments): \(outcome.errorOutput)")
                #expect(outcome.errorOutput.contains("Read-only file system"), "\(outcome.errorOutput)")
                #expect(outcome.errorOutput.contains("restore --from"), "\(outcome.errorOutput)")
                #expect(outcome.errorOutput.contains("hint: "), "\(outcome.errorOutput)")
            }
            // The hint, word for word.
            let other = try await runner.run(
                under: readOnly,
                ["restore", "--from", store, "--store", "NEW.git", "--system", "NEW.yaml"])
            #expect(other.status == 0, "\(other.output)\(other.errorOutput)")
        }
    }

    @Test(arguments: [8, 12, 16, 20, 24, 32, 48, 64])
    func fewDescriptorsAreToldOrEnough(_ limit: Int) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try Files.replace(directory.appending("tree/sub/7/file"), with: Array("new\n".utf8))
            let live = try TreeListing(directory.appending("tree"))
            let few = ["prlimit", "--nofile=\(limit)"]
            let outcome = try await runner.run(under: few, ["snapshot"])
            #expect([0, 1, 3, 64].contains(outcome.status), "\(outcome.status): \(outcome.errorOutput)")
            if outcome.status == 3 { #expect(outcome.output.contains("Too many open files")) }
            if ![0, 3].contains(outcome.status) { #expect(outcome.errorOutput.contains("error: ")) }
            if outcome.status == 0 { #expect(try await restored(runner) == live) }
            try await runner.checkStore(directory.appending("tree.git"))
            try await runner.succeed("snapshot")
            try Files.replace(directory.appending("tree/sub/7/file"), with: Array("bad\n".utf8))
            let bad = try TreeListing(directory.appending("tree"))
            let restore = try await runner.run(under: few, ["restore"])
            let found = try TreeListing(directory.appending("tree"))
            #expect([0, 1, 6, 7, 64].contains(restore.status), "\(restore.status): \(restore.errorOutput)")
            #expect(found == (restore.status == 0 ? live : bad), "\(restore.errorOutput)")
            if restore.status != 0 { #expect(restore.errorOutput.contains("error: ")) }
            try await runner.succeed("restore")
            #expect(try TreeListing(directory.appending("tree")) == live)
        }
    }

    @Test func aClockThatGoesBackKeepsTheOrderOfSnapshots() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try Files.replace(directory.appending("tree/sub/1/file"), with: Array("later\n".utf8))
            let live = try TreeListing(directory.appending("tree"))
            // File times stay true: only the clock is wrong.
            let outcome = try await runner.run(
                under: ["env", "NO_FAKE_STAT=1", "faketime", "-f", "-400d"], ["snapshot"])
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
            #expect(outcome.output.contains("the clock of this host is behind"), "\(outcome.output)")
            let snapshots = try SnapshotStore.open(at: directory.appending("tree.git")).snapshots(of: "tree")
            #expect(snapshots.count == 2)
            #expect(try await restored(runner) == live, "the latest is what was taken last")
            // What was written while the clock was wrong is not believed to be unchanged for ever.
            try Files.replace(directory.appending("tree/sub/1/file"), with: Array("again\n".utf8))
            try await runner.succeed("snapshot")
            #expect(try await restored(runner) == TreeListing(directory.appending("tree")))
        }
    }

    private enum CacheDamage: String, CaseIterable {
        case flipped, cut, emptied, ofAnotherTree, removed
    }

    @Test(arguments: CacheDamage.allCases)
    private func aStatCacheThatLiesCostsTimeAndNothingElse(_ damage: CacheDamage) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let caches = directory.appending("tree.git/understudy/cache")
            let name = try #require(
                try Files.names(caches).first { $0.suffix(5).elementsEqual(".stat".utf8) })
            let cache = caches.appending(String(decoding: name, as: UTF8.self))
            let whole = try Files.read(cache)
            switch damage {
            case .flipped:
                var bytes = whole
                for place in stride(from: 130, to: bytes.count, by: 97) { bytes[place] ^= 0x55 }
                try Files.replace(cache, with: bytes)
            case .cut: try Files.replace(cache, with: Array(whole.prefix(whole.count / 2)))
            case .emptied: try Files.replace(cache, with: [])
            case .removed: try Files.remove(cache)
            case .ofAnotherTree:
                // The same names and times on other inodes, as on a host that the store and the tree were copied to; one
                // file has other contents, the size and the time of before.
                try await shell("cp -a tree new; rm -rf tree; mv new tree", in: directory)
                try await shell(
                    "touch -r tree/sub/7/file stamp; printf 'X\\n' > tree/sub/7/file; touch -r stamp tree/sub/7/file; rm stamp",
                    in: directory)
            }
            let live = try TreeListing(directory.appending("tree"))
            try await runner.succeed("snapshot")
            #expect(try await restored(runner).differences(from: live) == [])
            try await runner.succeed("verify", "--all")
        }
    }
}
