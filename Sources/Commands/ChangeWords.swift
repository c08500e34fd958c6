internal import Capture
internal import Reports
internal import SnapshotModel

/// Changes for people, one line each.
func changeLines(_ changes: [Change], limit: Int = Int.max) -> [String] {
    let rows = changes.prefix(limit).map(row)
    let more = changes.count > limit ? ["  … and \(changes.count - limit) more"] : []
    return (rows.isEmpty ? [] : [table(rows)]) + more
}

/// That no change can be told, and how many other files differ.
func unchangedWords(_ words: String, otherFiles counts: [String: Int], isBlind: Bool = false) -> String {
    let others = otherFileWords(counts)
    return unchangedWords(words, hasOtherFiles: others != nil, isBlind: isBlind)
        + (others.map { "; \($0)" } ?? "")
}

/// What could not be read and so not compared, for people: the first few, and how many more there are.
func unknownWords(_ unknown: [String]) -> [String] {
    unknown.prefix(5).map { "unknown: \(printable($0.utf8))" }
        + (unknown.count > 5 ? ["unknown: \(unknown.count - 5) more"] : [])
}

/// How many files of each class differ that no change speaks of, for people; nil when none does.
func otherFileWords(_ counts: [String: Int]) -> String? {
    guard !counts.isEmpty else { return nil }
    return "other files: "
        + counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
}

/// Changes for people, each with what changed inside; texts are cut after so many lines.
func changeDetails(_ changes: [Change], textLines: Int) -> [String] {
    // The columns are those of all, so that the eye finds the next change.
    let heads = changes.isEmpty ? [] : table(changes.map(row)).split(separator: "\n").map(String.init)
    return zip(heads, changes).flatMap { [$0] + partLines($1, textLines: textLines).map { "       \($0)" } }
}

private func row(_ change: Change) -> [String] {
    ["  \(sign(change.change))", change.component, change.kind, change.name, change.detail]
}

private func sign(_ change: Change.Kind) -> String {
    switch change {
    case .added: "+"
    case .removed: "-"
    case .changed, .renamed: "~"
    case .upgraded: "↑"
    case .downgraded: "↓"
    }
}

/// What changed inside, and what is known against the version.
func partLines(_ change: Change, textLines: Int) -> [String] {
    (change.parts ?? []).flatMap { part in
        [words(part)] + cut(part.lines, textLines).map { "  \(printable($0.utf8))" }
    } + (change.advisories ?? []).map { "! \(printable($0.utf8))" }
}

/// One line: `trigger TimerTrigger: H 2 * * * → H 3 * * *`.
private func words(_ part: Change.Part) -> String {
    let subject = part.name.isEmpty ? part.aspect : "\(part.aspect) \(part.name)"
    let head = part.change == .changed ? subject : "\(subject) \(part.change.rawValue)"
    return printable((part.detail.isEmpty ? head : "\(head): \(part.detail)").utf8)
}

private func cut(_ lines: [String], _ limit: Int) -> [String] {
    lines.count <= limit ? lines : lines.prefix(limit) + ["… \(lines.count - limit) more lines (--verbose)"]
}

/// Changes as Markdown for a chat or a merge request.
func changeMarkdown(_ changes: [Change], textLines: Int) -> String {
    changes.map { change in
        let verb = change.change == .changed ? "" : " \(change.change.rawValue)"
        let detail = change.detail.isEmpty ? "" : ": \(Markdown.plain(change.detail))"
        let head =
            "- \(sign(change.change)) **\(Markdown.plain(change.kind))** \(Markdown.code(change.name))\(verb) "
            + "in \(Markdown.plain(change.component))\(detail)"
        let parts = (change.parts ?? []).flatMap { part in
            ["  - \(Markdown.plain(words(part)))"]
                + (part.lines.isEmpty
                    ? [] : Markdown.block(cut(part.lines, textLines), language: "diff").map { "    \($0)" })
        }
        let advisories = (change.advisories ?? []).map { "  - **\(Markdown.plain($0))**" }
        return ([head] + parts + advisories).joined(separator: "\n")
    }.joined(separator: "\n")
}
