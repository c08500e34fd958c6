internal import Csearch
internal import Glibc

/// Looks for what must not be stored in clear: private keys, tokens, passwords in fields and addresses.
///
/// It looks at bytes, knows no language, and is made to be wrong on the safe side: what it takes for a secret is only
/// sealed. Only where one of its beginnings may stand does it look closer.
package enum LeakScanner {
    /// Something that looks like a secret.
    package struct Finding: Hashable, Sendable {
        /// What it looks like, for people.
        package var kind: String
        /// Where it begins.
        package var offset: Int
        /// What must not be read: the value, the token, the key with its first and last line.
        package var secret: Range<Int>
    }

    /// Changes whenever something else is found than before: what was looked at under another number is looked at again.
    package static let version = 14

    /// How far back a piece of a long text must overlap with the piece before, so that nothing is cut apart unseen.
    package static let overlap = 1 << 15

    /// Whether a file that begins so is a zip archive: a plugin, a wheel.
    ///
    /// Most of what is in it is compressed and cannot be looked at; what is not is other people's code, with the keys of its
    /// tests.
    @unsafe package static func isArchive(_ start: UnsafeRawBufferPointer) -> Bool {
        unsafe start.starts(with: [0x50, 0x4b, 0x03, 0x04])
    }

    /// What looks like a secret first, nil when nothing does.
    @unsafe package static func find(_ bytes: UnsafeRawBufferPointer) -> Finding? {
        guard bytes.count >= 8, unsafe !isArchive(bytes) else { return nil }
        // What only begins as such a text is looked through as it is.
        if let narrow = unsafe narrowed(bytes),
            let found = unsafe narrow.withUnsafeBytes({ unsafe find($0) })
        {
            return Finding(
                kind: found.kind, offset: 2 + 2 * found.offset,
                secret: (2 + 2 * found.secret.lowerBound)..<(2 + 2 * found.secret.upperBound))
        }
        // In a binary file names and values are no text: only a key that is kept as text is one there too.
        if unsafe isBinary(bytes) { return unsafe privateKeyInBinary(bytes) }
        return unsafe withUnsafePointer(to: threeBytes) { threeBytes in
            var start = 0
            while true {
                unsafe start = csearch_next(threeBytes, bytes.baseAddress, start, bytes.count)
                guard start < bytes.count else { return nil }
                if let finding = unsafe look(at: start, in: bytes) { return finding }
                start += 1
            }
        }
    }

    // MARK: - Where to look closer

    /// Beginnings of what is looked at closer, folded: at least three bytes each.
    private static let beginnings: [[UInt8]] = [
        "---", "age-secret-key-1", "putty-user-key-file-", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_",
        "ghr_",
        "github_pat_", "glpat-", "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "sk_live_", "rk_live_", "aiza",
        "ya29.",
        "npm_", "pypi-agei", "hvs.", "dop_v1_", "eyj", "://", "pass", "pwd", "secret", "token", "apikey",
        "key",
        "auth", "cred", "-u ", "--user", "er(", " -p", "\"-p", "'-p", "sk-ant-",
        "dpw ", "dpw\t",
    ].map { $0.utf8.map(fold) }

    /// The first three bytes of each, for the search; beginnings that are alike share one of its eight groups.
    private static let threeBytes: csearch_beginnings = {
        var search = csearch_beginnings()
        let sorted = beginnings.sorted { $0.lexicographicallyPrecedes($1) }
        for (number, beginning) in sorted.enumerated() {
            let group: UInt8 = 1 << UInt8(number * 8 / sorted.count)
            unsafe withUnsafeMutableBytes(of: &search) { tables in
                for (index, byte) in beginning.prefix(3).enumerated() {
                    unsafe tables[index * 16 + Int(byte & 15)] |= group
                    unsafe tables[48 + index * 16 + Int(byte >> 4)] |= group
                }
                let number = Int(csearch_number(beginning[0], beginning[1], beginning[2]))
                unsafe tables[96 + number / 8] |= 1 << UInt8(number % 8)
            }
        }
        return search
    }()

    private static func fold(_ byte: UInt8) -> UInt8 { byte | 0x20 }

    /// The beginnings in one row: each after its length, those with the same first byte together, and a zero after them.
    private static let row: (bytes: [UInt8], starts: [Int]) = {
        var bytes: [UInt8] = []
        let starts = (0..<256).map { first in
            let start = bytes.count
            for beginning in beginnings where Int(beginning[0]) == first {
                bytes += [UInt8(beginning.count)] + beginning
            }
            bytes.append(0)
            return start
        }
        return (bytes, starts)
    }()

    @unsafe private static func begins(at start: Int, in text: UnsafeRawBufferPointer) -> Bool {
        let (row, starts) = (row.bytes.span, row.starts.span)
        var place = unsafe starts[Int(fold(text[start]))]
        while row[place] > 0 {
            let count = Int(row[place])
            var index = 1
            while index < count, start + index < text.count,
                unsafe fold(text[start + index]) == row[place + 1 + index]
            {
                index += 1
            }
            if index == count { return true }
            place += 1 + count
        }
        return false
    }

    /// A text of UTF-16 as the rules know one, which is ASCII alone: a byte for each character; nil for any other text.
    @unsafe private static func narrowed(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        guard let isBigEndian = unsafe WideText.isBigEndian(bytes) else { return nil }
        let (high, low) = isBigEndian ? (0, 1) : (1, 0)
        return (1..<(bytes.count / 2)).map { index -> UInt8 in
            let byte = unsafe bytes[2 * index + low]
            return unsafe bytes[2 * index + high] == 0 && byte < 0x80 ? byte : 0x80
        }
    }

    @unsafe private static func isBinary(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        return unsafe memchr(base, 0, min(bytes.count, 8_000)) != nil
    }

    @unsafe private static func privateKeyInBinary(_ bytes: UnsafeRawBufferPointer) -> Finding? {
        let mark = Array("-----BEGIN ".utf8)
        guard let base = bytes.baseAddress else { return nil }
        let text = unsafe LeakText(bytes)
        var start = 0
        while start + mark.count <= bytes.count,
            let found = unsafe memchr(base + start, CInt(mark[0]), bytes.count - start - mark.count + 1)
        {
            let offset = unsafe UnsafeRawPointer(found) - base
            if unsafe memcmp(base + offset, mark, mark.count) == 0, let finding = text.privateKey(offset) {
                return finding
            }
            start = offset + 1
        }
        return nil
    }

    @unsafe private static func look(at start: Int, in bytes: UnsafeRawBufferPointer) -> Finding? {
        // The search knows three bytes, and those by a number of twelve bits.
        guard unsafe begins(at: start, in: bytes) else { return nil }
        let text = unsafe LeakText(bytes)
        return switch unsafe fold(bytes[start]) {
        case fold(UInt8(ascii: "-")): text.privateKey(start) ?? text.user(start)
        case fold(UInt8(ascii: ":")): text.address(start)
        case fold(UInt8(ascii: " ")), fold(UInt8(ascii: "\"")), fold(UInt8(ascii: "'")):
            text.option(start + 1)
        case fold(UInt8(ascii: "e")): text.token(start) ?? text.constructor(start)
        default: text.token(start) ?? text.field(start)
        }
    }
}
