/// `database.lock`: the dumps that lie beside the roots, one a line, sorted by name, and what their bytes must be.
package struct DatabaseLock: Hashable, Sendable {
    /// Its name below the component.
    package static let name = "database.lock"

    /// One dump.
    package struct Line: Hashable, Sendable {
        /// Its place below the component: `database/ci/dump.sql`.
        package var name: String
        /// Its bytes when it is opened.
        package var size: Int64
        /// SHA-256 of its contents in hex, or their keyed name when they are sealed.
        package var digest: String
        /// SHA-256 of what is stored of sealed contents in hex, empty for what is in clear.
        package var sealedDigest: String

        /// A line.
        package init(name: String, size: Int64, digest: String, sealedDigest: String) {
            self.name = name
            self.size = size
            self.digest = digest
            self.sealedDigest = sealedDigest
        }
    }

    /// The dumps.
    package var lines: [Line]

    /// A lock of these dumps.
    package init(lines: [Line]) {
        self.lines = lines.sorted { $0.name < $1.name }
    }

    /// The lock of these bytes; throws a ``DatabaseLock/Damage`` when they are none.
    package init(_ bytes: [UInt8]) throws(Damage) {
        lines = []
        for text in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = text.split(separator: " ", maxSplits: 3).map(String.init)
            guard words.count == 4, let size = Int64(words[2]), words[0].count == 64 else {
                throw Damage(
                    description: "\(Self.name) has the line '\(printable(text.utf8))', which is none")
            }
            lines.append(
                Line(
                    name: words[3], size: size, digest: words[0],
                    sealedDigest: words[1] == "-" ? "" : words[1]))
        }
    }

    /// Its bytes.
    package var contents: [UInt8] {
        lines.flatMap {
            Array(
                "\($0.digest) \($0.sealedDigest.isEmpty ? "-" : $0.sealedDigest) \($0.size) \($0.name)\n".utf8
            )
        }
    }

    /// What is no lock of dumps.
    package struct Damage: Error, Hashable, Sendable, CustomStringConvertible {
        /// What is wrong with it.
        package var description: String
    }
}
