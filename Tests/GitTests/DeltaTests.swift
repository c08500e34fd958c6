import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

@testable import Git

/// Objects that git stored as what is to be made of others.
@Suite struct DeltaTests {
    private func result(_ delta: [UInt8], of base: [UInt8]) -> [UInt8]? {
        unsafe delta.withUnsafeBytes { bytes in
            guard let delta = unsafe Delta(bytes), unsafe delta.baseSize == base.count else { return nil }
            return unsafe delta.result(of: base)
        }
    }

    @Test func partsOfTheBaseAndBytesOfItsOwnFollowEachOther() {
        let base = Array("0123456789".utf8)
        // Sizes; three bytes of the base from 7 on; two of its own; one from 0 on, where zeros are left out.
        let delta: [UInt8] = [10, 6, 0x91, 7, 3, 2] + Array("ab".utf8) + [0x90, 1]
        #expect(result(delta, of: base) == Array("789ab0".utf8))
        #expect(result([0, 0], of: []) == [])
    }

    @Test func aCopyWithoutALengthIsOf65536Bytes() {
        let base = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        let delta: [UInt8] = [0xf0, 0xa2, 4, 0x80, 0x80, 4, 0x81, 5]
        #expect(result(delta, of: base) == Array(base[5..<(5 + 65_536)]))
    }

    @Test(arguments: [
        [], [10], [10, 1], [10, 1, 0], [10, 2, 1, 65], [10, 1, 2, 65, 66], [10, 1, 0x91, 7],
        [10, 4, 0x91, 7, 4],
        [10, 3, 0x91, 8, 3], [10, 1, 1, 65, 1, 66], [11, 1, 1, 65],
        // Far more than any git makes, of a base that is as small as it says.
        [10, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x90, 1],
    ])
    func whatIsNoDeltaIsRefused(_ delta: [UInt8]) {
        #expect(result(delta, of: Array("0123456789".utf8)) == nil)
    }

    /// Two bytes of a delta may make one: what is kept of each instruction would be many times what the delta takes.
    @Test func aDeltaTakesNoMoreMemoryThanWhatItMakes() async {
        // The peak is that of the whole process, so it has one of its own.
        await #expect(processExitsWith: .success) {
            func peak() throws -> Int {
                let status = String(decoding: try Files.read("/proc/self/status"), as: UTF8.self)
                let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
                return try #require(line.split(separator: " ").dropFirst().compactMap { Int($0) }.first)
            }
            let count = 1 << 22
            var delta: [UInt8] = [10, 0x80, 0x80, 0x80, 0x02]
            delta.reserveCapacity(2 * count + 5)
            for _ in 0..<count { delta += [0x90, 1] }
            let before = try peak()
            #expect(DeltaTests().result(delta, of: Array("0123456789".utf8))?.count == count)
            #expect(try peak() - before < 64 << 10, "kilobytes")
        }
    }

    /// A repository of texts that grow, packed by git with its settings, and the ids of the texts.
    private func withPackedTexts(
        _ settings: [String], _ body: (FilePath, [(id: ObjectID, text: [UInt8])]) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let repository = directory.appending("r.git")
            _ = try Repository(creatingBareAt: repository)
            var random = SplitMix(state: 7)
            let base = (0..<300).map { _ in UInt8.random(in: 0...255, using: &random) }
            let texts = (0..<60).map { number in
                base + (0..<number * 40).map { UInt8(truncatingIfNeeded: $0) }
            }
            let pack = try PackWriter(ObjectReader(repository))
            let lane = pack.lane()
            let ids = try texts.map { try lane.add(.blob, $0) }
            let tree = try lane.add(
                .tree, Tree.contents(ids.enumerated().map { TreeEntry("\($0.offset)", .file, $0.element) }))
            try lane.flush()
            _ = try pack.finish()
            try References(repository).set("refs/heads/x", to: tree, expecting: nil)
            let options = settings.flatMap { ["-c", $0] }
            try await Program(
                "git",
                ["-C", repository.string] + options + ["repack", "-q", "-a", "-d", "-f", "--depth=50"]
            ).runSuccessfully()
            try await body(repository, Array(zip(ids, texts)).map { (id: $0.0, text: $0.1) })
        }
    }

    /// Both ways to say what a delta's base is: where it lies, and its id.
    @Test(arguments: ["true", "false"]) func allAreReadInAnyOrder(_ offsets: String) async throws {
        try await withPackedTexts(["repack.useDeltaBaseOffset=\(offsets)"]) { repository, texts in
            let reader = try ObjectReader(repository)
            let lanes = [ReaderLane(reader), ReaderLane(reader)]
            for (number, (id, text)) in texts.shuffled().enumerated() {
                #expect(try reader.contents(id, .blob) == text)
                #expect(try lanes[number % 2].contents(id, .blob) == text)
                #expect(throws: GitError.self) { try lanes[0].contents(id, .tree) }
                #expect(try reader.contents(id, .blob, limit: 1 << 20) == text)
                #expect(throws: GitError.self) {
                    try reader.contents(id, .blob, limit: text.count - 1)
                }
            }
            var deltas = 0
            for (id, _) in texts { if case .none = try unsafe reader.place(of: id) { deltas += 1 } }
            #expect(deltas > texts.count / 2, "git stored deltas: \(deltas)")
        }
    }

    /// Deltas come along as they are, or are written whole, and read the same afterwards.
    @Test func theyAreReadAfterAPruneToo() async throws {
        try await withPackedTexts([]) { repository, texts in
            let live = ObjectSet()
            let kept = texts.filter { $0.text.count % 80 != 60 }
            for (id, _) in kept { _ = live.insert(id) }
            let repack = try Repack(ObjectReader(repository), live: live)
            try repack.removeSources(keeping: repack.copy())
            let reader = try ObjectReader(repository)
            for (id, text) in kept { #expect(try reader.contents(id, .blob) == text) }
            #expect(
                try Files.names(repository.appending("objects/pack")).count(where: {
                    $0.suffix(5).elementsEqual(".pack".utf8)
                }) == 1)
        }
    }
}
