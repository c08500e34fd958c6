import Testing

@testable import XML

/// Where elements stand in their documents.
@Suite struct XMLOutlineTests {
    private func outline(_ text: String) throws -> XMLOutline {
        try XMLOutline(document: Array(text.utf8))
    }

    private func text(_ range: Range<Int>, _ document: String) -> String {
        String(decoding: Array(document.utf8)[range], as: UTF8.self)
    }

    @Test func elementsStandWhereTheyAreWritten() throws {
        let document =
            "<?xml version='1.1'?>\n<!-- <no> --><a x='>' y=\"/\"><b >é&amp;</b><c/><![CDATA[<no>]]><?p <no> ?><d z='1'/></a >\n"
        let outline = try outline(document)
        #expect(outline.elements.map(\.name) == ["a", "b", "c", "d"])
        #expect(text(outline.root.whole, document).hasPrefix("<a x="))
        #expect(text(outline.root.whole, document).hasSuffix("</a >"))
        #expect(text(outline.elements[1].content, document) == "é&amp;")
        #expect(outline.elements[1].text == "é&")
        #expect(text(outline.elements[2].whole, document) == "<c/>")
        #expect(outline.elements[2].isEmptyTag && outline.elements[2].content.isEmpty)
        #expect(outline.elements[3].attribute("z") == "1")
        #expect(outline.root.children == [1, 2, 3])
        #expect(outline.elements.map(\.parent) == [nil, 0, 0, 0])
        #expect(outline.path(of: 3) == ["a", "d"])
    }

    @Test func referencesToControlCharactersDoNotMoveWhatFollows() throws {
        let document = "<?xml version='1.1'?><a><b>&#x1b;&#27;</b><c>here</c></a>"
        let outline = try outline(document)
        #expect(text(outline.elements[2].content, document) == "here")
        #expect(outline.elements[1].text == "\u{1b}\u{1b}")
    }

    @Test(arguments: [
        "", "<a>", "<a></b>", "<a><b></a>", "<!DOCTYPE a><a/>", "<a/><b/>", "<a>\0</a>", "text",
    ])
    func whatIsNoPlainDocumentIsAnError(_ text: String) {
        #expect(throws: XMLError.self) { try outline(text) }
    }

    @Test func nestedElementsOfOneNameKeepTheirPlaces() throws {
        let document = "<a><a><a>x</a></a><a/></a>"
        let outline = try outline(document)
        #expect(
            outline.elements.map { text($0.content, document) } == [
                "<a><a>x</a></a><a/>", "<a>x</a>", "x", "",
            ])
        #expect(outline.elements.map(\.children) == [[1, 3], [2], [], []])
        #expect(outline.elements.map(\.parent) == [nil, 0, 1, 0])
    }

    @Test func damagedDocumentsAreErrorsOrStandWhereTheySay() throws {
        let document = Array(
            "<?xml version='1.1'?><a x='>'><b>&#x1b;t</b><!-- <c> --><c/><![CDATA[<d>]]></a>\n".utf8)
        var read = 0
        for place in document.indices {
            for byte in "<>/&'\"!-?] aé\0".utf8 {
                var damaged = document
                damaged[place] = byte
                do {
                    let outline = try XMLOutline(document: damaged)
                    read += 1
                    for element in outline.elements {
                        #expect(damaged[element.whole].starts(with: "<\(element.name)".utf8))
                        #expect(
                            element.isEmptyTag
                                || damaged[element.content.upperBound...].starts(
                                    with: "</\(element.name)".utf8)
                        )
                    }
                } catch is XMLError {
                    continue
                }
            }
        }
        #expect(read > 100, "some of them are still documents")
    }
}
