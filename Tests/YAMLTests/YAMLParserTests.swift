import Testing

@testable import YAML

/// The steps through a text, and where they are.
struct YAMLParserTests {
    private func events(_ text: String) throws -> [YAMLEvent] {
        let parser = YAMLParser(text)
        var events: [YAMLEvent] = []
        repeat { events.append(try parser.next()) } while events.last?.kind != .end
        return events
    }

    @Test func everyStepHasItsPlace() throws {
        let events = try events("a: 'é' # ü\nß: {x: [1, \"2\"]}\n")
        #expect(
            events.map(\.kind) == [
                .documentStart, .mapStart, .scalar("a", isPlain: true), .scalar("é", isPlain: false),
                .scalar("ß", isPlain: true), .mapStart, .scalar("x", isPlain: true), .listStart,
                .scalar("1", isPlain: true), .scalar("2", isPlain: false), .listEnd, .mapEnd, .mapEnd,
                .documentEnd, .end,
            ])
        let two = try #require(events.first { $0.kind == .scalar("2", isPlain: false) })
        #expect(two.position == Position(line: 2, column: 12))
    }

    @Test func namesOfNodesAreToldAndNotLookedUp() throws {
        let events = try events("- &a [x]\n- &b {}\n- &c y\n- *nobody\n- z\n")
        #expect(
            events.filter(\.hasAnchor).map(\.kind) == [.listStart, .mapStart, .scalar("y", isPlain: true)])
        #expect(events.contains { $0.kind == .alias && $0.position.line == 4 })
    }

    @Test func textsAreWhatTheirAuthorMeant() throws {
        let text =
            "\u{feff}- |\n  two\n  lines\n- >-\n  one\n  line\n- \"\\0\\u00e9\\n\"\n-\n- !!binary eA==\n"
        let texts = try events(text).compactMap { event -> String? in
            guard case .scalar(let text, _) = event.kind else { return nil }
            return text
        }
        #expect(texts == ["two\nlines\n", "one line", "\0é\n", "", "eA=="])
    }

    @Test func anEmptyTextHasNoDocumentAndTheEndStays() throws {
        let parser = YAMLParser("")
        for _ in 0..<3 { #expect(try parser.next().kind == .end) }
        #expect(try events("# nothing\n").map(\.kind) == [.end])
        #expect(try events("a\n--- b\n").filter { $0.kind == .documentStart }.count == 2)
    }

    @Test(arguments: [
        ("a: [1", 2, 1, "while parsing a flow sequence: did not find expected ',' or ']'"),
        ("a: b: c", 1, 5, "mapping values are not allowed in this context"),
        ("a: 'x", 1, 6, "while scanning a quoted scalar: found unexpected end of stream"),
        ("é: 1\nü: é\u{7}", 2, 5, "control characters are not allowed"),
        ("\u{7}", 1, 1, "control characters are not allowed"),
        ("a:\n\t- b", 2, 1, "while scanning for the next token: found character that cannot start any token"),
    ])
    func whatIsNoYAMLIsToldWithItsPlace(_ text: String, _ line: Int, _ column: Int, _ reason: String) {
        #expect(throws: YAMLError(reason, at: Position(line: line, column: column))) { try events(text) }
    }

    /// Nothing is built, so depth costs only what libyaml notes of it.
    @Test func aDeepTextIsReadStepByStep() throws {
        let depth = 20_000
        let events = try events(String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
        #expect(events.count { $0.kind == .listStart } == depth)
    }
}
