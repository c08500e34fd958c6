/// Secrets in lines of settings and commands that have nothing but blanks between a name and its value.
extension LeakText {
    /// What gives the word behind it a value, where it begins a line: of Dockerfiles, shells, Apache, nginx.
    private static let setters: Set<String> = [
        "env", "setenv", "fastcgi_param", "uwsgi_param", "scgi_param",
    ]
    /// What is set to a password, where it begins a line: of Redis, and of what asks LDAP.
    private static let settings: Set<String> = ["requirepass", "masterauth", "bindpw"]
    private static let longestSetting = 11
    private static let settingEnds = ASCIISet("shw")

    /// The value behind a name and blanks: `ENV DB_PASSWORD …`, `fastcgi_param DB_PASSWORD …;`, `requirepass …`,
    /// `aws configure set aws_secret_access_key …`.
    func directive(_ name: Range<Int>) -> Range<Int>? {
        guard isBlank(byte(name.upperBound)) else { return nil }
        // Before it is spelled: most are words of a sentence.
        let isSetting =
            name.count <= Self.longestSetting && Self.settingEnds.contains(byte(name.upperBound - 1) | 0x20)
            && Self.settings.contains(folded(name.lowerBound, name.upperBound))
        guard isSetting || isStrong(name.lowerBound, name.upperBound) else { return nil }
        let first = afterBlanks(name.upperBound)
        let string = quoted(first)
        let value = string ?? first..<bareEnd(first)
        guard value.count >= 4, !isPlaceholder(value.lowerBound, value.upperBound),
            string != nil || isLiteral(value.lowerBound, value.upperBound, name.lowerBound)
        else { return nil }
        let end = value.upperBound + (string == nil ? 0 : quoteLength(first))
        let isLast = isLineEnd(end) || byte(end) == UInt8(ascii: ";")
        if isSetting { return isLast && beginsLine(name.lowerBound) ? value : nil }
        let word = wordBefore(name.lowerBound)
        switch folded(word.lowerBound, word.upperBound) {
        case "set":
            let before = wordBefore(word.lowerBound)
            let isOfAWS = folded(before.lowerBound, before.upperBound) == "configure"
            return isOfAWS && isMixed(value.lowerBound, value.upperBound) ? value : nil
        case let setter where Self.setters.contains(setter):
            // A name in small letters may be a word of a sentence.
            let isName = isCapitals(name) || isMixed(value.lowerBound, value.upperBound)
            return isLast && isName && beginsLine(word.lowerBound) ? value : nil
        default: return nil
        }
    }

    /// What a proxy sends with each request: `proxy_set_header Authorization "Basic …";`,
    /// `RequestHeader set Authorization "Bearer …"`.
    func header(_ name: Range<Int>) -> Range<Int>? {
        let index = name.upperBound + quoteLength(name.upperBound)
        guard isBlank(byte(index)) else { return nil }
        let quote = afterBlanks(index)
        let length = quoteLength(quote)
        return length > 0 ? credentials(name, quote + length) : nil
    }

    /// The password of an entry as `.netrc` has them, `machine HOST login USER password …` on one line or several, wherever it is
    /// written.
    func netrcEntry(_ name: Range<Int>) -> Range<Int>? {
        guard name.count == 8, starts("password", at: name.lowerBound), isBlank(byte(name.upperBound)) else {
            return nil
        }
        let start = afterBlanks(name.upperBound)
        var end = bareEnd(start)
        // Those of an end of the line that is escaped twice.
        while end > start, byte(end - 1) == UInt8(ascii: "\\") { end -= 1 }
        let value = start..<end
        let hasDigits = isMixed(start, end)
        guard value.count >= 4, !isPlaceholder(start, end), isLiteral(start, end, name.lowerBound),
            !isCapitals(value) || hasDigits
        else { return nil }
        func ends(_ range: Range<Int>, _ word: StaticString) -> Bool {
            let start = range.upperBound - word.utf8CodeUnitCount
            return start >= range.lowerBound && starts(word, at: start)
                && (start == range.lowerBound || !isWord(byte(start - 1)))
        }
        func hasDot(_ host: Range<Int>) -> Bool { host.contains { byte($0) == UInt8(ascii: ".") } }
        let user = wordOfEntry(before: name.lowerBound)
        let login = wordOfEntry(before: user.lowerBound)
        guard ends(login, "login") else {
            // Without a user, or with one behind it; the password of a machine is also what people write of.
            return ends(login, "machine") && hasDot(user) && hasDigits ? value : nil
        }
        let host = wordOfEntry(before: login.lowerBound)
        if ends(host, "default") { return hasDigits && beginsLine(host.upperBound - 7) ? value : nil }
        let machine = wordOfEntry(before: host.lowerBound)
        guard ends(machine, "machine") else { return nil }
        // To a machine people "login with password authentication" too, and write no sentence into a file.
        let first = machine.upperBound - 7
        return hasDigits || hasDot(host) || beginsLine(first) || quoteLength(before: first) > 0
            || byte(afterBlanks(end)) == UInt8(ascii: ">") ? value : nil
    }

