/// A text in which something may be a secret: the rules of ``LeakScanner``, each at one place.
@safe struct LeakText {
    private static let base64Signs = ASCIISet("+/=")
    private static let addressEnds = ASCIISet("/@\"'<>\\`")
    private static let nameEnds = ASCIISet("\"']")
    private static let pythonPrefixes = ASCIISet("bru")
    private static let quotes = ASCIISet("\"'")
    private static let valueEnds = ASCIISet(",;\"'`<>")
    private static let valueQuotes = ASCIISet("\"'`>")
    private static let brackets = ASCIISet("()[]{}")
    private static let parameterStarts = ASCIISet("?&;")
    private static let noProse = ASCIISet("=|()[]{}<>\"'`;#\\")
    private static let separators = ASCIISet(":/-.@,")
    private static let keySigns = ASCIISet("+/=.")

    private let bytes: UnsafeRawBufferPointer

    @unsafe init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
    }

    private var count: Int { unsafe bytes.count }

    private func byte(_ index: Int) -> UInt8 { index >= 0 && index < count ? unsafe bytes[index] : 0 }

    private func starts(_ text: StaticString, at index: Int) -> Bool {
        guard index >= 0, index + text.utf8CodeUnitCount <= count else { return false }
        for offset in 0..<text.utf8CodeUnitCount
        where unsafe bytes[index + offset] != text.utf8Start[offset] { return false }
        return true
    }

    /// How many bytes from here on fulfil a condition, at most `limit`.
    private func run(_ start: Int, limit: Int = 512, _ condition: (UInt8) -> Bool) -> Int {
        var end = start
        while end < min(count, start + limit), condition(unsafe bytes[end]) { end += 1 }
        return end - start
    }

    // MARK: - Keys and tokens

    /// `-----BEGIN … PRIVATE KEY`, and a line of base 64 soon after: the words alone are in every program that reads keys.
    func privateKey(_ start: Int) -> LeakScanner.Finding? {
        guard starts("-----BEGIN ", at: start) else { return nil }
        let end = start + 11 + run(start + 11, limit: 40) { $0 != UInt8(ascii: "-") && $0 > 0x1f }
        guard (start + 11..<end).contains(where: { starts("PRIVATE KEY", at: $0) }) else { return nil }
        let isBase64 = { (byte: UInt8) in
            isWord(byte) && byte != UInt8(ascii: "_") || Self.base64Signs.contains(byte)
        }
        var index = end
        while index < min(count, end + 400) {
            let length = run(index, isBase64)
            if length >= 32 {
                return .init(kind: "a private key", offset: start, secret: start..<keyEnd(index + length))
            }
            index += length + 1
        }
        return nil
    }

    /// The end of the last line of a key, or of the base 64 where that line is missing.
    private func keyEnd(_ start: Int) -> Int {
        var index = start
        while index < min(count, start + 1 << 16), !starts("-----END ", at: index) { index += 1 }
        guard starts("-----END ", at: index) else { return start }
        return index
            + run(index) {
                $0 != UInt8(ascii: "\n") && $0 > 0x1f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "<")
            }
    }

    /// What an issuer marks as a token by how it begins.
    func token(_ start: Int) -> LeakScanner.Finding? {
        guard !isWord(byte(start - 1)) else { return nil }
        if starts("AGE-SECRET-KEY-1", at: start) || starts("PuTTY-User-Key-File-", at: start) {
            let length = run(start) { $0 > 0x20 && $0 < 0x7f }
            return .init(kind: "a private key", offset: start, secret: start..<start + length)
        }
        func isToken(_ prefix: StaticString, _ length: Int, _ condition: (UInt8) -> Bool) -> Bool {
            starts(prefix, at: start) && run(start + prefix.utf8CodeUnitCount, condition) >= length
        }
        let isUpper = { (byte: UInt8) in
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || Self.isDigit(byte)
        }
        let isKnown =
            isToken("AKIA", 16, isUpper) || isToken("ASIA", 16, isUpper) || isToken("ghp_", 36, isWord)
            || isToken("gho_", 36, isWord) || isToken("ghu_", 36, isWord) || isToken("ghs_", 36, isWord)
            || isToken("ghr_", 36, isWord) || isToken("github_pat_", 22, isWord)
            || isToken("glpat-", 20, isURLSafe)
            || isToken("xoxb-", 10, isURLSafe) || isToken("xoxp-", 10, isURLSafe)
            || isToken("xoxa-", 10, isURLSafe)
            || isToken("xoxr-", 10, isURLSafe) || isToken("xoxs-", 10, isURLSafe)
            || isToken("sk_live_", 16, isWord)
            || isToken("rk_live_", 16, isWord) || isToken("AIza", 35, isURLSafe)
            || isToken("ya29.", 20, isURLSafe)
            || isToken("npm_", 36, isWord) || isToken("pypi-AgEI", 40, isURLSafe)
            || isToken("hvs.", 24, isURLSafe)
            || isToken("dop_v1_", 64, isWord) || isWebToken(start)
        let length = run(start, limit: 1 << 14) { isURLSafe($0) || $0 == UInt8(ascii: ".") }
        return isKnown ? .init(kind: "a token", offset: start, secret: start..<start + length) : nil
    }

    /// Three parts of base 64 with dots between them, the first two of which are JSON objects.
    private func isWebToken(_ start: Int) -> Bool {
        guard starts("eyJ", at: start) else { return false }
        let second = start + run(start, isURLSafe) + 1
        guard byte(second - 1) == UInt8(ascii: "."), starts("eyJ", at: second) else { return false }
        let third = second + run(second, limit: 4096, isURLSafe) + 1
        return byte(third - 1) == UInt8(ascii: ".") && run(third, isURLSafe) >= 20
    }

    // MARK: - Addresses

    /// `scheme://user:password@host`; `start` is at the colon.
    func address(_ start: Int) -> LeakScanner.Finding? {
        guard starts("://", at: start), isWord(byte(start - 1)) else { return nil }
        let user = start + 3
        let ends = Self.addressEnds
        let isPart = { (byte: UInt8) in byte > 0x20 && byte < 0x7f && !ends.contains(byte) }
        let end = user + run(user, limit: 256, isPart)
        guard byte(end) == UInt8(ascii: "@") else { return nil }
        let colon = user + run(user, limit: end - user) { $0 != UInt8(ascii: ":") }
        guard colon < end - 1, !isPlaceholder(colon + 1, end), !isExample(user, colon, end) else {
            return nil
        }
        return .init(kind: "a password in an address", offset: start, secret: colon + 1..<end)
    }

    /// `user:pass@host`, as manuals have it.
    private func isExample(_ user: Int, _ colon: Int, _ end: Int) -> Bool {
        folded(user, colon).hasPrefix("user")
            && ["pass", "password", "passwd", "pw"].contains(folded(colon + 1, end))
    }

    private func folded(_ start: Int, _ end: Int) -> String {
        String(decoding: (start..<end).map { byte($0) | 0x20 }, as: UTF8.self)
    }

    // MARK: - Fields

    /// A name that ends in `password`, `token` and the like, and a value; or a name that only has to do with keys, and a
    /// value that looks random.
    func field(_ start: Int) -> LeakScanner.Finding? {
        let isName = { (byte: UInt8) in isWord(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
        }
        var nameStart = start
        while nameStart > max(0, start - 64), isName(byte(nameStart - 1)) { nameStart -= 1 }
        let nameEnd = start + run(start, limit: 64, isName)
        guard let (value, valueEnd, isQuoted) = value(after: nameEnd, nameStart: nameStart),
            valueEnd > value, !isPlaceholder(value, valueEnd)
        else { return nil }
        var end = valueEnd
        if isStrong(nameStart, nameEnd) {
            if !isQuoted, !isBareSecret(value, end, nameStart) {
                let parameter = parameterEnd(value, end, nameStart)
                guard let other = parameter ?? proseEnd(value, end, nameStart, nameEnd) else { return nil }
                end = other
            }
            guard end - value >= 4 else { return nil }
            return .init(kind: "a password", offset: nameStart, secret: value..<end)
        }
        return isRandom(value, end) && (isQuoted || isBareSecret(value, end, nameStart))
            ? .init(kind: "a key", offset: nameStart, secret: value..<end) : nil
    }

    /// Whether a name says that its value is a secret.
    private func isStrong(_ start: Int, _ end: Int) -> Bool {
        let endings: [[UInt8]] = [
            "password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "secretkey", "accesskey",
            "privatekey",
        ].map { Array($0.utf8) }
        var letters: [UInt8] = []
        for index in start..<end where isWord(byte(index)) && byte(index) != UInt8(ascii: "_") {
            letters.append(byte(index) | 0x20)
        }
        return endings.contains { letters.count >= $0.count && letters.suffix($0.count).elementsEqual($0) }
            // smtp_pass, and not compass.
            || end - start >= 4 && folded(end - 4, end) == "pass"
                && (end - start == 4 || !isWord(byte(end - 5)) || byte(end - 5) == UInt8(ascii: "_"))
    }

    /// Where the value of a field stands that is named before `nameEnd`, nil when there is none on the line.
    private func value(after nameEnd: Int, nameStart: Int) -> (start: Int, end: Int, isQuoted: Bool)? {
        var index = nameEnd
        if byte(index) == UInt8(ascii: ">"), byte(nameStart - 1) == UInt8(ascii: "<") {
            let end = index + 1 + run(index + 1) { $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: "\n") }
            return byte(end) == UInt8(ascii: "<") ? (index + 1, end, true) : nil
        }
        // The end of a quoted or bracketed name: "password": …, config['password'] = ….
        index += run(index, limit: 2) { Self.nameEnds.contains($0) }
        index += run(index, limit: 32) { $0 == 0x20 || $0 == 0x09 }
        guard byte(index) == UInt8(ascii: "=") || byte(index) == UInt8(ascii: ":"),
            byte(index + 1) != byte(index)
        else { return nil }
        index += 1
        if byte(index) == UInt8(ascii: ">") || byte(index) == UInt8(ascii: "=") { index += 1 }
        index += run(index, limit: 32) { $0 == 0x20 || $0 == 0x09 }
        // Prefixes of strings in Python: b'…', r"…".
        if Self.pythonPrefixes.contains(byte(index)), Self.quotes.contains(byte(index + 1)) { index += 1 }
        let quote = byte(index)
        if Self.quotes.contains(quote) {
            let end = index + 1 + run(index + 1) { $0 != quote && $0 != UInt8(ascii: "\n") }
            return byte(end) == quote ? (index + 1, end, true) : nil
        }
        let ends = Self.valueEnds
        return (index, index + run(index) { $0 > 0x20 && $0 < 0x7f && !ends.contains($0) }, false)
    }

    /// Whether a value without quotes is one of a settings file, and not an expression of a program.
    private func isBareSecret(_ start: Int, _ end: Int, _ nameStart: Int) -> Bool {
        // A rest of the line, but for a comment, makes it a sentence.
        beginsLine(nameStart) && (isLineEnd(end) || byte(afterBlanks(end)) == UInt8(ascii: "#"))
            && isLiteral(start, end, nameStart)
    }

    private func beginsLine(_ nameStart: Int) -> Bool {
        var line = nameStart
        while line > 0, byte(line - 1) != UInt8(ascii: "\n"), nameStart - line < 200 { line -= 1 }
        var index = line + run(line) { $0 == 0x20 || $0 == 0x09 || $0 == UInt8(ascii: "-") }
        if starts("export ", at: index) { index += 7 }
        return index == nameStart
    }

    private func afterBlanks(_ index: Int) -> Int {
        index + run(index) { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
    }

    private func isLineEnd(_ index: Int) -> Bool {
        let rest = afterBlanks(index)
        return rest >= count || byte(rest) == UInt8(ascii: "\n")
    }

    /// Where the value of a parameter in an address ends, `jdbc:mysql://db/ci?user=ci&amp;password=…`; nil when it is none.
    private func parameterEnd(_ start: Int, _ end: Int, _ nameStart: Int) -> Int? {
        guard Self.parameterStarts.contains(byte(nameStart - 1)), byte(start - 1) == UInt8(ascii: "=") else {
            return nil
        }
        var word = nameStart
        var isAddress = false
        while word > max(0, nameStart - 512), byte(word - 1) > 0x20,
            !Self.valueQuotes.contains(byte(word - 1))
        {
            word -= 1
            if starts("://", at: word) { isAddress = true }
        }
        guard isAddress || starts("jdbc:", at: word) else { return nil }
        let valueEnd = start + run(start, limit: end - start) { $0 != UInt8(ascii: "&") }
        return isPlaceholder(start, valueEnd) || !isLiteral(start, valueEnd, nameStart)
            ? nil : valueEnd
    }

    /// Where a password of several words ends, `password: correct horse battery staple`; nil for what is no such line.
    private func proseEnd(_ start: Int, _ wordEnd: Int, _ nameStart: Int, _ nameEnd: Int) -> Int? {
        let name = folded(nameStart, nameEnd)
        guard ["password", "passwd", "passphrase"].contains(where: name.hasSuffix), beginsLine(nameStart),
            byte(nameEnd) == UInt8(ascii: ":"), byte(nameEnd + 1) == 0x20
        else { return nil }
        var end = start + run(start) { $0 >= 0x20 && !Self.noProse.contains($0) }
        guard isLineEnd(end) || byte(end) == UInt8(ascii: "#") else { return nil }
        while end > start, byte(end - 1) == 0x20 { end -= 1 }
        return end > wordEnd ? end : nil
    }

    /// Whether a value without quotes is no expression of a program.
    private func isLiteral(_ start: Int, _ end: Int, _ nameStart: Int) -> Bool {
        let words = ["none", "null", "true", "false", "nil", "undefined", "string", "str,", "yes"]
        guard !words.contains(folded(start, end)) else { return false }
        if isVariable(start, end) {
            // password = new_password, self.token = token
            let isMember = ["self.", "this.", "cls."].contains { folded(nameStart, start).hasPrefix($0) }
            guard !isMember, !isStrong(start, end) else { return false }
        }
        var hasDot = false
        var isExpression = true
        for index in start..<end {
            if Self.brackets.contains(byte(index)) { return false }
            if byte(index) == UInt8(ascii: ".") { hasDot = true }
            if Self.isDigit(byte(index)) || !(isWord(byte(index)) || byte(index) == UInt8(ascii: ".")) {
                isExpression = false
            }
        }
        // self.token, options.password
        return !(hasDot && isExpression)
    }

    /// Whether a value is spelled like a name in a program: letters and `_`.
    private func isVariable(_ start: Int, _ end: Int) -> Bool {
        !Self.isDigit(byte(start)) && run(start, isWord) == end - start
    }

    /// Whether a value stands for another that is elsewhere, or is already sealed by the tool that wrote it.
    private func isPlaceholder(_ start: Int, _ end: Int) -> Bool {
        let first = byte(start)
        if isTemplate(start, end) || starts("#jbcrypt:", at: start) { return true }
        // <useToken>true</useToken> says whether, and not what.
        if end - start <= 5, ["true", "false"].contains(folded(start, end)) { return true }
        var isOneCharacter = true
        for index in start..<end {
            if byte(index) != first { isOneCharacter = false }
            if byte(index) == UInt8(ascii: "$"), byte(index + 1) == UInt8(ascii: "{") { return true }
        }
        return isOneCharacter
    }

    /// Whether a value is, as a whole, a variable or a template, or what Jenkins keeps encrypted: `{AQAAA…}`.
    ///
    /// A password may begin as one of them does.
    private func isTemplate(_ start: Int, _ end: Int) -> Bool {
        func isBetween(_ opening: StaticString, _ closing: StaticString) -> Bool {
            let last = end - closing.utf8CodeUnitCount
            return last >= start + opening.utf8CodeUnitCount && starts(opening, at: start)
                && starts(closing, at: last)
        }
        func isName(_ start: Int, _ end: Int) -> Bool { start < end && isVariable(start, end) }
        switch byte(start) {
        case UInt8(ascii: "$"):
            // $PASSWORD, and $1.
            return isBetween("${", "}") || isBetween("$(", ")") || isName(start + 1, end) || end == start + 2
                || isInterpolation(start, end)
        case UInt8(ascii: "*"):
            // An alias of YAML, which stands behind a colon and a blank, and in no quotes: password: *db_password
            return byte(start - 1) == 0x20 && byte(start - 2) == UInt8(ascii: ":")
                && !Self.isDigit(byte(start + 1)) && start + 1 < end
                && run(start + 1, isURLSafe) == end - start - 1
        case UInt8(ascii: "{"):
            return isBetween("{{", "}}") || isBetween("{AQ", "}")
                || isBetween("{", "}") && isName(start + 1, end - 1)
        case UInt8(ascii: "<"):
            return isBetween("<", ">")
        case UInt8(ascii: "%"):
            // %PASSWORD%, %{PASSWORD}, %(password)s, and %s.
            return isBetween("%", "%") && isName(start + 1, end - 1) || isBetween("%{", "}")
                || isBetween("%(", ")") || isBetween("%(", ")s") || end == start + 2
        case UInt8(ascii: "!"):
            // A tag of YAML: !vault |
            let word = run(start + 1, isWord)
            return word > 0 && byte(start + 1 + word) == 0x20 && !Self.quotes.contains(byte(start - 1))
        default: return false
        }
    }

    /// Whether a value is nothing but what a shell puts in, `$USER:$HOST`, or a path with some of it, `$HOME/token`; the hash of a
    /// password, which names its method as a variable is named, is none.
    private func isInterpolation(_ start: Int, _ end: Int) -> Bool {
        for method in ["$apr1$", "$y$", "$gy$", "$argon2"] as [StaticString] where starts(method, at: start) {
            return false
        }
        var index = start
        var isPath = false
        while index < end {
            let byte = byte(index)
            let length: Int
            if byte == UInt8(ascii: "$") {
                let isParenthesized = self.byte(index + 1) == UInt8(ascii: "(")
                length =
                    isParenthesized
                    ? run(index, limit: end - index) { $0 != UInt8(ascii: ")") } + 1
                    : run(index + 1, limit: end - index - 1, isWord) + 1
                guard length > 1, !Self.isDigit(self.byte(index + 1)) else { return false }
            } else if Self.separators.contains(byte) {
                length = 1
                isPath = isPath || byte == UInt8(ascii: "/")
            } else {
                // A word of a path, unless letters and digits are mixed in it.
                length = run(index, limit: end - index, isWord)
                guard length > 0, isPath else { return false }
                let digits = (index..<(index + length)).count { Self.isDigit(self.byte($0)) }
                guard length < 4 || digits == 0 || digits == length else { return false }
            }
            index += length
        }
        return index == end
    }

    /// Whether a value is long, of mixed letters and digits, and hardly repeats itself.
    private func isRandom(_ start: Int, _ end: Int) -> Bool {
        guard end - start >= 20, end - start <= 200 else { return false }
        var seen: Set<UInt8> = []
        var digits = 0
        var letters = 0
        for index in start..<end {
            let byte = byte(index)
            guard isURLSafe(byte) || Self.keySigns.contains(byte) else { return false }
            if isWord(byte) { seen.insert(byte) }
            if Self.isDigit(byte) { digits += 1 } else if isWord(byte) { letters += 1 }
        }
        // Digests and UUIDs are of 16 characters; a key of base 64 has more different ones.
        return digits >= 3 && letters >= 8 && seen.count > 16
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private func isWord(_ byte: UInt8) -> Bool {
        let letter = byte | 0x20
        return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) || Self.isDigit(byte)
            || byte == UInt8(ascii: "_")
    }

    private func isURLSafe(_ byte: UInt8) -> Bool { isWord(byte) || byte == UInt8(ascii: "-") }
}

/// Characters of ASCII, looked up in two words.
private struct ASCIISet {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    init(_ characters: String) {
        for byte in characters.utf8 {
            precondition(byte < 128, "only ASCII has room")
            if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) }
        }
    }

    func contains(_ byte: UInt8) -> Bool {
        byte < 128 && (byte < 64 ? low : high) & 1 << UInt64(byte & 63) != 0
    }
}
