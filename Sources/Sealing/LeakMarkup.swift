/// Secrets in XML, YAML and JSON whose names stand above, before or beside their values.
extension LeakText {
    private static let valueNames: Set<String> = [
        "value", "defaultvalue", "default", "string", "text", "secret", "plaintext",
    ]

    // MARK: - XML

    /// The text of an element of a name, that of the only one in it, or its attribute `value`.
    func element(_ name: Range<Int>) -> Range<Int>? {
        guard let start = tagEnd(name.upperBound) else {
            return attribute(name.upperBound)
        }
        if let text = text(start) { return isOnOneLine(start, text) || isClosed(name, text) ? text : nil }
        let inner = afterWhitespace(start)
        guard byte(inner) == UInt8(ascii: "<") else { return nil }
        let innerEnd = inner + 1 + run(inner + 1, limit: 64, isWord)
        guard Self.valueNames.contains(folded(inner + 1, innerEnd)), let innerStart = tagEnd(innerEnd) else {
            return nil
        }
        return text(innerStart)
    }

    /// Where a tag ends whose name ends here, nil when it is no beginning of an element with something in it.
    private func tagEnd(_ nameEnd: Int) -> Int? {
        if byte(nameEnd) == UInt8(ascii: ">") { return nameEnd + 1 }
        guard byte(nameEnd) <= 0x20, nameEnd < count else { return nil }
        let end = nameEnd + run(nameEnd) { $0 != UInt8(ascii: ">") && $0 != UInt8(ascii: "<") }
        let hasAttribute = (nameEnd..<end).contains { byte($0) == UInt8(ascii: "=") }
        guard hasAttribute, byte(end) == UInt8(ascii: ">"), byte(end - 1) != UInt8(ascii: "/") else {
            return nil
        }
        return end + 1
    }

    private func attribute(_ nameEnd: Int) -> Range<Int>? {
        let end = nameEnd + run(nameEnd) { $0 != UInt8(ascii: ">") && $0 != UInt8(ascii: "<") }
        guard byte(end) == UInt8(ascii: ">"), end - nameEnd > 8 else { return nil }
        return (nameEnd..<(end - 6)).first { byte($0) <= 0x20 && starts("value=", at: $0 + 1) }
            .flatMap { quoted($0 + 7) }
    }

