internal import SystemPackage
internal import YAML

/// Takes values out of a document and gathers everything that is wrong with it.
struct DocumentReader {
    /// A key of a mapping, and its value.
    struct Field {
        /// Where the key stands.
        var position: Position
        /// The value.
        var value: DocumentNode
    }

    /// The fields of a mapping, as far as they are usable.
    struct Fields {
        /// The fields by their keys; only keys that were allowed.
        var known: [String: Field] = [:]
        /// Keys that were likely meant by an unknown one: that they are missing is not told as well.
        var meant: Set<String> = []
        /// Whether there were keys that are not allowed.
        var hasUnknown = false
    }

    /// What is wrong, in the order it was found.
    var problems: [SystemFileFailure.Problem] = []

    /// Notes that something else was found than was expected.
    mutating func refuse(_ node: DocumentNode, expected: String) {
        problems.append(.init("found \(node.found), expected \(expected)", at: node.position))
    }

    /// Notes a problem.
    mutating func refuse(_ message: String, at position: Position) {
        problems.append(.init(message, at: position))
    }

    /// Every key and value of a mapping whose keys are names; nil when it is no mapping.
    mutating func pairs(
        of node: DocumentNode, expected: String
    ) -> [(key: String, position: Position, value: DocumentNode)]? {
        guard case .map(let pairs) = node.content else {
            refuse(node, expected: expected)
            return nil
        }
        return pairs.compactMap { key, value in
            guard case .scalar(let text, _) = key.content else {
                refuse("found \(key.found) as a key, expected a word", at: key.position)
                return nil
            }
            return (text, key.position, value)
        }
    }

    /// The fields of a mapping with a fixed set of keys; nil when it is no mapping.
    mutating func fields(
        of node: DocumentNode, what: String, allowed: [String], required: [String] = []
    ) -> Fields? {
        let expected = "\(what), a mapping with the keys \(allowed.joined(separator: ", "))"
        guard let pairs = pairs(of: node, expected: expected) else { return nil }
        var fields = Fields()
        for (key, position, value) in pairs {
            guard !allowed.contains(key) else {
                fields.known[key] = Field(position: position, value: value)
                continue
            }
            fields.hasUnknown = true
            let others = allowed.filter { name in !pairs.contains { $0.key == name } }
            if let meant = nearest(to: key, among: others) { fields.meant.insert(meant) }
            refuseUnknown("key", key, at: position, known: allowed, preferred: others, place: "in \(what)")
        }
        for key in required where fields.known[key] == nil && !fields.meant.contains(key) {
            refuse("found no '\(key)' in \(what), expected it among its keys", at: node.position)
        }
        return fields
    }

    /// Notes a word that is none of those known, and the one that was likely meant.
    mutating func refuseUnknown(
        _ kind: String, _ word: String, at position: Position, known: [String], preferred: [String]? = nil,
        place: String = ""
    ) {
        let space = place.isEmpty ? "" : " " + place
        let expectation =
            "found the unknown \(kind) '\(shortened(word))'\(space), expected \(alternatives(known))"
        let meant = nearest(to: word, among: preferred ?? known)
        refuse(meant.map { "\(expectation); did you mean '\($0)'?" } ?? expectation, at: position)
    }

    /// A text of one line; `isQuoted` refuses what other YAML readers would take for a number or a truth value.
    mutating func text(_ node: DocumentNode, expected: String, isQuoted: Bool = false) -> String? {
        guard case .scalar(let text, let isPlain) = node.content, !node.isNothing, !text.isEmpty else {
            refuse(node, expected: expected)
            return nil
        }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else {
            refuse(
                "found a line break or control character in '\(shortened(text))', expected \(expected)",
                at: node.position)
            return nil
        }
        guard !isQuoted || !isPlain || !isNumberOrTruth(text) else {
            refuse(
                "found \(text), a number or truth value, expected \(expected); put it in quotes",
                at: node.position)
            return nil
        }
        return text
    }

    /// The items of a list; nil when it is no list.
    mutating func list(_ node: DocumentNode, expected: String) -> [DocumentNode]? {
        guard case .list(let items) = node.content else {
            refuse(node, expected: expected)
            return nil
        }
        return items
    }

    /// What came of the reading: `value`, or every problem in the order of the file.
    func finish<Value>(_ value: Value?, path: FilePath) throws(SystemFileFailure) -> Value {
        guard let value, problems.isEmpty else {
            let start = Position(line: 1, column: 1)
            let sorted = problems.enumerated().sorted {
                ($0.element.position ?? start, $0.offset) < ($1.element.position ?? start, $1.offset)
            }
            throw SystemFileFailure(path: path, problems: sorted.map(\.element))
        }
        return value
    }
}

/// Whether the bare text is a number or a truth value.
private func isNumberOrTruth(_ text: String) -> Bool {
    guard let first = text.utf8.first, "+-.0123456789".utf8.contains(first) else {
        return ["true", "false"].contains(text.lowercased())
    }
    return Double(text) != nil
}
