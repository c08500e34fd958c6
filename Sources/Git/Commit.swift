/// A git commit as a value.
package struct Commit: Hashable, Sendable {
    /// The tree.
    package var tree: ObjectID
    /// The commits it follows.
    package var parents: [ObjectID]
    /// Who: `Name <address>`.
    package var author: String
    /// When, in seconds since 1970.
    package var time: Int64
    /// The message; its first line is for people, trailers are at its end.
    package var message: String
    /// A signature over everything else, as git keeps it in the header `gpgsig`; nil for none.
    package var signature: String?

    /// A commit.
    package init(tree: ObjectID, parents: [ObjectID], author: String, time: Int64, message: String) {
        self.tree = tree
        self.parents = parents
        self.author = author
        self.time = time
        self.message = message
    }

    /// The contents of the commit object.
    package var contents: [UInt8] {
        var text = "tree \(tree)\n"
        for parent in parents { text += "parent \(parent)\n" }
        let person = "\(Self.plain(author)) \(time) +0000"
        text += "author \(person)\ncommitter \(person)\n"
        if let signature {
            let lines = signature.split(separator: "\n")
            text += "gpgsig " + lines.joined(separator: "\n ") + "\n"
        }
        text += "\n\(message.replacing("\0", with: ""))"
        if text.utf8.last != UInt8(ascii: "\n") { text += "\n" }
        return Array(text.utf8)
    }

    /// Seconds since 1970 of any commit, for thirty thousand years before and after: they are added and subtracted.
    private static let times: ClosedRange<Int64> = -(1 << 40)...(1 << 40)

    /// The commit that these contents are.
    ///
    /// Throws a ``GitError`` with code `damaged` when they are none.
    package init(contents: [UInt8], of id: ObjectID) throws(GitError) {
        let damaged = GitError(.damaged, "read commit \(id)", "its contents are not those of a commit")
        let newline = UInt8(ascii: "\n")
        guard
            let end = contents.indices.dropLast().first(where: {
                contents[$0] == newline && contents[$0 + 1] == newline
            })
        else { throw damaged }
        message = String(decoding: contents[(end + 2)...], as: UTF8.self)
        var tree: ObjectID?
        parents = []
        author = ""
        time = 0
        for line in contents[..<end].split(separator: newline) {
            let word = line.prefix { $0 != UInt8(ascii: " ") }
            let rest = line.dropFirst(word.count + 1)
            switch String(decoding: word, as: UTF8.self) {
            case "tree": tree = ObjectID(hex: rest)
            case "parent":
                guard let parent = ObjectID(hex: rest) else { throw damaged }
                parents.append(parent)
            case "gpgsig": signature = String(decoding: rest, as: UTF8.self)
            case "": signature?.append("\n" + String(decoding: rest, as: UTF8.self))
            case "author":
                let words = rest.split(separator: UInt8(ascii: " ")).map {
                    String(decoding: $0, as: UTF8.self)
                }
                guard words.count >= 2, let seconds = Int64(words[words.count - 2]),
                    Self.times.contains(seconds)
                else { throw damaged }
                time = seconds
                author = words.dropLast(2).joined(separator: " ")
            default: break
            }
        }
        guard let tree else { throw damaged }
        self.tree = tree
    }

    /// What a commit's signature was made over, and the signature; nil when it has none, or not one of one kind.
    package static func signed(_ contents: [UInt8]) -> (payload: [UInt8], signature: [UInt8])? {
        let lines = contents.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard let end = lines.firstIndex(where: \.isEmpty) else { return nil }
        let heads = lines[..<end].indices.filter { lines[$0].starts(with: "gpgsig".utf8) }
        guard let start = heads.first, heads.count == 1, lines[start].starts(with: "gpgsig ".utf8) else {
            return nil
        }
        let rest = lines[(start + 1)..<end].prefix { $0.first == UInt8(ascii: " ") }
        let signature = [lines[start].dropFirst("gpgsig ".utf8.count)] + rest.map { $0.dropFirst() }
        let payload = lines[..<start] + lines[rest.endIndex...]
        let newline: [UInt8] = [UInt8(ascii: "\n")]
        return (
            Array(payload.joined(separator: newline)), Array(signature.joined(separator: newline)) + newline
        )
    }

    /// The tree and the parents of any commit, whoever made it.
    ///
    /// Throws a ``GitError`` with code `damaged` for what is no commit.
    package static func references(
        _ contents: [UInt8], of id: ObjectID
    ) throws(GitError) -> (tree: ObjectID, parents: [ObjectID]) {
        let damaged = GitError(.damaged, "read commit \(id)", "its contents are not those of a commit")
        var lines = contents.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)[...]
        guard let first = lines.popFirst(), first.starts(with: "tree ".utf8),
            let tree = ObjectID(hex: first.dropFirst(5))
        else { throw damaged }
        var parents: [ObjectID] = []
        while let line = lines.popFirst(), line.starts(with: "parent ".utf8) {
            guard let parent = ObjectID(hex: line.dropFirst(7)) else { throw damaged }
            parents.append(parent)
        }
        return (tree, parents)
    }

    /// The value of a trailer, nil when the message has none of that name.
    package func trailer(_ name: String) -> String? {
        trailers(name).last
    }

    /// The values of all trailers of a name, in order.
    ///
    /// Trailers are lines of the last paragraph, as git has it: what stands before may be the words of others.
    package func trailers(_ name: String) -> [String] {
        // Bytes: a command may ask hundreds of snapshots for theirs, and to search text takes twenty times as long.
        let bytes = Array(message.utf8)
        let newline = UInt8(ascii: "\n")
        guard let end = bytes.lastIndex(where: { $0 != newline }) else { return [] }
        let start = (0...end).last { $0 >= 2 && bytes[$0 - 1] == newline && bytes[$0 - 2] == newline }
        guard let start else { return [] }
        let prefix = Array("\(name): ".utf8)
        return bytes[start...end].split(separator: newline).compactMap { line in
            line.starts(with: prefix) ? String(decoding: line.dropFirst(prefix.count), as: UTF8.self) : nil
        }
    }

    /// The first line of the message.
    package var subject: String { String(message.prefix { !$0.isNewline }) }

    /// A name without what git uses to end it; by scalars, for a carriage return and a line feed are one character.
    private static func plain(_ author: String) -> String {
        var plain = String.UnicodeScalarView()
        for scalar in author.unicodeScalars where scalar != "\0" {
            plain.append(scalar == "\n" ? " " : scalar)
        }
        return String(plain)
    }
}
