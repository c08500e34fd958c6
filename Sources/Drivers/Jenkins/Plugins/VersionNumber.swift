/// A version of Jenkins or a plugin, compared as `hudson.util.VersionNumber` compares it (lib-version-number).
///
/// The comparison is Jenkins' own with all its quirks: it is not transitive for odd strings, and not symmetric for
/// wildcards, so it is only ever used pairwise, never to sort.
package struct VersionNumber: Hashable, Sendable {
    private indirect enum Item: Hashable, Sendable {
        /// Digits without leading zeros, of any length.
        case number(String)
        case text(String)
        case list([Item])
        case wildcard

        /// Whether it counts for nothing at the end of a list.
        var isNull: Bool {
            switch self {
            case .number(let digits): digits == "0"
            case .text(let text): qualifierKey(text) == releaseKey
            case .list(let items): items.isEmpty
            case .wildcard: false
            }
        }
    }

    private let items: [Item]
    /// What follows `-SNAPSHOT`, or stands in its place; nil for a release.
    private let snapshot: String?

    /// The version that a text spells; every text spells one.
    package init(_ text: String) {
        let (base, snapshot) = Self.split(text)
        self.snapshot = snapshot
        var parser = Parser()
        items = parser.parse(base.lowercased())
    }

    /// The comparison of two versions: negative, zero, positive.
    package func compared(to other: VersionNumber) -> Int {
        let order = Self.compare(.list(items), .list(other.items))
        guard order == 0 else { return order }
        switch (snapshot, other.snapshot) {
        case (nil, nil): return 0
        case (nil, _?): return -1
        case (_?, nil): return 1
        case (let left?, let right?):
            guard left != "-SNAPSHOT", right != "-SNAPSHOT" else { return 0 }
            let one = left.split(separator: "-").map(String.init)
            let two = right.split(separator: "-").map(String.init)
            guard one[0] == two[0] else { return one[0] < two[0] ? -1 : 1 }
            return Self.compareNumbers(plain(one[1]), plain(two[1]))
        }
    }

    /// Whether it comes before another, as `isOlderThan` has it.
    package func isOlder(than other: VersionNumber) -> Bool { compared(to: other) < 0 }

    /// The text before a snapshot's mark with `-SNAPSHOT` behind it, and the mark: `-SNAPSHOT` or a time and a number.
    private static func split(_ text: String) -> (String, String?) {
        var body = text[...]
        if body.hasSuffix(")"), let open = body.lastRange(of: " (") { body = body[..<open.lowerBound] }
        if body.hasSuffix("-SNAPSHOT") { return (String(body), "-SNAPSHOT") }
        let parts = body.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 3, let number = parts.last, !number.isEmpty, number.allSatisfy(isDigit) else {
            return (text, nil)
        }
        let stamp = parts[parts.count - 2]
        let dot = stamp.firstIndex(of: ".")
        guard let dot, stamp[..<dot].count == 8, stamp[dot...].count == 7,
            stamp.allSatisfy({ isDigit($0) || $0 == "." })
        else {
            return (text, nil)
        }
        let base = parts.dropLast(2).joined(separator: "-")
        return (base + "-SNAPSHOT", "-\(stamp)-\(number)")
    }

    private struct Parser {
        private var lists: [[Item]] = [[]]
        private var token = ""
        /// Whether the last character that was no mark was a digit.
        private var isDigits = false

        mutating func parse(_ text: String) -> [Item] {
            let characters = Array(text)
            for (index, character) in characters.enumerated() {
                switch character {
                case ".":
                    close()
                case "-":
                    close()
                    guard isDigits else { continue }
                    dropNulls()
                    if index + 1 < characters.count, VersionNumber.isDigit(characters[index + 1]) {
                        lists.append([])
                    }
                case "*":
                    token = ""
                    lists[lists.count - 1].append(.wildcard)
                default:
                    let digit = VersionNumber.isDigit(character)
                    // A blank begins a token, and counts for a digit to the one before.
                    if !token.isEmpty, digit != isDigits || character.isWhitespace {
                        closeToken(isFollowedByDigit: digit || character.isWhitespace)
                    }
                    isDigits = digit
                    token.append(character)
                }
            }
            if !token.isEmpty { closeToken(isFollowedByDigit: false) }
            while lists.count > 1 {
                dropNulls()
                let inner = lists.removeLast()
                lists[lists.count - 1].append(.list(inner))
            }
            dropNulls()
            return lists[0]
        }

        private mutating func close() {
            if token.isEmpty {
                lists[lists.count - 1].append(.number("0"))
            } else {
                closeToken(isFollowedByDigit: false)
            }
        }

        private mutating func closeToken(isFollowedByDigit: Bool) {
            if isDigits {
                lists[lists.count - 1].append(.number(plain(token)))
            } else {
                let letters = ["a": "alpha", "b": "beta", "m": "milestone"]
                let text = isFollowedByDigit ? letters[token] ?? token : token
                let aliases = ["ga": "", "final": "", "cr": "rc", "ea": "rc"]
                lists[lists.count - 1].append(.text(aliases[text] ?? text))
            }
            token = ""
        }

        private mutating func dropNulls() {
            while let last = lists[lists.count - 1].last, last.isNull { lists[lists.count - 1].removeLast() }
        }
    }

    private static func compare(_ left: Item?, _ right: Item?) -> Int {
        switch (left, right) {
        case (nil, nil): return 0
        case (nil, _?): return -compare(right, nil)
        case (.number(let digits)?, nil): return digits == "0" ? 0 : 1
        case (.text(let text)?, nil): return compareText(qualifierKey(text), releaseKey)
        case (.list(let items)?, nil): return items.isEmpty ? 0 : compare(items[0], nil)
        case (.wildcard?, nil): return 1
        case (.number(let one)?, .number(let two)?): return compareNumbers(one, two)
        case (.number?, .wildcard?): return 0
        case (.number?, _): return 1
        case (.text(let one)?, .text(let two)?): return compareText(qualifierKey(one), qualifierKey(two))
        case (.text?, _): return -1
        case (.list(let one)?, .list(let two)?):
            for index in 0..<max(one.count, two.count) {
                let order = compare(
                    index < one.count ? one[index] : nil, index < two.count ? two[index] : nil)
                if order != 0 { return order }
            }
            return 0
        case (.list?, .text?): return 1
        case (.list?, _): return -1
        case (.wildcard?, .wildcard?): return 0
        case (.wildcard?, _): return 1
        }
    }

    private static func compareText(_ left: String, _ right: String) -> Int {
        let one = Array(left.utf16)
        let two = Array(right.utf16)
        return one == two ? 0 : one.lexicographicallyPrecedes(two) ? -1 : 1
    }

    private static func compareNumbers(_ left: String, _ right: String) -> Int {
        guard left != right else { return 0 }
        return (left.count, left) < (right.count, right) ? -1 : 1
    }

    fileprivate static func isDigit(_ character: Character) -> Bool {
        character.isASCII && character.isNumber
    }
}

/// Digits without leading zeros.
private func plain(_ digits: String) -> String {
    let plain = digits.drop { $0 == "0" }
    return plain.isEmpty ? "0" : String(plain)
}

private let releaseKey = "5"

/// Where a word stands among the qualifiers; unknown ones come last, by their text.
private func qualifierKey(_ text: String) -> String {
    let known = ["snapshot", "alpha", "beta", "milestone", "rc", "", "sp"]
    guard let index = known.firstIndex(of: text) else { return "7-\(text)" }
    return "\(index)"
}

extension Substring {
    /// The last place of a text in this one.
    fileprivate func lastRange(of text: String) -> Range<Index>? { ranges(of: text).last }
}
