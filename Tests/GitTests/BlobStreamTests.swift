import SystemPackage
import TestSupport
import Testing

@testable import Git

/// What a stream hands out of blobs that follow each other, however the store holds them.
@Suite struct BlobStreamTests {
    private static func noise(_ count: Int, _ seed: UInt64) -> [UInt8] {
        var random = SplitMix(state: seed)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    /// Short and long, stored and compressed, nothing at all, and one that alone is more than a stream gathers.
    private static let blobs: [[UInt8]] =
        [noise(61_440, 1), [], Array("text\n".utf8), noise(65_537, 2), [UInt8](repeating: 7, count: 900_000)]
        + (0..<40).map { noise(8192, 10 + $0) } + (0..<40).map { [UInt8](repeating: $0, count: 8192) }
        + [noise(3_000_000, 3), noise(1, 4), [], noise(200_000, 5)]

    private func all(_ stream: BlobStream) throws -> (bytes: [UInt8], pieces: Int) {
        var bytes: [UInt8] = []
        var pieces = 0
        while let piece = try unsafe stream.next() {
            unsafe bytes.append(contentsOf: piece.bytes)
            pieces += 1
        }
        return (bytes, pieces)
    }

    private func withStore(_ body: (FilePath, [ObjectID]) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("r.git")
            _ = try Repository(creatingBareAt: path)
            let pack = try PackWriter(ObjectReader(path))
            let lane = pack.lane()
            let ids = try Self.blobs.map { try lane.add(.blob, $0) }
            try lane.flush()
            _ = try pack.finish()
            try await body(path, ids)
        }
    }

    @Test func allBytesComeInTheirOrderAndShortBlobsTogether() async throws {
        try await withStore { path, ids in
            let lane = ReaderLane(try ObjectReader(path))
            let stream = BlobStream(lane)
            for _ in 0..<2 {
                stream.begin(ids)
                let (bytes, pieces) = try all(stream)
                #expect(bytes == Self.blobs.flatMap { $0 })
                // 8192 bytes 80 times are a few pieces of 262,144; stored blocks are of 61,440.
                #expect((50...80).contains(pieces), "\(pieces)")
            }
            stream.begin([ids[1]])
            #expect(try unsafe stream.next() == nil)
            stream.begin([])
            #expect(try unsafe stream.next() == nil)
        }
    }

    @Test func whatLastsIsStillThereWhenTheStreamHasGoneOn() async throws {
        try await withStore { path, ids in
            let stream = BlobStream(ReaderLane(try ObjectReader(path)))
            stream.begin([ids[ids.count - 4], ids[2], ids[ids.count - 1]])
            var lasting: [UInt8] = []
            var pieces = unsafe [BlobStream.Piece]()
            while let piece = try unsafe stream.next() {
                if unsafe piece.isLasting { unsafe pieces.append(piece) }
            }
            for index in unsafe pieces.indices { unsafe lasting.append(contentsOf: pieces[index].bytes) }
            #expect(lasting == Self.noise(3_000_000, 3) + Self.noise(200_000, 5))
        }
    }

    @Test func looseBlobsComeTooAndOtherKindsAreRefused() async throws {
        try await withStore { path, ids in
            let loose = ObjectID.of(.blob, Array("loose".utf8))
            try await shell(
                """
                export GIT_DIR=\(path)
                printf loose | git hash-object -w --stdin; git hash-object -w -t tree /dev/null
                """, in: path)
            let stream = BlobStream(ReaderLane(try ObjectReader(path)))
            stream.begin([ids[2], loose, ids[2]])
            #expect(try all(stream).bytes == Array("text\nloosetext\n".utf8))
            stream.begin([ids[2], ObjectID.of(.tree, [])])
            #expect(throws: GitError.self) { try all(stream) }
            stream.begin([ObjectID.of(.blob, Array("nowhere".utf8))])
            #expect(throws: GitError.self) { try all(stream) }
        }
    }
}
