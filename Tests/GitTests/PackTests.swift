import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

@testable import Git

/// Packs as stock git sees them.
@Suite struct PackTests {
    private func git(_ repository: FilePath, _ arguments: String..., input: String = "") async throws
        -> String
    {
        try await Program("git", ["-C", repository.string] + arguments, input: Array(input.utf8))
            .runSuccessfully()
            .output
    }

    private func makeRepository(_ directory: FilePath) throws -> FilePath {
        let path = directory.appending("r.git")
        _ = try Repository(creatingBareAt: path)
        return path
    }

    /// Contents of many kinds: empty, small, repeating, incompressible, larger than a lane's buffer; of the lengths at which
    /// compressing begins, and at which it is tried on a sample and a stored block ends, both noise and text.
    private static let samples: [[UInt8]] = {
        var random = SplitMix(state: 1)
        let limits = [399, 400, 401, 61_439, 61_440, 61_441, 65_535, 65_536, 65_537]
        return [
            [], [0], Array("hello\n".utf8), [UInt8](repeating: 7, count: 100_000),
            (0..<200_000).map { _ in UInt8.random(in: 0...255, using: &random) },
            [UInt8](repeating: 1, count: 9_000_000),
        ] + limits.map { count in (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
            + limits.map { count in
                Array((0..<count).map { "\($0): step finished\n" }.joined().utf8.prefix(count))
            }
    }()

    @Test func whatIsLongerThanItMayBeIsNotRead() throws {
        try withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            let pack = try PackWriter(ObjectReader(repository))
            let lane = pack.lane()
            let ids = try Self.samples.map { try lane.add(.blob, $0) }
            try lane.flush()
            _ = try pack.finish()
            let reader = try ObjectReader(repository)
            for (id, sample) in zip(ids, Self.samples) {
                #expect(try reader.contents(id, .blob, limit: sample.count) == sample)
                guard !sample.isEmpty else { continue }
                let failure = #expect(throws: GitError.self) {
                    try reader.contents(id, .blob, limit: sample.count - 1)
                }
                #expect(failure?.code == .damaged)
                #expect(failure?.description.contains("it has \(sample.count) bytes") == true)
            }
        }
    }