    /// The word before a place, with blanks and ends of lines between, which may be escaped; an empty range when there is none.
    private func wordOfEntry(before index: Int) -> Range<Int> {
        func isEscape(before index: Int) -> Bool {
            byte(index - 2) == UInt8(ascii: "\\")
                && (byte(index - 1) == UInt8(ascii: "n") || byte(index - 1) == UInt8(ascii: "t"))
        }
        var end = index
        while end > max(0, index - 64), byte(end - 1) <= 0x20 || isEscape(before: end) {
            end -= byte(end - 1) <= 0x20 ? 1 : 2
        }
        guard end < index else { return index..<index }
        var start = end
        while start > max(0, end - 128), byte(start - 1) > 0x20, !isEscape(before: start) { start -= 1 }
        return start..<end
    }

    /// Whether a field holds a user and a password in base 64, as `auth` of Docker and `_auth` of npm do, which may be too short
    /// to look random.
    func isBasicCredentials(_ name: Range<Int>, _ value: Range<Int>) -> Bool {
        guard name.count >= 4, folded(name.upperBound - 4, name.upperBound) == "auth",
            (8...Self.longest).contains(value.count)
        else { return false }
        let text = value.map { byte($0) }
        let padding = text.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2, let words = Base64.decode(text.dropLast(padding)),
            words.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }),
            let colon = words.firstIndex(of: UInt8(ascii: ":"))
        else { return false }
        return colon > 0 && words.count - colon > 4
    }

    /// The string of JSON on a line below its name.
    func stringBelow(_ name: Range<Int>) -> Range<Int>? {
        guard byte(name.lowerBound - 1) == UInt8(ascii: "\""), byte(name.upperBound) == UInt8(ascii: "\"")
        else { return nil }
        let colon = afterBlanks(name.upperBound + 1)
        guard byte(colon) == UInt8(ascii: ":"), byte(afterBlanks(colon + 1)) == UInt8(ascii: "\n") else {
            return nil
        }
        let start = afterWhitespace(colon + 1)
        guard byte(start) == UInt8(ascii: "\""), let value = quoted(start), value.count >= 4,
            !isPlaceholder(value.lowerBound, value.upperBound)
        else { return nil }
        let next = byte(afterWhitespace(value.upperBound + 1))
        return next == UInt8(ascii: ",") || next == UInt8(ascii: "}") || next == 0 ? value : nil
    }

    /// What lets anybody write into a channel of Slack, `hooks.slack.com/services/T…/B…/…`; `start` is at the host.
    func hook(_ start: Int) -> Range<Int>? {
        let place: StaticString = "hooks.slack.com/services/"
        guard starts(place, at: start) else { return nil }
        let team = start + place.utf8CodeUnitCount
        let channel = team + run(team, limit: 32, isWord) + 1
        guard byte(team) == UInt8(ascii: "T"), channel - team > 6, byte(channel - 1) == UInt8(ascii: "/"),
            byte(channel) == UInt8(ascii: "B")
        else { return nil }
        let secret = channel + run(channel, limit: 32, isWord) + 1
        guard secret - channel > 6, byte(secret - 1) == UInt8(ascii: "/") else { return nil }
        let end = secret + run(secret, isWord)
        return end - secret >= 16 && !isPlaceholder(secret, end) ? team..<end : nil
    }

    /// The word before a place, with blanks between; an empty range when there is none.
    private func wordBefore(_ index: Int) -> Range<Int> {
        let end = beforeBlanks(index)
        guard end < index else { return index..<index }
        var start = end
        while end - start < 32, isURLSafe(byte(start - 1)) { start -= 1 }
        return start..<end
    }

    private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
