internal import SnapshotModel

/// Text in Markdown: names come from files that anybody may have written.
package enum Markdown {
    /// Text that is no markup, on one line.
    package static func plain(_ text: String) -> String {
        var plain = ""
        for character in text {
            if "\\`*_[]<>|#~&@".contains(character) { plain.append("\\") }
            plain.append(character.isNewline ? " " : character)
        }
        return printable(plain.utf8)
    }

    /// Text as code within a line.
    package static func code(_ text: String) -> String {
        let fence = String(repeating: "`", count: longestRun(text) + 1)
        let text = printable(text.utf8)
        return text.hasPrefix("`") || text.hasSuffix("`")
            ? "\(fence) \(text) \(fence)" : "\(fence)\(text)\(fence)"
    }

    /// Lines as a block of code.
    package static func block(_ lines: [String], language: String) -> [String] {
        let fence = String(repeating: "`", count: max(3, (lines.map(longestRun).max() ?? 0) + 1))
        return ["\(fence)\(language)"] + lines.map { printable($0.utf8) } + [fence]
    }

    private static func longestRun(_ text: String) -> Int {
        var (longest, run) = (0, 0)
        for character in text {
            run = character == "`" ? run + 1 : 0
            longest = max(longest, run)
        }
        return longest
    }
}
