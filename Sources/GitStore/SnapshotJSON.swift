internal import FoundationEssentials
package import SnapshotModel

/// `snapshot.json` as bytes and back.
package enum SnapshotJSON {
    /// The snapshot has a format that this version does not know.
    struct NewerFormat: Error {
        var format: Int
    }

    private struct Head: Decodable {
        var format: Int
    }

    /// The bytes.
    package static func encode(_ snapshot: Snapshot) throws -> [UInt8] { try StoredJSON.encode(snapshot) }

    /// The snapshot that the bytes describe.
    package static func decode(_ bytes: [UInt8]) throws -> Snapshot {
        let decoder = JSONDecoder()
        let head = try decoder.decode(Head.self, from: Data(bytes))
        guard head.format <= Snapshot.currentFormat else { throw NewerFormat(format: head.format) }
        return try decoder.decode(Snapshot.self, from: Data(bytes))
    }
}

/// JSON as the store keeps it: sorted keys, one to a line, so that stock git shows differences well.
package enum StoredJSON {
    /// The bytes of a value, with a line feed at their end.
    package static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    }
}
