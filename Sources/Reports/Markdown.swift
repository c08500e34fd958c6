internal import SnapshotModel

/// Text in Markdown: names come from files that anybody may have written.
package enum Markdown {
    /// Text that is no markup, on one line.
    package static func plain(_ text: String) -> String {
        // What is markup is a scalar: with an accent behind it, it is another character, and markup still.
        var plain = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if "\\`*_[]<>|#~&@".unicodeScalars.contains(scalar) { plain.append("\\") }
            plain.append(Character(scalar).isNewline ? " " : scalar)
        }
        return printable(String(plain).utf8)
    }

    /// Text as code within a line.
    package static func code(_ text: String) -> String {
        let fence = String(repeating: "`", count: longestRun(text) + 1)
        let text = printable(text.utf8)
        return text.unicodeScalars.first == "`" || text.unicodeScalars.last == "`"
            ? "\(fence) \(text) \(fence)" : "\(fence)\(text)\(fence)"
    }

    /// Lines as a block of code.
    package static func block(_ lines: [String], language: String) -> [String] {
        let fence = String(repeating: "`", count: max(3, (lines.map(longestRun).max() ?? 0) + 1))
        return ["\(fence)\(language)"] + lines.map { printable($0.utf8) } + [fence]
    }

    private static func longestRun(_ text: String) -> Int {
        var (longest, run) = (0, 0)
        for scalar in text.unicodeScalars {
            run = scalar == "`" ? run + 1 : 0
            longest = max(longest, run)
        }
        return longest
    }
}
