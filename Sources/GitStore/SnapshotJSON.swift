internal import FoundationEssentials
package import SnapshotModel
internal import SystemPackage

/// `snapshot.json` as bytes and back.
package enum SnapshotJSON {
    /// The snapshot has a format that this version does not know.
    struct NewerFormat: Error {
        var format: Int
    }

    /// A name or path in it that none of ours can be, and that would lead elsewhere.
    struct StrangeName: Error, CustomStringConvertible {
        var description: String
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
        let snapshot = try decoder.decode(Snapshot.self, from: Data(bytes))
        for component in snapshot.components { try check(component) }
        if let name = firstTwice(snapshot.components.map(\.name)) {
            throw StrangeName(description: "it holds the component '\(name)' twice")
        }
        return snapshot
    }

    /// The first name that an earlier one is the same as.
    private static func firstTwice(_ names: [String]) -> String? {
        var met: Set<String> = []
        return names.first { !met.insert($0).inserted }
    }

    /// Names become directories of what is restored, and paths are exchanged: whoever wrote the store may have made them up.
    private static func check(_ component: CapturedComponent) throws(StrangeName) {
        guard isName(component.name) else {
            throw StrangeName(description: "it holds a component called '\(printable(component.name.utf8))'")
        }
        if let name = firstTwice(component.roots.map(\.name)) {
            throw StrangeName(
                description: "\(component.name) has the root '\(printable(name.utf8))' twice")
        }
        for root in component.roots {
            let parts = root.name.split(separator: "/", omittingEmptySubsequences: false)
            guard !root.name.utf8.contains(0), !parts.contains(where: { ["", ".", ".."].contains($0) }) else {
                throw StrangeName(
                    description: "\(component.name) has a root called '\(printable(root.name.utf8))'")
            }
            let path = root.path.utf8.contains(0) ? FilePath() : FilePath(root.path)
            guard path.isAbsolute, path.lastComponent != nil, path.lexicallyNormalized().string == root.path
            else {
                throw StrangeName(
                    description: "\(component.name)/\(printable(root.name.utf8)) stood at "
                        + "'\(printable(root.path.utf8))', which is no whole path")
            }
        }
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
