import FileTree
import GitStore
import SystemPackage
import TestSupport
import Testing

@testable import Shadow

/// The directory of shadows, and second sets of names for the files of a tree.
@Suite struct WorkspaceTests {
    /// A tree with its only file below another directory.
    private func makeTree(_ tree: FilePath) throws {
        try Files.makeDirectories(tree.appending("bin"))
        try Files.makeDirectory(tree.appending("a"))
        try Files.replace(tree.appending("bin/python"), with: Array("#!\n".utf8))
    }

    @Test func aTreeIsLinkedAndNotCopiedWhereThatCanBe() async throws {
        try await withTemporaryDirectory { directory in
            let (tree, target) = (directory.appending("tree"), directory.appending("target"))
            try makeTree(tree)
            try await Workspace.link(tree, to: target)
            let (one, other) = (tree.appending("bin/python"), target.appending("bin/python"))
            #expect(try Files.status(other)?.inode == Files.status(one)?.inode)
            #expect(try Files.isDirectory(target.appending("a")))
            // A root may be one file.
            try await Workspace.link(one, to: directory.appending("war"))
            #expect(try Files.status(directory.appending("war"))?.inode == Files.status(one)?.inode)
            #expect(try Files.names(directory).count == 3, "a name for trying is left")
        }
    }

    @Test(.enabled(if: try Files.isDirectory("/dev/shm"), "SKIPPED: there is no /dev/shm"))
    func aTreeIsCopiedWhereNoFileCanHaveBothNames() async throws {
        try await withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try makeTree(tree)
            let place = FilePath("/dev/shm/understudy-\(UInt64.random(in: .min ... .max))")
            try Files.makeDirectory(place)
            do {
                try await Workspace.link(tree, to: place.appending("target"))
                #expect(try Files.read(place.appending("target/bin/python")) == Array("#!\n".utf8))
                #expect(try Files.names(place).count == 1, "a name for trying is left")
            } catch {
                try Files.removeTree(place)
                throw error
            }
            try Files.removeTree(place)
        }
    }

    /// Else the evidence of a canary, and that a change was promoted, would be lost with it.
    @Test func whatWasDoneCountsWhenTheDirectoryCannotBeRemoved() async throws {
        struct Broken: Error {}
        try await withTemporaryDirectory { directory in
            let store = try SnapshotStore.create(at: directory.appending("acme.git"), system: "acme")
            try Files.makeDirectories(store.localDirectory)
            let record = store.localDirectory.appending("shadow")
            func told() -> [String] { Workspace.leftBehind().filter { $0.contains(directory.string) } }
            let outcome = try await Workspace.with(store, in: directory) { workspace in
                // What is named there is no directory of ours, and is not removed.
                try Files.replace(record, with: Array("/srv/ci".utf8))
                return workspace.directory
            }
            #expect(try Files.isDirectory(outcome))
            #expect(told().count == 1 && told().first?.contains("names /srv/ci") == true, "\(told())")
            // Nobody begins beside it.
            await #expect(throws: ShadowFailure.self) {
                try await Workspace.with(store, in: directory) { _ in }
            }
            try Files.remove(record)
            await #expect(throws: Broken.self) {
                try await Workspace.with(store, in: directory) { _ -> Void in
                    try Files.replace(record, with: Array("/srv/ci".utf8))
                    throw Broken()
                }
            }
            #expect(told().count == 2)
        }
    }
}
