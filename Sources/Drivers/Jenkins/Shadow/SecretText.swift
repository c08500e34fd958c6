/// Secrets in a text by how they look: what Jenkins encrypted, private keys, tokens, passwords in addresses.
struct SecretText {
    private let bytes: [UInt8]
    private let keys: ShadowKeys
    private let place: String

    init(_ bytes: [UInt8], keys: ShadowKeys, place: String) {
        self.bytes = bytes
        self.keys = keys
        self.place = place
    }

    /// What stands where a secret was, in text that no program decrypts.
    static let blank = Array("****".utf8)

    /// What to exchange, in order.
    func splices() -> [NeutralisationPlan.Splice] {
        var splices: [NeutralisationPlan.Splice] = []
        var index = 0
        while index < bytes.count {
            guard let (range, replacement) = secret(at: index) else {
                index += 1
                continue
            }
            if !bytes[range].elementsEqual(replacement) {
                splices.append(.init(range: range, replacement: replacement))
            }
            index = range.upperBound
        }
        return splices
    }

    private func secret(at index: Int) -> (Range<Int>, [UInt8])? {
        switch bytes[index] {
        case UInt8(ascii: "{"): encrypted(index)
        case UInt8(ascii: "-"): privateKey(index)
        case UInt8(ascii: ":"): password(index)
        default: token(index)
        }
    }

    /// `{AQAAA…}`.
    private func encrypted(_ start: Int) -> (Range<Int>, [UInt8])? {
        guard starts("{AQAAA", start) else { return nil }
        let end = start + 1 + run(start + 1) { Self.isBase64($0) }
        guard end < bytes.count, bytes[end] == UInt8(ascii: "}") else { return nil }
        return (start..<(end + 1), Array(keys.encrypted(keys.mask(place), at: place).utf8))
    }

    /// A private key in PEM, to its end or, where it has none, to the end of what can be part of it.
    private func privateKey(_ start: Int) -> (Range<Int>, [UInt8])? {
        guard starts("-----BEGIN ", start) else { return nil }
        let title = start + 11 + run(start + 11) { $0 > 0x1f && $0 != UInt8(ascii: "-") }
        let name = String(decoding: bytes[(start + 11)..<title], as: UTF8.self)
        guard name.contains("PRIVATE KEY"), starts("-----", title) else { return nil }
        let end = Array("-----END \(name)-----".utf8)
        var index = title + 5
        while index < bytes.count, bytes[index] != UInt8(ascii: "<") {
            if bytes[index] == end[0], bytes[index...].starts(with: end) {
                return (start..<(index + end.count), Self.blank)
            }
            index += 1
        }
        return (start..<index, Self.blank)
    }

    /// `scheme://user:password@host`.
    private func password(_ start: Int) -> (Range<Int>, [UInt8])? {
        guard starts("://", start), start > 0, Self.isWord(bytes[start - 1]) else { return nil }
        let isPart = { (byte: UInt8) in byte > 0x20 && byte < 0x7f && !"/@\"'<>\\`".utf8.contains(byte) }
        let end = start + 3 + run(start + 3, isPart)
        guard end < bytes.count, bytes[end] == UInt8(ascii: "@"),
            let colon = bytes[(start + 3)..<end].firstIndex(of: UInt8(ascii: ":")), colon + 1 < end,
            // A variable stands for what is elsewhere.
            bytes[colon + 1] != UInt8(ascii: "$")
        else { return nil }
        return ((colon + 1)..<end, Self.blank)
    }

    /// How issuers begin their tokens, and how many characters follow at least.
    private static let prefixes: [(String, Int)] = [
        ("AKIA", 16), ("ASIA", 16), ("ghp_", 36), ("gho_", 36), ("ghu_", 36), ("ghs_", 36), ("ghr_", 36),
        ("github_pat_", 22), ("glpat-", 20), ("xoxb-", 10), ("xoxp-", 10), ("xoxa-", 10), ("xoxr-", 10),
        ("xoxs-", 10),
        ("sk_live_", 16), ("rk_live_", 16), ("AIza", 35), ("ya29.", 20), ("npm_", 36), ("pypi-AgEI", 40),
        ("hvs.", 24),
        ("dop_v1_", 64), ("AGE-SECRET-KEY-1", 50),
    ]

    private static let partLimit = 1 << 12

    private func token(_ start: Int) -> (Range<Int>, [UInt8])? {
        guard start == 0 || !Self.isWord(bytes[start - 1]) else { return nil }
        let isPart = { (byte: UInt8) in Self.isWord(byte) || byte == UInt8(ascii: "-") }
        for (prefix, count) in Self.prefixes where starts(prefix, start) {
            let length = run(start + prefix.utf8.count, isPart)
            if length >= count { return (start..<(start + prefix.utf8.count + length), Self.blank) }
        }
        guard starts("eyJ", start) else { return nil }
        // Three parts of base 64, the first two of which are JSON. A text of beginnings alone must not take for ever.
        let second = start + run(start, limit: Self.partLimit, isPart) + 1
        guard second < bytes.count, bytes[second - 1] == UInt8(ascii: "."), starts("eyJ", second) else {
            return nil
        }
        let third = second + run(second, limit: Self.partLimit, isPart) + 1
        guard third < bytes.count, bytes[third - 1] == UInt8(ascii: ".") else { return nil }
        let length = run(third, isPart)
        return length < 20 ? nil : (start..<(third + length), Self.blank)
    }

    private func starts(_ text: String, _ start: Int) -> Bool { bytes[start...].starts(with: text.utf8) }

    private func run(_ start: Int, limit: Int = Int.max, _ condition: (UInt8) -> Bool) -> Int {
        var end = start
        while end < bytes.count, end - start < limit, condition(bytes[end]) { end += 1 }
        return end - start
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        isWord(byte) && byte != UInt8(ascii: "_") || "+/=".utf8.contains(byte)
    }
}
