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
