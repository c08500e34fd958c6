import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Capture

/// How the files of a directory are shared out.
@Suite struct UnreadFileTests {
    private func files(_ sizes: [Int64]) throws -> [UnreadFile] {
        let status = try #require(try Files.status("/"))
        return sizes.enumerated().map { index, size in
            var status = status
            status.size = size
            return UnreadFile(index: index, name: Array("\(index)".utf8), status: status, entryClass: .config)
        }
    }

    @Test(
        arguments: [
            ([], []), ([10], [1]), ([1 << 20, 1 << 20], [2]), ([1 << 24, 1, 1 << 24], [1, 2]),
            ([.max, .max, .max], [1, 1, 1]), ([1 << 40, 0], [1, 1]),
        ] as [([Int64], [Int])])
    func eachPieceIsAboutAsMuchWork(_ sizes: [Int64], _ counts: [Int]) throws {
        let pieces = UnreadFile.pieces(of: try files(sizes))
        #expect(pieces.map(\.count) == counts)
        #expect(pieces.joined().map(\.index) == Array(sizes.indices))
    }

    @Test func manySmallFilesAreSharedTooAndFewAreNot() throws {
        #expect(UnreadFile.pieces(of: try files(.init(repeating: 100, count: 900))).count == 1)
        let pieces = UnreadFile.pieces(of: try files(.init(repeating: 100, count: 100_000)))
        #expect(pieces.count > 50)
        #expect(pieces.joined().map(\.index) == Array(0..<100_000))
    }
}
