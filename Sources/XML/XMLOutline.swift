/// Where the elements of a document stand in its bytes, for edits that keep every other byte as it is.
///
/// The document is read by ``XMLReader`` first, so that only what is well-formed gets here; then its tags are looked for, and
/// both have to find the same elements.
package struct XMLOutline: Sendable {
    /// An element.
    package struct Element: Hashable, Sendable {
        /// Its name as written, prefix included.
        package var name: String
        /// Its attributes in their order.
        package var attributes: [XMLAttribute]
        /// The text directly in it, references resolved.
        package var text: String
        /// From the beginning of its start tag to the end of its end tag.
        package var whole: Range<Int>
        /// What is between its tags; empty at the end of the tag for `<a/>`.
        package var content: Range<Int>
        /// Whether it is written as `<a/>`.
        package var isEmptyTag: Bool
        /// The place of the element it is in, nil for the root.
        package var parent: Int?
        /// The places of the elements directly in it.
        package var children: [Int]

        /// The value of an attribute.
        package func attribute(_ name: String) -> String? {
            attributes.first { $0.name == name }?.value
        }
    }

    /// The elements in the order of their start tags; the first is the root.
    package private(set) var elements: [Element]

    /// The outline of a document; throws an ``XMLError`` for what is no XML, in two bytes a character, or has a document type.
    package init(document bytes: [UInt8], limits: XMLReader.Limits = XMLReader.Limits()) throws {
        guard !bytes.contains(0) else {
            throw XMLError(.malformed, line: 1, column: 1, "it is not written in a superset of ASCII")
        }
        let parts = Parts()
        try XMLReader.read(bytes, limits: limits, handler: parts)
        var tags = Tags(bytes)
        elements = try tags.elements()
        guard elements.map(\.name) == parts.parts.map(\.name) else {
            throw XMLError(.malformed, line: 1, column: 1, "its tags cannot be told apart")
        }
        for index in elements.indices {
            elements[index].attributes = parts.parts[index].attributes
            elements[index].text = parts.parts[index].text
        }
    }

    /// The root.
    package var root: Element { elements[0] }

    /// The elements directly in another, with a name.
    package func children(of element: Element, named name: String) -> [Element] {
        element.children.map { elements[$0] }.filter { $0.name == name }
    }

    /// The names of an element and those it is in, from the root on.
    package func path(of index: Int) -> [String] {
        var names: [String] = []
        var next: Int? = index
        while let index = next {
            names.append(elements[index].name)
            next = elements[index].parent
        }
        return names.reversed()
    }
}

/// What a reading hears of each element.
private final class Parts: XMLHandler {
    struct Part {
        var name: String
        var attributes: [XMLAttribute]
        var text = ""
    }

    private(set) var parts: [Part] = []
    private var open: [Int] = []

    func start(_ name: String, _ attributes: [XMLAttribute]) {
        open.append(parts.count)
        parts.append(Part(name: name, attributes: attributes))
    }

    func end(_ name: String) {
        open.removeLast()
    }

    func text(_ text: String) {
        guard let index = open.last else { return }
        parts[index].text += text
    }
}

/// The tags of a well-formed document.
private struct Tags {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func elements() throws -> [XMLOutline.Element] {
        var elements: [XMLOutline.Element] = []
        var open: [Int] = []
        while let start = bytes[place...].firstIndex(of: UInt8(ascii: "<")) {
            place = start
            if starts("<!--") {
                try skip(past: "-->")
            } else if starts("<![CDATA[") {
                try skip(past: "]]>")
            } else if starts("<?") {
                try skip(past: "?>")
            } else if starts("<!") {
                throw XMLError(.entities, line: 1, column: 1, "it has a document type")
            } else if starts("</") {
                try skip(past: ">")
                guard let index = open.popLast() else { throw torn }
                elements[index].content = elements[index].content.lowerBound..<start
                elements[index].whole = elements[index].whole.lowerBound..<place
            } else {
                let name = try tag()
                let isEmptyTag = bytes[place - 2] == UInt8(ascii: "/")
                if let parent = open.last { elements[parent].children.append(elements.count) }
                if !isEmptyTag { open.append(elements.count) }
                elements.append(
                    .init(
                        name: name, attributes: [], text: "", whole: start..<place, content: place..<place,
                        isEmptyTag: isEmptyTag, parent: isEmptyTag ? open.last : open.dropLast().last,
                        children: []))
            }
        }
        guard open.isEmpty, !elements.isEmpty else { throw torn }
        return elements
    }

    /// Goes to the end of a start tag, and returns its name.
    private mutating func tag() throws -> String {
        let start = place + 1
        var end = start
        var quote: UInt8?
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            } else if byte == UInt8(ascii: ">") {
                if end == start { end = bytes[index - 1] == UInt8(ascii: "/") ? index - 1 : index }
                place = index + 1
                return String(decoding: bytes[start..<end], as: UTF8.self)
            } else if byte <= 0x20, end == start {
                end = index
            }
            index += 1
        }
        throw torn
    }

    private func starts(_ text: String) -> Bool { bytes[place...].starts(with: text.utf8) }

    private mutating func skip(past mark: String) throws {
        let mark = Array(mark.utf8)
        while place + mark.count <= bytes.count {
            guard let next = bytes[place...].firstIndex(of: mark[0]), next + mark.count <= bytes.count else {
                break
            }
            place = next + 1
            if bytes[next..<(next + mark.count)].elementsEqual(mark) {
                place = next + mark.count
                return
            }
        }
        throw torn
    }

    private var torn: XMLError { XMLError(.malformed, line: 1, column: 1, "its tags do not fit together") }
}
