internal import FileTree
internal import SystemPackage

/// Leaves rows, and fields of rows, out of a dump in SQL; every other byte stays.
struct DumpFilter {
    /// Rows that are left out, or lose fields, by the names of the tables without their schemas.
    private let omissions: [String: DumpOmission]
    /// What is done to the rows that follow, nil outside of rows and in those of other tables.
    private var omission: (rule: DumpOmission, columns: [String])?
    private var isInRows = false

    init(_ omissions: [String: DumpOmission]) {
        self.omissions = omissions
    }

    /// A line as it is to be, nil when it is left out; lines come in the order of the dump, without their ends.
    mutating func line(_ line: [UInt8]) -> [UInt8]? {
        guard isInRows else {
            begin(line)
            return line
        }
        if line == Array("\\.".utf8) {
            isInRows = false
            omission = nil
            return line
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

    /// Looks whether rows begin: `COPY public.users (uid, identifier) FROM stdin;`.
    private mutating func begin(_ line: [UInt8]) {
        guard line.starts(with: "COPY ".utf8), line.suffix(12).elementsEqual(" FROM stdin;".utf8),
            let open = line.firstIndex(of: UInt8(ascii: "(")),
            let close = line.lastIndex(of: UInt8(ascii: ")"))
        else { return }
        isInRows = true
        let name = String(decoding: line[5..<open], as: UTF8.self).split(separator: ".").last ?? ""
        guard let rule = omissions[Self.plain(name)] else { return }
        let columns = String(decoding: line[(open + 1)..<close], as: UTF8.self).split(separator: ",")
        omission = (rule, columns.map(Self.plain))
    }

    private static func plain(_ name: Substring) -> String { name.filter { $0 != " " && $0 != "\"" } }

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
        try lines(of: dump) { line in
            // -- Name: builders; Type: TABLE; Schema: public; Owner: ci
            guard line.starts(with: "-- ".utf8), line.count < 1 << 12,
                let owner = String(decoding: line, as: UTF8.self).components(after: "; Owner: ")
            else { return }
            if owner != "-" { owners.insert(Self.quoted(owner)) }
        }
        return owners
    }

    /// A name as SQL spells it, whatever is in it.
    static func quoted(_ name: String) -> String { "\"\(name.replacing("\"", with: "\"\""))\"" }

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
