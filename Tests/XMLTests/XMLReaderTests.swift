import Testing
import XML

@Suite struct XMLReaderTests {
    private func element(_ text: String, limits: XMLReader.Limits = XMLReader.Limits()) throws -> XMLElement {
        try XMLElement(document: Array(text.utf8), limits: limits)
    }

    @Test func readsElementsAttributesAndText() throws {
        let root = try element("<a x='1' y=\"&lt;2\">t<b>u</b>v<c/></a>")
        #expect(root.name == "a")
        #expect(root.attribute("y") == "<2")
        #expect(root.text == "tv")
        #expect(root.child("b")?.text == "u")
        #expect(root.children.map(\.name) == ["b", "c"])
    }

    @Test(arguments: [
        "<?xml version='1.0' encoding='UTF-8'?>", "<?xml version=\"1.1\" encoding=\"UTF-8\"?>", "",
    ])
    func takesBothVersionsAndNoHeader(_ header: String) throws {
        #expect(try element(header + "\n<project>é</project>").text == "é")
    }

    @Test func version11MayReferToControlCharacters() throws {
        let root = try element("<?xml version='1.1'?><a x='&#7;'>&#x1b;[1m&#x1B;&#27;</a>")
        #expect(root.text == "\u{1b}[1m\u{1b}\u{1b}")
        #expect(root.attribute("x") == "\u{7}")
    }

    @Test func version10MayNot() {
        let error = #expect(throws: XMLError.self) { try element("<?xml version='1.0'?>\n<a>&#x1b;</a>") }
        #expect(error?.kind == .malformed)
        #expect(error?.line == 2)
    }

    @Test(arguments: ["&#0;", "&#x;", "&#;", "&#x1", "&#xffff;"])
    func otherBadReferencesStayRefused(_ reference: String) {
        #expect(throws: XMLError.self) { try element("<?xml version='1.1'?><a>\(reference)</a>") }
    }

    @Test func referencesWithinCDATAAndCommentsAreText() throws {
        let root = try element("<?xml version='1.1'?><a><!-- &#x1b; --><![CDATA[&#x1b;]]>&#x1b;</a>")
        #expect(root.text == "&#x1b;\u{1b}")
    }

    @Test func billionLaughsAreRefused() {
        var text = "<!DOCTYPE a [<!ENTITY l0 \"ha\">"
        for level in 1...9 {
            text += "<!ENTITY l\(level) \"\(String(repeating: "&l\(level - 1);", count: 10))\">"
        }
        let error = #expect(throws: XMLError.self) { try element(text + "]><a>&l9;</a>") }
        #expect(error?.kind == .entities)
    }

    @Test(arguments: [
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY % p SYSTEM \"file:///etc/passwd\"> %p;]><a/>",
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a>&x;</a>",
    ]) func nothingOutsideIsRead(_ text: String) {
        let error = #expect(throws: XMLError.self) { try element(text) }
        #expect(error?.kind == .entities)
    }

    @Test func depthHasALimit() {
        let text = String(repeating: "<a>", count: 100_000)
        let error = #expect(throws: XMLError.self) { try element(text) }
        #expect(error?.kind == .tooLarge)
    }

    @Test func sizeHasALimit() {
        let error = #expect(throws: XMLError.self) { try element("<aaaaaaaaaa/>", limits: .init(bytes: 10)) }
        #expect(error?.kind == .tooLarge)
    }

    @Test func anAttributeOfTenMegabytesIsRead() throws {
        let value = String(repeating: "x", count: 10 << 20)
        #expect(try element("<a b='\(value)'/>").attribute("b")?.utf8.count == 10 << 20)
    }

    @Test(arguments: [
        "", " ", "commit 0123\nauthor x\n", "<a>", "<a></b>", "<a/><b/>", "<a>\0</a>", "<a\u{1}/>",
    ])
    func whatIsNoXMLSaysWhere(_ text: String) {
        let error = #expect(throws: XMLError.self) { try element(text) }
        #expect(error?.kind == .malformed)
        #expect((error?.line ?? 0) >= 1)
    }

    @Test func brokenUTF8IsRefused() {
        #expect(throws: XMLError.self) {
            try XMLElement(document: Array("<a>".utf8) + [0xff] + Array("</a>".utf8))
        }
    }

    @Test func aHandlerEndsTheReadingByThrowing() {
        struct Enough: Error {}
        final class First: XMLHandler {
            var names: [String] = []
            func start(_ name: String, _ attributes: [XMLAttribute]) throws {
                names.append(name)
                if names.count == 2 { throw Enough() }
            }
            func end(_ name: String) {}
            func text(_ text: String) {}
        }
        let handler = First()
        #expect(throws: Enough.self) { try XMLReader.read(Array("<a><b/><c/></a>".utf8), handler: handler) }
        #expect(handler.names == ["a", "b"])
    }
}
