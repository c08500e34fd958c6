import Drivers
import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

/// Paths that are longer than the system takes at once (`PATH_MAX`): whoever goes down directory by directory comes by them.
@Suite struct LongPathTests {
    private static let name = [UInt8](repeating: UInt8(ascii: "d"), count: 200)

    /// How much the file holds: more than the directories take.
    private static let size = 1 << 20

    /// Directories in one another, 5,000 bytes deep, and a file in the last.
    private func makeTree(_ path: FilePath) throws {
        try Files.makeDirectory(path)
        var directory = try OpenDirectory(path)
        for _ in 0..<25 { directory = try directory.createDirectory(Self.name) }
        let file = try directory.createFile(Array("end".utf8))
        let bytes = [UInt8](repeating: 7, count: Self.size)
        try unsafe bytes.withUnsafeBytes { try unsafe file.write($0) }
    }

    @Test func theirSizeCountsAndTheyAreRemoved() throws {
        try withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try makeTree(tree)
            #expect(try Files.allocatedSize(tree) >= Int64(Self.size))
            try Files.removeTree(tree)
            #expect(try !Files.exists(tree))
            #expect(try Files.allocatedSize(tree) == 0)
        }
    }

    @Test func aFileOfSeveralNamesCountsOnce() throws {
        try withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try Files.makeDirectories(tree.appending("below"))
            try Files.replace(tree.appending("below/a"), with: [UInt8](repeating: 7, count: 1 << 20))
            let size = try Files.allocatedSize(tree)
            #expect(size >= 1 << 20)
            try Files.addName(tree.appending("below/b"), to: tree.appending("below/a"))
            #expect(try Files.allocatedSize(tree) < size + 1 << 19)
        }
    }

    @Test func aWalkThroughWhatIsStagedMeetsThem() throws {
        try withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try makeTree(tree)
            let root = StagedComponent.StagedRoot(
                root: Root(name: "tree", path: tree.string), staged: tree, live: nil)
            var found: [EntryPath] = []
            try root.walk { path, file in
                #expect(file.lastComponent?.string == "end")
                found.append(path)
            }
            #expect(found.map { Array($0.name) } == [Array("end".utf8)])
            #expect(found.first?.components.count == 26)
        }
    }
}
