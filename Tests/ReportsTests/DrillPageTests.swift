import Testing
import XML

@testable import Reports

/// The page about a drill.
@Suite struct DrillPageTests {
    private func page(_ results: [HTMLReport.DrillStep.Result], name: String = "ci") -> String {
        HTMLReport.drill(
            of: "20261126T020216Z-abcd", isGreen: !results.contains(.failed), facts: [("system", name)],
            steps: results.map {
                .init(component: name, name: name, result: $0, detail: name, seconds: 2.5)
            }, bindings: [("evidence commit", name)])
    }

    @Test func whatWasNotCoveredIsSaidApart() {
        let green = page([.passed, .notCovered])
        #expect(green.contains("<p class=\"badge\">green</p>") && !green.contains("FAILED"))
        #expect(green.contains("<h2>What was not tested</h2>\n<ul>\n<li>ci, ci: ci</li>\n</ul>"))
        let red = page([.passed, .failed])
        #expect(red.contains("<p class=\"badge\">red</p>") && red.contains("<strong>FAILED</strong>"))
        #expect(!red.contains("not tested") && red.contains("<td class=\"number\">2.5 s</td>"))
    }

    @Test func namesAreTextAndTheBodyIsWellFormed() throws {
        let html = page([.passed, .failed, .notCovered], name: ReportTests.hostile)
        #expect(!html.contains("<script") && !html.contains("\u{1B}") && !html.contains("\u{202E}"))
        let start = try #require(html.firstRange(of: "<body>")).lowerBound
        let end = try #require(html.firstRange(of: "</body>")).upperBound
        _ = try XMLElement(document: Array(html[start..<end].utf8))
    }
}
