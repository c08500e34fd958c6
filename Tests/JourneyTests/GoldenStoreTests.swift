import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Stores of every format that was ever released must be restorable for ever.
@Suite struct GoldenStoreTests {
    private static let snapshots = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent().appending("snapshots")

    /// Makes `tree` the tree of the golden system, in a system file beside its store.
    private func describe(_ tree: FilePath, _ runner: CommandLineRunner) throws {
        let text = """
            system: golden
            store: golden.git
            components:
              tree:
                driver: files
                paths: [\(tree)]

            """
        try Files.replace(runner.directory.appending("understudy.yaml"), with: Array(text.utf8))
    }

    /// Verifies all that is in the store, and restores the latest snapshot, which is of `tree`, to `target` in the runner's
    /// directory; returns where the tree is then.
    private func restore(
        _ tree: FilePath, to target: String, _ runner: CommandLineRunner, _ identity: [String] = [],
        proof: String = "the snapshot's own tree"
    ) async throws -> FilePath {
        let verdict = try await runner.run(under: ["env"], ["verify", "--all"] + identity)
        #expect(verdict.status == 0 && verdict.output.contains("ok"), "\(verdict.output)")
        let restore = try await runner.run(under: ["env"], ["restore", "--to", target] + identity)
        #expect(restore.status == 0, "\(restore.errorOutput)")
        #expect(restore.output.contains(proof), "\(restore.output)")
        return runner.directory.appending(target).appending("tree").appending(tree.components)
    }

    /// Unpacks a golden store, verifies it, and restores `tree` from it to `out`; returns where the tree is then, which `mtree`
    /// has compared with the manifest.
    private func restore(
        _ tree: FilePath, from store: String, _ runner: CommandLineRunner,
        proof: String = "the snapshot's own tree"
    ) async throws -> FilePath {
        let golden = Self.snapshots.appending(store)
        try await Program("tar", ["-xf", golden.appending("store.tar").string], directory: runner.directory)
            .runSuccessfully()
        try describe(tree, runner)
        let key = golden.appending("recovery.key")
        let identity = try Files.exists(key) ? ["--identity", key.string] : []
        let restored = try await restore(tree, to: "out", runner, identity, proof: proof)
        // Only root can give files to others.
        let skipped = Accounts.ownNumbers.user == 0 ? [] : ["-R", "uid,gid,uname,gname"]
        try await Program(
            "mtree", ["-f", golden.appending("expected.mtree").string, "-p", restored.string] + skipped
        )
        .runSuccessfully()
        return restored
    }

    /// The sizes of the blocks that the latest snapshot, which is of `tree`, has of its database, as stock git tells them.
    private func blockSizes(_ tree: FilePath, _ runner: CommandLineRunner) async throws -> [Substring] {
        let output = try await shell(
            """
            latest=$(git for-each-ref --sort=-refname --count=1 --format='%(refname)' refs/snapshots)
            git ls-tree --format='%(objectsize)' "$latest:tree/files\(tree)/builds.sqlite.chunks"
            """, in: runner.directory.appending("golden.git"))
        return output.split(separator: "\n")
    }

    @Test(arguments: ["format-1", "format-2"]) func everyFormatIsRestoredToTheLastAttribute(_ format: String)
        async throws
    {
        try await withTemporaryDirectory { directory in
            let tree = try await restore(
                "/tmp/understudy-golden/tree", from: format, CommandLineRunner(directory))
            let note = try await Program(
                "getfattr", ["--only-values", "-n", "user.note", tree.appending("a.conf").string]
            )
            .runSuccessfully()
            #expect(note.output == "golden")
            let list = try await Program("getfacl", ["-c", "-n", tree.appending("sub").string])
                .runSuccessfully()
            #expect(list.output.contains("user:1234:rwx"))
            let blocks = try #require(try Files.status(tree.appending("sparse")))
            #expect(blocks.blocks * 512 < blocks.size)
        }
    }

    @Test func aDatabaseThatWasCutInBlocksOfAnotherSizeComesBackAndItsStoreGoesOn() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try CommandLineRunner(directory)
            let captured: FilePath = "/tmp/understudy-golden-database/tree"
            // Then a database was of no class of its own where the driver knows it by its name alone.
            let tree = try await restore(
                captured, from: "format-2-blocks-of-16-kib", runner,
                proof: "every file equals the snapshot")
            let blocks = try await blockSizes(captured, runner)
            #expect(blocks == Array(repeating: "16384", count: 518) + ["8192"])
            let database = tree.appending("builds.sqlite").string
            let look = "PRAGMA integrity_check; SELECT count(*) FROM builds"
            let found = try await Program("sqlite3", [database, look]).runSuccessfully().output
            #expect(found == "ok\n148\n")

            let change = "UPDATE builds SET log = replace(log, 'build', 'retry') WHERE id = 77"
            try await Program("sqlite3", [database, change]).runSuccessfully()
            try describe(tree, runner)
            try await runner.succeed("snapshot")
            #expect(try await blockSizes(tree, runner) == Array(repeating: "8192", count: 1_037))
            let again = try await restore(tree, to: "again", runner)
            #expect(try await runner.differences(tree, again) == "")
        }
    }
}
