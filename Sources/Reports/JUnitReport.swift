package import Judge

/// A verdict as JUnit XML, as CI servers show it: a suite for each stage, a case for the stage and for each measure.
///
/// JUnit has no word for "not shown either way": it is an error there, so that nothing that is no pass looks like one.
package enum JUnitReport {
    private struct Case {
        var name: String
        var result: StageVerdict.Result
        var reason: String
        var details: [String]
        /// The stage's time belongs to the stage's case: servers add cases up.
        var seconds = 0.0
    }

    /// The document.
    package static func render(_ evidence: Evidence, _ verdict: Verdict) -> String {
        let words = ReportWords(evidence: evidence, verdict: verdict)
        let suites = verdict.stages.map { stage in (stage, cases(of: stage, words)) }
        let all = suites.flatMap(\.1)
        var lines = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>"]
        lines.append("<testsuites name=\"\(Markup.escaped("canary \(verdict.id)"))\" \(counts(all))>")
        for (stage, cases) in suites {
            let seconds = evidence.stages.last { $0.stage == stage.name }?.seconds ?? 0
            lines.append(
                "  <testsuite name=\"\(Markup.escaped(stage.name.title))\" \(counts(cases)) time=\"\(time(seconds))\">"
            )
            for item in cases { lines += element(item, suite: stage.name.title) }
            lines.append("  </testsuite>")
        }
        // Without a stage there is nothing that a server could show: the verdict itself is a case.
        if verdict.stages.isEmpty {
            let item = Case(name: "verdict", result: .error, reason: verdict.headline, details: [])
            lines.append("  <testsuite name=\"canary\" \(counts([item])) time=\"0\">")
            lines += element(item, suite: "canary") + ["  </testsuite>"]
        }
        lines.append("</testsuites>")
        return lines.map { $0 + "\n" }.joined()
    }

    private static func cases(of stage: StageVerdict, _ words: ReportWords) -> [Case] {
        let details = stage.findings.flatMap { finding in
            ["\(finding.severity.rawValue): \(finding.message)"] + finding.evidence.map { "| \($0)" }
        }
        let whole = Case(
            name: stage.name.title, result: stage.result, reason: stage.reason, details: details,
            seconds: words.evidence.stages.last { $0.stage == stage.name }?.seconds ?? 0)
        return [whole]
            + stage.measures.filter(\.isCritical).map { measure in
                Case(
                    name: words.name(measure),
                    result: StageVerdict.Result(rawValue: measure.result.rawValue) ?? .error,
                    reason: measure.reason, details: words.numbers(measure))
            }
    }

    private static func counts(_ cases: [Case]) -> String {
        let errors = cases.count { $0.result == .error || $0.result == .inconclusive }
        return
            "tests=\"\(cases.count)\" failures=\"\(cases.count { $0.result == .fail })\" errors=\"\(errors)\" "
            + "skipped=\"\(cases.count { $0.result == .skipped })\""
    }

    private static func element(_ item: Case, suite: String) -> [String] {
        let name = Markup.escaped(item.name)
        let start =
            "    <testcase classname=\"canary.\(Markup.escaped(suite))\" name=\"\(name)\" time=\"\(time(item.seconds))\""
        let kind: String
        switch item.result {
        case .pass: return [start + "/>"]
        case .skipped:
            return [
                start + ">", "      <skipped message=\"\(Markup.escaped(item.reason))\"/>", "    </testcase>",
            ]
        case .fail: kind = "failure"
        case .inconclusive, .error: kind = "error"
        }
        let text = item.details.map { Markup.escaped($0) }.joined(separator: "\n")
        return [
            start + ">",
            "      <\(kind) type=\"\(item.result.rawValue)\" message=\"\(Markup.escaped(item.reason))\">\(text)</\(kind)>",
            "    </testcase>",
        ]
    }

    private static func time(_ seconds: Double) -> String { seconds.isFinite ? "\(max(0, seconds))" : "0" }
}
