/// Reads SQL as psql and the server read it, as far as it takes to know what is quoted and where a statement ends.
///
/// It goes by bytes and not by characters: a quote with an accent behind it is one character, and a quote all the same.
struct SQLScanner {
    private enum State {
        case plain
        /// In a word; only `E` alone gives the quote behind it another meaning.
        case word(isEscape: Bool)
        /// What may be the first of the two bytes that begin a comment.
        case dash, slash
        /// To the end of the line: a comment, or one of psql's own commands.
        case line
        /// In a comment of `depth`, behind a byte that may be the first of two that open or close one.
        case comment(depth: Int, last: UInt8)
        case identifier
        case string(escapes: Bool)
        /// Behind a backslash in a string.
        case escaped
        /// Behind the quote that ends a string, unless another one comes: at once, or on a later line.
        case stringEnd(escapes: Bool, gap: Gap)
        /// Between the two `$` that begin a string, whose delimiter they are with what stands between them.
        case delimiter([UInt8])
        /// In such a string, behind as many bytes of what ends it.
        case dollars([UInt8], matched: Int)
    }

    private enum Gap { case none, blanks, line }

    private var state = State.plain
    /// Whether a statement has begun and not ended: comments and psql's own commands are none.
    private(set) var isInStatement = false
    /// Whether the last byte was the `;` that ends a statement.
    private(set) var hasEndedStatement = false
    /// Whether a backslash in a string without `E` hides the byte behind it, as with `standard_conforming_strings = off`.
    var escapesEverywhere = false

    /// Whether the next byte is part of a string, a quoted name or a comment in `/* */`.
    var isQuoted: Bool {
        switch state {
        case .identifier, .string, .escaped, .dollars, .comment: true
        case .plain, .word, .dash, .slash, .line, .stringEnd, .delimiter: false
        }
    }

    /// Whether the next byte is neither quoted nor part of a comment or of one of psql's own commands.
    var isPlain: Bool {
        if case .line = state { return false }
        return !isQuoted
    }

    /// Takes the next bytes.
    mutating func take(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { take(byte) }
    }

    /// Takes the next byte.
    mutating func take(_ byte: UInt8) {
        hasEndedStatement = false
        switch state {
        case .plain: takePlain(byte)
        case .word(let isEscape):
            if Self.isWord(byte) || byte == UInt8(ascii: "$") {
                state = .word(isEscape: false)
            } else if isEscape, byte == UInt8(ascii: "'") {
                state = .string(escapes: true)
            } else {
                takePlain(byte)
            }
        case .dash:
            if byte == UInt8(ascii: "-") { state = .line } else { takeOperator(then: byte) }
        case .slash:
            if byte == UInt8(ascii: "*") {
                state = .comment(depth: 1, last: 0)
            } else {
                takeOperator(then: byte)
            }
        case .line: if Self.isLineEnd(byte) { state = .plain }
        case .comment(let depth, let last): takeComment(byte, depth, last)
        case .identifier: if byte == UInt8(ascii: "\"") { state = .plain }
        case .string(let escapes):
            if byte == UInt8(ascii: "'") {
                state = .stringEnd(escapes: escapes, gap: .none)
            } else if escapes, byte == UInt8(ascii: "\\") {
                state = .escaped
            }
        case .escaped: state = .string(escapes: true)
        case .stringEnd(let escapes, let gap): takeBehindString(byte, escapes, gap)
        case .delimiter(let tag): takeDelimiter(byte, tag)
        case .dollars(let end, let matched):
            if byte == end[matched] {
                state = matched + 1 == end.count ? .plain : .dollars(end, matched: matched + 1)
            } else if matched > 0 {
                state = .dollars(end, matched: byte == UInt8(ascii: "$") ? 1 : 0)
            }
        }
    }

    private mutating func takePlain(_ byte: UInt8) {
        state = .plain
        switch byte {
        case UInt8(ascii: "-"): state = .dash
        case UInt8(ascii: "/"): state = .slash
        case UInt8(ascii: "\\"): state = .line
        case UInt8(ascii: ";"):
            isInStatement = false
            hasEndedStatement = true
        case _ where Self.isBlank(byte): break
        default:
            isInStatement = true
            switch byte {
            case UInt8(ascii: "'"): state = .string(escapes: escapesEverywhere)
            case UInt8(ascii: "\""): state = .identifier
            case UInt8(ascii: "$"): state = .delimiter([])
            case UInt8(ascii: "E"), UInt8(ascii: "e"): state = .word(isEscape: true)
            default: if Self.isWord(byte) { state = .word(isEscape: false) }
            }
        }
    }

