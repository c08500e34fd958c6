/// The few things that can be read from Python source without running it.
enum PythonText {
    /// The value of a string literal at the start of `text`, nil when there is something else, or an escape that is
    /// neither a quote nor a backslash.
    static func string(_ text: Substring) -> String? {
        var rest = text
        var isRaw = false
        if let prefix = rest.first, "rRuU".contains(prefix), let next = rest.dropFirst().first,
            next == "'" || next == "\""
        {
            isRaw = prefix == "r" || prefix == "R"
            rest = rest.dropFirst()
        }
        guard let quote = rest.first, quote == "'" || quote == "\"" else { return nil }
        rest = rest.dropFirst()
        guard !rest.starts(with: "\(quote)\(quote)") else { return nil }
        var value = ""
        while let character = rest.first, character != quote {
            guard character != "\n" else { return nil }
            rest = rest.dropFirst()
            guard character == "\\", !isRaw else {
                value.append(character)
                continue
            }
            guard let escaped = rest.first, "\\'\"".contains(escaped) else { return nil }
            value.append(escaped)
            rest = rest.dropFirst()
        }
        return rest.first == quote ? value : nil
    }

    /// A string literal that Python reads as `text`.
    static func literal(_ text: String) -> String {
        var literal = "'"
        for character in text {
            if character == "'" || character == "\\" { literal.append("\\") }
            literal.append(character)
        }
        return literal + "'"
    }

    /// What stands behind `name =` at the beginning of a line, up to the end of the line; the last such line counts.
    static func assignment(_ name: String, in source: String) -> Substring? {
        lines(source).compactMap { line -> Substring? in
            guard line.starts(with: name) else { return nil }
            let rest = line.dropFirst(name.count).drop { $0 == " " || $0 == "\t" }
            guard rest.first == "=", rest.dropFirst().first != "=" else { return nil }
            return rest.dropFirst().drop { $0 == " " || $0 == "\t" }
        }.last
    }

    /// What stands behind a key in any of the ways that Python has for it: `c['key'] =`, `'key':`, `key=`.
    static func values(of key: String, in source: String) -> [Substring] {
        var values: [Substring] = []
        for line in lines(source) where line.drop(while: { $0 == " " || $0 == "\t" }).first != "#" {
            var rest = line
            while let found = range(of: key, in: rest) {
                let before = found == rest.startIndex ? nil : rest[rest.index(before: found)]
                rest = rest[rest.index(found, offsetBy: key.count)...]
                if let before, before.isLetter || before.isNumber || before == "_" { continue }
                let value = rest.drop { "'\"] \t".contains($0) }
                guard value.first == "=" || value.first == ":", value.dropFirst().first != "=" else {
                    continue
                }
                values.append(value.dropFirst().drop { $0 == " " || $0 == "\t" })
            }
        }
        return values
    }

    /// The lines of a text.
    static func lines(_ source: String) -> [Substring] {
        source.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    }

    private static func range(of key: String, in text: Substring) -> Substring.Index? {
        var index = text.startIndex
        while index < text.endIndex {
            if text[index...].starts(with: key) { return index }
            index = text.index(after: index)
        }
        return nil
    }
}
