internal import YAML

/// A node of a YAML document, with its place.
struct DocumentNode: Sendable {
    /// What the node is.
    enum Content: Sendable {
        /// A text; `isPlain` says that it stands there without quotes.
        case scalar(String, isPlain: Bool)
        /// A list.
        case list([DocumentNode])
        /// Keys and values, in the order of the file.
        case map([(key: DocumentNode, value: DocumentNode)])
    }

    /// What it is.
    var content: Content
    /// Where it begins.
    var position: Position

    /// A scalar that stands for nothing: an empty value, `~` or `null`.
    var isNothing: Bool {
        guard case .scalar(let text, true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// The node for a message: `a list`, `the text 'x'`.
    var found: String {
        switch content {
        case .scalar where isNothing: "nothing"
        case .scalar(let text, _): "'\(shortened(text))'"
        case .list: "a list"
        case .map: "a mapping"
        }
    }
}

/// Reads YAML text: one document, without anchors and aliases.
struct Document {
    /// Within so many lists and mappings stands no value.
    private static let depth = 100

    private let parser: YAMLParser
    private var problems: [SystemFileFailure.Problem] = []

    /// The root of the only document in `text`, nil when there is none.
    static func read(_ text: String) throws(DocumentFailure) -> DocumentNode? {
        var document = Document(parser: YAMLParser(text))
        let root = try document.root()
        guard document.problems.isEmpty else { throw DocumentFailure(document.problems) }
        return root
    }

    private mutating func root() throws(DocumentFailure) -> DocumentNode? {
        guard try next().kind == .documentStart else { return nil }
        let root = try node(next(), depth: 0)
        _ = try next()
        let more = try next()
        guard more.kind == .end else {
            throw DocumentFailure([
                .init(
                    "not YAML: expected a single document in the stream, but found another document",
                    at: more.position)
            ])
        }
        return root
    }

    private func next() throws(DocumentFailure) -> YAMLEvent {
        do throws(YAMLError) {
            return try parser.next()
        } catch {
            throw DocumentFailure([.init("not YAML: \(error.reason)", at: error.position)])
        }
    }

    /// The node that begins with `event`, read to its end.
    ///
    /// An aliased node would come back once for each alias, nested ones without bound; so none is taken.
    private mutating func node(_ event: YAMLEvent, depth: Int) throws(DocumentFailure) -> DocumentNode {
        let position = event.position
        guard depth < Self.depth else {
            throw DocumentFailure([
                .init(
                    "found \(depth) lists and mappings within each other, expected fewer than that",
                    at: position)
            ])
        }
        if event.hasAnchor {
            problems.append(
                .init(
                    "found an anchor, which this file cannot have; expected the value itself, written out",
                    at: position))
        }
        let content: DocumentNode.Content
        switch event.kind {
        case .scalar(let text, let isPlain):
            content = .scalar(text, isPlain: isPlain)
        case .listStart:
            content = .list(try items(depth: depth + 1))
        case .mapStart:
            content = .map(try pairs(depth: depth + 1))
        default:
            problems.append(.init("found an alias; expected the value itself, written out", at: position))
            content = .list([])
        }
        return DocumentNode(content: content, position: position)
    }

    private mutating func items(depth: Int) throws(DocumentFailure) -> [DocumentNode] {
        var items: [DocumentNode] = []
        var event = try next()
        while event.kind != .listEnd {
            items.append(try node(event, depth: depth))
            event = try next()
        }
        return items
    }

    private mutating func pairs(depth: Int) throws(DocumentFailure) -> [(
        key: DocumentNode, value: DocumentNode
    )] {
        var pairs: [(key: DocumentNode, value: DocumentNode)] = []
        // Where each key stands, and whether it is told already that it comes again.
        var seen: [String: (position: Position, isTold: Bool)] = [:]
        var event = try next()
        while event.kind != .mapEnd {
            let key = try node(event, depth: depth)
            pairs.append((key, try node(next(), depth: depth)))
            event = try next()
            guard case .scalar(let text, _) = key.content else { continue }
            guard let first = seen[text] else {
                seen[text] = (key.position, false)
                continue
            }
            guard !first.isTold else { continue }
            seen[text]?.isTold = true
            problems.append(
                .init(
                    "found the key '\(shortened(text))' more than once in one mapping, expected each key once",
                    at: first.position))
        }
        return pairs
    }
}

/// A text that is not a document.
struct DocumentFailure: Error {
    var problems: [SystemFileFailure.Problem]

    init(_ problems: [SystemFileFailure.Problem]) {
        self.problems = problems
    }
}
