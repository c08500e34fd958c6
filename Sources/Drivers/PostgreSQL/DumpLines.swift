/// Tells the lines of a dump in SQL apart: what is a row, what stands in quotes, and what is a line of the dump's own.
///
/// A function or a comment may hold any line, also one that reads like the beginning of rows or the end of the dump.
struct DumpLines {
    /// What a line is.
    enum Meaning: Equatable {
        /// It begins outside of quotes.
        case plain
        /// It begins inside of quotes.
        case quoted
        /// Rows follow it; these are the words of its statement: `COPY public.users (uid, identifier) FROM stdin;`.
        case rowsBegin([SQLScanner.Word])
        case row
        case rowsEnd
    }

    private var scanner = SQLScanner()
    /// The `COPY` that is being read, whose names may have line breaks.
    private var statement: [UInt8]?
    /// Whether the line that is being read, as far as it was taken, began inside of quotes; nil at its start.
    private var beganQuoted: Bool?
    /// Whether the lines are rows of a table.
    private(set) var isInRows = false

    /// A table of 1,600 columns with long names takes half of it.
    static let statementLimit = 1 << 18

    /// Whether the last line ended in the middle of something.
    var isOpen: Bool { isInRows || scanner.isQuoted || scanner.isInStatement }

    /// Takes a piece of a line of which more follows.
    mutating func take(beginning piece: some Sequence<UInt8>) {
        beganQuoted = beganQuoted ?? scanner.isQuoted
        // A line that is too long for a statement about rows is none.
        statement = nil
        if !isInRows { scanner.take(piece) }
    }

    /// Takes the rest of a line, without its end, and tells what the line is.
    mutating func take(_ line: [UInt8]) -> Meaning {
        let isWhole = beganQuoted == nil
        let isQuoted = beganQuoted ?? scanner.isQuoted
        beganQuoted = nil
        guard !isInRows else {
            guard isWhole, line == Array("\\.".utf8) else { return .row }
            isInRows = false
            return .rowsEnd
        }
        if isWhole, !scanner.isInStatement, !isQuoted {
            statement = line.starts(with: "COPY ".utf8) ? [] : nil
            if line == Array("SET standard_conforming_strings = off;".utf8) {
                scanner.escapesEverywhere = true
            }
        }
        scanner.take(line)
        scanner.take(UInt8(ascii: "\n"))
        if let before = statement {
            let sofar = before + line + [UInt8(ascii: "\n")]
            statement = scanner.isInStatement && sofar.count < Self.statementLimit ? sofar : nil
            if !scanner.isInStatement, line.suffix(Self.copyEnd.count).elementsEqual(Self.copyEnd) {
                isInRows = true
                return .rowsBegin(SQLScanner.words(of: sofar))
            }
        }
        return isQuoted ? .quoted : .plain
    }

    private static let copyEnd = Array(" FROM stdin;".utf8)

    /// The table of a `COPY`, schema and name, as SQL spells it.
    static func table(_ words: [SQLScanner.Word]) -> String {
        tableWords(words).map { $0.isQuoted ? SQLScanner.identifier($0.text) : $0.text }.joined()
    }

    /// The name of the table of a `COPY`, without its schema and quotes.
    static func plainTable(_ words: [SQLScanner.Word]) -> String { tableWords(words).last?.text ?? "" }

    /// The columns of a `COPY`, without quotes.
    static func columns(_ words: [SQLScanner.Word]) -> [String] {
        words.drop { !$0.isKeyword("(") }.dropFirst().prefix { !$0.isKeyword(")") }.filter {
            !$0.isKeyword(",")
        }
        .map(\.text)
    }

    private static func tableWords(_ words: [SQLScanner.Word]) -> ArraySlice<SQLScanner.Word> {
        words.dropFirst().prefix { !$0.isKeyword("(") && !$0.isKeyword("FROM") }
    }
}
