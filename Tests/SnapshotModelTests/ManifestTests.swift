import SnapshotModel
import Testing

@Suite struct ManifestTests {
    private func entry(_ path: [UInt8], _ kind: Entry.Kind) -> Entry {
        var entry = Entry(
            path: EntryPath(path), kind: kind, mode: 0o4755, owner: 1000, group: 100, ownerName: "ci user",
            groupName: "", modified: .init(seconds: -1, nanoseconds: 5), size: kind == .file ? 12 : 0,
            digest: kind == .file ? [UInt8](repeating: 0xab, count: 32) : [], entryClass: .secret)
        if kind == .file {
            entry.isSparse = true
            entry.hardLink = EntryPath("a,b:c")
            entry.attributes = [.init(name: Array("user.x".utf8), value: [0, 255, 10, 44])]
        }
        return entry
    }

    @Test func anyBytesRoundTrip() throws {
        for _ in 0..<200 {
            let name = (0..<Int.random(in: 1...60)).map { _ in UInt8.random(in: 1...255) }.filter {
                $0 != 0x2f
            }
            guard !name.isEmpty, name != Array(".".utf8), name != Array("..".utf8) else { continue }
            let entries = [
                entry([], .directory), entry(name, .file), entry(name + [0x2f] + name, .link(target: name)),
            ]
            var text: [UInt8] = []
            for entry in entries { Manifest.append(entry, to: &text) }
            #expect(text.count { $0 == 10 } == 3)
            #expect(try Manifest.entries(text) == entries)
        }
    }

    @Test(arguments: [
        "./../etc type=dir mode=0755 uid=0 gid=0 time=1.000000000 tags=config\n",
        "./a//b type=dir mode=0755 uid=0 gid=0 time=1.000000000 tags=config\n",
        "/etc type=dir mode=0755 uid=0 gid=0 time=1.000000000 tags=config\n",
        "./a type=dir mode=0755 uid=0 gid=0 time=1.000000000 tags=config",
        "./a type=block mode=0755 uid=0 gid=0 time=1.000000000 tags=config\n",
        "./a type=dir mode=017777 uid=0 gid=0 time=1.000000000 tags=config\n",
        "./a type=dir mode=0755 uid=-1 gid=0 time=1.000000000 tags=config\n",
        "./a type=dir mode=0755 uid=0 gid=0 time=1 tags=config\n",
        "./a type=dir mode=0755 uid=0 gid=0 time=1.000000000 tags=unheard\n",
        "./a type=dir mode=0755 mode=0755 uid=0 gid=0 time=1.000000000 tags=config\n",
        "./a type=file mode=0755 uid=0 gid=0 size=1 time=1.000000000 sha256digest=ab tags=config\n",
        "./a\\000 type=dir mode=0755 uid=0 gid=0 time=1.000000000 tags=config\n",
        "./a type=dir mode=0755 uid=0 gid=0 time=1.000000000 tags=config,hardlink:2e2e2f61\n", "\n",
    ]) func whatNoVersionWritesIsRefused(_ line: String) {
        #expect(throws: ManifestFailure.self) { try Manifest.entries(Array(line.utf8)) }
    }

    @Test func aSurveyAddsUpWhatEntriesSay() throws {
        var text: [UInt8] = []
        let kinds: [(String, Entry.Kind)] = [
            ("", .directory), ("a", .file), ("b c", .link(target: [1])), ("d", .file),
        ]
        for (index, (name, kind)) in kinds.enumerated() {
            var entry = entry(Array(name.utf8), kind)
            if index == 3 { (entry.ownerName, entry.groupName, entry.size) = ("", "ci", 30) }
            Manifest.append(entry, to: &text)
        }
        var survey = Manifest.Survey()
        try survey.add(text)
        #expect(survey.entries == 4 && survey.bytes == 42)
        #expect(survey.users == ["ci user", ""] && survey.groups == ["", "ci"])
        let broken = Array("./a type=file mode=0755 uid=0\n".utf8)
        #expect(throws: ManifestFailure.self) { try survey.add(broken) }
    }

    /// A list of its lines would take many times what it takes.
    @Test func aPartOfNothingButNewlinesIsNone() {
        #expect(throws: ManifestFailure.self) { try Manifest.lines([UInt8](repeating: 10, count: 1 << 20)) }
    }

    @Test func madeUpSizesAddUpToNoMoreThanAnyDiskHolds() throws {
        let line =
            "./a type=file mode=0644 uid=0 gid=0 size=9223372036854775807 time=1.000000000 sha256digest="
            + String(repeating: "ab", count: 32) + " tags=config\n"
        var survey = Manifest.Survey()
        try survey.add(Array((line + line).utf8))
        survey.add(survey)
        #expect(survey.entries == 4 && survey.bytes == 1 << 50)
    }
}
