package import Judge
internal import SnapshotModel

/// A verdict for a terminal or a log: the first line says what may be decided, the last section what was not tested.
package enum TextReport {
    /// The report; whatever names are in it, it does nothing to a terminal.
    package static func render(_ evidence: Evidence, _ verdict: Verdict) -> String {
        let words = ReportWords(evidence: evidence, verdict: verdict)
        var lines = [verdict.headline, ""]
        let width = words.summary.map(\.label.count).max() ?? 0
        lines += words.summary.map { "\(pad($0.label, to: width))  \($0.value)" }
        lines.append("")
        for stage in verdict.stages {
            lines.append(
                "\(pad(stage.name.title, to: 13))  \(pad(stage.result.rawValue, to: 12))  \(stage.reason)")
            for finding in stage.findings { lines += self.lines(of: finding) }
            for measure in words.ordered(stage.measures) { lines += self.lines(of: measure, words) }
            if let control = stage.control {
                lines.append("    control: \(control.result?.rawValue ?? "not tried"): \(control.reason)")
            }
        }
        if let neutralised = words.neutralised, !neutralised.isEmpty {
            lines += ["", "Made harmless before the first boot"]
            lines += neutralised.map { action, subjects in
                let more = subjects.count > 3 ? " and \(subjects.count - 3) more" : ""
                return "  \(action): \(subjects.prefix(3).joined(separator: ", "))\(more)"
            }
        }
        lines += ["", "Bound to"]
        let label = words.bindings.map(\.label.count).max() ?? 0
        lines += words.bindings.map { "  \(pad($0.label, to: label))  \($0.value)" }
        lines += ["", "Not tested"]
        lines += words.notTested.map { "  \($0)" }
        return lines.map { printable($0.utf8) + "\n" }.joined()
    }

    private static func lines(of finding: Finding) -> [String] {
        let declared = finding.isDeclared ? ", declared" : ""
        var lines = ["    \(finding.severity.rawValue)\(declared): \(finding.message)"]
        lines += finding.evidence.map { "      | \($0)" }
        if !finding.advice.isEmpty { lines.append("      → \(finding.advice)") }
        return lines
    }

    private static func lines(of measure: Measure, _ words: ReportWords) -> [String] {
        var lines = ["    \(words.name(measure)): \(measure.result.rawValue): \(measure.reason)"]
        lines += words.numbers(measure).map { "      \($0)" }
        guard measure.quantity != .failures else { return lines }
        for (arm, values) in [
            ("baseline", measure.baseline), ("candidate", measure.candidate), ("control", measure.control),
        ] where !values.isEmpty {
            let shown = values.map { Figure.text($0) }.joined(separator: " ")
            lines.append("      \(pad(arm, to: 9))  \(shown) \(measure.quantity.unit)")
        }
        return lines
    }

    private static func pad(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
