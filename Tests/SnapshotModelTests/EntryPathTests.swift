import SnapshotModel
import Testing

@Suite struct EntryPathTests {
    @Test func namesAreJoinedAndTakenApart() {
        let path = EntryPath.root.appending("jobs").appending("a b").appending("config.xml")
        #expect(path == EntryPath("jobs/a b/config.xml"))
        #expect(path.components.map { String(decoding: $0, as: UTF8.self) } == ["jobs", "a b", "config.xml"])
        #expect(Array(path.name) == Array("config.xml".utf8))
        #expect(path.parent == EntryPath("jobs/a b"))
        #expect(EntryPath("jobs").parent.isRoot)
        #expect(
            EntryPath.root.parent.isRoot && EntryPath.root.name.isEmpty && EntryPath.root.components.isEmpty)
    }

    @Test func anyBytesAreAName() {
        let name: [UInt8] = [0xff, 0x0a, 0xfe]
        let path = EntryPath("a").appending(name)
        #expect(Array(path.name) == name)
        #expect(path.parent == EntryPath("a"))
        #expect(path.description == "a/\\xff\\x0a\\xfe")
    }

    @Test(
        arguments: [
            ("a/b", "a", true), ("a", "a", true), ("a", "", true), ("", "", true), ("ab", "a", false),
            ("a", "a/b", false), ("", "a", false), ("b/a", "a", false),
        ])
    func aPathIsBelowItsDirectoriesAndNothingElse(_ path: String, _ other: String, _ expected: Bool) {
        #expect(EntryPath(path).isAtOrBelow(EntryPath(other)) == expected)
    }

    @Test func aTextDoesNothingToATerminalAndKeepsItsLines() {
        #expect(
            printable(text: "error: a\u{1b}]0;x\u{7}\n\thint\r\n") == "error: a\\x1b]0;x\\x07\n\thint\\x0d\n")
        #expect(printable(text: "") == "")
    }

    @Test func theOrderIsThatOfTheBytes() {
        let sorted = ["", "a", "a!b", "a/b", "a0", "b", "é"].map { EntryPath($0) }
        #expect(sorted.shuffled().sorted() == sorted)
    }

    @Test(
        arguments: [
            ("plain", "plain"), ("日本 ü", "日本 ü"), ("a\nb", "a\\x0ab"), ("\u{1b}[31m", "\\x1b[31m"),
            ("\u{202e}x", "\\xe2\\x80\\xaex"), ("\u{7f}", "\\x7f"), ("\u{85}", "\\xc2\\x85"),
            ("\u{2028}", "\\xe2\\x80\\xa8"), ("\u{e000}", "\\xee\\x80\\x80"),
        ])
    func printableTextDoesNothingToATerminal(_ text: String, _ expected: String) {
        #expect(printable(text.utf8) == expected)
    }

    @Test func printableTextOfRandomBytesHasNoControls() {
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0...20)).map { _ in UInt8.random(in: 0...255) }
            let shown = printable(bytes)
            #expect(shown.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
        }
        #expect(EntryPath.root.description == ".")
    }
}
