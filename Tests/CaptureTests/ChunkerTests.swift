import Cryptography
import FileTree
import Git
import Sealing
import SystemPackage
import TestSupport
import Testing

@testable import Capture

/// Where large files are cut: all of it, in order, and alike from one night to the next.
@Suite struct ChunkerTests {
    private func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SplitMix(state: seed)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            unsafe withUnsafeBytes(of: random.next()) { unsafe bytes.append(contentsOf: $0) }
        }
        return Array(bytes.prefix(count))
    }

    private func database(_ count: Int, seed: UInt64, pageSize: [UInt8] = [0x10, 0]) -> [UInt8] {
        let header = Array("SQLite format 3\0".utf8) + pageSize
        return header + bytes(count - header.count, seed: seed)
    }

    /// Cuts a whole file, window by window as a reader does.
    private func chunks(of bytes: [UInt8], window: Int) -> [[UInt8]] {
        unsafe bytes.withUnsafeBytes { all in
            let chunker = unsafe Chunker(all, size: Int64(all.count), isSealed: false)
            var chunks: [[UInt8]] = []
            var start = 0
            var end = 0
            while start < all.count {
                end = min(all.count, max(end, start) + window)
                let piece = unsafe UnsafeRawBufferPointer(rebasing: all[start..<end])
                let cuts = unsafe chunker.cuts(piece, isEnd: end == all.count)
                for cut in cuts { unsafe chunks.append(Array(piece[cut])) }
                start += cuts.last?.upperBound ?? 0
            }
            return chunks
        }
    }

    @Test(arguments: [0, 1, 16_384, 16_385, 262_143, 262_144, 4_194_305, 9_000_000])
    func theChunksAreTheFileWhateverTheWindow(_ count: Int) {
        for contents in [bytes(count, seed: 1)] + (count > 18 ? [database(count, seed: 2)] : []) {
            let chunks = chunks(of: contents, window: 8 << 20)
            #expect(Array(chunks.joined()) == contents)
            #expect(chunks.allSatisfy { !$0.isEmpty && $0.count <= Chunker.maximum })
            #expect(self.chunks(of: contents, window: 5 << 20) == chunks)
        }
    }

    @Test func aByteThatIsInsertedChangesFewChunks() {
        let before = bytes(12 << 20, seed: 3)
        let after = before[..<5_000_000] + [7] + before[5_000_000...]
        let old = Set(chunks(of: before, window: 16 << 20))
        let new = chunks(of: Array(after), window: 16 << 20)
        #expect(old.count > 4)
        #expect(new.filter { !old.contains($0) }.count <= 2)
    }

    /// Other cuts would store every large file anew; these are what Python makes of the definition.
    @Test func theCutsAreThoseOfOtherNights() {
        #expect(
            chunks(of: bytes(12 << 20, seed: 3), window: 16 << 20).map(\.count) == [
                1_003_215, 1_111_757, 383_050, 649_956, 864_482, 669_279, 676_382, 2_272_163,
                605_029, 724_632, 903_650, 339_913, 779_377, 1_600_027,
            ])
    }

    @Test func aPageOfADatabaseThatChangesIsOneShortChunk() {
        var contents = database(1 << 20, seed: 4)
        let old = Set(chunks(of: contents, window: 8 << 20))
        contents[700_001] ^= 1
        let new = chunks(of: contents, window: 8 << 20).filter { !old.contains($0) }
        #expect(new.map(\.count) == [8_192])
    }

    private func block(_ pageSize: [UInt8], size: Int64, isSealed: Bool = false) -> Int? {
        let header = Array("SQLite format 3\0".utf8) + pageSize
        let chunker = unsafe header.withUnsafeBytes { unsafe Chunker($0, size: size, isSealed: isSealed) }
        return if case .blocks(let size) = chunker { size } else { nil }
    }

    @Test(
        arguments: [
            // Page sizes as the header spells them, and what is none.
            ([0x02, 0x00], 8_192), ([0x10, 0x00], 8_192), ([0x20, 0x00], 8_192), ([0x40, 0x00], 16_384),
            ([0x80, 0x00], 32_768), ([0x00, 0x01], 65_536), ([0x00, 0x00], 8_192), ([0x01, 0x00], 8_192),
            ([0x10, 0x01], 8_192), ([0xff, 0xff], 8_192),
        ] as [([UInt8], Int)]) func aBlockIsAPageButNotShorterThanEightKibibytes(
            _ pageSize: [UInt8], _ expected: Int
        )
    {
        #expect(block(pageSize, size: 1 << 30) == expected)
        #expect(block(pageSize, size: 1 << 30, isSealed: true) == max(expected, 16_384))
    }

    @Test func blocksGrowWithTheFileOnlyWhereThereWouldBeMoreThanAMillion() {
        let most = Int64(Chunker.mostBlocks)
        #expect(block([0x10, 0], size: most * 8_192) == 8_192)
        #expect(block([0x10, 0], size: most * 8_192 + 1) == 16_384)
        #expect(block([0x10, 0], size: most * 16_384 + 1) == 32_768)
        #expect(block([0x40, 0], size: most * 8_192 + 1) == 16_384)
        #expect(block([0x10, 0], size: most * 8_192 + 1, isSealed: true) == 16_384)
        #expect(block([0x10, 0], size: most * 16_384 + 1, isSealed: true) == 32_768)
        #expect(block([0x10, 0], size: .max) == Chunker.maximum)
    }

    @Test func whatOnlyBeginsLikeADatabaseIsCutByContent() {
        #expect(block([0x10], size: 1 << 30) == nil)
        let text = Array("SQLite format 4\0".utf8) + [0x10, 0]
        let chunker = unsafe text.withUnsafeBytes { unsafe Chunker($0, size: 1 << 30, isSealed: false) }
        guard case .content = chunker else {
            Issue.record("another format is cut like a database")
            return
        }
    }

    @Test(arguments: [false, true]) func aLargeFileIsTheSameTreeByOneThreadOrSeveral(_ isDatabase: Bool)
        throws
    {
        try withTemporaryDirectory { directory in
            let contents = isDatabase ? database(20_000_001, seed: 5) : bytes(20_000_001, seed: 6)
            let file = directory.appending("large")
            try Files.replaceWithoutSync(file, with: contents)
            let written = try ChunkWriter(Rehearsal(nil)).write(
                OpenFile(file), size: Int64(contents.count), nil)
            #expect(written.size == 20_000_001)
            #expect(
                try NumberedTree.ids(written.chunks.contents, of: .none)
                    == chunks(of: contents, window: 16 << 20).map { ObjectID.of(.blob, $0) })
        }
    }

    /// Wherever a window ends, and though a block of a database ends there too.
    @Test(arguments: [0, 1, 20, 4_000, 20_000]) func aSecretAcrossTheBorderOfTwoWindowsIsFound(_ before: Int)
        throws
    {
        try withTemporaryDirectory { directory in
            var contents = database(20_000_001, seed: 8)
            let line = "MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF8PbnGy0AHB7MhgwMbRvI0MBZhpI\n"
            let key = Array(
                ("-----BEGIN PRIV" + "ATE KEY-----\n\(line)-----END PRIV" + "ATE KEY-----\n").utf8)
            let start = (1 << 24) - before
            contents.replaceSubrange(start..<(start + key.count), with: key)
            let file = directory.appending("large")
            try Files.replaceWithoutSync(file, with: contents)
            let writer = ChunkWriter(Rehearsal(nil))
            let found = try writer.write(OpenFile(file), size: 20_000_001, nil, scans: true)
            #expect(found.finding?.kind == "a private key")
            let stored = try NumberedTree.ids(found.chunks.contents, of: .none).count * 8_192
            #expect(stored <= start, "nothing of it is stored by then")
            contents[start] = 0
            try Files.replaceWithoutSync(file, with: contents)
            let clean = try writer.write(OpenFile(file), size: 20_000_001, nil, scans: true)
            #expect(
                try NumberedTree.ids(clean.chunks.contents, of: .none)
                    == chunks(of: contents, window: 16 << 20).map { ObjectID.of(.blob, $0) })
        }
    }

    @Test func chunksThatAreSealedByAllThreadsHaveTheDigestOfAllInOrder() throws {
        try withTemporaryDirectory { directory in
            let contents = bytes(20_000_001, seed: 7)
            let file = directory.appending("large")
            try Files.replaceWithoutSync(file, with: contents)
            let sealer = Sealer(SealingKey(), recipients: [Identity().recipient])
            var written = try ChunkWriter(Rehearsal(nil)).write(OpenFile(file), size: 20_000_001, sealer)
            let sealed = try chunks(of: contents, window: 16 << 20).map { try sealer.seal($0) }
            #expect(
                try NumberedTree.ids(written.chunks.contents, of: .none)
                    == sealed.map { ObjectID.of(.blob, $0) })
            #expect(written.digest.finish() == SHA256.digest(contents))
            #expect(written.sealedDigest.finish() == SHA256.digest(Array(sealed.joined())))
        }
    }
}
