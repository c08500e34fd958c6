/// Secrets that calls and commands are given.
extension LeakText {
    /// Where those that are given passwords have them, counted from 0.
    private static let callees: [(name: StaticString, position: Int)] = [
        ("UsernamePassword", 1), ("GitHubAuth", 1), ("GoogleAuth", 1), ("BitbucketAuth", 1),
        ("GitLabAuth", 2),
        ("HTTPBasicAuth", 1), ("PasswordManhole", 2),
    ]

    /// How far the arguments of a call are looked at.
    private static let longestCall = 1 << 8

    /// The password that something is called with; `opening` is its parenthesis.
    func call(_ opening: Int) -> Range<Int>? {
        func isCallee(_ name: StaticString) -> Bool {
            let start = opening - name.utf8CodeUnitCount
            return starts(name, at: start) && !isWord(byte(start - 1))
        }
        let secret: Range<Int>?
        if isCallee("UserPasswordAuth") || isCallee("Try_Userpass") {
            secret = pair(opening)
        } else {
            secret = Self.callees.first { isCallee($0.name) }.flatMap { argument($0.position, opening) }
        }
        return secret.flatMap(secretString)
    }

    /// The password of a worker of Buildbot, `Worker("name", "password")`; `start` is at the `er(`.
    func constructor(_ start: Int) -> LeakScanner.Finding? {
        guard starts("Worker(", at: start - 4) else { return nil }
        var name = start - 4
        while name > max(0, start - 64), isWord(byte(name - 1)) { name -= 1 }
        // One of the host itself has none; a page's worker has a script.
        guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte(name)), !starts("LocalWorker", at: name),
            !starts("SharedWorker", at: name), let secret = argument(1, start + 2).flatMap(secretString)
        else { return nil }
        return .init(kind: "a password", offset: name, secret: secret)
    }

    private func secretString(_ range: Range<Int>) -> Range<Int>? {
        range.count >= 4 && !isPlaceholder(range.lowerBound, range.upperBound) ? range : nil
    }

    /// The argument at a position when it is nothing but a string.
    private func argument(_ position: Int, _ opening: Int) -> Range<Int>? {
        var index = opening + 1
        var number = 0
        var depth = 0
        var isFirst = true
        while index < min(count, opening + Self.longestCall) {
            let byte = byte(index)
            if let string = string(index) {
                let next = self.byte(afterWhitespace(string.end))
                if isFirst, number == position {
                    return next == UInt8(ascii: ",") || next == UInt8(ascii: ")") ? string.text : nil
                }
                index = string.end
                isFirst = false
                continue
            }
            switch byte {
            case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
                depth -= 1
                guard depth >= 0 else { return nil }
            case UInt8(ascii: ",") where depth == 0:
                number += 1
                guard number <= position else { return nil }
            default: break
            }
            isFirst = byte <= 0x20 ? isFirst : byte == UInt8(ascii: ",") && depth == 0
            index += 1
        }
        return nil
    }

    /// The seconds of strings that belong together, `{"ci": "…"}`, `[("ci", "…")]`, from the first of them to the last that is
    /// quoted as it is.
    private func pair(_ opening: Int) -> Range<Int>? {
        var index = opening
        var depth = 0
        var found: Range<Int>?
        while index < min(count, opening + Self.longestCall) {
            guard let first = string(index) else {
                if byte(index) == UInt8(ascii: "(") { depth += 1 }
                if byte(index) == UInt8(ascii: ")") { depth -= 1 }
                guard depth > 0 else { return found }
                index += 1
                continue
            }
            var before = index - 1
            while before > opening, byte(before) <= 0x20 { before -= 1 }
            let sign = byte(afterWhitespace(first.end))
            let belongs =
                sign == UInt8(ascii: ":")
                || sign == UInt8(ascii: ",") && byte(before) == UInt8(ascii: "(") && before > opening
            index = first.end
            guard belongs, let second = string(afterWhitespace(afterWhitespace(first.end) + 1)) else {
                continue
            }
            index = second.end
            guard let secret = secretString(second.text) else { continue }
            let start = found?.lowerBound ?? secret.lowerBound
            if byte(start - 1) == byte(secret.lowerBound - 1) { found = start..<secret.upperBound }
        }
        return found
    }

    /// A string of Python, with its prefix.
    private func string(_ start: Int) -> (text: Range<Int>, end: Int)? {
        let isPrefixed =
            byte(start) == UInt8(ascii: "b") || byte(start) == UInt8(ascii: "r")
            || byte(start) == UInt8(ascii: "u")
        let quote = start + (isPrefixed && !isWord(byte(start - 1)) ? 1 : 0)
        return quoted(quote).map { ($0, $0.upperBound + quoteLength(quote)) }
    }

    // MARK: - Arguments

    /// What comes after the name of an option, `--password …`, `"--password", "…"`, or of a variable that may be missing,
    /// `os.environ.get("X_PASSWORD", "…")`, or of a constant of PHP, `define('DB_PASSWORD', '…')`.
    func argument(_ name: Range<Int>) -> Range<Int>? {
        let quote = quoteLength(name.upperBound)
        var index = name.upperBound + quote
        let isOption = byte(name.lowerBound) == UInt8(ascii: "-")
        if quote > 0 {
            let call = name.lowerBound - quote
            let isCalled =
                starts("environ.get(", at: call - 12) || starts("getenv(", at: call - 7)
                || starts("define(", at: beforeBlanks(call) - 7)
            guard isOption || isCalled else { return nil }
            guard byte(index) == UInt8(ascii: ",") else { return nil }
            index = afterWhitespace(index + 1)
            guard quoteLength(index) > 0 else { return nil }
        } else {
            guard isOption, byte(index) == 0x20 else { return nil }
            index = afterBlanks(index)
        }
        let value = quoted(index) ?? index..<bareEnd(index)
        // The next word of a sentence, another option, the help of this one.
        guard value.count >= 4, byte(value.lowerBound) != UInt8(ascii: "-"),
            !value.contains(where: { byte($0) <= 0x20 }), !isPlaceholder(value.lowerBound, value.upperBound),
            isLiteral(value.lowerBound, value.upperBound, index),
            !isOption || isMixed(value.lowerBound, value.upperBound)
        else { return nil }
        return value
    }

    /// The password that a program is given by one letter, `mysql -p…`, `sshpass -p …`, `docker login -p …`; `start` is at the
    /// hyphen.
    func option(_ start: Int) -> LeakScanner.Finding? {
        guard starts("-p", at: start), let (value, isApart) = letterArgument(start) else { return nil }
        let (first, end) = (value.lowerBound, value.upperBound)
        // Of several words it stands in quotes that begin with it, and not in those of a program's strings.
        let isPhrase =
            !isApart && quoteLength(before: first) > 0 && isWord(byte(first)) && isWord(byte(end - 1))
        guard value.count >= 4, isPhrase || !value.contains(where: { byte($0) <= 0x20 }),
            !Self.noLetterStart.contains(byte(first)),
            !value.dropLast(2).contains(where: { byte($0) == UInt8(ascii: "=") }),
            !isPlaceholder(first, end), !isPort(value), isLiteral(first, end, start),
            !Self.otherOptions.contains(folded(first, end)),
            // A name in capitals is a word of a manual.
            !isCapitals(value) || value.contains(where: { Self.isDigit(byte($0)) })
        else { return nil }
        switch programWithPassword(before: start) {
        case .client where !isApart, .pass: break
        // "login" is a word of sentences too.
        case .login where isApart && isMixed(first, end): break
        default: return nil
        }
        return .init(kind: "a password", offset: start, secret: value)
    }

    private static let letterEnds = ASCIISet("\"'`<>;&|\\),")
    /// What joins strings of a program, or is put in by a shell.
    private static let noLetterStart = ASCIISet("+.,)$")
    /// What is behind the `p` in words of other programs: `find mysql -print`, `gcc -I mysql -pthread`.
    private static let otherOptions: Set<String> = ["rint", "rint0", "rintf", "rune", "thread", "edantic"]

    /// What is given with an option of one letter, and whether it stands apart from it: `-p…`, `-p=…`, `-p …`, `"-p", "…"`.
    private func letterArgument(_ start: Int) -> (value: Range<Int>, isApart: Bool)? {
        var index = start + 2
        var isApart = true
        let quote = quoteLength(before: start) > 0 ? quoteLength(index) : 0
        if quote > 0 {
            guard byte(index + quote) == UInt8(ascii: ",") else { return nil }
            index = afterBlanks(index + quote + 1)
            guard quoteLength(index) > 0 else { return nil }
        } else if byte(index) == 0x20 {
            index = afterBlanks(index)
        } else {
            isApart = false
            if byte(index) == UInt8(ascii: "=") { index += 1 }
            // -password is told with its whole name.
            guard !starts("assw", at: index) else { return nil }
        }
        let end =
            index + run(index) { $0 > 0x20 && $0 < 0x7f && !Self.letterEnds.contains($0) }
        return (quoted(index) ?? index..<end, isApart)
    }

    /// Whether a value is what `-p` is to other programs: a port, an address with ports.
    private func isPort(_ value: Range<Int>) -> Bool {
        let signs = value.count { !Self.isDigit(byte($0)) }
        let isOfSigns = value.allSatisfy { index in
            Self.isDigit(byte(index)) || byte(index) == UInt8(ascii: ":") || byte(index) == UInt8(ascii: ".")
        }
        return isOfSigns && (signs > 0 || value.count <= 5)
    }

    private enum PasswordProgram {
        /// `mysql` and its like, whose `-p` alone asks.
        case client
        /// `sshpass`.
        case pass
        /// `docker login` and its like.
        case login
    }

    /// The program on the same line that takes a password by `-p`.
    private func programWithPassword(before start: Int) -> PasswordProgram? {
        var index = start
        while index > max(0, start - 256) {
            index -= 1
            switch byte(index) {
            case UInt8(ascii: "\n") where byte(index - 1) != UInt8(ascii: "\\"): return nil
            case UInt8(ascii: "|"): return nil
            case UInt8(ascii: "&") where byte(index - 1) == UInt8(ascii: "&"): return nil
            case UInt8(ascii: ";") where quoteLength(before: index + 1) == 0: return nil
            case UInt8(ascii: "m") where isProgram("mysql", at: index) || isProgram("mariadb", at: index):
                return .client
            case UInt8(ascii: "s") where isProgram("sshpass", at: index): return .pass
            case UInt8(ascii: "l") where isProgram("login", at: index): return .login
            default: break
            }
        }
        return nil
    }

    /// Whether a word of a command is a program, or one of those whose names begin so: `mysql`, `mysqldump`, `mariadb-dump`.
    private func isProgram(_ name: StaticString, at index: Int) -> Bool {
        guard starts(name, at: index), !isURLSafe(byte(index - 1)), byte(index - 1) != UInt8(ascii: ".")
        else {
            return false
        }
        guard byte(index - 1) != UInt8(ascii: "/") || starts("bin/", at: index - 4) else { return false }
        let end = index + run(index, limit: 32) { isURLSafe($0) && $0 != UInt8(ascii: "_") }
        return byte(end) <= 0x20 || byte(end) == UInt8(ascii: ",") || quoteLength(end) > 0
    }

    /// What a server is told to know somebody: `Authorization: Bearer …`, `auth=("ci", "…")`.
    func credentials(_ name: Range<Int>, _ value: Int) -> Range<Int>? {
        let last = byte(name.upperBound - 1) | 0x20
        guard last == UInt8(ascii: "h") || last == UInt8(ascii: "n") else { return nil }
        let word = folded(name.lowerBound, name.upperBound)
        if word.hasSuffix("auth"), byte(value) == UInt8(ascii: "(") {
            guard byte(value - 1) == UInt8(ascii: "=") || starts("= ", at: value - 2) else { return nil }
            return argument(1, value).flatMap(secretString)
        }
        guard word.hasSuffix("authorization") else { return nil }
        let kindEnd = value + run(value, limit: 8, isWord)
        guard ["bearer", "basic", "token"].contains(folded(value, kindEnd)), byte(kindEnd) == 0x20 else {
            return nil
        }
        let start = afterBlanks(kindEnd)
        let end = bareEnd(start)
        let hasCapitals = (start..<end).contains { isCapitals($0..<($0 + 1)) && !Self.isDigit(byte($0)) }
        let looksEncoded = hasCapitals && !isCapitals(start..<end) && end - start >= 12
        guard end - start >= 8, !isPlaceholder(start, end), isLiteral(start, end, start),
            isMixed(start, end) || looksEncoded && !isStrong(start, end)
        else { return nil }
        return start..<end
    }

    /// `curl -u ci:…`; `start` is at the hyphen.
    func user(_ start: Int) -> LeakScanner.Finding? {
        guard byte(start - 1) <= 0x20 else { return nil }
        var index =
            start
            + (starts("-u ", at: start)
                ? 3 : starts("--user ", at: start) || starts("--user=", at: start) ? 7 : 0)
        guard index > start else { return nil }
        index = afterBlanks(index)
        let quote = quoteLength(index)
        let user = index + quote
        let colon =
            user
            + run(user, limit: 128) {
                isURLSafe($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "@") || $0 == UInt8(ascii: "+")
            }
        guard colon > user, byte(colon) == UInt8(ascii: ":"), isOfCurl(start) else { return nil }
        let end = quote > 0 ? quoted(index)?.upperBound ?? colon : bareEnd(colon + 1)
        guard end - colon > 4, !isPlaceholder(colon + 1, end), isLiteral(colon + 1, end, colon + 1),
            !isCapitals((colon + 1)..<end) || isMixed(colon + 1, end)
        else { return nil }
        return .init(kind: "a password", offset: start, secret: (colon + 1)..<end)
    }

    private func isOfCurl(_ start: Int) -> Bool {
        var index = start
        while index > max(0, start - 512) {
            index -= 1
            if byte(index) == UInt8(ascii: "\n"), byte(index - 1) != UInt8(ascii: "\\") { return false }
            if starts("curl", at: index) { return true }
        }
        return false
    }
}
