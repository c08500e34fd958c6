package import Judge
internal import SnapshotModel

/// A verdict as one HTML file: no scripts, nothing from outside, light and dark as the reader has it.
package enum HTMLReport {
    /// The document; whatever names are in it, they are text.
    package static func render(_ evidence: Evidence, _ verdict: Verdict) -> String {
        let words = ReportWords(evidence: evidence, verdict: verdict)
        var lines = head(title: "\(verdict.result.rawValue): \(verdict.change)")
        lines.append("<header class=\"\(verdict.result.rawValue)\">")
        lines.append("<p class=\"badge\">\(verdict.result.rawValue)</p>")
        lines.append("<h1>\(Markup.escaped(verdict.headline))</h1>")
        lines.append(list(words.summary.filter { $0.label != "verdict" }))
        lines.append(overview(verdict))
        lines.append("</header>")
        for stage in verdict.stages { lines += section(stage, evidence, words) }
        lines += ["<section>", "<h2>What this verdict is bound to</h2>", list(words.bindings, isCode: true)]
        lines += attestations(evidence) + neutralised(words) + ["</section>"]
        lines += ["<section id=\"not-tested\">", "<h2>What was not tested</h2>", "<ul>"]
        lines += words.notTested.map { "<li>\(Markup.escaped($0))</li>" }
        return text(lines + ["</ul>", "</section>"])
    }

    /// What every page begins with.
    static func head(title: String) -> [String] {
        [
            "<!DOCTYPE html>", "<html lang=\"en\">", "<head>", "<meta charset=\"utf-8\">",
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
            // Even if a name should slip through, nothing that it says is run or fetched.
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            "<meta name=\"color-scheme\" content=\"light dark\">",
            "<title>\(Markup.escaped(title))</title>",
            "<style>\n\(style)</style>", "</head>", "<body>", "<main>",
        ]
    }

    /// A page of these lines, with what every page ends with.
    static func text(_ lines: [String]) -> String {
        (lines + ["</main>", "</body>", "</html>"]).map { $0 + "\n" }.joined()
    }

    static func list(_ rows: [(label: String, value: String)], isCode: Bool = false) -> String {
        let items = rows.map { row in
            let value = Markup.escaped(row.value)
            return "<dt>\(Markup.escaped(row.label))</dt><dd>\(isCode ? "<code>\(value)</code>" : value)</dd>"
        }
        return "<dl>\n\(items.joined(separator: "\n"))\n</dl>"
    }

    /// The stages in one line, to be seen at once.
    private static func overview(_ verdict: Verdict) -> String {
        let items = verdict.stages.map { stage in
            "<li class=\"\(stage.result.rawValue)\"><a href=\"#\(stage.name.rawValue)\">"
                + "\(Markup.escaped(stage.name.title))</a> <span>\(stage.result.rawValue)</span></li>"
        }
        return items.isEmpty ? "" : "<ol class=\"stages\">\n\(items.joined(separator: "\n"))\n</ol>"
    }

    private static func section(_ stage: StageVerdict, _ evidence: Evidence, _ words: ReportWords) -> [String]
    {
        let run = evidence.stages.last { $0.stage == stage.name }
        let time = run.map { $0.seconds >= 0.05 ? ", \(Figure.duration($0.seconds))" : "" } ?? ""
        var lines = ["<section id=\"\(stage.name.rawValue)\" class=\"\(stage.result.rawValue)\">"]
        lines.append(
            "<h2>\(Markup.escaped(stage.name.title)) <span class=\"result\">\(stage.result.rawValue)\(time)</span></h2>"
        )
        lines.append("<p>\(Markup.escaped(stage.reason))</p>")
        lines += findings(stage.findings)
        if stage.name == .boot { lines += boots(evidence) }
        for measure in words.ordered(stage.measures) { lines += self.measure(measure, words) }
        if let control = stage.control {
            lines.append(
                "<p class=\"aside\"><strong>The judge on unchanged shadows: \(control.result?.rawValue ?? "not tried")</strong>, "
                    + "\(Markup.escaped(control.reason))</p>")
        }
        if let checks = run?.checks, !checks.isEmpty {
            let items = checks.map { "<li>\(Markup.escaped($0))</li>" }.joined(separator: "\n")
            lines.append(
                "<details><summary>\(counted(checks.count, "check"))</summary>\n<ul>\n\(items)\n</ul>\n</details>"
            )
        }
        return lines + ["</section>"]
    }

    private static func findings(_ findings: [Finding]) -> [String] {
        guard !findings.isEmpty else { return [] }
        var lines = ["<ul class=\"findings\">"]
        for finding in findings {
            lines.append("<li class=\"\(finding.isDeclared ? "declared" : finding.severity.rawValue)\">")
            let label =
                finding.isDeclared ? "\(finding.severity.rawValue), declared" : finding.severity.rawValue
            lines.append("<strong>\(label)</strong> \(Markup.escaped(finding.message))")
            if !finding.evidence.isEmpty {
                let text = finding.evidence.map { Markup.escaped($0) }.joined(separator: "\n")
                lines.append("<pre>\(text)</pre>")
            }
            if !finding.advice.isEmpty {
                lines.append("<p class=\"advice\">\(Markup.escaped(finding.advice))</p>")
            }
            lines.append("</li>")
        }
        return lines + ["</ul>"]
    }

    private static func boots(_ evidence: Evidence) -> [String] {
        guard !evidence.boots.isEmpty else { return [] }
        let boots = evidence.boots.sorted { left, right in
            (left.arm.rawValue, left.attempt) < (right.arm.rawValue, right.attempt)
        }
        let rows = boots.map { boot in
            let up = boot.succeeded ? "came up" : "did not come up"
            let why = boot.failure.map { ": \(Markup.escaped($0))" } ?? ""
            return
                "<tr><td>\(boot.arm.rawValue)</td><td class=\"number\">\(boot.attempt)</td><td>\(up)\(why)</td>"
                + "<td class=\"number\">\(Figure.duration(boot.seconds))</td>"
                + "<td class=\"number\">\(boot.observations.count)</td><td class=\"number\">\(boot.capabilities.count)</td></tr>"
        }
        return [
            "<div class=\"wide\"><table>",
            "<thead><tr><th>arm</th><th class=\"number\">boot</th><th>outcome</th><th class=\"number\">time</th>"
                + "<th class=\"number\">seen</th><th class=\"number\">working objects</th></tr></thead>",
            "<tbody>\n\(rows.joined(separator: "\n"))\n</tbody>", "</table></div>",
        ]
    }

    private static func measure(_ measure: Measure, _ words: ReportWords) -> [String] {
        let name = words.name(measure)
        var lines = ["<div class=\"measure \(measure.result.rawValue)\">"]
        lines.append(
            "<h3>\(Markup.escaped(name)) <span class=\"result\">\(measure.result.rawValue)</span></h3>")
        lines.append("<p>\(Markup.escaped(measure.reason))</p>")
        if let plot = DurationPlot(measure) { lines.append(plot.svg(title: "\(name) by arm")) }
        let numbers = words.numbers(measure)
        if !numbers.isEmpty {
            let items = numbers.map { "<li>\(Markup.escaped($0))</li>" }.joined(separator: "\n")
            lines.append("<details><summary>Numbers</summary>\n<ul>\n\(items)\n</ul>\n</details>")
        }
        return lines + ["</div>"]
    }

    private static func neutralised(_ words: ReportWords) -> [String] {
        guard let neutralised = words.neutralised, !neutralised.isEmpty else { return [] }
        let count = neutralised.map(\.subjects.count).reduce(0, +)
        let rows = neutralised.flatMap { action, subjects in
            subjects.map {
                "<tr><td>\(Markup.escaped($0))</td><td>\(Markup.escaped(action))</td></tr>"
            }
        }
        return [
            "<h3>Changed in the copies before the first boot, so that they can do no harm</h3>",
            "<details><summary>\(counted(count, "change"))</summary>",
            "<div class=\"wide\"><table>", "<thead><tr><th>what</th><th>how</th></tr></thead>",
            "<tbody>\n\(rows.joined(separator: "\n"))\n</tbody>", "</table></div>", "</details>",
        ]
    }

    private static func attestations(_ evidence: Evidence) -> [String] {
        guard !evidence.attestations.isEmpty else { return [] }
        let broken = evidence.attestations.count { !$0.holds }
        let summary =
            "\(evidence.attestations.count) checks, " + (broken == 0 ? "all hold" : "\(broken) do not hold")
        let rows = evidence.attestations.map { check in
            "<tr><td>\(check.arm.rawValue)</td><td>\(Markup.escaped(check.check))</td>"
                + "<td>\(check.holds ? "holds" : "<strong>does not hold</strong>")</td>"
                + "<td>\(Markup.escaped(check.detail))</td></tr>"
        }
        return [
            "<h3>Isolation, checked inside each shadow before it booted</h3>",
            "<details\(broken == 0 ? "" : " open")><summary>\(summary)</summary>",
            "<div class=\"wide\"><table>",
            "<thead><tr><th>arm</th><th>check</th><th></th><th>seen</th></tr></thead>",
            "<tbody>\n\(rows.joined(separator: "\n"))\n</tbody>", "</table></div>", "</details>",
        ]
    }
}