    /// What looked like the beginning of a comment is an operator.
    private mutating func takeOperator(then byte: UInt8) {
        isInStatement = true
        takePlain(byte)
    }

    private mutating func takeComment(_ byte: UInt8, _ depth: Int, _ last: UInt8) {
        switch (last, byte) {
        case (UInt8(ascii: "*"), UInt8(ascii: "/")):
            state = depth == 1 ? .plain : .comment(depth: depth - 1, last: 0)
        case (UInt8(ascii: "/"), UInt8(ascii: "*")): state = .comment(depth: depth + 1, last: 0)
        default: state = .comment(depth: depth, last: byte)
        }
    }

    private mutating func takeBehindString(_ byte: UInt8, _ escapes: Bool, _ gap: Gap) {
        if byte == UInt8(ascii: "'"), gap != .blanks {
            state = .string(escapes: escapes)
        } else if Self.isBlank(byte) {
            state = .stringEnd(
                escapes: escapes, gap: gap == .line || Self.isLineEnd(byte) ? .line : .blanks)
        } else {
            takePlain(byte)
        }
    }

    private mutating func takeDelimiter(_ byte: UInt8, _ tag: [UInt8]) {
        if byte == UInt8(ascii: "$") {
            state = .dollars([byte] + tag + [byte], matched: 0)
        } else if Self.isWord(byte), !tag.isEmpty || !Self.isDigit(byte) {
            state = .delimiter(tag + [byte])
        } else if Self.isDigit(byte) {
            // The number of a parameter.
            state = .word(isEscape: false)
        } else {
            takePlain(byte)
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private static func isLineEnd(_ byte: UInt8) -> Bool { byte == 0x0a || byte == 0x0d }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte >= 0x80 || isDigit(byte) || byte == UInt8(ascii: "_")
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}

extension SQLScanner {
    /// A word of a statement, a name without its quotes, or a sign.
    struct Word: Hashable {
        /// The word; bytes that are no UTF-8 are replaced.
        var text: String
        /// Whether it was quoted, and so is a name whatever it says.
        var isQuoted: Bool

        /// Whether it is a word of the language.
        func isKeyword(_ keyword: String) -> Bool { !isQuoted && text == keyword }
    }

    /// The words of a statement up to its first string, `limit` of them at most.
    static func words(of statement: some Sequence<UInt8>, limit: Int = .max) -> [Word] {
        var words: [Word] = []
        var word: [UInt8] = []
        var isIdentifier = false
        var last: UInt8 = 0
        func end(isQuoted: Bool) {
            guard isQuoted || !word.isEmpty else { return }
            words.append(Word(text: String(decoding: word, as: UTF8.self), isQuoted: isQuoted))
            word = []
        }
        for byte in statement {
            defer { last = byte }
            if isIdentifier {
                if byte == UInt8(ascii: "\"") {
                    isIdentifier = false
                    end(isQuoted: true)
                } else {
                    word.append(byte)
                }
            } else if byte == UInt8(ascii: "\"") {
                if last == byte, let name = words.popLast() {
                    // A quote within a name is written twice.
                    word = Array(name.text.utf8) + [byte]
                } else {
                    end(isQuoted: false)
                }
                isIdentifier = true
            } else if byte == UInt8(ascii: "'") {
                break
            } else if isWord(byte) || byte == UInt8(ascii: "$") {
                word.append(byte)
            } else {
                end(isQuoted: false)
                if !isBlank(byte) {
                    word = [byte]
                    end(isQuoted: false)
                }
            }
            guard words.count <= limit else { break }
        }
        end(isQuoted: false)
        return Array(words.prefix(limit))
    }

    /// A name as SQL spells it, whatever is in it.
    static func identifier(_ name: String) -> String { quoted(name, "\"") }

    /// A text as SQL spells it, whatever is in it.
    static func literal(_ text: String) -> String { quoted(text, "'") }

    private static func quoted(_ text: String, _ quote: Unicode.Scalar) -> String {
        var quoted = String.UnicodeScalarView([quote])
        for scalar in text.unicodeScalars {
            if scalar == quote { quoted.append(quote) }
            quoted.append(scalar)
        }
        quoted.append(quote)
        return String(quoted)
    }
}
