extension HTMLReport {
    /// One thing that a drill did.
    package struct DrillStep: Hashable, Sendable {
        /// How it came out.
        package enum Result: Hashable, Sendable { case passed, failed, notCovered }

        /// The component; empty for the store as a whole.
        package var component: String
        /// What was done.
        package var name: String
        /// How it came out.
        package var result: Result
        /// What was seen.
        package var detail: String
        /// How long it took.
        package var seconds: Double

        /// One thing that a drill did.
        package init(component: String, name: String, result: Result, detail: String, seconds: Double) {
            self.component = component
            self.name = name
            self.result = result
            self.detail = detail
            self.seconds = seconds
        }
    }

    /// A drill as a page that an auditor can keep.
    ///
    /// `facts` are what, when, where and with what; `bindings` are the commits and signatures that the page can be checked
    /// against. A green drill that could not start the `unproven` components checked the snapshot, and did not prove it.
    package static func drill(
        of snapshot: String, isGreen: Bool, unproven: [String] = [], facts: [(label: String, value: String)],
        steps: [DrillStep],
        bindings: [(label: String, value: String)]
    ) -> String {
        let word = !isGreen ? "red" : unproven.isEmpty ? "green" : "checked, not started"
        let isProof = isGreen && unproven.isEmpty
        var lines = head(title: "drill of \(snapshot): \(word)")
        lines += [
            "<header class=\"\(isProof ? "pass" : isGreen ? "inconclusive" : "fail")\">",
            "<p class=\"badge\">\(word)</p>",
            "<h1>\(Markup.escaped("Drill: the snapshot \(snapshot) \(isProof ? "comes back" : isGreen ? "is whole, and was not started" : "does not come back")"))</h1>",
            list(facts), "</header>", "<section>", "<h2>What was done</h2>",
            "<div class=\"wide\"><table>",
            "<thead><tr><th>component</th><th>check</th><th>result</th><th class=\"number\">time</th><th>seen</th></tr></thead>",
            "<tbody>",
        ]
        lines += steps.map { step in
            "<tr><td>\(Markup.escaped(step.component.isEmpty ? "the store" : step.component))</td>"
                + "<td>\(Markup.escaped(step.name))</td><td>\(words(step.result))</td>"
                + "<td class=\"number\">\(Figure.duration(step.seconds))</td><td>\(Markup.escaped(step.detail))</td></tr>"
        }
        lines += ["</tbody>", "</table></div>", "</section>"]
        lines += [
            "<section>", "<h2>What this page is bound to</h2>", list(bindings, isCode: true), "</section>",
        ]
        let open = steps.filter { $0.result == .notCovered }
        if !open.isEmpty {
            lines += ["<section id=\"not-tested\">", "<h2>What was not tested</h2>", "<ul>"]
            lines += open.map { step in
                let subject = [step.component, step.name].filter { !$0.isEmpty }.joined(separator: ", ")
                return "<li>\(Markup.escaped("\(subject): \(step.detail)"))</li>"
            }
            lines += ["</ul>", "</section>"]
        }
        return text(lines)
    }

    private static func words(_ result: DrillStep.Result) -> String {
        switch result {
        case .passed: "passed"
        case .failed: "<strong>FAILED</strong>"
        case .notCovered: "not covered"
        }
    }
}
