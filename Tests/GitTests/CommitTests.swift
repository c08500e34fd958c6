import Git
import Testing

/// Signatures in commits: what was signed, and what only looks so.
@Suite struct CommitTests {
    private static let head =
        "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n"

    private func signed(_ text: String) -> (payload: String, signature: String)? {
        Commit.signed(Array(text.utf8)).map {
            (String(decoding: $0.payload, as: UTF8.self), String(decoding: $0.signature, as: UTF8.self))
        }
    }

    @Test func aSignatureIsWrittenReadAndTakenOffAgain() throws {
        let tree = try #require(ObjectID(hex: "4b825dc642cb6eb9a060e54bf8d69288fbee4904".utf8))
        var commit = Commit(
            tree: tree, parents: [tree], author: "A <a@b>", time: 1, message: "m\n\nSnapshot: x\n")
        let payload = commit.contents
        commit.signature = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----"
        let parts = try #require(Commit.signed(commit.contents))
        #expect(parts.payload == payload)
        #expect(String(decoding: parts.signature, as: UTF8.self) == "\(commit.signature ?? "")\n")
        #expect(try Commit(contents: commit.contents, of: tree) == commit)
        #expect(Commit.signed(payload) == nil)
    }

    @Test func onlyOneHeaderOfTheHeadIsASignature() {
        #expect(signed(Self.head + "\nm\n\ngpgsig x\n") == nil)
        #expect(signed(Self.head + "gpgsig x\ngpgsig y\n\nm\n") == nil)
        #expect(signed(Self.head + "gpgsig-sha256 x\n\nm\n") == nil)
        #expect(signed(Self.head + "gpgsig x") == nil)
        let parts = signed(Self.head + "gpgsig x\n y\nencoding z\n\nm\n")
        #expect(parts?.payload == Self.head + "encoding z\n\nm\n")
        #expect(parts?.signature == "x\ny\n")
    }

    @Test(arguments: [
        ("m\n\nTag: a\nTag: b\n", ["a", "b"]),
        ("m\n\nTag: old\n\nTag: a\n\n\n", ["a"]),
        ("m\n\n\n\nTag: a", ["a"]),
        ("m\n\nTag: old\n\nwords of others", []),
        ("Tag: a\n", []),
        ("m\n\nTag:a\nTags: b\n Tag: c\nTag: d\u{e9}", ["d\u{e9}"]),
        ("m\n\nTag: a\r\nTag: b\n", ["a\r", "b"]),
        ("\n\n", []), ("", []), ("\n\nTag: a", ["a"]), ("x", []),
    ])
    func trailersAreLinesOfTheLastParagraph(_ message: String, _ expected: [String]) throws {
        let tree = try #require(ObjectID(hex: "4b825dc642cb6eb9a060e54bf8d69288fbee4904".utf8))
        let commit = Commit(tree: tree, parents: [], author: "A <a@b>", time: 1, message: message)
        #expect(commit.trailers("Tag") == expected)
        #expect(commit.trailer("Tag") == expected.last)
    }

    /// Times are added and subtracted.
    @Test(arguments: [
        ("1", true), ("-1", true), ("1099511627776", true), ("1099511627777", false),
        ("9223372036854775807", false), ("-9223372036854775808", false), ("9223372036854775808", false),
    ])
    func aTimeThatNoCommitHasIsRefused(_ time: String, _ isTaken: Bool) throws {
        let text = Self.head.replacing("author A <a@b> 1", with: "author A <a@b> \(time)") + "\nm\n"
        let id = ObjectID.of(.commit, Array(text.utf8))
        if isTaken {
            _ = try Commit(contents: Array(text.utf8), of: id)
        } else {
            #expect(throws: GitError.self) { try Commit(contents: Array(text.utf8), of: id) }
        }
    }

    @Test(arguments: ["", "tree x\n\nm", "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n", "\n\n", "\n"])
    func whatIsNoCommitIsRefused(_ text: String) throws {
        let id = ObjectID.of(.commit, Array(text.utf8))
        #expect(throws: GitError.self) { try Commit(contents: Array(text.utf8), of: id) }
    }

    @Test func anAuthorOfSeveralLinesAddsNoLineToTheHead() throws {
        let tree = try #require(ObjectID(hex: String(repeating: "a", count: 40).utf8))
        for end in ["\n", "\r\n"] {
            let commit = Commit(
                tree: tree, parents: [], author: "A\(end)parent b\0 <a@b>", time: 1,
                message: "m\(end)more\(end)")
            let lines = commit.contents.split(separator: 10, omittingEmptySubsequences: false)
            #expect(lines.firstIndex(where: \.isEmpty) == 3 && lines.last == [], "\(end.utf8.count)")
            #expect(commit.subject == "m")
        }
    }
}