    /// What is said to be damaged is missing, and written anew it comes first.
    @Test func whatCountsAsLostIsWrittenAgain() throws {
        try withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            let first = try PackWriter(ObjectReader(repository))
            let lane = first.lane()
            let ids = try Self.samples.map { try lane.add(.blob, $0) }
            try lane.flush()
            _ = try first.finish()
            let reader = try ObjectReader(repository, withoutObjects: [ids[2]])
            #expect(!reader.contains(ids[2]) && reader.contains(ids[3]) && reader.hasLosses)
            let failure = #expect(throws: GitError.self) { try reader.contents(ids[2], .blob) }
            #expect(failure?.code == .notFound)
            #expect(failure.map { reader.mayHaveLost($0) } == true)
            let second = try PackWriter(reader)
            let again = second.lane()
            for sample in Self.samples { _ = try again.add(.blob, sample) }
            try again.flush()
            #expect(try second.finish() == 1)
            let whole = try ObjectReader(repository)
            #expect(try whole.isWhole(ids[2]) && whole.packs[0].index.count == 1)
        }
    }

    @Test func stockGitReadsWhatSeveralLanesWrote() async throws {
        try await withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            let pack = try PackWriter(ObjectReader(repository))
            let lanes = [pack.lane(), pack.lane()]
            var ids: [ObjectID] = []
            for (index, sample) in Self.samples.enumerated() {
                ids.append(try lanes[index % 2].add(.blob, sample))
            }
            let entries = ids.enumerated().map { TreeEntry("file\($0.offset)", .file, $0.element) }
            let tree = try lanes[0].add(.tree, Tree.contents(entries))
            for lane in lanes { try lane.flush() }
            #expect(try pack.finish() == Self.samples.count + 1)
            let reader = try ObjectReader(repository)
            for (id, sample) in zip(ids, Self.samples) {
                #expect(try await git(repository, "cat-file", "-s", id.description) == "\(sample.count)\n")
                #expect(try reader.contents(id, .blob) == sample)
            }
            let listed = try await git(repository, "ls-tree", tree.description)
            #expect(listed.split(separator: "\n").count == Self.samples.count)
            let name = try Files.names(repository.appending("objects/pack")).first {
                $0.suffix(4).elementsEqual(".idx".utf8)
            }
            let index = "objects/pack/\(String(decoding: name ?? [], as: UTF8.self))"
            _ = try await git(repository, "verify-pack", index)
            _ = try await git(repository, "fsck", "--full", "--strict")
        }
    }

    /// Writes objects with one lane and returns their ids and the bytes of the pack and its index.
    private func write(_ objects: [[UInt8]], to repository: FilePath) throws -> (ids: [ObjectID], size: Int) {
        let pack = try PackWriter(ObjectReader(repository))
        let lane = pack.lane()
        let ids = try objects.map { try lane.add(.blob, $0) }
        try lane.flush()
        _ = try pack.finish()
        let directory = repository.appending("objects/pack")
        let size = try Files.names(directory).reduce(0) { size, name in
            let status = try Files.status(directory.appending(String(decoding: name, as: UTF8.self)))
            return size + Int(status?.size ?? 0)
        }
        return (ids, size)
    }

    @Test func shortObjectsOfEveryKindShareTablesAndComeBack() async throws {
        try await withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            var random = SplitMix(state: 1)
            // Text, half noise, one byte alone, bytes that no sample had, noise: the kinds change on the way.
            let objects = (0..<3_000).map { number -> [UInt8] in
                let count = Int.random(in: 1...17_000, using: &random) / (number % 3 + 1)
                switch number / 250 % 5 {
                case 0:
                    return Array((0..<count).map { "\(number) \($0 * number)\n" }.joined().utf8.prefix(count))
                case 1:
                    return (0..<count).map {
                        $0 % 512 < 256 ? UInt8(ascii: "x") : UInt8.random(in: 0...255, using: &random)
                    }
                case 2: return [UInt8](repeating: UInt8(number % 256), count: count) + Array("\(number)".utf8)
                case 3: return (0..<count).map { UInt8(truncatingIfNeeded: 128 + $0 * number % 96) }
                default: return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
                }
            }
            let (ids, _) = try write(objects, to: repository)
            _ = try await git(repository, "fsck", "--full", "--strict")
            let reader = try ObjectReader(repository)
            for (id, object) in zip(ids, objects) { #expect(try reader.contents(id, .blob) == object) }
        }
    }

    @Test func noiseIsStoredWhateverCameBefore() throws {
        try withTemporaryDirectory { directory in
            var random = SplitMix(state: 2)
            let text = (0..<100).map { number in
                Array((0..<400).map { "\(number) step \($0)\n" }.joined().utf8)
            }
            let noise = (0..<500).map { _ in
                (0..<2_000).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            let (before, after) = (directory.appending("a"), directory.appending("b"))
            for place in [before, after] { try Files.makeDirectory(place) }
            let size = try write(text, to: try makeRepository(before)).size
            // What a stored block, a zlib stream, a record and its line in the index add.
            let most = 500 * (2_000 + 5 + 6 + 2 + 28)
            #expect(try write(text + noise, to: try makeRepository(after)).size <= size + most)
        }
    }

    @Test func muchComesIntoSeveralPacksWhoseChecksumsStockGitFindsRight() async throws {
        try await withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            var random = SplitMix(state: 3)
            let noise = (0..<2_000_000).map { _ in UInt8.random(in: 0...255, using: &random) }
            // Of unequal lengths, with an odd number of packs on any machine of two threads and more, and long enough to be synced
            // beside the writing.
            let objects = (0..<55).map { Array(noise[($0 * 20_011)...]) + Array("\($0)".utf8) }
            let (ids, _) = try write(objects, to: repository)
            let names = try Files.names(repository.appending("objects/pack")).map {
                String(decoding: $0, as: UTF8.self)
            }
            let indexes = names.filter { $0.hasSuffix(".idx") }
            #expect(indexes.count == 3)
            for index in indexes { _ = try await git(repository, "verify-pack", "objects/pack/\(index)") }
            let reader = try ObjectReader(repository)
            for (id, object) in zip(ids, objects) { #expect(try reader.contents(id, .blob) == object) }
        }
    }

    @Test func objectsOfMorePacksThanStayOpenAreRead() throws {
        try withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            let objects = (0..<36).map { [UInt8](repeating: UInt8($0), count: 20_000 + $0) }
            let ids = try objects.map { try write([$0], to: repository).ids[0] }
            let reader = try ObjectReader(repository)
            for (id, object) in zip(ids, objects) { #expect(try reader.contents(id, .blob) == object) }
        }
    }

    /// The search begins where evenly spread ids would be; whoever chooses contents may choose ids that are not.
    @Test(arguments: [0, 3, 20]) func objectsAreFoundHoweverTheirIdsAreSpread(_ crowded: Int) throws {
        try withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            var random = SplitMix(state: UInt64(crowded))
            var ids: Set<ObjectID> = []
            while ids.count < 3_000 {
                // The first bytes of most are alike; with all twenty only the last two are not.
                let isAlike = ids.count % 8 > 0
                let bytes = (0..<20).map { place in
                    isAlike && place < min(crowded, 18) ? 0xa7 : UInt8.random(in: 0...255, using: &random)
                }
                ids.insert(try #require(ObjectID(bytes: bytes)))
            }
            let pack = try PackWriter(ObjectReader(repository))
            let lane = pack.lane()
            for id in ids where id.bytes[19] % 2 == 0 {
                try unsafe id.bytes.withUnsafeBytes { try unsafe lane.add(id, .blob, $0, stores: true) }
            }
            try lane.flush()
            _ = try pack.finish()
            let reader = try ObjectReader(repository)
            for id in ids {
                #expect(reader.contains(id) == (id.bytes[19] % 2 == 0))
                if reader.contains(id) { #expect(try reader.contents(id, .blob) == id.bytes) }
            }
        }
    }

    @Test func theSearchBeginsWhereTheIdSays() throws {
        for (first, place) in [(0, 100), (0x4000, 350), (0x8000, 600), (0xffff, 1099)] {
            let bytes: [UInt8] =
                [9, UInt8(first >> 8), UInt8(first & 0xff)] + [UInt8](repeating: 0, count: 17)
            #expect(PackIndex.likelyPlace(of: try #require(ObjectID(bytes: bytes)), in: 100..<1100) == place)
        }
    }

    /// A copy of all that a pack held has that pack's name, and is not removed with what it was copied from.
    @Test func aCopyThatIsNamedLikeItsSourceStays() async throws {
        try await withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            let packs = repository.appending("objects/pack")
            let live = ObjectSet()
            // From the oldest to the newest: one that goes, one of which the other half is in the newest.
            for (age, objects) in [["b"], ["a", "b"], ["a"]].enumerated() {
                let before = Set(try Files.names(packs))
                let pack = try PackWriter(ObjectReader(repository), rewrites: true)
                let lane = pack.lane()
                for object in objects { _ = live.insert(try lane.add(.blob, Array(object.utf8))) }
                try lane.flush()
                _ = try pack.finish()
                for name in Set(try Files.names(packs)).subtracting(before) {
                    let path = packs.appending(String(decoding: name, as: UTF8.self)).string
                    try await Program("touch", ["-d", "@\(1_700_000_000 + age)", path]).runSuccessfully()
                }
            }
            let repack = try Repack(ObjectReader(repository), live: live)
            #expect(repack.copiedObjects == 1)
            try repack.removeSources(keeping: repack.copy())
            let reader = try ObjectReader(repository)
            for object in ["a", "b"] {
                let id = ObjectID.of(.blob, Array(object.utf8))
                #expect(try reader.contents(id, .blob) == Array(object.utf8))
            }
            #expect(try Files.names(packs).count == 4)
        }
    }

    @Test func whatIsThereAlreadyIsNotWrittenAgain() throws {
        try withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            for expected in [1, 0] {
                let pack = try PackWriter(ObjectReader(repository))
                let lane = pack.lane()
                _ = try lane.add(.blob, Array("once".utf8))
                _ = try lane.add(.blob, Array("once".utf8))
                try lane.flush()
                #expect(try pack.finish() == expected)
            }
            #expect(try Files.names(repository.appending("objects/pack")).count == 2)
        }
    }

    @Test func objectsAreReadAsTheyCameInAlsoAfterStockGitPackedThem() async throws {
        try await withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            let base = (0..<5000).map { "line \($0)\n" }.joined()
            let texts = (0..<5).map { Array((base + "version \($0)\n").utf8) }
            let pack = try PackWriter(ObjectReader(repository))
            let lane = pack.lane()
            let ids = try texts.map { try lane.add(.blob, $0) }
            let tree = try lane.add(
                .tree, Tree.contents(ids.enumerated().map { TreeEntry("\($0.offset)", .file, $0.element) }))
            let commit = Commit(
                tree: tree, parents: [], author: "A <a@b>", time: 1, message: "subject\n\nKey: value")
            let head = try lane.add(.commit, commit.contents)
            try lane.flush()
            _ = try pack.finish()
            try References(repository).set("refs/heads/x", to: head, expecting: nil)
            _ = try await git(repository, "gc", "--quiet", "--aggressive", "--prune=now")
            let loose = try await git(repository, "hash-object", "-w", "--stdin", input: "loose\n")
            let reader = try ObjectReader(repository)
            for (id, text) in zip(ids, texts) { #expect(try reader.contents(id, .blob) == text) }
            let id = try #require(ObjectID(hex: loose.filter { $0 != "\n" }.utf8))
            #expect(reader.contains(id))
            #expect(try reader.contents(id, .blob) == Array("loose\n".utf8))
            let rotten = try await git(repository, "hash-object", "-w", "--stdin", input: "rotten\n")
            let lost = try #require(ObjectID(hex: rotten.filter { $0 != "\n" }.utf8))
            let file = repository.appending("objects").appending(String(rotten.prefix(2))).appending(
                "\(lost)".dropFirst(2).description)
            try Files.remove(file)
            try Files.replace(file, with: Array("no object\n".utf8))
            let error = #expect(throws: GitError.self) { try reader.contents(lost, .blob) }
            #expect(error?.isLoss == true, "\(error?.description ?? "none")")
            let read = try Commit(contents: reader.contents(head, .commit), of: head)
            #expect(read.subject == "subject")
            #expect(read.trailer("Key") == "value")
            #expect(read.tree == tree)
        }
    }

    @Test func treesAreInGitsOrder() async throws {
        try await withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            let blob = try await git(repository, "hash-object", "-w", "--stdin", input: "x")
            let empty = try await git(
                repository, "mktree", input: "100644 blob \(blob.filter { $0 != "\n" })\tf\n")
            let blobID = try #require(ObjectID(hex: blob.filter { $0 != "\n" }.utf8))
            let treeID = try #require(ObjectID(hex: empty.filter { $0 != "\n" }.utf8))
            let names = ["a", "a-b", "a.b", "a0", "ab", "b", "é", "Z", "~"]
            var random = SplitMix(state: 2)
            for _ in 0..<50 {
                let entries = names.shuffled(using: &random).map { name in
                    Bool.random(using: &random)
                        ? TreeEntry(name, .tree, treeID) : TreeEntry(name, .file, blobID)
                }
                let lines = entries.map { entry in
                    let isTree = entry.mode == .tree
                    return
                        "\(isTree ? "040000 tree" : "100644 blob") \(entry.id)\t\(String(decoding: entry.name, as: UTF8.self))\n"
                }
                let made = try await git(repository, "mktree", input: lines.joined())
                #expect(ObjectID.of(.tree, Tree.contents(entries)).description == made.filter { $0 != "\n" })
                #expect(Set(try Tree.entries(Tree.contents(entries), of: treeID)) == Set(entries))
            }
        }
    }

    @Test func aFlippedByteNeverPassesForTheObject() throws {
        try withTemporaryDirectory { directory in
            let repository = try makeRepository(directory)
            let pack = try PackWriter(ObjectReader(repository))
            let lane = pack.lane()
            let id = try lane.add(.blob, Array("some contents that are stored in a pack\n".utf8))
            try lane.flush()
            _ = try pack.finish()
            let names = try Files.names(repository.appending("objects/pack")).map {
                String(decoding: $0, as: UTF8.self)
            }
            let name = try #require(names.first { $0.hasSuffix(".pack") })
            let path = repository.appending("objects/pack").appending(name)
            let bytes = try Files.read(path)
            #expect(try ObjectID.of(.blob, ObjectReader(repository).contents(id, .blob)) == id)
            for index in 12..<(bytes.count - 20) {
                var damaged = bytes
                damaged[index] ^= 0x41
                try Files.replaceWithoutSync(path, with: damaged)
                let reader = try ObjectReader(repository)
                // Reading may fail, or give bytes with another id: both are found.
                let contents = try? reader.contents(id, .blob)
                #expect(contents.map { ObjectID.of(.blob, $0) } != id || contents == nil, "byte \(index)")
            }
        }
    }
}
