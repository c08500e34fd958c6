/// A page for people, which prints as Markdown and as one HTML file.
package struct Page: Sendable {
    /// A piece of a sentence.
    package enum Span: Hashable, Sendable {
        /// Text as it is.
        case plain(String)
        /// Something to type, or a name on the system.
        case code(String)
        /// What must not be missed.
        case strong(String)
        /// An address.
        case link(String)
    }

    /// A part of a section.
    package enum Block: Hashable, Sendable {
        /// A paragraph.
        case text([Span])
        /// Commands to type, one a line.
        case commands([String])
        /// A table: its head, and its rows.
        case table(head: [String], rows: [[String]])
        /// A list.
        case list([[Span]])
    }

    /// The title.
    package var title: String
    /// What stands below it.
    package var introduction: String
    /// The sections, each with its heading.
    package var sections: [(heading: String, blocks: [Block])]

    /// A page.
    package init(title: String, introduction: String, sections: [(heading: String, blocks: [Block])]) {
        self.title = title
        self.introduction = introduction
        self.sections = sections
    }

    // MARK: Markdown

    /// The page as Markdown.
    package var markdown: String {
        let parts = sections.map { heading, blocks in
            (["## \(Markdown.plain(heading))"] + blocks.map(Self.markdown)).joined(separator: "\n\n")
        }
        let head = ["# \(Markdown.plain(title))", Markdown.plain(introduction)]
        return (head + parts).joined(separator: "\n\n") + "\n"
    }

    private static func markdown(_ block: Block) -> String {
        switch block {
        case .text(let spans): return markdown(spans)
        case .commands(let lines): return lines.map { "    \($0)" }.joined(separator: "\n")
        case .list(let items): return items.map { "- \(markdown($0))" }.joined(separator: "\n")
        case .table(let head, let rows):
            let lines = [head, head.map { _ in "---" }] + rows.map { $0.map(Markdown.plain) }
            return lines.map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
        }
    }

    private static func markdown(_ spans: [Span]) -> String {
        spans.map { span in
            switch span {
            case .plain(let text): Markdown.plain(text)
            case .code(let text): Markdown.code(text)
            case .strong(let text): "**\(Markdown.plain(text))**"
            case .link(let address): "<\(Markdown.plain(address))>"
            }
        }.joined()
    }

    // MARK: HTML

    /// The page as one HTML file that needs nothing from outside, and prints.
    package var html: String {
        var lines = HTMLReport.head(title: title)
        lines += [
            "<header>", "<h1>\(Markup.escaped(title))</h1>", "<p>\(Markup.escaped(introduction))</p>",
            "</header>",
        ]
        for (heading, blocks) in sections {
            lines +=
                ["<section>", "<h2>\(Markup.escaped(heading))</h2>"] + blocks.map(Self.html) + ["</section>"]
        }
        return HTMLReport.text(lines)
    }

    private static func html(_ block: Block) -> String {
        switch block {
        case .text(let spans): return "<p>\(html(spans))</p>"
        case .commands(let lines):
            return "<pre>\(lines.map(Markup.escaped).joined(separator: "\n"))</pre>"
        case .list(let items):
            return "<ul>\n\(items.map { "<li>\(html($0))</li>" }.joined(separator: "\n"))\n</ul>"
        case .table(let head, let rows):
            let top = head.map { "<th>\(Markup.escaped($0))</th>" }.joined()
            let body = rows.map { row in
                "<tr>\(row.map { "<td>\(Markup.escaped($0))</td>" }.joined())</tr>"
            }
            return "<div class=\"wide\"><table>\n<thead><tr>\(top)</tr></thead>\n<tbody>\n"
                + "\(body.joined(separator: "\n"))\n</tbody>\n</table></div>"
        }
    }

    private static func html(_ spans: [Span]) -> String {
        spans.map { span in
            switch span {
            case .plain(let text): Markup.escaped(text)
            case .code(let text): "<code>\(Markup.escaped(text))</code>"
            case .strong(let text): "<strong>\(Markup.escaped(text))</strong>"
            case .link(let address): html(link: address)
            }
        }.joined()
    }

    /// An address that leads somewhere only where it is one of the web.
    private static func html(link address: String) -> String {
        let text = Markup.escaped(address)
        let isWeb = address.hasPrefix("http://") || address.hasPrefix("https://")
        return isWeb ? "<a href=\"\(text)\">\(text)</a>" : "<code>\(text)</code>"
    }
}
