/// An element of a small document, with everything below it.
package struct XMLElement: Hashable, Sendable {
    /// Its name as written, prefix included.
    package var name: String
    /// Its attributes in their order.
    package var attributes: [XMLAttribute]
    /// The elements directly below it, in their order.
    package var children: [XMLElement]
    /// The text directly below it, without that of its children.
    package var text: String

    /// An element.
    package init(
        _ name: String, attributes: [XMLAttribute] = [], children: [XMLElement] = [], text: String = ""
    ) {
        self.name = name
        self.attributes = attributes
        self.children = children
        self.text = text
    }

    /// The root element of a document.
    ///
    /// Throws an ``XMLError`` when the bytes are no XML or exceed the limits.
    package init(document bytes: [UInt8], limits: XMLReader.Limits = XMLReader.Limits()) throws {
        let builder = Builder()
        try XMLReader.read(bytes, limits: limits, handler: builder)
        guard let root = builder.root else {
            throw XMLError(.malformed, line: 1, column: 1, "no element found")
        }
        self = root
    }

    /// The first child of a name.
    package func child(_ name: String) -> XMLElement? {
        children.first { $0.name == name }
    }

    /// The value of an attribute.
    package func attribute(_ name: String) -> String? {
        attributes.first { $0.name == name }?.value
    }
}

/// Makes the tree of a document.
private final class Builder: XMLHandler {
    private var open: [XMLElement] = []
    private(set) var root: XMLElement?

    func start(_ name: String, _ attributes: [XMLAttribute]) {
        open.append(XMLElement(name, attributes: attributes))
    }

    func end(_ name: String) {
        guard let element = open.popLast() else { return }
        if open.isEmpty {
            root = element
        } else {
            open[open.count - 1].children.append(element)
        }
    }

    func text(_ text: String) {
        guard !open.isEmpty else { return }
        open[open.count - 1].text += text
    }
}
