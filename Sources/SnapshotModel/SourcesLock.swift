/// `sources.lock`: the captured repositories, one a line, sorted by name, and where in the store their objects are.
package struct SourcesLock: Hashable, Sendable {
    /// Its name below the component.
    package static let name = "sources.lock"
    /// What stands for an object that there is none of.
    package static let none = String(repeating: "0", count: 40)

    /// One repository; ids are 40 hexadecimal digits.
    package struct Line: Hashable, Sendable {
        /// The repository.
        package var repository: SourceRepository
        /// The tree of its captured git directory; ``SourcesLock/none`` when objects were missing, so that the next night
        /// looks again.
        package var tree: String
        /// The commit that keeps its objects: parents are what its references name.
        package var keepAlive: String
        /// The blob that lists its references.
        package var references: String

        /// A line.
        package init(repository: SourceRepository, tree: String, keepAlive: String, references: String) {
            self.repository = repository
            self.tree = tree
            self.keepAlive = keepAlive
            self.references = references
        }
    }

    /// The repositories.
    package var lines: [Line]

    /// A lock of these repositories.
    package init(lines: [Line] = []) {
        self.lines = lines.sorted {
            ($0.repository.root, $0.repository.path) < ($1.repository.root, $1.repository.path)
        }
    }

    /// The lock of these bytes; throws a ``SourcesLock/Damage`` when they are none.
    package init(_ bytes: [UInt8]) throws(Damage) {
        lines = []
        for text in bytes.split(separator: UInt8(ascii: "\n")) {
            let words = text.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
            guard words.count == 5, words.prefix(3).allSatisfy({ $0.count == 40 }),
                !words[4].split(separator: UInt8(ascii: "/")).contains(where: {
                    $0 == [46] || $0 == [46, 46]
                })
            else {
                throw Damage(description: "\(Self.name) has the line '\(printable(text))', which is none")
            }
            let ids = words.prefix(3).map { String(decoding: $0, as: UTF8.self) }
            lines.append(
                Line(
                    repository: SourceRepository(
                        root: String(decoding: words[3], as: UTF8.self), path: EntryPath(Array(words[4]))),
                    tree: ids[0], keepAlive: ids[1], references: ids[2]))
        }
    }

    /// The commits that keep the objects, as many as there are repositories with any.
    package var keepAliveIDs: [String] { lines.map(\.keepAlive).filter { $0 != Self.none } }

    /// Its bytes.
    package var contents: [UInt8] {
        lines.flatMap { line in
            Array("\(line.tree)\t\(line.keepAlive)\t\(line.references)\t\(line.repository.root)\t".utf8)
                + line.repository.path.bytes + [UInt8(ascii: "\n")]
        }
    }

    /// What is no lock of repositories.
    package struct Damage: Error, Hashable, Sendable, CustomStringConvertible {
        /// What is wrong with it.
        package var description: String
    }
}
