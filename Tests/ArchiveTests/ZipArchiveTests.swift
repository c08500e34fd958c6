import Archive
import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

@Suite struct ZipArchiveTests {
    private let directory: ScratchDirectory

    init() throws {
        directory = try ScratchDirectory()
    }

    private func archive(_ name: String, _ entries: [(String, [UInt8])]) throws -> FilePath {
        let path = directory.appending(name)
        try writeZip(path, entries)
        return path
    }

    @Test func readsTheEntryThatWasAsked() throws {
        let path = try archive("a.zip", [("a", [1]), ("b/c", [2, 3]), ("empty", [])])
        #expect(try ZipArchive.contents(of: "b/c", in: path) == [2, 3])
        #expect(try ZipArchive.contents(of: "empty", in: path) == [])
        #expect(try ZipArchive.contents(of: "missing", in: path) == nil)
        #expect(try ZipArchive.contents(of: "b", in: path) == nil)
    }

    @Test func namesOutsideASCIIAreNoHindrance() throws {
        let path = try archive("a.zip", [("проба é/файл", Array("x".utf8)), ("META-INF/MANIFEST.MF", [7])])
        #expect(try ZipArchive.contents(of: "META-INF/MANIFEST.MF", in: path) == [7])
    }

    @Test func readsWhatStockZipCompressed() async throws {
        let text = Array(String(repeating: "Plugin-Version: 1.0\n", count: 500).utf8)
        try Files.replace(directory.appending("m"), with: text)
        try await Program("zip", ["-q9", "s.zip", "m"], directory: directory.path).runSuccessfully()
        #expect(try ZipArchive.contents(of: "m", in: directory.appending("s.zip")) == text)
    }

    @Test func stockUnzipReadsWhatWeWrite() async throws {
        let large = (0..<300_001).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let path = try archive("a.zip", [("dir/large", large), ("проба", [1, 2])])
        try await Program("unzip", ["-tqq", path.string]).runSuccessfully()
        let names = try await Program("unzip", ["-Z1", path.string]).runSuccessfully().output
        #expect(names == "dir/large\nпроба\n")
    }

    @Test func theSameInputGivesTheSameBytes() throws {
        let entries: [(String, [UInt8])] = [("b", [1, 2]), ("a", Array("text".utf8))]
        let one = try Files.read(try archive("1.zip", entries))
        let other = try Files.read(try archive("2.zip", entries))
        #expect(one == other)
    }

    @Test(arguments: ["", "/a", "a/", "a//b", "../a", "a/./b", "a\0b"])
    func whatIsNoNameIsRefused(_ name: String) throws {
        var writer = try ZipWriter(directory.appending("a.zip"))
        #expect(throws: ArchiveError.self) { try writer.add(name: name, contents: []) }
    }

    @Test func aNameIsTakenOnce() throws {
        var writer = try ZipWriter(directory.appending("a.zip"))
        try writer.add(name: "a", contents: [])
        #expect(throws: ArchiveError.self) { try writer.add(name: "a", contents: []) }
    }

    @Test(arguments: [0, 1, 4, 100, 200])
    func aCutArchiveIsNotAnArchive(_ size: Int) throws {
        let path = try archive("a.zip", [("a", [UInt8](repeating: 1, count: 300))])
        let whole = try Files.read(path)
        try Files.replace(path, with: Array(whole[..<size]))
        let error = #expect(throws: ArchiveError.self) { try ZipArchive.contents(of: "a", in: path) }
        #expect(error?.kind == .notAnArchive)
    }

    @Test func aChangedByteIsDamage() throws {
        let path = try archive("a.zip", [("a", [UInt8](repeating: 1, count: 300))])
        var bytes = try Files.read(path)
        bytes[100] ^= 0xff
        try Files.replace(path, with: bytes)
        let error = #expect(throws: ArchiveError.self) { try ZipArchive.contents(of: "a", in: path) }
        #expect(error?.kind == .damaged)
    }

    @Test(arguments: [UInt8(0x10), 0xff])
    func sizesThatLieAreNoEndOfData(_ size: UInt8) throws {
        let path = try archive("a.zip", [("a", [UInt8](repeating: 1, count: 40)), ("b", [2])])
        var bytes = try Files.read(path)
        // Compressed and uncompressed size, in the local header and in the central directory.
        let directoryStart = 30 + 1 + 40 + 30 + 1 + 1
        for offset in [18, 22, directoryStart + 20, directoryStart + 24] { bytes[offset] = size }
        try Files.replace(path, with: bytes)
        let error = #expect(throws: ArchiveError.self) { try ZipArchive.contents(of: "a", in: path) }
        #expect(error?.kind == .damaged)
    }

    @Test func moreThanTheLimitIsRefused() async throws {
        try Files.replace(directory.appending("m"), with: [UInt8](repeating: 0, count: 4 << 20))
        try await Program("zip", ["-q9", "bomb.zip", "m"], directory: directory.path).runSuccessfully()
        let path = directory.appending("bomb.zip")
        let error = #expect(throws: ArchiveError.self) {
            try ZipArchive.contents(of: "m", in: path, limit: 1 << 20)
        }
        #expect(error?.kind == .tooLarge)
    }

    @Test func aMissingFileIsInaccessible() throws {
        let path = directory.appending("none.zip")
        let error = #expect(throws: ArchiveError.self) { try ZipArchive.contents(of: "m", in: path) }
        #expect(error?.kind == .inaccessible)
    }
}
