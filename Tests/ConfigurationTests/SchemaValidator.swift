@testable import Configuration

/// Judges documents by the part of JSON Schema that our schemas use.
///
/// It refuses a schema with a keyword that it does not know, so that no rule goes unjudged.
struct SchemaValidator {
    struct UnknownKeyword: Error {
        var name: String
    }

    private static let annotations = ["$schema", "$id", "title", "description", "default"]

    /// Whether the schema takes the document.
    static func accepts(_ value: DocumentNode, by schema: DocumentNode) throws -> Bool {
        for (keyword, rule) in schema.entries where !annotations.contains(keyword) {
            guard try accepts(value, keyword, rule, in: schema) else { return false }
        }
        return true
    }

    private static func accepts(
        _ value: DocumentNode, _ keyword: String, _ rule: DocumentNode, in schema: DocumentNode
    ) throws -> Bool {
        switch keyword {
        case "type": return value.jsonType == rule.text
        case "enum": return rule.items.contains { $0.text == value.text }
        case "pattern":
            guard let text = value.text, let pattern = rule.text else { return true }
            return try Regex(pattern).dotMatchesNewlines().firstMatch(in: text) != nil
        case "maxLength":
            return (value.text?.unicodeScalars.count ?? 0) <= Int(rule.text ?? "") ?? 0
        case "required":
            return rule.items.allSatisfy { key in value.entries.contains { $0.key == key.text } }
        case "additionalProperties":
            let known = schema["properties"]?.entries.map(\.key) ?? []
            return value.entries.allSatisfy { known.contains($0.key) }
        case "properties":
            return try value.entries.allSatisfy { key, item in
                guard let schema = rule[key] else { return true }
                return try accepts(item, by: schema)
            }
        case "items": return try value.items.allSatisfy { try accepts($0, by: rule) }
        case "uniqueItems": return Set(value.items.map(\.text)).count == value.items.count
        default: throw UnknownKeyword(name: keyword)
        }
    }
}

extension DocumentNode {
    /// The value of a key, nil when there is none.
    subscript(key: String) -> DocumentNode? { entries.first { $0.key == key }?.value }

    /// The keys and values of a mapping, empty for anything else.
    var entries: [(key: String, value: DocumentNode)] {
        guard case .map(let pairs) = content else { return [] }
        return pairs.map { ($0.key.text ?? "", $0.value) }
    }

    /// The items of a list, empty for anything else.
    var items: [DocumentNode] {
        guard case .list(let items) = content else { return [] }
        return items
    }

    /// The text of a scalar, nil for anything else.
    var text: String? {
        guard case .scalar(let text, _) = content else { return nil }
        return text
    }

    /// The type as JSON Schema says it, for a document written as JSON.
    var jsonType: String {
        switch content {
        case .map: "object"
        case .list: "array"
        case .scalar(_, isPlain: false): "string"
        case .scalar("null", _): "null"
        case .scalar("true", _), .scalar("false", _): "boolean"
        case .scalar: "number"
        }
    }
}
