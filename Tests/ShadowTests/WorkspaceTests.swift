import FileTree
import SystemPackage
import TestSupport
import Testing

@testable import Shadow

/// Second sets of names for the files of a tree.
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
}
