import FoundationEssentials
import Judge
import SnapshotModel
import Testing
import XML

@testable import Reports

/// Verdicts as people and other programs read them.
@Suite struct ReportTests {
    /// A name that wants to be markup, a script, a path, a sequence for a terminal and text from right to left.
    static let hostile =
        "\"><script>alert(1)</script>' & ]]> \u{1B}[31mred\u{1B}[0m \u{202E}gnp.exe \u{0}\r\nnext &lt; é 名"

    @Test func theFirstLineSaysWhatMayBeDecided() throws {
        let sample = try SampleCanary()
        let text = TextReport.render(sample.evidence, sample.verdict)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(
            lines.first
                == "Do not promote: S3 probes: job deploy: 65 % slower, at least 56 %; 25 % is tolerated"
        )
        #expect(lines.contains("verdict  20261126T020000Z-1f3a: fail"))
        #expect(lines.contains { $0.hasPrefix("S1 boot        pass") })
        #expect(lines.contains("    major, declared: builder old-unit is gone with the change"))
        #expect(lines.contains("      baseline   30.1 29.5 31 30.7 28.8 s"))
        let end = try #require(lines.lastIndex(of: "Not tested"))
        #expect(lines[end...].contains("  job release-unit: needs the network"))
        #expect(lines[end...].contains("  stage S4 load: not in the policy for 'plugin-patch'"))
        #expect(lines[end...].contains("  job deploy: failures in less than 45 % of the runs may go unseen"))
    }

