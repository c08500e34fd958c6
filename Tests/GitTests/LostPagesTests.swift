import FileTree
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Git

/// Files of which a part cannot be read any more while they are in memory: a failing disk does that, and here a file that is cut.
@Suite struct LostPagesTests {
    private static func cut(_ path: FilePath, to size: Int) {
        #expect(unsafe path.withPlatformString { unsafe truncate($0, size) } == 0)
    }

    @Test func whatIsLostOfAFileIsZeros() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending("file")
            try Files.replace(path, with: [UInt8](repeating: 7, count: 1 << 17))
            let file = try MappedFile(path)
            let other = try MappedFile(path)
            Self.cut(path, to: 5000)
            #expect(unsafe file.bytes.prefix(5000).allSatisfy { $0 == 7 })
            #expect(unsafe file.bytes.dropFirst(5000).allSatisfy { $0 == 0 })
            file.forget()
            #expect(unsafe (file.bytes[4999], file.bytes[100_000]) == (7, 0))
            #expect(!file.mustNotLose(hint: "none"))
            #expect(other.mustNotLose(hint: "none"), "nobody has met what it lost")
        }
    }

    @Test func whoBelievesAFileEndsWhenSomeOfItIsLost() async throws {
        let result = try await #require(
            processExitsWith: .exitCode(EXIT_FAILURE), observing: [\.standardErrorContent]
        ) {
            // Gone with its directory before it is cut, so that nothing is left of it.
            let (file, descriptor) = try withTemporaryDirectory { directory in
                let path = directory.appending("file")
                try Files.replace(path, with: [UInt8](repeating: 7, count: 1 << 16))
                let descriptor = try FileDescriptor.open(path, .readWrite)
                return (try MappedFile(path), descriptor)
            }
            guard file.mustNotLose(hint: "buy a disk"), unsafe file.bytes[40_000] == 7 else { return }
            try descriptor.resize(to: 0)
            _exit(unsafe file.bytes[40_000] == 0 ? 3 : 4)
        }
        let words = String(decoding: result.standardErrorContent, as: UTF8.self)
        #expect(words.contains("file: Input/output error\nhint: buy a disk\n"), "\(words)")
    }

    /// The second block is longer than the file, when it is looked at again.
    @Test func aStoredBlockThatWasLostIsNotReadBehindTheFile() {
        let stream: [UInt8] = [0x78, 1, 0, 1, 0, 0xfe, 0xff, 7, 1, 1, 0, 0xfe, 0xff, 8]
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: stream.count, alignment: 1)
        defer { unsafe bytes.deallocate() }
        unsafe bytes.copyBytes(from: stream)
        let place = unsafe ObjectReader.Place(
            kind: .blob, size: 2, stream: UnsafeRawBufferPointer(bytes), pack: "pack")
        guard var blocks = unsafe StoredBlocks(place) else {
            Issue.record("two stored blocks")
            return
        }
        let first = unsafe blocks.next().map { unsafe Array($0) }
        unsafe bytes[9] = 0xff
        let isSecondThere = unsafe blocks.next() != nil
        #expect(first == [7] && !isSecondThere)
    }

    @Test func objectsThatAreLostAreDamagedAndTheOthersAreThere() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending("r.git")
            _ = try Repository(creatingBareAt: path)
            let pack = try PackWriter(ObjectReader(path))
            let writer = pack.lane()
            var random = SplitMix(state: 1)
            let blobs = (0..<20).map { _ in
                (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            let ids = try blobs.map { try writer.add(.blob, $0) }
            try writer.flush()
            _ = try pack.finish()
            let reader = try ObjectReader(path)
            let file = try #require(reader.packs.first?.file)
            Self.cut(file.path, to: unsafe file.bytes.count / 2)
            let lane = ReaderLane(reader)
            var found = 0
            for (id, blob) in zip(ids, blobs) {
                // Through the mapping, and from the open file.
                for contents in [
                    Result { try lane.contents(id, .blob) }, Result { try reader.contents(id, .blob) },
                ] {
                    switch contents {
                    case .success(let contents):
                        #expect(contents == blob)
                        found += 1
                    case .failure(let error): #expect((error as? GitError)?.code == .damaged)
                    }
                }
            }
            #expect((16...20).contains(found), "half of 20, twice")
        }
    }
}
