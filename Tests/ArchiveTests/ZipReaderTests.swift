import Archive
import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Archives gone through entry by entry.
@Suite struct ZipReaderTests {
    private let directory: ScratchDirectory

    init() throws {
        directory = try ScratchDirectory()
    }

    private func archive(_ entries: [(String, [UInt8])]) throws -> FilePath {
        let path = directory.appending("a.zip")
        try writeZip(path, entries)
        return path
    }

    @Test func entriesComeInTheirOrderAndNeedNotBeRead() throws {
        let path = try archive([("b", [1, 2, 3]), ("a", []), ("c/d", [4])])
        var reader = try ZipReader.open(path)
        var names: [String] = []
        while let name = try reader.next() {
            names.append(name)
            if name == "b" { #expect(try reader.start(2) == [1, 2]) }
            if name == "a" { #expect(try reader.start(8) == []) }
            if name == "c/d" { #expect(try reader.contents(limit: 1) == [4]) }
        }
        #expect(names == ["b", "a", "c/d"])
    }

    @Test func anArchiveInMemoryIsReadLikeAFile() throws {
        let inner = try Files.read(try archive([("x", Array("inner".utf8))]))
        let outer = try archive([("lib/inner.jar", inner)])
        let bytes = try #require(try ZipArchive.contents(of: "lib/inner.jar", in: outer))
        #expect(try ZipArchive.contents(of: "x", in: bytes, called: "inner.jar") == Array("inner".utf8))
        #expect(try ZipArchive.contents(of: "y", in: bytes, called: "inner.jar") == nil)
    }

    @Test func whatIsCutOffInMemoryIsRefused() throws {
        let bytes = try Files.read(try archive([("x", Array(repeating: 7, count: 100))]))
        for count in [0, 10, bytes.count - 1] {
            #expect(throws: ArchiveError.self) {
                try ZipArchive.contents(of: "x", in: Array(bytes.prefix(count)), called: "cut")
            }
        }
    }

    @Test func aLimitHoldsForWhatIsRead() throws {
        var reader = try ZipReader.open(try archive([("x", Array(repeating: 7, count: 100_000))]))
        _ = try reader.next()
        #expect(throws: ArchiveError.self) { try reader.contents(limit: 99_999) }
    }
}
