internal import SnapshotModel

/// `inventory.lock` of a server: its databases, and the tables of each with their rows.
struct DatabaseInventory {
    /// What is said of a database that could not be dumped.
    private static let notCaptured = "not captured"

    private var lines: [(kind: String, name: String, detail: String)] = []

    /// An inventory of nothing.
    init() {}

    /// Adds a database that was dumped.
    mutating func add(_ database: String, _ scan: DumpScan) {
        lines.append(("database", database, "\(scan.tables.count) tables"))
        for table in scan.tables {
            lines.append(("table", "\(database) \(table.name)", "\(table.rows) rows"))
        }
    }

    /// Adds a database that could not be dumped.
    mutating func addUnreadable(_ database: String) {
        lines.append(("database", database, Self.notCaptured))
    }

    /// Its bytes.
    var contents: [UInt8] {
        lines.map { "\($0.kind)\t\(printable($0.name.utf8))\t\($0.detail)\n" }.sorted().joined().utf8.map {
            $0
        }
    }

    /// What people call what is in it.
    static func inventory(_ contents: [UInt8]) -> Inventory {
        var items: [Inventory.Item] = []
        for line in String(decoding: contents, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard words.count == 3 else { continue }
            // A lock says "1 rows", and does so for ever: another spelling would be a change of every such table.
            let detail =
                words[2].hasPrefix("1 ") && words[2].hasSuffix("s") ? String(words[2].dropLast()) : words[2]
            var item = Inventory.Item(kind: words[0], name: words[1], detail: detail)
            item.isUnknown = item.kind == "database" && item.detail == notCaptured
            items.append(item)
        }
        return Inventory(items: items)
    }
}
