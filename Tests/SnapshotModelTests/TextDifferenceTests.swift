import SnapshotModel
import Testing

/// Texts compared line by line.
@Suite struct TextDifferenceTests {
    @Test(arguments: [
        ("", "", []), ("a\nb\n", "a\nb\n", []), ("", "a\n", ["+a"]), ("a\n", "", ["-a"]),
        ("a\nb\nc\n", "a\nB\nc\n", [" a", "-b", "+B", " c"]),
        ("1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\nsix\n", ["@@", " 4", " 5", "-6", "+six"]),
        ("a\nb\n", "b\na\n", ["-a", " b", "+a"]), ("a\r\nb", "a\nb", []),
    ])
    func theFewestLinesAreToldWithTheirNeighbours(old: String, new: String, lines: [String]) {
        #expect(TextDifference(old, new).lines == lines)
    }

    @Test func whatIsTooLongToCompareIsReplacedWhole() {
        let old = (0..<3000).map { "old \($0)" }.joined(separator: "\n")
        let new = (0..<3000).map { "new \($0)" }.joined(separator: "\n")
        #expect(TextDifference(old, new).lines.count == 6000)
    }
}
