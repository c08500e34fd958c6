/// The cache's entries of a directory, asked for in the order of their names.
struct KnownNames {
    private let node: DirectoryNode
    private var next = 0

    init(_ node: DirectoryNode) { self.node = node }

    /// What the cache knows of a name, nil when it does not know it.
    mutating func find(_ name: ArraySlice<UInt8>) -> (record: EntryRecord, extra: [UInt8])? {
        var next = next
        defer { self.next = next }
        return node.withKnownEntries { records, bytes in
            while next < records.count {
                let record = records[next]
                let known = bytes.name(of: record)
                if known.elementsEqual(name) { return (record, bytes.extra(of: record)) }
                if !known.lexicographicallyPrecedes(name) { return nil }
                next += 1
            }
            return nil
        }
    }

    func directory(_ place: (record: EntryRecord, extra: [UInt8])?) -> Int? {
        guard let record = place?.record, record.kind == .directory else { return nil }
        return Int(record.directory)
    }
}
