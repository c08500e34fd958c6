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
    private var isInRows = false
    private var isLong = false

    /// A table of 1,600 columns with long names takes half of it.
    private static let lineLimit = 1 << 18
    private static let copyEnd = Array(" FROM stdin;".utf8)

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
            } else {
                unsafe line.append(contentsOf: piece)
                if line.count > Self.lineLimit { startLongLine() }
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
        line.removeAll(keepingCapacity: true)
        isLong = true
    }

    private mutating func endLine() {
        let words = line
        line.removeAll(keepingCapacity: true)
        let start = lineStart
        lineStart = offset
        if isLong {
            isLong = false
            hash.update([UInt8(ascii: "\n")])
            if isInRows { tables[tables.count - 1].rows += 1 }
            return
        }
        if isInRows {
            if words == Array("\\.".utf8) { isInRows = false } else { tables[tables.count - 1].rows += 1 }
        } else if words.starts(with: "COPY ".utf8),
            words.suffix(Self.copyEnd.count).elementsEqual(Self.copyEnd)
        {
            tables.append((Self.table(words), 0))
            isInRows = true
        } else if words == Array("-- PostgreSQL database dump complete".utf8) {
            isComplete = true
        } else if words == Array("\\restrict ".utf8) + key || words == Array("\\unrestrict ".utf8) + key {
            guards.append((start, words.count))
            return
        } else if words.starts(with: "-- Dumped ".utf8) || Self.isFilled(words) {
            return
        }
        hash.update(words)
        hash.update([UInt8(ascii: "\n")])
    }

    /// Whether a line is what became of a guard: dashes.
    private static func isFilled(_ line: [UInt8]) -> Bool {
        line.count > 9 && line.allSatisfy { $0 == UInt8(ascii: "-") }
    }

    /// The table of `COPY public.builders (id, name) FROM stdin;`.
    private static func table(_ line: [UInt8]) -> String {
        var isQuoted = false
        let name = line.dropFirst(5).prefix { byte in
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            return isQuoted || byte != UInt8(ascii: " ")
        }
        return String(decoding: name, as: UTF8.self)
    }
}
