import FileTree
import Git
import GitStore
import Programs
import SystemPackage
import TestSupport
import Testing

/// Directories in directories, as deep as somebody likes who made a store.
@Suite struct DeepTreeTests {
    @Test func aTreeOfAnyDepthIsLookedAtToItsEnd() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("tree"))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            let store = try SnapshotStore.open(at: directory.appending("tree.git"))
            let reader = try store.reader()
            let reference = try #require(try store.snapshots(of: "tree").first)
            let commit = try reader.contents(reference.commit, .commit)
            let top = try reader.tree(Commit(contents: commit, of: reference.commit).tree)
            let component = try #require(top.first { $0.name.elementsEqual("tree".utf8) })

            let pack = try PackWriter(reader)
            let lane = pack.lane()
            var deep = try lane.add(.blob, Array("at the end".utf8))
            deep = try lane.add(.tree, Tree.contents([TreeEntry("file", .file, deep)]))
            for _ in 0..<30_000 { deep = try lane.add(.tree, Tree.contents([TreeEntry("d", .tree, deep)])) }
            let entries = try reader.tree(component.id) + [TreeEntry("wheels", .tree, deep)]
            let changed = try lane.add(.tree, Tree.contents(entries))
            let tree = try lane.add(
                .tree, Tree.contents(top.filter { $0 != component } + [TreeEntry("tree", .tree, changed)]))
            let new = try lane.add(.commit, Array("tree \(tree)".utf8) + commit.dropFirst(45))
            try lane.flush()
            _ = try pack.finish()
            try store.setReference(
                "refs/snapshots/tree/\(reference.id)", to: new, expecting: reference.commit)
            let outcome = try await runner.run("verify")
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
        }
    }
}
