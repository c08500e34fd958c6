import FileTree
import Git
import GitStore
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Capture

#if canImport(Glibc)
    import Glibc
#endif

/// Readers given bytes that nobody wrote: each must say so, and none may crash or ask for much memory.
///
/// `UNDERSTUDY_TEST_FUZZ` sets how many inputs each gets; the seeds are fixed, so that a failure comes again. Between inputs a
/// thread is offered to other tests, some of which wait for programs, and not for ever.
@Suite struct FuzzTests {
    private static let rounds =
        unsafe getenv("UNDERSTUDY_TEST_FUZZ").flatMap { Int(unsafe String(cString: $0)) } ?? 400

    /// Changes, cuts, doubles and swaps bytes.
    private func mutated(_ bytes: [UInt8], _ random: inout SplitMix) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let place = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[place] = [0, 0xff, 0x7f, 0x80].randomElement(using: &random) ?? 0
            case 2: bytes.removeSubrange(place...)
            case 3: bytes.remove(at: place)
            case 4: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
            default:
                let end = min(bytes.count, place + 8)
                bytes.replaceSubrange(
                    place..<end, with: (place..<end).map { _ in UInt8.random(in: 0...255, using: &random) })
            }
        }
        return bytes
    }

    @Test func aManifestIsReadAsItWasWrittenOrNotAtAll() async throws {
        var entry = Entry(
            path: EntryPath("jobs/a b/config.xml"), kind: .file, mode: 0o644, owner: 1, group: 2,
            ownerName: "jenkins", groupName: "jenkins", modified: .init(seconds: 5, nanoseconds: 7), size: 3,
            digest: [UInt8](repeating: 7, count: 32), entryClass: .config)
        entry.attributes = [.init(name: Array("user.a".utf8), value: [1, 2])]
        entry.hardLink = EntryPath("jobs/b")
        var text: [UInt8] = []
        Manifest.append(entry, to: &text)
        entry.kind = .link(target: [0xff, 0x20])
        entry.hardLink = nil
        Manifest.append(entry, to: &text)
        var random = SplitMix(state: 1)
        var (read, refused) = (0, 0)
        for round in 0..<Self.rounds * 10 {
            if round % 100 == 0 { await Task.yield() }
            let input = mutated(text, &random)
            var survey = Manifest.Survey()
            // What it cannot count is refused below.
            try? survey.add(input)
            let entries: [Entry]
            do throws(ManifestFailure) {
                entries = try Manifest.entries(input)
            } catch {
                #expect(error.line > 0)
                refused += 1
                continue
            }
            read += 1
            #expect(survey.entries == entries.count, "round \(round)")
            var again: [UInt8] = []
            for entry in entries { Manifest.append(entry, to: &again) }
            // What is read means what it says: written again it is read the same.
            #expect(try Manifest.entries(again) == entries, "round \(round)")
        }
        #expect(read > 0 && refused > 0, "\(read) \(refused)")
    }

    @Test func treesAndCommitsAreReadOrRefused() async {
        let id = ObjectID.of(.blob, [])
        let tree = Tree.contents([
            TreeEntry("a", .file, id), TreeEntry("b.chunks", .tree, id), TreeEntry("c", .link, id),
        ])
        let commit = Commit(tree: id, parents: [id], author: "A <a@b>", time: 5, message: "m\n\nSnapshot: x")
            .contents
        var random = SplitMix(state: 2)
        var refused = 0
        for round in 0..<Self.rounds * 10 {
            if round % 100 == 0 { await Task.yield() }
            do { _ = try Tree.entries(mutated(tree, &random), of: id) } catch { refused += 1 }
            do { _ = try Commit(contents: mutated(commit, &random), of: id) } catch { refused += 1 }
        }
        #expect(refused > 0)
    }

    @Test(arguments: [false, true]) func packsAndIndexesAreReadOrRefused(_ hasDeltas: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let repository = directory.appending("r.git")
            _ = try Repository(creatingBareAt: repository)
            let pack = try PackWriter(ObjectReader(repository))
            let lane = pack.lane()
            var ids: [ObjectID] = []
            for sample in [
                [], [1], Array(repeating: 7, count: 5000),
                (0..<900).map { UInt8(truncatingIfNeeded: $0 * 37) },
                (0..<950).map { UInt8(truncatingIfNeeded: $0 * 37) },
                (0..<990).map { UInt8(truncatingIfNeeded: $0 * 37) },
            ] {
                ids.append(try lane.add(.blob, sample))
            }
            try lane.flush()
            _ = try pack.finish()
            let packs = repository.appending("objects/pack")
            if hasDeltas {
                let list = Array(ids.map { "\($0)\n" }.joined().utf8)
                let name = try await Program(
                    "git", ["-C", repository.string, "pack-objects", "-q", packs.appending("new").string],
                    input: list
                ).runSuccessfully().output.dropLast()
                for old in try Files.names(packs) where old.starts(with: "pack-".utf8) {
                    try Files.remove(packs.appending(String(decoding: old, as: UTF8.self)))
                }
                for ending in ["pack", "idx"] {
                    try Files.rename(
                        packs.appending("new-\(name).\(ending)"),
                        to: packs.appending("pack-\(name).\(ending)"))
                }
            }
            let names = try Files.names(packs).map { packs.appending(String(decoding: $0, as: UTF8.self)) }
            var random = SplitMix(state: 3)
            var refused = 0
            for file in names {
                let whole = try Files.read(file)
                for _ in 0..<Self.rounds {
                    await Task.yield()
                    try Files.replaceWithoutSync(file, with: mutated(whole, &random))
                    do {
                        let reader = try ObjectReader(repository)
                        let lane = ReaderLane(reader)
                        for id in ids {
                            do {
                                let contents = try lane.contents(id, .blob)
                                #expect(ObjectID.of(.blob, contents) == id)
                            } catch { refused += 1 }
                            _ = try? reader.object(id)
                        }
                        _ = try reader.damagedPacks()
                    } catch { refused += 1 }
                }
                try Files.replace(file, with: whole)
            }
            #expect(refused > 0)
        }
    }

    @Test func aStatCacheIsBelievedWholeOrNotAtAll() async throws {
        try await withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try Files.makeDirectories(tree.appending("a/b"))
            for name in ["x", "a/y", "a/b/z"] { try Files.replace(tree.appending(name), with: [1]) }
            try Files.makeLink(tree.appending("a/link"), to: Array("x".utf8))
            let classification = Classification([], defaultClass: .config)
            func walk(_ cache: StatCache) throws -> CapturedTree {
                let sink = Rehearsal(nil)
                return try RootCapture(
                    tree, classification: classification, cache: cache, sink: sink,
                    newTexts: NewTexts(of: sink, in: directory), replacements: [:], leavingOut: [],
                    written: nil, sealer: nil
                ).run(rootClass: .config)
            }
            let fingerprint = [UInt8](repeating: 9, count: 32)
            let file = directory.appending("cache")
            func cache(_ bytes: [UInt8], _ fingerprint: [UInt8]) throws -> StatCache {
                try Files.replaceWithoutSync(file, with: bytes)
                return try StatCache(file, fingerprint: fingerprint)
            }
            let expected = try walk(StatCache())
            try StatCache.write(expected.root, over: StatCache(), to: file, fingerprint: fingerprint).commit()
            let whole = try Files.read(file)
            #expect(try cache(whole, fingerprint).root == 0)
            #expect(try cache(whole, [UInt8](repeating: 8, count: 32)).root == nil)
            var random = SplitMix(state: 4)
            var believed = 0
            for round in 0..<Self.rounds * 4 {
                if round % 100 == 0 { await Task.yield() }
                var bytes = mutated(whole, &random)
                #expect(
                    try bytes == whole || cache(bytes, fingerprint).root == nil,
                    "round \(round): the checksum finds any change")
                guard bytes.count >= 128 else { continue }
                // With a right checksum: nothing in it may lead outside of it.
                let checksum = unsafe bytes[16...].withUnsafeBytes { unsafe UInt64(crc32($0)) }
                bytes.replaceSubrange(
                    8..<16, with: unsafe withUnsafeBytes(of: checksum) { unsafe Array($0) })
                let cache = try cache(bytes, fingerprint)
                guard let root = cache.root else { continue }
                believed += 1
                var directories = [root]
                while let index = directories.popLast() {
                    cache.withEntries(of: index) { records, names in
                        for position in records.indices {
                            _ = names.name(of: records[position])
                            _ = EntryExtra(encoded: names.extra(of: records[position]))
                            if records[position].kind == .directory, directories.count < 100 {
                                directories.append(Int(records[position].directory))
                            }
                        }
                    }
                }
            }
            #expect(believed > 0)
        }
    }
}
