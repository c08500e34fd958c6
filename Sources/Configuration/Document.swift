internal import Yams

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
enum Document {
    /// The root of the only document in `text`, nil when there is none.
    static func read(_ text: String) throws(DocumentFailure) -> DocumentNode? {
        let parser: Parser
        let root: Node?
        do {
            // Whoever reads a scalar knows what it must be: the usual resolver's expressions would be made for nothing.
            parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            root = try parser.singleRoot()
        } catch let error as YamlError {
            throw DocumentFailure([problem(error, text: text)])
        } catch {
            throw DocumentFailure([.init("not YAML: \(error)", at: nil)])
        }
        guard let root else { return nil }
        var problems: [SystemFileFailure.Problem] = []
        // Nodes hold their anchors weakly: the parser owns them.
        let node = withExtendedLifetime(parser) { convert(root, problems: &problems) }
        guard problems.isEmpty else { throw DocumentFailure(problems) }
        return node
    }

    /// An aliased node would come back once for each alias, nested ones without bound; so none is taken.
    private static func convert(
        _ node: Node, problems: inout [SystemFileFailure.Problem]
    ) -> DocumentNode {
        let position = node.mark.map { Position(line: $0.line, column: $0.column) }
        let place = position ?? Position(line: 1, column: 1)
        guard node.anchor == nil else {
            let problem = SystemFileFailure.Problem(
                "found an anchor, which this file cannot have; expected the value itself, written out",
                at: position)
            if !problems.contains(problem) { problems.append(problem) }
            return DocumentNode(content: .list([]), position: place)
        }
        let content: DocumentNode.Content
        switch node {
        case .scalar(let scalar):
            content = .scalar(scalar.string, isPlain: scalar.style == .plain || scalar.style == .any)
        case .sequence(let items):
            content = .list(items.map { convert($0, problems: &problems) })
        case .mapping(let pairs):
            content = .map(
                pairs.map {
                    (convert($0.key, problems: &problems), convert($0.value, problems: &problems))
                })
        case .alias:
            problems.append(.init("found an alias; expected the value itself, written out", at: position))
            content = .list([])
        }
        return DocumentNode(content: content, position: place)
    }

    private static func problem(_ error: YamlError, text: String) -> SystemFileFailure.Problem {
        func place(_ mark: Mark) -> Position { Position(line: mark.line, column: mark.column) }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _):
            let words = [context?.text, problem].compactMap(\.self).joined(separator: ": ")
            return .init("not YAML: \(words)", at: place(mark))
        case .composer(let context, let problem, let mark, _):
            let words = [context?.text, problem].compactMap(\.self).joined(separator: " ")
            return .init("not YAML: \(words)", at: place(mark))
        case .reader(let problem, let offset, _, _):
            let position = offset.map { Position(after: text.prefix($0)) }
            return .init("not YAML: \(problem)", at: position)
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "'\(shortened($0))'" }.joined(separator: ", ")
            return .init(
                "found the key \(names) more than once in one mapping, expected each key once",
                at: place(context.mark))
        default:
            return .init("not YAML: \(error)", at: nil)
        }
    }
}

/// A text that is not a document.
struct DocumentFailure: Error {
    var problems: [SystemFileFailure.Problem]

    init(_ problems: [SystemFileFailure.Problem]) {
        self.problems = problems
    }
}
