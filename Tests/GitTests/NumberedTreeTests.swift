import Cryptography
import FileTree
import Git
import Programs
import SystemPackage
import TestSupport
import Testing

/// Lists of objects, and contents that lie in many objects.
@Suite struct NumberedTreeTests {
    private func noise(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SplitMix(state: seed)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    @Test(arguments: [0, 1, 10, 11, 1_234]) func aListIsTheTreeOfItsNumbers(_ count: Int) throws {
        let ids = (0..<count).map { ObjectID.of(.blob, Array("\($0)".utf8)) }
        var list = NumberedTree(capacity: 5)
        for id in ids { list.append(id) }
        let entries = ids.enumerated().map { number, id in
            let digits = String(number)
            return TreeEntry(String(repeating: "0", count: 8 - digits.count) + digits, .file, id)
        }
        #expect(list.contents == Tree.contents(entries))
        #expect(list.count == count)
        #expect(try NumberedTree.ids(list.contents, of: .none) == ids)
        #expect(try Tree.entries(list.contents, of: .none) == entries)
    }

    @Test func whatIsNoTreeIsNoList() {
        var list = NumberedTree()
        for number in 0..<3 { list.append(ObjectID.of(.blob, [UInt8(number)])) }
        let whole = list.contents
        for count in 1..<whole.count where count % 36 != 0 {
            #expect(throws: GitError.self) { try NumberedTree.ids(Array(whole[..<count]), of: .none) }
        }
        for (place, byte) in [(0, UInt8(ascii: "x")), (0, 0), (0, UInt8(ascii: "2")), (6, 0), (7, 0)] {
            var other = whole
            other[place] = byte
            #expect(throws: GitError.self) { try NumberedTree.ids(other, of: .none) }
        }
    }

    @Test func contentsInManyObjectsComeInOrderWhateverTheSizes() async throws {
        try await withTemporaryDirectory { directory in
            let repository = directory.appending("r.git")
            _ = try Repository(creatingBareAt: repository)
            // Blocks of four pages as older versions cut them, single pages, long and empty pieces, noise and text.
            let sizes =
                [16_384, 16_384, 4_096, 300_000, 1, 0, 65_536, 65_537, 4_096, 1_200_000]
                + [Int](repeating: 4_096, count: 200)
            let pieces = sizes.enumerated().map { number, size in
                number % 3 == 0
                    ? noise(size, seed: UInt64(number))
                    : Array((0..<size).map { "\(number) \($0)\n" }.joined().utf8.prefix(size))
            }
            let pack = try PackWriter(ObjectReader(repository))
            let lane = pack.lane()
            var list = NumberedTree()
            for piece in pieces { list.append(try lane.add(.blob, piece)) }
            let tree = try lane.add(.tree, list.contents)
            let commit = Commit(tree: tree, parents: [], author: "A <a@b>", time: 1, message: "m")
            let head = try lane.add(.commit, commit.contents)
            try lane.flush()
            _ = try pack.finish()
            try References(repository).set("refs/heads/x", to: head, expecting: nil)
            for isPackedByGit in [false, true] {
                if isPackedByGit {
                    try await Program(
                        "git", ["-C", repository.string, "gc", "--quiet", "--aggressive", "--prune=now"]
                    )
                    .runSuccessfully()
                }
                let reader = try ObjectReader(repository)
                let lane = ReaderLane(reader)
                let ids = try lane.list(tree)
                for checks in [false, true] {
                    var contents: [UInt8] = []
                    for id in ids {
                        try unsafe lane.read(id, .blob, checks: checks) {
                            unsafe contents.append(contentsOf: $0)
                        }
                    }
                    #expect(contents == Array(pieces.joined()))
                }
                for (id, piece) in zip(ids, pieces) { #expect(try reader.contents(id, .blob) == piece) }
            }
        }
    }

    @Test func aStreamThatIsLongerThanAnyCompressorMakesItIsReadWhole() async throws {
        try await withTemporaryDirectory { directory in
            let repository = directory.appending("r.git")
            _ = try Repository(creatingBareAt: repository)
            let contents = Array("hello".utf8)
            // A hundred thousand bytes of empty blocks, and one that stores the contents (RFC 1950 and 1951).
            var pack: [UInt8] = Array("PACK".utf8) + [0, 0, 0, 2, 0, 0, 0, 1, 3 << 4 | 5, 0x78, 0x01]
            for _ in 0..<20_000 { pack += [0, 0, 0, 0xff, 0xff] }
            pack += [1, 5, 0, 0xfa, 0xff] + contents + [0x06, 0x2c, 0x02, 0x15]
            var hash = SHA1()
            hash.update(pack)
            pack += hash.finish()
            try Files.replace(directory.appending("one.pack"), with: pack)
            try await shell("git -C r.git index-pack --stdin < one.pack", in: directory)
            let id = ObjectID.of(.blob, contents)
            #expect(try ObjectReader(repository).contents(id, .blob) == contents)
            #expect(try ReaderLane(ObjectReader(repository)).contents(id, .blob) == contents)
        }
    }
}
