/// What differs between two texts, line by line, as `diff -u` shows it.
package struct TextDifference: Hashable, Sendable {
    /// Lines that begin with a blank, a minus or a plus; `@@` stands for lines that are left out.
    package var lines: [String]

    /// How many lines around a change are shown.
    private static let context = 2
    /// Beyond so many comparisons the middle is shown as replaced: a longest common sequence costs their product.
    private static let effort = 4_000_000

    /// Compares two texts.
    package init(_ old: String, _ new: String) {
        let before = Self.split(old)
        let after = Self.split(new)
        let edits = Self.edits(before, after)
        var kept: Set<Int> = []
        for (index, edit) in edits.enumerated() where edit.first != " " {
            for near in max(0, index - Self.context)...min(edits.count - 1, index + Self.context) {
                kept.insert(near)
            }
        }
        lines = []
        var last = -1
        for index in kept.sorted() {
            if index != last + 1 { lines.append("@@") }
            lines.append(edits[index])
            last = index
        }
        if last >= 0, last < edits.count - 1 { lines.append("@@") }
    }

    private static func split(_ text: String) -> [Substring] {
        guard !text.isEmpty else { return [] }
        var lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    private static func edits(_ before: [Substring], _ after: [Substring]) -> [String] {
        var start = 0
        while start < before.count, start < after.count, before[start] == after[start] { start += 1 }
        var end = 0
        while end < before.count - start, end < after.count - start,
            before[before.count - 1 - end] == after[after.count - 1 - end]
        {
            end += 1
        }
        let old = Array(before[start..<(before.count - end)])
        let new = Array(after[start..<(after.count - end)])
        return before[..<start].map { " \($0)" } + middle(old, new)
            + before[(before.count - end)...].map { " \($0)" }
    }

    /// What is between the first and the last line that differ.
    private static func middle(_ old: [Substring], _ new: [Substring]) -> [String] {
        guard !old.isEmpty, !new.isEmpty, old.count * new.count <= effort else {
            return old.map { "-\($0)" } + new.map { "+\($0)" }
        }
        // How many lines the rests from here on have in common.
        let width = new.count + 1
        var common = [Int32](repeating: 0, count: (old.count + 1) * width)
        for i in old.indices.reversed() {
            for j in new.indices.reversed() {
                common[i * width + j] =
                    old[i] == new[j]
                    ? common[(i + 1) * width + j + 1] + 1
                    : max(common[(i + 1) * width + j], common[i * width + j + 1])
            }
        }
        var edits: [String] = []
        var (i, j) = (0, 0)
        while i < old.count || j < new.count {
            if i < old.count, j < new.count, old[i] == new[j] {
                edits.append(" \(old[i])")
                i += 1
                j += 1
            } else if i < old.count,
                j == new.count || common[(i + 1) * width + j] >= common[i * width + j + 1]
            {
                edits.append("-\(old[i])")
                i += 1
            } else {
                edits.append("+\(new[j])")
                j += 1
            }
        }
        return edits
    }
}