    @Test func everyResultHasAFirstLineAndALastSection() throws {
        for spoil: (inout SampleCanary) -> Void in [
            {
                $0.evidence.runs.removeAll { $0.probe == "deploy" };
                $0.evidence.probes.removeAll { $0.name == "deploy" }
            },
            { $0.evidence.attestations = [] }, { $0.policy.classes = [:] }, { $0.evidence.boots = [] },
            { _ in },
        ] {
            var sample = try SampleCanary()
            spoil(&sample)
            let (text, verdict) = (TextReport.render(sample.evidence, sample.verdict), sample.verdict)
            #expect(text.hasPrefix(verdict.headline))
            #expect(text.contains("\nNot tested\n  "))
            #expect(
                verdict.result == .pass || verdict.result == .fail || text.contains("\nnext ")
                    || verdict.stages.isEmpty)
            let html = HTMLReport.render(sample.evidence, verdict)
            #expect(html.contains("<h1>\(Markup.escaped(verdict.headline))</h1>"))
            let junit = try XMLElement(document: Array(JUnitReport.render(sample.evidence, verdict).utf8))
            let isGreen =
                junit.attribute("failures") == "0"
                && junit.children.allSatisfy { $0.attribute("errors") == "0" }
            #expect(isGreen == (verdict.result == .pass), "\(verdict.result)")
        }
    }

    @Test func namesAreTextInHTMLWhateverTheyAre() throws {
        let sample = try SampleCanary(name: Self.hostile)
        let html = HTMLReport.render(sample.evidence, sample.verdict)
        #expect(!html.contains("<script") && !html.contains("\u{1B}") && !html.contains("\u{202E}"))
        #expect(!html.contains("\u{0}") && !html.contains("\r"))
        #expect(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&#39; &amp; ]]&gt;"))
        #expect(html.contains("é 名"))
        // What is left is markup of ours: every tag is one that the report uses, closed as it was opened.
        try Self.expectBalanced(html)
        try Self.expectBalanced(HTMLReport.render(SampleCanary().evidence, SampleCanary().verdict))
    }

    @Test func theHTMLNeedsNothingFromOutside() throws {
        let sample = try SampleCanary()
        let html = HTMLReport.render(sample.evidence, sample.verdict)
        for word in [
            "http:", "https:", "//", "<script", "<link", "<img", "<iframe", "url(", "@import", "onload",
            "javascript:",
        ] {
            #expect(!html.contains(word), "\(word)")
        }
        #expect(html.contains("default-src 'none'"))
    }

    @Test func everyReportSaysWhatAShadowMightUseAndWhatHeldItToThat() throws {
        var sample = try SampleCanary()
        let limits = "3072 MiB of memory, 2 processors, 4096 processes; kept by "
        let rest = "it had no more than 3072 MiB of memory"
        let peaks = "baseline 300 MiB, candidate 310 MiB"
        let html = HTMLReport.render(sample.evidence, sample.verdict)
        for words in [limits, rest, peaks] { #expect(html.contains(words), "\(words)") }
        #expect(TextReport.render(sample.evidence, sample.verdict).contains(rest))
        // Evidence of a time that knew none.
        sample.evidence.limits = nil
        #expect(
            HTMLReport.render(sample.evidence, sample.verdict).contains(
                "none of its processes had more than 1024 MiB of memory"))
    }

    @Test func aBrokenIsolationIsNotFoldedAway() throws {
        var sample = try SampleCanary()
        #expect(
            HTMLReport.render(sample.evidence, sample.verdict).contains(
                "<details><summary>2 checks, all hold"))
        sample.evidence.attestations[1].holds = false
        let html = HTMLReport.render(sample.evidence, sample.verdict)
        #expect(html.contains("<details open><summary>2 checks, 1 do not hold"))
        #expect(html.contains("<strong>does not hold</strong>"))
    }

    @Test func everyRunIsADot() throws {
        let sample = try SampleCanary()
        let html = HTMLReport.render(sample.evidence, sample.verdict)
        #expect(html.split(separator: "<circle").count - 1 == 20)
        #expect(html.contains("<title>candidate, run 5: 51.3 s</title>"))
        #expect(html.split(separator: "class=\"margin\"").count - 1 == 2)
        #expect(html.split(separator: "<svg").count - 1 == 2)
    }

    @Test func aPlotTakesAnyValues() throws {
        var measure = try #require(try SampleCanary().verdict.stages.last?.measures.last)
        for values in [
            [], [0], [0, 0, 0], [1e-7, 2e-7], [5e11, 1], [1e11, (1e11).nextUp], [1e300], [.infinity, 1],
        ] as [[Double]] {
            measure.baseline = values
            measure.candidate = values
            let svg = DurationPlot(measure)?.svg(title: "t")
            let drawn = values.filter(\.isFinite)
            #expect((svg != nil) == (!drawn.isEmpty && drawn != [1e300]), "\(values)")
            #expect(svg?.contains("nan") != true && svg?.contains("inf") != true, "\(values)")
            if let svg { _ = try XMLElement(document: Array(svg.utf8)) }
        }
    }

    @Test func anAxisHoldsItsValuesBetweenRoundNumbers() throws {
        for values in [[59.9, 63.1], [28.8, 51.3], [0.0001, 0.0007], [0, 0], [7, 7], [-3, 1000]] {
            let axis = try #require(Axis(values))
            #expect(axis.low <= values[0] && values[1] <= axis.high)
            #expect((3...9).contains(axis.ticks.count), "\(values): \(axis.ticks)")
        }
    }

    @Test func jUnitHasACaseForEachStageAndMeasure() throws {
        let sample = try SampleCanary(name: Self.hostile)
        let document = try XMLElement(
            document: Array(JUnitReport.render(sample.evidence, sample.verdict).utf8))
        #expect(document.name == "testsuites")
        #expect(
            document.children.map { $0.attribute("name") } == [
                "S0 static", "S1 boot", "S2 round trip", "S3 probes",
            ])
        let probes = try #require(document.children.last)
        // The stage, and for each of two probes its failures and its duration.
        #expect(probes.attribute("tests") == "5" && probes.attribute("failures") == "2")
        let failed = probes.children.filter { $0.child("failure") != nil }.compactMap { $0.attribute("name") }
        #expect(failed == ["S3 probes", "job deploy, the duration"])
        #expect(probes.attribute("time") == "671.0")
        #expect(probes.children.compactMap { $0.attribute("time") } == ["671.0", "0.0", "0.0", "0.0", "0.0"])
    }

    @Test func textDoesNothingToATerminal() throws {
        let sample = try SampleCanary(name: Self.hostile)
        let text = TextReport.render(sample.evidence, sample.verdict)
        #expect(
            text.unicodeScalars.allSatisfy {
                $0 == "\n" || $0.value >= 0x20 && $0 != "\u{202E}" && $0.value != 0x7F
            })
        #expect(text.contains("\\x1b[31mred"))
    }

    @Test func jSONIsWhatTheCommandLinePromises() throws {
        struct Document: Decodable {
            var verdict: Verdict
        }
        let sample = try SampleCanary()
        let text = try JSONReport.render(sample.verdict)
        for key in [
            "verdict", "id", "result", "change", "snapshot", "stages", "name", "findings", "culprit",
            "notCovered",
        ] {
            #expect(text.contains("\"\(key)\" : "), "\(key)")
        }
        #expect(text.contains("\"name\" : \"probes\""))
        #expect(text.contains("\"result\" : \"fail\""))
        let document = try JSONDecoder().decode(Document.self, from: Data(text.utf8))
        #expect(document.verdict == sample.verdict)
        #expect(try JSONReport.render(document.verdict) == text)
    }

    @Test(
        arguments: [
            (0, "0"), (61.234, "61.2"), (30, "30"), (0.05, "0.05"), (0.00397, "0.004"), (1.0098, "1.01"),
            (1234.5, "1235"), (-0.123, "−0.123"), (-0.00001, "0"), (.nan, "?"), (1e18, "1e+18"),
        ])
    func figuresAreShort(_ value: Double, _ expected: String) {
        #expect(Figure.text(value) == expected)
    }

    @Test func chancesSharesAndTimesAreWords() {
        #expect(Figure.chance(0.0000054) == "< 0.0001" && Figure.chance(0.0159) == "0.0159")
        #expect(Figure.percent(0.021) == "2.1 %" && Figure.percent(0.4507) == "45 %")
        #expect(Figure.duration(7.33) == "7.33 s" && Figure.duration(671) == "11 min 11 s")
        #expect(Figure.duration(7260) == "2 h 1 min" && Figure.duration(.infinity) == "?")
    }

    /// Whether every element is closed where it should be; HTML's empty elements have no end.
    private static func expectBalanced(_ html: String) throws {
        var open: [String] = []
        for part in html.split(separator: "<").dropFirst() {
            let tag = part.prefix { $0 != ">" }
            let name = tag.prefix { $0.isLetter || $0.isNumber || $0 == "/" || $0 == "!" }
            if name.hasPrefix("/") {
                #expect(open.popLast() == String(name.dropFirst()), "\(tag)")
            } else if !tag.hasSuffix("/"), !["meta", "!DOCTYPE"].contains(name) {
                open.append(String(name))
            }
        }
        #expect(open.isEmpty, "\(open)")
    }
}