    /// The text up to the next tag, without blanks around it, or what is in a `CDATA`; nil when there is none.
    private func text(_ start: Int) -> Range<Int>? {
        let first = afterWhitespace(start)
        if starts("<![CDATA[", at: first) {
            let end = (first..<min(count, first + 512)).first {
                byte($0) == UInt8(ascii: "]") && starts("]]>", at: $0)
            }
            return end.map { trimmed((first + 9)..<$0) }
        }
        let end =
            first + run(first, limit: Self.longest) { $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: "\n") }
        let text = trimmed(first..<end)
        guard !text.isEmpty, byte(afterWhitespace(end)) == UInt8(ascii: "<") else { return nil }
        return text
    }

    private func isOnOneLine(_ start: Int, _ text: Range<Int>) -> Bool {
        !(start..<text.upperBound).contains { byte($0) == UInt8(ascii: "\n") }
            && byte(text.upperBound + run(text.upperBound) { $0 == 0x20 }) != UInt8(ascii: "\n")
    }

    /// Whether the element that ends behind a text has a name: `<password>` may be a word of a manual.
    private func isClosed(_ name: Range<Int>, _ text: Range<Int>) -> Bool {
        var end = text.upperBound
        if starts("]]>", at: afterWhitespace(end)) { end = afterWhitespace(end) + 3 }
        end = afterWhitespace(end)
        return starts("</", at: end)
            && folded(end + 2, end + 2 + name.count) == folded(name.lowerBound, name.upperBound)
    }

    // MARK: - Name and value side by side

    /// The value beside a name: `<name>X</name>` and `<value>…</value>` in one element, `name: X` and `value: …`,
    /// `name="X" value="…"`.
    func sibling(_ name: Range<Int>) -> Range<Int>? {
        let found =
            byte(name.lowerBound - 1) == UInt8(ascii: ">") && starts("</", at: name.upperBound)
            ? elementBeside(name) : fieldBeside(name)
        guard let found, found.count >= 4, !isPlaceholder(found.lowerBound, found.upperBound),
            folded(found.lowerBound, found.upperBound) != folded(name.lowerBound, name.upperBound)
        else { return nil }
        return found
    }

    private func elementBeside(_ name: Range<Int>) -> Range<Int>? {
        var tag = name.lowerBound - 1
        while tag > 0, isWord(byte(tag - 1)), name.lowerBound - tag < 32 { tag -= 1 }
        guard byte(tag - 1) == UInt8(ascii: "<") else { return nil }
        let kind = folded(tag, name.lowerBound - 1)
        guard ["name", "key", "string", "varname"].contains(kind) else { return nil }
        var index = name.upperBound
        // Past the end of the name, and of at most a few elements of text.
        for _ in 0..<6 {
            let close = index + run(index, limit: Self.longest) { $0 != UInt8(ascii: ">") }
            index = afterWhitespace(close + 1)
            let tagStart = index + 1
            guard byte(index) == UInt8(ascii: "<"), isWord(byte(tagStart)) else { return nil }
            let nameEnd = tagStart + run(tagStart, limit: 64, isWord)
            let tagName = folded(tagStart, nameEnd)
            guard kind != "string" || tagName == "string" else { return nil }
            if Self.valueNames.contains(tagName), let start = tagEnd(nameEnd), let value = text(start) {
                guard kind == "string" else { return value }
                // One of a list of names has another behind it, and of a list of credentials an id: `deploy-token`, and a UUID.
                let isId = [name, value].allSatisfy { $0.contains { byte($0) == UInt8(ascii: "-") } }
                let isValue =
                    isCapitals(name)
                    ? !isCapitals(value) : !isId && isMixed(value.lowerBound, value.upperBound)
                return isValue ? value : nil
            }
            // An empty element, or one with nothing but text in it.
            guard let start = tagEnd(nameEnd) else {
                guard starts("/>", at: nameEnd) else { return nil }
                index = nameEnd
                continue
            }
            index = start + run(start, limit: Self.longest) { $0 != UInt8(ascii: "<") }
            guard starts("</", at: index) else { return nil }
        }
        return nil
    }

    private func fieldBeside(_ name: Range<Int>) -> Range<Int>? {
        let quote = quoteLength(before: name.lowerBound)
        var index = beforeBlanks(name.lowerBound - quote)
        guard byte(index - 1) == UInt8(ascii: ":") || byte(index - 1) == UInt8(ascii: "=") else { return nil }
        index = beforeBlanks(index - 1)
        index -= quoteLength(before: index)
        guard
            ["name", "key"].contains(where: {
                folded(index - $0.count, index) == $0 && !isWord(byte(index - $0.count - 1))
            })
        else { return nil }
        index = name.upperBound + quoteLength(name.upperBound)
        // <entry key="password">…</entry>
        if byte(index) == UInt8(ascii: ">"), quote > 0 {
            return isSetting(index) ? text(index + 1) : nil
        }
        index = afterWhitespace(index)
        if byte(index) == UInt8(ascii: ",") { index = afterWhitespace(index + 1) }
        index += quoteLength(index)
        let wordEnd = index + run(index, limit: 16, isWord)
        guard ["value", "defaultvalue", "default"].contains(folded(index, wordEnd)) else { return nil }
        index = afterBlanks(wordEnd + quoteLength(wordEnd))
        guard byte(index) == UInt8(ascii: ":") || byte(index) == UInt8(ascii: "=") else { return nil }
        index = afterBlanks(index + 1)
        if let string = quoted(index) { return string }
        let end = bareEnd(index)
        guard isLineEnd(end), !isPlaceholder(index, end), isLiteral(index, end, index) else { return nil }
        return index..<end
    }

    /// Whether the element whose first tag ends here is one of settings, and not of a page.
    private func isSetting(_ end: Int) -> Bool {
        var start = end
        while start > max(0, end - 256), byte(start) != UInt8(ascii: "<") { start -= 1 }
        let nameEnd = start + 1 + run(start + 1, limit: 64, isWord)
        return ["entry", "property", "prop", "env", "param", "parameter", "setting"].contains(
            folded(start + 1, nameEnd))
    }

    func beforeBlanks(_ index: Int) -> Int {
        var index = index
        while byte(index - 1) == 0x20 || byte(index - 1) == 0x09 { index -= 1 }
        return index
    }

    // MARK: - YAML

    /// The value on the lines below a name, `password: |`, `password: >-`, or one word below `password:`.
    func block(_ name: Range<Int>) -> Range<Int>? {
        var index = name.upperBound + quoteLength(name.upperBound)
        guard byte(index) == UInt8(ascii: ":") else { return nil }
        index = afterBlanks(index + 1)
        let isScalar = byte(index) == UInt8(ascii: "|") || byte(index) == UInt8(ascii: ">")
        if isScalar {
            index += 1
            index += run(index, limit: 2) {
                $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") || Self.isDigit($0)
            }
        }
        index = afterBlanks(index)
        guard byte(index) == UInt8(ascii: "\n") else { return nil }
        var lineStart = name.lowerBound - quoteLength(before: name.lowerBound)
        var indent = 0
        let first = starts("\u{feff}", at: 0) ? 3 : 0
        while lineStart > first, byte(lineStart - 1) != UInt8(ascii: "\n") {
            guard byte(lineStart - 1) == 0x20 || byte(lineStart - 1) == UInt8(ascii: "-") else { return nil }
            lineStart -= 1
            indent += 1
        }
        let line = index + 1
        let start = line + run(line) { $0 == 0x20 }
        guard start - line > indent else { return nil }
        let end = start + run(start, limit: Self.longest) { $0 >= 0x20 }
        let value = quoted(start) ?? trimmed(start..<end)
        let isWord = !value.contains { byte($0) <= 0x20 }
        guard isWord, value.count >= 4, byte(value.upperBound - 1) != UInt8(ascii: ":"),
            !isPlaceholder(value.lowerBound, value.upperBound),
            isLiteral(value.lowerBound, value.upperBound, name.lowerBound)
        else { return nil }
        guard !isScalar else { return value }
        // A word below a name may be that of a description, or of a program.
        return isMixed(value.lowerBound, value.upperBound)
            && isLineEnd(value.upperBound + quoteLength(value.upperBound))
            ? value : nil
    }

    /// Where a value in a flow map ends: `{password: …, user: ci}`.
    func flowEnd(_ start: Int, _ end: Int, _ name: Range<Int>) -> Int? {
        guard byte(start - 1) == 0x20, byte(name.upperBound) != UInt8(ascii: "=") else { return nil }
        let before = beforeBlanks(name.lowerBound - quoteLength(before: name.lowerBound)) - 1
        guard byte(before) == UInt8(ascii: "{") || byte(before) == UInt8(ascii: ",") else { return nil }
        let cut = start + run(start, limit: end - start) { $0 != UInt8(ascii: "}") }
        let next = byte(afterBlanks(cut))
        guard next == UInt8(ascii: ",") || next == UInt8(ascii: "}"), !isPlaceholder(start, cut),
            isLiteral(start, cut, name.lowerBound)
        else { return nil }
        var line = before
        while line > 0, byte(line - 1) != UInt8(ascii: "\n"), name.lowerBound - line < 512 { line -= 1 }
        let first = line + run(line) { $0 == 0x20 }
        // - {id: ci, password: …} is YAML, and no program.
        let isItem = starts("- {", at: first)
        let isOpen = (line...before).contains { byte($0) == UInt8(ascii: "{") }
        return isItem || isOpen && isMixed(start, cut) ? cut : nil
    }
}
