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
        if !text.hasSuffix("\n") { text += "\n" }
        return Array(text.utf8)
    }

    /// The commit that these contents are.
    ///
    /// Throws a ``GitError`` with code `damaged` when they are none.
    package init(contents: [UInt8], of id: ObjectID) throws(GitError) {
        let text = String(decoding: contents, as: UTF8.self)
        let damaged = GitError(.damaged, "read commit \(id)", "its contents are not those of a commit")
        guard let end = text.firstRange(of: "\n\n") else { throw damaged }
        message = String(text[end.upperBound...])
        var tree: ObjectID?
        parents = []
        author = ""
        time = 0
        for line in text[..<end.lowerBound].split(separator: "\n") {
            let word = line.prefix { $0 != " " }
            let rest = line.dropFirst(word.count + 1)
            switch word {
            case "tree": tree = ObjectID(hex: rest.utf8)
            case "parent":
                guard let parent = ObjectID(hex: rest.utf8) else { throw damaged }
                parents.append(parent)
            case "gpgsig": signature = String(rest)
            case "": signature?.append("\n\(rest)")
            case "author":
                let words = rest.split(separator: " ")
                guard words.count >= 2, let seconds = Int64(words[words.count - 2]) else { throw damaged }
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
        let end = message.lastIndex { $0 != "\n" } ?? message.startIndex
        let start = message[..<end].ranges(of: "\n\n").last?.upperBound ?? end
        return message[start...].split(separator: "\n").compactMap { line in
            line.hasPrefix("\(name): ") ? String(line.dropFirst(name.count + 2)) : nil
        }
    }

    /// The first line of the message.
    package var subject: String { String(message.prefix { $0 != "\n" }) }

    /// A name without what git uses to end it.
    private static func plain(_ author: String) -> String {
        author.replacing("\n", with: " ").replacing("\0", with: "")
    }
}
