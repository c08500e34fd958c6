import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Stores of every format that was ever released must be restorable for ever.
@Suite struct GoldenStoreTests {
    private static let snapshots = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent().appending("snapshots")

    @Test(arguments: ["format-1", "format-2"]) func everyFormatIsRestoredToTheLastAttribute(_ format: String)
        async throws
    {
        try await withTemporaryDirectory { directory in
            let golden = Self.snapshots.appending(format)
            try await Program("tar", ["-xf", golden.appending("store.tar").string], directory: directory)
                .runSuccessfully()
            let text = """
                system: golden
                store: golden.git
                components:
                  tree:
                    driver: files
                    paths: [/tmp/understudy-golden/tree]

                """
            try Files.replace(directory.appending("understudy.yaml"), with: Array(text.utf8))
            let runner = try CommandLineRunner(directory)
            let key = golden.appending("recovery.key")
            let identity = try Files.exists(key) ? ["--identity", key.string] : []
            let verdict = try await runner.run(under: ["env"], ["verify", "--all"] + identity)
            #expect(verdict.status == 0 && verdict.output.contains("ok"), "\(verdict.output)")
            let restore = try await runner.run(under: ["env"], ["restore", "--to", "out"] + identity)
            #expect(restore.status == 0, "\(restore.errorOutput)")
            #expect(restore.output.contains("the snapshot's own tree"), "\(restore.output)")
            let tree = directory.appending("out/tree/tmp/understudy-golden/tree")
            // Only root can give files to others.
            let skipped = Accounts.ownNumbers.user == 0 ? [] : ["-R", "uid,gid,uname,gname"]
            try await Program(
                "mtree", ["-f", golden.appending("expected.mtree").string, "-p", tree.string] + skipped
            )
            .runSuccessfully()
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
}
