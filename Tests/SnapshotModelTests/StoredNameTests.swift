import SnapshotModel
import Testing

@Suite struct StoredNameTests {
    @Test func everyNameHasASpellingOfItsOwn() {
        let parts = [".git", ".GIT", ".", "%", "41", "4", "~1", "git", ".chunks", "\\", "a", "é", "%2E"].map {
            Array($0.utf8)
        }
        var names: [[UInt8]: [UInt8]] = [:]
        for _ in 0..<20_000 {
            let name = (0..<Int.random(in: 1...5)).compactMap { _ in parts.randomElement() }.flatMap { $0 }
            let stored = StoredName.escaped(name)
            #expect(StoredName.decoded(stored) == name)
            #expect(names[stored] == nil || names[stored] == name)
            names[stored] = name
            let lower = String(decoding: stored, as: UTF8.self).lowercased()
            #expect(!lower.hasPrefix(".git") && !lower.hasSuffix(".chunks"))
        }
    }

    @Test(arguments: ["config.xml", "feature%2", "a.b", "git", "chunks", "100%", "проба"])
    func usualNamesAreSpelledAsTheyAre(_ name: String) {
        #expect(StoredName.escaped(Array(name.utf8)) == Array(name.utf8))
    }
}
