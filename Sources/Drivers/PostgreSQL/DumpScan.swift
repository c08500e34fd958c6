internal import Cryptography
internal import FileTree
internal import SystemPackage

/// What a dump in SQL holds, found by reading it once from its start to its end.
struct DumpScan {
    /// The rows of each table, in the order of the dump.
    private(set) var tables: [(name: String, rows: Int)] = []
    /// Whether the dump's last words are there: without them it was cut short.
    private(set) var isComplete = false
    /// SHA-256 of all but the lines that say which programs made it.
    private(set) var digest: [UInt8] = []
    /// Where psql's own commands stand that carry the dump's key, and how long they are.
    private(set) var guards: [(offset: Int64, count: Int)] = []

    private let key: [UInt8]
    private var hash = SHA256()
    /// The line that is being read, as far as it is needed to know what it is.
    private var line: [UInt8] = []
    private var lineStart: Int64 = 0
    private var offset: Int64 = 0
    private var isLong = false
    private var lines = DumpLines()

    /// Reads a file; `key` is the word that its guards carry.
    init(_ file: FilePath, key: String) throws {
        self.key = Array(key.utf8)
        try read(OpenFile(file))
    }

    /// Reads a file of a directory, and follows no link.
    init(_ name: String, in directory: OpenDirectory, key: String) throws {
        self.key = Array(key.utf8)
        try read(directory.file(Array(name.utf8)))
    }

    private mutating func read(_ file: borrowing OpenFile) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { unsafe buffer.deallocate() }
        while true {
            let count = try unsafe file.read(into: buffer)
            unsafe take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            guard count == buffer.count else { break }
        }
        if !line.isEmpty || isLong { endLine() }
        if lines.isOpen { isComplete = false }
        digest = hash.finish()
    }

    @unsafe private mutating func take(_ bytes: UnsafeRawBufferPointer) {
        var start = 0
        while start < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[start...])
            let end = unsafe rest.firstIndex(of: UInt8(ascii: "\n"))
            let piece = unsafe UnsafeRawBufferPointer(rebasing: rest[..<(end ?? rest.count)])
            if isLong {
                unsafe hash.update(piece)
                unsafe lines.take(beginning: piece)
            } else {
                unsafe line.append(contentsOf: piece)
                if line.count > DumpLines.statementLimit { startLongLine() }
            }
            offset += Int64(piece.count)
            if end != nil {
                offset += 1
                endLine()
            }
            start += piece.count + 1
        }
    }

    /// A line that is longer than any that means something: rows, or a large object.
    private mutating func startLongLine() {
        hash.update(line)
        lines.take(beginning: line)
        line.removeAll(keepingCapacity: true)
        isLong = true
    }

    private mutating func endLine() {
        let words = line
        line.removeAll(keepingCapacity: true)
        let start = lineStart
        lineStart = offset
        let meaning = lines.take(words)
        let isWhole = !isLong
        isLong = false
        switch meaning {
        case .rowsBegin(let statement): tables.append((DumpLines.table(statement), 0))
        case .row: tables[tables.count - 1].rows += 1
        case .plain where isWhole:
            if words == Array("\\restrict ".utf8) + key || words == Array("\\unrestrict ".utf8) + key {
                guards.append((start, words.count))
                return
            }
            if words.starts(with: "-- Dumped ".utf8) || Self.isFilled(words) { return }
            if words == Array("-- PostgreSQL database dump complete".utf8) { isComplete = true }
        case .plain, .quoted, .rowsEnd: break
        }
        hash.update(words)
        hash.update([UInt8(ascii: "\n")])
    }

    /// Whether a line is what became of a guard: dashes.
    private static func isFilled(_ line: [UInt8]) -> Bool {
        line.count > 9 && line.allSatisfy { $0 == UInt8(ascii: "-") }
    }
}
