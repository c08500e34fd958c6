/// A version of Jenkins or a plugin, ordered as `hudson.util.VersionNumber` orders it.
///
/// Split at dots, dashes and where digits meet letters; numbers by value and before nothing, qualifiers (`alpha`, `beta`,
/// `milestone`, `rc`, `snapshot`) before a release, other text after it; trailing zeros do not count.
struct VersionNumber: Comparable {
    private enum Part: Hashable {
        case number(String)
        case text(String)
        case dash([Part])
    }

    private let parts: [Part]

    init(_ text: String) {
        var tokens: [Part] = []
        var nested: [[Part]] = []
        var current = ""
        var isNumber = false
        func flush() {
            guard !current.isEmpty else { return }
            tokens.append(isNumber ? .number(Self.plain(current)) : .text(current.lowercased()))
            current = ""
        }
        for character in text {
            if character == "." || character == "-" || character == "_" {
                if current.isEmpty { tokens.append(.number("0")) }
                flush()
                if character == "-" {
                    nested.append(Self.normalised(tokens))
                    tokens = []
                }
            } else {
                let isDigit = character.isASCII && character.isNumber
                if !current.isEmpty && isDigit != isNumber { flush() }
                isNumber = isDigit
                current.append(character)
            }
        }
        flush()
        var result = Self.normalised(tokens)
        for outer in nested.reversed() { result = Self.normalised(outer + [.dash(result)]) }
        parts = result
    }

    static func < (left: VersionNumber, right: VersionNumber) -> Bool {
        compare(left.parts, right.parts) < 0
    }

    static func == (left: VersionNumber, right: VersionNumber) -> Bool {
        compare(left.parts, right.parts) == 0
    }

    private static func plain(_ digits: String) -> String {
        let plain = digits.drop { $0 == "0" }
        return plain.isEmpty ? "0" : String(plain)
    }

    /// Without what counts as nothing at the end.
    private static func normalised(_ parts: [Part]) -> [Part] {
        var parts = parts
        while let last = parts.last, last == .number("0") || last == .text("") || last == .dash([]) {
            parts.removeLast()
        }
        return parts
    }

    private static func compare(_ left: [Part], _ right: [Part]) -> Int {
        for index in 0..<max(left.count, right.count) {
            let order = compare(
                index < left.count ? left[index] : nil, index < right.count ? right[index] : nil)
            if order != 0 { return order }
        }
        return 0
    }

    private static func compare(_ left: Part?, _ right: Part?) -> Int {
        switch (left, right) {
        case (nil, nil): 0
        case (nil, let part?): -compare(part, nil)
        case (.number(let digits)?, nil): digits == "0" ? 0 : 1
        case (.text(let text)?, nil): rank(text) == release ? 0 : rank(text) < release ? -1 : 1
        case (.dash(let parts)?, nil): parts.first.map { compare($0, nil) } ?? 0
        case (.number(let a)?, .number(let b)?):
            (a.count, a) == (b.count, b) ? 0 : (a.count, a) < (b.count, b) ? -1 : 1
        case (.number?, _): 1
        case (_, .number?): -1
        case (.dash(let a)?, .dash(let b)?): compare(a, b)
        case (.dash?, .text?): 1
        case (.text?, .dash?): -1
        case (.text(let a)?, .text(let b)?):
            (rank(a), a) == (rank(b), b) ? 0 : (rank(a), a) < (rank(b), b) ? -1 : 1
        }
    }

    private static let qualifiers = ["snapshot", "alpha", "beta", "milestone", "rc", "", "sp"]
    private static let release = 5

    private static func rank(_ text: String) -> Int {
        let known = ["a": "alpha", "b": "beta", "m": "milestone", "cr": "rc", "ga": "", "final": ""]
        return qualifiers.firstIndex(of: known[text] ?? text) ?? qualifiers.count
    }
}
