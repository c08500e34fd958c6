internal import FoundationEssentials
package import Judge

/// Evidence and verdicts as bytes and back: what the store keeps, and what `--format json` prints.
package enum CanaryJSON {
    /// The document is of a format that this version does not know.
    package struct NewerFormat: Error, Hashable, Sendable {
        /// The format.
        package var format: Int
    }

    private struct Head: Decodable {
        var format: Int
    }

    /// The verdict as it is printed: under its own key, so that other keys can stand beside it.
    private struct Printed: Encodable {
        var verdict: Verdict
    }

    /// The bytes of evidence: sorted keys, one to a line, so that stock git shows differences well.
    ///
    /// Throws where a number is none: JSON has no word for it.
    package static func encode(_ evidence: Evidence) throws -> [UInt8] { try bytes(evidence) }

    /// The bytes of a verdict, in the same way.
    package static func encode(_ verdict: Verdict) throws -> [UInt8] { try bytes(verdict) }

    /// The document that a canary prints: `{"verdict": …}`.
    package static func document(_ verdict: Verdict) throws -> [UInt8] {
        try bytes(Printed(verdict: verdict))
    }

    /// The evidence that the bytes hold; throws ``NewerFormat`` for one of a later version.
    package static func evidence(_ bytes: [UInt8]) throws -> Evidence {
        try value(Evidence.self, bytes, newest: Evidence.currentFormat)
    }

    /// The verdict that the bytes hold; throws ``NewerFormat`` for one of a later version.
    package static func verdict(_ bytes: [UInt8]) throws -> Verdict {
        try value(Verdict.self, bytes, newest: Verdict.currentFormat)
    }

    private static func bytes(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    }

    private static func value<Value: Decodable>(
        _ type: Value.Type, _ bytes: [UInt8], newest: Int
    ) throws -> Value {
        let (decoder, data) = (JSONDecoder(), Data(bytes))
        let head = try decoder.decode(Head.self, from: data)
        guard head.format <= newest else { throw NewerFormat(format: head.format) }
        return try decoder.decode(type, from: data)
    }
}
