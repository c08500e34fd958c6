/// A text in which something may be a secret: the rules of ``LeakScanner``, each at one place.
@safe struct LeakText {
    private static let base64Signs = ASCIISet("+/=")
    private static let addressEnds = ASCIISet("/@\"'<>\\`")
    private static let pythonPrefixes = ASCIISet("brufBRUF")
    static let quotes = ASCIISet("\"'")
    private static let valueEnds = ASCIISet(",;\"'`<>")
    private static let shellEnds = ASCIISet("\"'`<;&|\\")
    private static let assignmentStarts = ASCIISet("\"'`>;&|")
    private static let apartSigns = ASCIISet(" \n\r\"'&\\<:")
    private static let typeSigns = ASCIISet("[]|.? ")
    private static let quoteEntities: [StaticString] = [
        "&quot;", "&apos;", "&#39;", "&#34;", "&#x27;", "&#x22;",
    ]
    private static let lineEnds: [StaticString] = [
        "&#xd;", "&#xa;", "&#xD;", "&#xA;", "&#13;", "&#10;",
    ]

    private let bytes: UnsafeRawBufferPointer

    @unsafe init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
    }

    var count: Int { unsafe bytes.count }

    func byte(_ index: Int) -> UInt8 { index >= 0 && index < count ? unsafe bytes[index] : 0 }

    func starts(_ text: StaticString, at index: Int) -> Bool {
        guard index >= 0, index + text.utf8CodeUnitCount <= count else { return false }
        for offset in 0..<text.utf8CodeUnitCount
        where unsafe bytes[index + offset] != text.utf8Start[offset] { return false }
        return true
    }

    /// The longest value that is looked at: a key of RSA of 4,096 bits is of 4,324 characters in a kubeconfig.
    static let longest = 1 << 13

    /// How many `=` and `:` a value without quotes has at most: a signature for Azure's storage, `sv=…&st=…&sig=…`, has 14 of
    /// one, and 8 of the other in its times; a SHA-256 as a fingerprint has 31.
    private static let mostSigns = 32

    /// How many bytes from here on fulfil a condition, at most `limit`.
    func run(_ start: Int, limit: Int = 512, _ condition: (UInt8) -> Bool) -> Int {
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
        guard isKnown || isToken("sk-ant-", 20, isURLSafe) else { return nil }
        let length = run(start, limit: 1 << 14) { isURLSafe($0) || $0 == UInt8(ascii: ".") }
        return .init(kind: "a token", offset: start, secret: start..<start + length)
    }

    /// Three parts of base 64 with dots between them, the first two of which are JSON objects.
    private func isWebToken(_ start: Int) -> Bool {
        guard starts("eyJ", at: start) else { return false }
        // In a row of them that hyphens join, each would be looked at with all that follow.
        if byte(start - 1) == UInt8(ascii: "-") {
            var row = start
            while row > max(0, start - 128), isURLSafe(byte(row - 1)) { row -= 1 }
            if (row..<start).contains(where: { starts("eyJ", at: $0) }) { return false }
        }
        let second = start + run(start, limit: Self.longest, isURLSafe) + 1
        guard byte(second - 1) == UInt8(ascii: "."), starts("eyJ", at: second) else { return false }
        let third = second + run(second, limit: Self.longest, isURLSafe) + 1
        return byte(third - 1) == UInt8(ascii: ".") && run(third, isURLSafe) >= 20
    }

    // MARK: - Addresses

    /// `scheme://user:password@host`; `start` is at the colon.
    func address(_ start: Int) -> LeakScanner.Finding? {
        guard starts("://", at: start), isWord(byte(start - 1)) else { return nil }
        let user = start + 3
        if let secret = hook(user) { return .init(kind: "a token", offset: start, secret: secret) }
        let ends = Self.addressEnds
        let isPart = { (byte: UInt8) in byte > 0x20 && byte < 0x7f && !ends.contains(byte) }
        let end = user + run(user, limit: Self.longest, isPart)
        guard byte(end) == UInt8(ascii: "@") else { return slashedAddress(start, user, end) }
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

    /// Some bytes with small letters for capitals.
    func folded(_ start: Int, _ end: Int) -> String {
        let small = (start..<end).map { index in
            let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte(index))
            return isCapital ? byte(index) | 0x20 : byte(index)
        }
        return String(decoding: small, as: UTF8.self)
    }

    // MARK: - Fields

    /// A name that ends in `password`, `token` and the like, and a value; or a name that only has to do with keys, and a
    /// value that looks random.
    func field(_ start: Int) -> LeakScanner.Finding? {
        let isName = { (byte: UInt8) in
            isWord(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
        }
        var nameStart = start
        while nameStart > max(0, start - 64), isName(byte(nameStart - 1)) { nameStart -= 1 }
        // The end of a line that is escaped: "…\\nexport DB_PASSWORD=…".
        if isEscapedLineEnd(nameStart - 1), nameStart < start { nameStart += 1 }
        let nameEnd = start + run(start, limit: 64, isName)
        let name = nameStart..<nameEnd
        if byte(nameEnd) == UInt8(ascii: "(") {
            return call(nameEnd).map { .init(kind: "a password", offset: nameStart, secret: $0) }
        }
        guard let (value, valueEnd, isQuoted) = value(after: nameEnd, nameStart: nameStart),
            valueEnd > value
        else {
            if let secret = header(name) ?? directive(name) ?? netrcEntry(name) {
                return .init(kind: "a password", offset: nameStart, secret: secret)
            }
            return Self.apartSigns.contains(byte(nameEnd)) ? valueApart(name) : nil
        }
        // A key in a field is told as one.
        if starts("-----BEGIN ", at: value) { return nil }
        if let secret = credentials(name, value) {
            return .init(kind: "a password", offset: nameStart, secret: secret)
        }
        guard !isPlaceholder(value, valueEnd) else {
            // The only character of `password: |` says that the value is below.
            return valueEnd - value == 1 ? valueApart(name) : nil
        }
        if isStrong(nameStart, nameEnd) {
            var end = valueEnd
            if !isQuoted {
                let other =
                    bareSecretEnd(value, end, name) ?? parameterEnd(value, end, nameStart)
                    ?? flowEnd(value, end, name) ?? proseEnd(value, end, nameStart, nameEnd)
                    ?? connectionEnd(value, end, name)
                guard let other else { return valueApart(name) }
                end = other
            }
            guard end - value >= 4 else { return isQuoted ? nil : valueApart(name) }
            return .init(kind: "a password", offset: nameStart, secret: value..<end)
        }
        guard
            let end = isQuoted
                ? valueEnd
                : bareSecretEnd(value, valueEnd, name) ?? parameterEnd(value, valueEnd, nameStart),
            isRandom(value, end) || isBasicCredentials(name, value..<end)
        else { return nil }
        return .init(kind: "a key", offset: nameStart, secret: value..<end)
    }

    /// A secret that stands further from its name than a field's value does.
    private func valueApart(_ name: Range<Int>) -> LeakScanner.Finding? {
        guard isStrong(name.lowerBound, name.upperBound) else { return nil }
        return (argument(name) ?? block(name) ?? stringBelow(name) ?? sibling(name)).map {
            .init(kind: "a password", offset: name.lowerBound, secret: $0)
        }
    }

    private static let endings: [[UInt8]] = [
        "password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "secretkey",
        "accesskey",
        "privatekey", "secrettext", "accountkey", "workerpass", "slavepass", "dbpass", "rootpass",
        "adminpass",
        "userpass", "smtppass", "mailpass", "ftppass", "ldappass", "sqlpass", "keypass", "storepass",
    ].map { Array($0.utf8) }

    /// Whether a name says that its value is a secret.
    func isStrong(_ start: Int, _ end: Int) -> Bool {
        Self.endings.contains { endsIn($0, start, end) }
            // smtp_pass, and not compass.
            || end - start >= 4 && folded(end - 4, end) == "pass"
                && (end - start == 4 || !isWord(byte(end - 5)) || byte(end - 5) == UInt8(ascii: "_"))
    }

    /// Whether a name ends so, whatever signs stand between its letters: `api_key`, `api.Key`.
    private func endsIn(_ ending: [UInt8], _ start: Int, _ end: Int) -> Bool {
        var (index, left) = (end, ending.count)
        while left > 0, index > start {
            index -= 1
            guard isWord(byte(index)), byte(index) != UInt8(ascii: "_") else { continue }
            left -= 1
            guard byte(index) | 0x20 == ending[left] else { return false }
        }
        return left == 0
    }

    /// Where the value of a field stands that is named before `nameEnd`, nil when there is none on the line.
    private func value(after nameEnd: Int, nameStart: Int) -> (start: Int, end: Int, isQuoted: Bool)? {
        var index = nameEnd
        if byte(nameStart - 1) == UInt8(ascii: "<"), let content = element(nameStart..<nameEnd) {
            return (content.lowerBound, content.upperBound, true)
        }
        // The end of a quoted or bracketed name: "password": …, config['password'] = ….
        for _ in 0..<2 { index += byte(index) == UInt8(ascii: "]") ? 1 : quoteLength(index) }
        index = afterBlanks(index)
        // In make what is set before wins: PASSWORD ?= …
        if byte(index) == UInt8(ascii: "?"), byte(index + 1) == UInt8(ascii: "=") { index += 1 }
        guard byte(index) == UInt8(ascii: "=") || byte(index) == UInt8(ascii: ":"),
            byte(index + 1) != byte(index)
        else { return nil }
        let isColon = byte(index) == UInt8(ascii: ":")
        index += 1
        if byte(index) == UInt8(ascii: ">") || byte(index) == UInt8(ascii: "=") {
            index += 1
        } else if starts("&gt;", at: index) {
            index += 4
        }
        index = afterBlanks(index)
        if isColon, let afterType = afterType(index) { index = afterType }
        // Prefixes of strings in Python: b'…', r"…", and f'…' where nothing is put in.
        let prefix = run(index, limit: 2) { Self.pythonPrefixes.contains($0) }
        if quoteLength(index + prefix) > 0, let string = quoted(index + prefix) {
            let isFormat = (index..<(index + prefix)).contains { byte($0) | 0x20 == UInt8(ascii: "f") }
            let hasBrace = string.contains { byte($0) == UInt8(ascii: "{") }
            return isFormat && hasBrace ? nil : (string.lowerBound, string.upperBound, true)
        }
        return quoteLength(index) > 0 ? nil : (index, bareEnd(index), false)
    }

    /// What comes after a type and a `=`, where a string follows: `secret: str = '…'`.
    private func afterType(_ start: Int) -> Int? {
        let isType = { (byte: UInt8) in isWord(byte) || Self.typeSigns.contains(byte) }
        let end = start + run(start, limit: 40, isType)
        guard end > start, byte(end) == UInt8(ascii: "="), byte(end + 1) != UInt8(ascii: "=") else {
            return nil
        }
        let index = afterBlanks(end + 1)
        return quoteLength(index) > 0 ? index : nil
    }

    /// Where a value without quotes ends; one of many settings is none.
    func bareEnd(_ start: Int) -> Int {
        let ends = Self.valueEnds
        var end = start
        // A name and its value have such a sign between them: behind many, each would be looked at with all that follow.
        var signs = 0
        while end < min(count, start + Self.longest), signs <= Self.mostSigns {
            let byte = byte(end)
            guard byte > 0x20, byte < 0x7f, !ends.contains(byte) else { break }
            if byte == UInt8(ascii: "=") || byte == UInt8(ascii: ":") { signs += 1 }
            if byte == UInt8(ascii: "&") || byte == UInt8(ascii: "\\") {
                guard quoteLength(end) == 0, lineEndLength(end) == 0 else { break }
                guard end == start || !starts("&lt;", at: end) else { break }
            }
            end += 1
        }
        // `&lt;changeit&gt;` is one word.
        if end > start, starts("&lt;", at: start), starts("&gt", at: end - 3) { end += 1 }
        return end
    }

    /// Where a value without quotes ends that is one of a settings file or a command, nil for an expression of a program.
    private func bareSecretEnd(_ start: Int, _ end: Int, _ name: Range<Int>) -> Int? {
        // A rest of the line, but for a comment, makes it a sentence.
        if let line = lineStart(name.lowerBound),
            isLineEnd(end) || byte(afterBlanks(end)) == UInt8(ascii: "#"),
            isLiteral(start, end, name.lowerBound)
        {
            // Text in a page is no settings file.
            let isInTag =
                byte(line - 1) == UInt8(ascii: ">") && byte(name.upperBound) != UInt8(ascii: "=")
            if !isInTag || isMixed(start, end) { return end }
        }
        // A symbol of Ruby in YAML, `:password: …`; in a manual a word stands behind it.
        if starts(":", at: name.lowerBound - 1), starts(": ", at: name.upperBound),
            beginsLine(name.lowerBound - 1), isLineEnd(end), isMixed(start, end),
            isLiteral(start, end, name.lowerBound)
        {
            return end
        }
        return assignedEnd(start, end, name)
    }

    /// Where a value ends that is given to a variable, an option or a setting among others: `PGPASSWORD=… psql`,
    /// `-Ddb.password=…`, `host=db password=…`.
    private func assignedEnd(_ start: Int, _ end: Int, _ name: Range<Int>) -> Int? {
        guard start == name.upperBound + 1, byte(name.upperBound) == UInt8(ascii: "=") else {
            return nil
        }
        let cut = start + run(start, limit: end - start) { !Self.shellEnds.contains($0) }
        guard cut > start, isLiteral(start, cut, name.lowerBound), !isPlaceholder(start, cut) else {
            return nil
        }
        // A name in capitals is another variable or a word of a manual.
        guard !name.isEmpty, !isCapitals(start..<cut) || isMixed(start, cut) else { return nil }
        let next = byte(cut)
        guard next <= 0x20 || Self.shellEnds.contains(next) else { return nil }
        let before = byte(name.lowerBound - 1)
        // //registry.example.org/:_authToken=…
        let isOfRegistry = starts("/:", at: name.lowerBound - 2)
        if isOfRegistry { return cut }
        if byte(name.lowerBound) == UInt8(ascii: "-") {
            // --pass=early says how often.
            let last = folded(name.upperBound - 4, name.upperBound)
            return isMixed(start, cut) || last != "pass" && !isVariable(start, cut) || last == "word"
                || last == "sswd"
                ? cut : nil
        }
        guard
            before <= 0x20 || Self.assignmentStarts.contains(before)
                || isEscapedLineEnd(name.lowerBound - 2)
        else { return nil }
        if isCapitals(name) {
            return lineStart(name.lowerBound) != nil || isMixed(start, cut) || next == 0x20 ? cut : nil
        }
        return isMixed(start, cut) && next != UInt8(ascii: ";") && next != UInt8(ascii: "&")
            && next != UInt8(ascii: "|") ? cut : nil
    }

    /// Where the line begins, or the text of an element, in which there is nothing before a name; nil when there is.
    private func lineStart(_ nameStart: Int) -> Int? {
        var line = nameStart
        while line > 0, byte(line - 1) != UInt8(ascii: "\n"), byte(line - 1) != UInt8(ascii: ">"),
            !isEscapedLineEnd(line - 2), nameStart - line < 200
        {
            line -= 1
        }
        var index = line == 0 && starts("\u{feff}", at: 0) ? 3 : line
        index += run(index) { $0 == 0x20 || $0 == 0x09 || $0 == UInt8(ascii: "-") }
        if starts("export ", at: index) { index += 7 }
        // The hyphens of an option are part of its name.
        return index == nameStart || line == nameStart ? line : nil
    }

    func beginsLine(_ nameStart: Int) -> Bool { lineStart(nameStart) != nil }

    func afterBlanks(_ index: Int) -> Int {
        index + run(index) { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
    }

    /// What comes after blanks and ends of lines.
    func afterWhitespace(_ index: Int) -> Int { index + run(index) { $0 <= 0x20 } }

    func isLineEnd(_ index: Int) -> Bool {
        let rest = afterBlanks(index)
        return rest >= count || lineEndLength(rest) > 0 || starts("</", at: index)
    }

    /// How long the end of a line is at a place, also one that is escaped in a string or in XML.
    private func lineEndLength(_ index: Int) -> Int {
        switch byte(index) {
        case UInt8(ascii: "\n"): return 1
        case UInt8(ascii: "\\"): return isEscapedLineEnd(index) ? 2 : 0
        case UInt8(ascii: "&"):
            for entity in Self.lineEnds where starts(entity, at: index) {
                return entity.utf8CodeUnitCount
            }
            return 0
        default: return 0
        }
    }

    private func isEscapedLineEnd(_ index: Int) -> Bool {
        byte(index) == UInt8(ascii: "\\")
            && (byte(index + 1) == UInt8(ascii: "n") || byte(index + 1) == UInt8(ascii: "r"))
    }

    // MARK: - Quotes

    /// How long a quote is at a place, as it is, escaped in a string, or as XML writes it; 0 when there is none.
    func quoteLength(_ index: Int) -> Int {
        switch byte(index) {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return 1
        case UInt8(ascii: "\\"):
            let slashes = run(index, limit: 3) { $0 == UInt8(ascii: "\\") }
            return Self.quotes.contains(byte(index + slashes)) ? slashes + 1 : 0
        case UInt8(ascii: "&"):
            for entity in Self.quoteEntities where starts(entity, at: index) {
                return entity.utf8CodeUnitCount
            }
            return 0
        default: return 0
        }
    }

    /// How long a quote is that ends before a place.
    func quoteLength(before index: Int) -> Int {
        let length =
            Self.quotes.contains(byte(index - 1)) ? 1 : byte(index - 1) == UInt8(ascii: ";") ? 6 : 0
        guard length == 6 else {
            var start = index - length
            while length > 0, byte(start - 1) == UInt8(ascii: "\\"), index - start < 4 { start -= 1 }
            return index - start
        }
        return [5, 6].first { quoteLength(index - $0) == $0 } ?? 0
    }

    private func isSame(_ first: Int, _ second: Int, _ length: Int) -> Bool {
        (0..<length).allSatisfy { byte(first + $0) == byte(second + $0) }
    }

    /// What stands between a quote at `start` and the next like it, on one line but for blanks around it; nil when there is
    /// none.
    func quoted(_ start: Int) -> Range<Int>? {
        let length = quoteLength(start)
        guard length > 0 else { return nil }
        let isTriple =
            isSame(start, start + length, length) && isSame(start, start + 2 * length, length)
        let quote = isTriple ? 3 * length : length
        let first = start + quote
        var end = first
        while end < min(count, first + Self.longest), !isSame(start, end, quote) {
            guard isTriple || byte(end) != UInt8(ascii: "\n") else { return nil }
            end += 1
        }
        guard end < count, isSame(start, end, quote) else { return nil }
        guard isTriple else { return first..<end }
        let text = trimmed(first..<end)
        return text.contains { byte($0) == UInt8(ascii: "\n") } ? nil : text
    }

    /// A range without the blanks and ends of lines around it.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, byte(start) <= 0x20 { start += 1 }
        while end > start, byte(end - 1) <= 0x20 { end -= 1 }
        return start..<end
    }

    // MARK: - Characters

    static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    func isWord(_ byte: UInt8) -> Bool {
        let letter = byte | 0x20
        return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) || Self.isDigit(byte)
            || byte == UInt8(ascii: "_")
    }

    func isURLSafe(_ byte: UInt8) -> Bool { isWord(byte) || byte == UInt8(ascii: "-") }
}
