package import SnapshotModel

/// A line that says what changed: `jenkins: 3 jobs changed, git 5.2.1 → 5.5.2`.
package func summary(of changes: [Change]) -> String {
    var components: [String] = []
    for change in changes where !components.contains(change.component) { components.append(change.component) }
    return components.map { component in
        let own = changes.filter { $0.component == component }
        var words: [String] = []
        let versions = own.filter { $0.change == .upgraded || $0.change == .downgraded }
        var kinds: [String] = []
        for change in own where !kinds.contains(change.kind) { kinds.append(change.kind) }
        for kind in kinds {
            for change in [Change.Kind.added, .removed, .renamed, .changed] {
                let these = own.filter { $0.kind == kind && $0.change == change }
                guard let first = these.first else { continue }
                words.append(
                    these.count == 1
                        ? "\(kind) \(first.name) \(change.rawValue)"
                        : "\(counted(these.count, kind)) \(change.rawValue)")
            }
        }
        words += versions.prefix(3).map { "\($0.name) \($0.detail)" }
        if versions.count > 3 { words.append("\(versions.count - 3) more versions") }
        return "\(component): \(words.joined(separator: ", "))"
    }
    .joined(separator: "; ")
}

/// That no change can be told, in words that say so of everything; only of configuration when other files differ, and only of
/// what could be read when something could not.
package func unchangedWords(_ words: String, hasOtherFiles: Bool, isBlind: Bool) -> String {
    let known = isBlind ? "\(words) in what could be read" : words
    return hasOtherFiles ? "\(known) \(isBlind ? "of the" : "in") configuration" : known
}

/// What stands below the first line of a snapshot's commit: `heading`, where the first line is somebody's own, and a line for each
/// change, of which a hundred are named.
func commitBody(_ heading: String?, _ changes: [Change]) -> String {
    let lines = changes.prefix(100).map { change in
        "- \(change.component): \(change.kind) \(change.name) \(change.change.rawValue)"
            + (change.detail.isEmpty ? "" : " (\(change.detail))")
    }
    let more = changes.count > 100 ? ["- and \(changes.count - 100) more"] : []
    return ((heading.map { [$0, ""] } ?? []) + lines + more).joined(separator: "\n")
}
