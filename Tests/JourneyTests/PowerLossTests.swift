import FileTree
import Git
import GitStore
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

/// The power fails after any call of a command: what was acknowledged before is there and whole, whatever the disk did
/// with what was not synced.
@Suite struct PowerLossTests {
    private func check(_ store: FilePath, holds ids: Set<String>, _ comment: String) async throws {
        let found = try SnapshotStore.open(at: store).snapshots(of: "tree")
        #expect(
            ids.isSubset(of: Set(found.map(\.id.description))), "\(comment): an acknowledged snapshot is gone"
        )
        let verification = try Verification(SnapshotStore.open(at: store))
        for reference in found {
            #expect(verification.verify(reference).problems.isEmpty, "\(comment): \(reference.id)")
            #expect(verification.verifySources(reference).isEmpty, "\(comment): \(reference.id)")
        }
        let fsck = try await Program("git", ["-C", store.string, "fsck", "--full", "--strict"]).run()
        #expect(fsck.status == 0, "\(comment): \(fsck.errorOutput)")
    }

    /// Records what a command does to the store, and looks at what is left of it after each call.
    private func tryEveryPrefix(
        _ runner: CommandLineRunner, _ arguments: [String],
        mercies: [PowerLoss.Mercy] = [.none, .names, .all, .some(seed: 1), .some(seed: 2)],
        keeping: @Sendable (Set<String>) throws -> Set<String>
    ) async throws {
        let store = runner.directory.appending("tree.git")
        let before = runner.directory.appending("before")
        try await Program("cp", ["-a", store.string, before.string]).runSuccessfully()
        let old = Set(try SnapshotStore.open(at: store).snapshots(of: "tree").map(\.id.description))
        let file = runner.directory.appending("calls")
        let outcome = try await runner.run(under: ["strace"] + WriteLog.options(file), arguments)
        #expect(outcome.status == 0, "\(outcome.errorOutput)")
        let new = Set(try SnapshotStore.open(at: store).snapshots(of: "tree").map(\.id.description))
        var disk = try PowerLoss(before, WriteLog(file, below: store))
        let left = runner.directory.appending("left.git")
        while try disk.step() {
            for mercy in mercies {
                try disk.write(to: left, mercy)
                let kept = disk.hasSpoken ? new : try keeping(old)
                try await check(left, holds: kept, "after \(disk.count) calls, \(mercy)")
                try Files.removeTree(left)
            }
        }
        #expect(disk.hasSpoken, "the command says what it did")
    }

    @Test func aCallOfWhichNobodyKnowsWhatItDoesIsNotPassedOver() async throws {
        try await withTemporaryDirectory { directory in
            let log = directory.appending("calls")
            for (call, isKnown) in [("truncate", true), ("fallocate", false)] {
                let file = directory.appending(call)
                try await Program(
                    "strace", WriteLog.options(log) + [call, isKnown ? "-s1" : "-l1", file.string]
                )
                .runSuccessfully()
                if isKnown {
                    #expect(try !WriteLog(log, below: directory).isEmpty)
                } else {
                    #expect(throws: FixtureFailure.self) { try WriteLog(log, below: directory) }
                }
            }
        }
    }

    @Test func aSnapshotIsThereWholeOrNotAtAll() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("tree"))
            try Files.replace(directory.appending("tree/a"), with: Array("one\n".utf8))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await tryEveryPrefix(runner, ["snapshot"]) { $0 }
            try Files.removeTree(directory.appending("before"))
            try Files.replace(directory.appending("tree/a"), with: Array("two\n".utf8))
            try await tryEveryPrefix(runner, ["snapshot"]) { $0 }
        }
    }

    /// git syncs what it writes; that its names are safe before a reference of ours moves is our part.
    @Test func aPullSyncsTheNamesOfPacksBeforeItsReferences() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("tree"))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            try await Program("cp", ["-a", "tree.git", "offsite.git"], directory: directory).runSuccessfully()
            try await runner.succeed("remote", "add", "offsite", directory.appending("offsite.git").string)
            try await Program("cp", ["-a", "tree.git", "old.git"], directory: directory).runSuccessfully()
            try Files.replace(directory.appending("tree/a"), with: Array("one\n".utf8))
            try await runner.succeed("snapshot")
            try await runner.succeed("push")
            try Files.removeTree(directory.appending("tree.git"))
            try Files.rename(directory.appending("old.git"), to: directory.appending("tree.git"))
            let outcome = try await runner.run(
                under: ["strace", "-f", "-y", "-o", "calls", "-e", "trace=fsync,rename,renameat,renameat2"],
                ["pull"])
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
            let calls = String(decoding: try Files.read(directory.appending("calls")), as: UTF8.self)
                .split(separator: "\n")
            let synced = calls.firstIndex { $0.contains("fsync(") && $0.contains("/objects/pack>") }
            let moved = calls.firstIndex { $0.contains("rename") && $0.contains("refs/snapshots/tree/") }
            #expect(try #require(synced) < #require(moved))
        }
    }

    @Test func aPruneLosesNothingThatIsKept() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("tree"))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            for number in 1...2 {
                try Files.replace(directory.appending("tree/a"), with: Array("\(number)\n".utf8))
                try await runner.succeed("snapshot")
            }
            try Files.replace(
                directory.appending("policies/retention.yaml"), with: Array("keep: {last: 1}\n".utf8))
            try await tryEveryPrefix(runner, ["prune"], mercies: [.none, .some(seed: 1), .some(seed: 2)]) {
                old in old.max().map { [$0] } ?? []
            }
        }
    }

    @Test func aSnapshotOfARepositoryHasItsObjectsOrIsNotThere() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                """
                git init -q --bare --template= tree/app.git; cd tree/app.git
                tree=$(echo one | git hash-object -w --stdin | sed 's/.*/100644 blob &\tfile/' | git mktree)
                git update-ref refs/heads/main $(git -c user.name=a -c user.email=a@b commit-tree -m one $tree)
                """, in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await tryEveryPrefix(runner, ["snapshot"], mercies: [.none, .some(seed: 1), .some(seed: 2)]) {
                $0
            }
        }
    }

    /// What is exchanged must be on the disk before, and so must the journal that says what stands where.
    @Test func aRestoreIsOnTheDiskBeforeItsFirstExchange() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("tree"))
            try Files.replace(directory.appending("tree/a"), with: Array("one\n".utf8))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            let log = directory.appending("calls")
            let outcome = try await runner.run(
                under: ["strace", "-f", "-y", "-o", log.string, "-e", "trace=rename,renameat2,syncfs,fsync"],
                ["restore"])
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
            let calls = String(decoding: try Files.read(log), as: UTF8.self).split(separator: "\n")
                .filter { !$0.contains("resumed>") }
            let exchange = try #require(calls.firstIndex { $0.contains("RENAME_EXCHANGE") })
            let local = "\(directory)/tree.git/understudy"
            let journal = try #require(
                calls[..<exchange].lastIndex {
                    $0.contains("rename(") && $0.contains("\(local)/restore.json")
                })
            #expect(
                calls[journal - 1].contains("fsync(") && calls[journal - 1].contains("\(local)/.understudy-"))
            #expect(
                calls[journal..<exchange].contains { $0.contains("fsync(") && $0.contains("<\(local)>") })
            #expect(
                calls[..<journal].contains {
                    $0.contains("syncfs(") && $0.contains("<\(directory)/.understudy-")
                },
                "what is staged")
        }
    }
}
