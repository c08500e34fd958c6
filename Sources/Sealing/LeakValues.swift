/// What stands for a value: where it ends, whether it is one, and whether it is a secret.
extension LeakText {
    private static let parameterStarts = ASCIISet("?&;")
    private static let valueQuotes = ASCIISet("\"'`>")
    private static let noProse = ASCIISet("=|()[]{}<>\"'`;#\\")
    private static let noPassword = ASCIISet("@?#,\"'<>\\`{}[]()$")
    private static let brackets = ASCIISet("()[]{}")
    private static let separators = ASCIISet(":/-.@,")
    private static let keySigns = ASCIISet("+/=.")

    /// Whether a value has letters and digits, as few words of a program or a sentence have.
    func isMixed(_ start: Int, _ end: Int) -> Bool {
        let digits = (start..<end).count { Self.isDigit(byte($0)) }
        let words = (start..<end).count { isWord(byte($0)) }
        return digits > 0 && words > digits
    }

    /// Whether a range is a name in capitals, as variables of the environment have.
    func isCapitals(_ range: Range<Int>) -> Bool {
        range.allSatisfy { index in
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte(index)) || Self.isDigit(byte(index))
                || byte(index) == UInt8(ascii: "_")
        }
    }

    /// Where the value of a parameter in an address ends, `jdbc:mysql://db/ci?user=ci&amp;password=…`; nil when it is none.
    func parameterEnd(_ start: Int, _ end: Int, _ nameStart: Int) -> Int? {
        guard Self.parameterStarts.contains(byte(nameStart - 1)), byte(start - 1) == UInt8(ascii: "=")
        else {
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
        guard isAddress || starts("jdbc:", at: word) || isInConnection(nameStart) && isMixed(start, end)
        else { return nil }
        let valueEnd = start + run(start, limit: end - start) { $0 != UInt8(ascii: "&") }
        return isPlaceholder(start, valueEnd) || !isLiteral(start, valueEnd, nameStart)
            ? nil : valueEnd
    }

    /// Whether a setting stands before a name, as in `Server=db;User Id=ci;Password=…`.
    private func isInConnection(_ nameStart: Int) -> Bool {
        guard byte(nameStart - 1) == UInt8(ascii: ";") else { return false }
        var index = nameStart - 2
        while index > max(0, nameStart - 128), byte(index) >= 0x20, byte(index) != UInt8(ascii: ";"),
            !Self.valueQuotes.contains(byte(index))
        {
            if byte(index) == UInt8(ascii: "=") {
                return isWord(byte(index - 1)) && byte(index + 1) > 0x20
                    && byte(index + 1) != UInt8(ascii: "=")
            }
            index -= 1
        }
        return false
    }

    /// Where a password ends that a connection string begins with, `Password=…;Server=db`; nil for any other value.
    func connectionEnd(_ start: Int, _ end: Int, _ name: Range<Int>) -> Int? {
        guard byte(end) == UInt8(ascii: ";"), start == name.upperBound + 1,
            byte(start - 1) == UInt8(ascii: "="),
            ["password", "pwd"].contains(folded(name.lowerBound, name.upperBound))
        else { return nil }
        let next = afterBlanks(end + 1)
        let nextEnd = next + run(next, limit: 32) { isWord($0) || $0 == 0x20 }
        guard byte(nextEnd) == UInt8(ascii: "="), byte(nextEnd + 1) > 0x20,
            byte(nextEnd + 1) != UInt8(ascii: "="),
            Self.connectionSettings.contains(folded(next, nextEnd)), !isPlaceholder(start, end),
            isLiteral(start, end, name.lowerBound)
        else { return nil }
        // A program has such lines too, with names that are not spelled so, and values that are variables.
        return isMixed(start, end)
            || isCapitals(name.lowerBound..<name.lowerBound + 1) && !isCapitals(start..<end)
            ? end : nil
    }

    private static let connectionSettings: Set<String> = [
        "server", "host", "data source", "database", "initial catalog", "port", "user", "user id", "userid",
        "uid", "username", "driver", "encrypt", "integrated security", "persist security info",
    ]

    /// Where a password of several words ends, `password: correct horse battery staple`; nil for what is no such line.
    func proseEnd(_ start: Int, _ wordEnd: Int, _ nameStart: Int, _ nameEnd: Int) -> Int? {
        let name = folded(nameStart, nameEnd)
        guard ["password", "passwd", "passphrase"].contains(where: name.hasSuffix),
            beginsLine(nameStart),
            byte(nameEnd) == UInt8(ascii: ":"), byte(nameEnd + 1) == 0x20
        else { return nil }
        var end = start + run(start) { $0 >= 0x20 && !Self.noProse.contains($0) }
        guard isLineEnd(end) || byte(end) == UInt8(ascii: "#") else { return nil }
        while end > start, byte(end - 1) == 0x20 { end -= 1 }
        return end > wordEnd ? end : nil
    }

    /// The password of an address with a `/` in it, which SQLAlchemy takes though no address may have one; `slash` is where the
    /// user's name and what is after it were found to end.
    func slashedAddress(_ start: Int, _ user: Int, _ slash: Int) -> LeakScanner.Finding? {
        guard byte(slash) == UInt8(ascii: "/") else { return nil }
        let colon = user + run(user, limit: 64) { isURLSafe($0) }
        // A port is no password, and neither is the tag of an image.
        guard byte(colon) == UInt8(ascii: ":"), colon + 1 < slash,
            !(colon + 1..<slash).allSatisfy({ Self.isDigit(byte($0)) })
        else { return nil }
        let end = slash + run(slash, limit: 128) { $0 > 0x20 && $0 < 0x7f && !Self.noPassword.contains($0) }
        guard byte(end) == UInt8(ascii: "@"), isWord(byte(end + 1)), !starts("@sha", at: end),
            !(colon..<slash).contains(where: { Self.noPassword.contains(byte($0)) }),
            isMixed(colon + 1, end), !isPlaceholder(colon + 1, end)
        else { return nil }
        return .init(kind: "a password in an address", offset: start, secret: colon + 1..<end)
    }

    /// Whether a value without quotes is no expression of a program.
    func isLiteral(_ start: Int, _ end: Int, _ nameStart: Int) -> Bool {
        let words = ["none", "null", "true", "false", "nil", "undefined", "string", "str,", "yes"]
        guard end - start > 9 || !words.contains(folded(start, end)) else { return false }
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
            let isSign = byte(index) == UInt8(ascii: ".") || byte(index) == UInt8(ascii: ":")
            if Self.isDigit(byte(index)) || !isWord(byte(index)) && !isSign { isExpression = false }
        }
        // self.token, options.password, package.module:password
        return !(hasDot && isExpression)
    }

    /// Whether a value is spelled like a name in a program: letters and `_`.
    func isVariable(_ start: Int, _ end: Int) -> Bool {
        !Self.isDigit(byte(start)) && run(start, isWord) == end - start
    }

    /// Whether a value stands for another that is elsewhere, or is already sealed by the tool that wrote it.
    func isPlaceholder(_ start: Int, _ end: Int) -> Bool {
        let first = byte(start)
        if isTemplate(start, end) || starts("#jbcrypt:", at: start) { return true }
        // <useToken>true</useToken> says whether, and not what.
        if end - start <= 5, ["true", "false"].contains(folded(start, end)) { return true }
        var isOneCharacter = true
        for index in start..<end {
            if byte(index) != first { isOneCharacter = false }
            let isInsertion = byte(index) == UInt8(ascii: "$") || byte(index) == UInt8(ascii: "#")
            if isInsertion, byte(index + 1) == UInt8(ascii: "{") { return true }
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
            return isBetween("${", "}") || isBetween("$(", ")") || isName(start + 1, end)
                || end == start + 2
                || isInterpolation(start, end)
        case UInt8(ascii: "*"):
            // An alias of YAML, which stands behind a colon and a blank, and in no quotes: password: *db_password
            return byte(start - 1) == 0x20 && byte(start - 2) == UInt8(ascii: ":")
                && !Self.isDigit(byte(start + 1)) && start + 1 < end
                && run(start + 1, isURLSafe) == end - start - 1
        case UInt8(ascii: "{"):
            return isBetween("{{", "}}") || isBetween("{AQ", "}")
                || isBetween("{", "}") && isName(start + 1, end - 1)
        case UInt8(ascii: "/"): return isPath(start, end)
        case UInt8(ascii: "<"):
            return isBetween("<", ">")
        case UInt8(ascii: "&"):
            return isBetween("&lt;", "&gt;")
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

    private static let topDirectories: [StaticString] = [
        "/data/", "/etc/", "/home/", "/media/", "/mnt/", "/opt/", "/root/", "/run/", "/secrets/", "/srv/",
        "/tmp/", "/usr/", "/var/",
    ]

    /// Whether a value is the place of a file, which holds the secret: `token: /etc/understudy/jenkins.token`.
    private func isPath(_ start: Int, _ end: Int) -> Bool {
        guard let top = Self.topDirectories.first(where: { starts($0, at: start) }) else { return false }
        let name = start + top.utf8CodeUnitCount
        let isPart = { (byte: UInt8) in
            isURLSafe(byte) || byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".")
        }
        return name < end && run(name, limit: end - name, isPart) == end - name
    }

    /// Whether a value is nothing but what a shell puts in, `$USER:$HOST`, or a path with some of it, `$HOME/token`; the hash of a
    /// password, which names its method as a variable is named, is none.
    private func isInterpolation(_ start: Int, _ end: Int) -> Bool {
        for method in ["$apr1$", "$y$", "$gy$", "$argon2"] as [StaticString]
        where starts(method, at: start) {
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
    func isRandom(_ start: Int, _ end: Int) -> Bool {
        // What is longer under a name of keys and begins so is a public one of ssh.
        guard end - start >= 20, end - start <= Self.longest, !starts("AAAA", at: start) else {
            return false
        }
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
}
