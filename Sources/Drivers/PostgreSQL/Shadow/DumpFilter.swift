internal import FileTree
internal import SystemPackage

/// Leaves rows, and fields of rows, out of a dump in SQL; every other byte stays.
struct DumpFilter {
    /// Rows that are left out, or lose fields, by the names of the tables without their schemas.
    private let omissions: [String: DumpOmission]
    /// What is done to the rows that follow, nil outside of rows and in those of other tables.
    private var omission: (rule: DumpOmission, columns: [String])?
    private var place = DumpLines()

    init(_ omissions: [String: DumpOmission]) {
        self.omissions = omissions
    }

    /// A line as it is to be, nil when it is left out; lines come in the order of the dump, without their ends.
    mutating func line(_ line: [UInt8]) -> [UInt8]? {
        switch place.take(line) {
        case .rowsBegin(let statement):
            omission = omissions[DumpLines.plainTable(statement)].map { ($0, DumpLines.columns(statement)) }
            return line
        case .plain, .quoted, .rowsEnd: return line
        case .row: break
        }
        guard let (rule, columns) = omission else { return line }
        switch rule {
        case .rows: return nil
        case .rowsWhere(let column, let value):
            return Self.fields(line, columns)[column]?.elementsEqual(value.utf8) == true ? nil : line
        case .fields(let names):
            let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
            guard fields.count == columns.count else { return line }
            let kept = zip(columns, fields).map { names.contains($0) ? Array("\\N".utf8) : Array($1) }
            return Array(kept.joined(separator: [UInt8(ascii: "\t")]))
        }
    }

    private static func fields(_ line: [UInt8], _ columns: [String]) -> [String: ArraySlice<UInt8>] {
        let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
        return Dictionary(zip(columns, fields)) { first, _ in first }
    }

    /// Writes what is left of a dump into a new file.
    ///
    /// A line is held as a whole: the longest is a row with its largest field, of which the server allows 1 GB.
    static func copy(
        _ dump: FilePath, to target: FilePath, without omissions: [String: DumpOmission]
    ) throws {
        var filter = DumpFilter(omissions)
        let written = try FileDescriptor.open(
            target, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
        try written.closeAfter {
            var pending: [UInt8] = []
            try lines(of: dump) { line in
                guard let kept = filter.line(line) else { return }
                pending += kept
                pending.append(UInt8(ascii: "\n"))
                guard pending.count > 1 << 20 else { return }
                try written.writeAll(pending)
                pending.removeAll(keepingCapacity: true)
            }
            try written.writeAll(pending)
        }
    }

    /// The roles that own what is in a dump, as SQL spells them.
    static func owners(of dump: FilePath) throws -> Set<String> {
        var owners: Set<String> = []
        var place = DumpLines()
        try lines(of: dump) { line in
            // -- Name: builders; Type: TABLE; Schema: public; Owner: ci
            guard place.take(line) == .plain, line.starts(with: "-- ".utf8), line.count < 1 << 12,
                let owner = String(decoding: line, as: UTF8.self).components(after: "; Owner: ")
            else { return }
            if owner != "-" { owners.insert(SQLScanner.identifier(owner)) }
        }
        return owners
    }

    private static func lines(of file: FilePath, _ body: ([UInt8]) throws -> Void) throws {
        let open = try OpenFile(file)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { unsafe buffer.deallocate() }
        var line: [UInt8] = []
        while true {
            let count = try unsafe open.read(into: buffer)
            var rest = unsafe Array(UnsafeRawBufferPointer(rebasing: buffer[..<count]))[...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                line += rest[..<end]
                try body(line)
                line.removeAll(keepingCapacity: true)
                rest = rest[(end + 1)...]
            }
            line += rest
            guard count == buffer.count else { break }
        }
        if !line.isEmpty { try body(line) }
    }
}

extension String {
    /// What follows the last occurrence of some words, nil when they are not in it.
    fileprivate func components(after words: String) -> String? {
        ranges(of: words).last.map { String(self[$0.upperBound...]) }
    }
}
