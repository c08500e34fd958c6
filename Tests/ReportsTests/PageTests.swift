import Reports
import Testing

/// One page, as Markdown and as HTML.
@Suite struct PageTests {
    private static let hostile = "<script>alert(1)</script> `x` [a](http://evil) | \u{1b}[2J\nnext"

    private let page = Page(
        title: hostile, introduction: "made today",
        sections: [
            (
                "One & two",
                [
                    .text([.plain("say "), .code("a `b`"), .strong(hostile), .link("javascript:alert(1)")]),
                    .commands(["understudy restore --identity <KEY>"]),
                    .table(head: ["step", "took"], rows: [["stage | verify", "1 s"]]),
                    .list([[.plain("one")], [.link("https://ci.example.org/")]]),
                ]
            )
        ])

    @Test func htmlIsOneFileInWhichNamesAreTextAndNothingRuns() {
        let html = page.html
        #expect(html.hasPrefix("<!DOCTYPE html>") && html.contains("@media print"))
        for word in ["<script", "javascript:alert(1)\"", "\u{1b}", "src="] {
            #expect(!html.contains(word), "\(word)")
        }
        #expect(html.contains("&lt;script&gt;") && html.contains("<h2>One &amp; two</h2>"))
        #expect(html.contains("<pre>understudy restore --identity &lt;KEY&gt;</pre>"))
        #expect(html.contains("<a href=\"https://ci.example.org/\">"))
        #expect(html.contains("<td>stage | verify</td>"))
    }

    @Test func markdownHasTheSameAndNamesAreNoMarkup() {
        let markdown = page.markdown
        #expect(markdown.hasPrefix("# \\<script\\>alert(1)\\</script\\>"), "\(markdown)")
        #expect(
            markdown.contains("## One \\& two")
                && markdown.contains("    understudy restore --identity <KEY>"))
        #expect(
            markdown.contains("| stage \\| verify | 1 s |")
                && markdown.contains("- one\n- <https://ci.example.org/>"))
        #expect(markdown.contains("`` a `b` ``"))
        #expect(!markdown.contains("\u{1b}"))
    }

    @Test func codeAndBlocksOutlastTheirOwnFences() {
        #expect(Markdown.code("plain") == "`plain`" && Markdown.code("a``b") == "```a``b```")
        // With an accent behind it a mark is another character, and a mark still.
        #expect(Markdown.plain("a`\u{301}<\u{301}b") == "a\\`\u{301}\\<\u{301}b")
        #expect(Markdown.code("a`\u{301}`\u{301}b") == "``a`\u{301}`\u{301}b``")
        #expect(Markdown.code("`\u{301}b") == "`` `\u{301}b ``")
        #expect(Markdown.block(["````"], language: "diff") == ["`````diff", "````", "`````"])
    }
}
