internal import Cryptography
internal import SnapshotModel
internal import SQLite
internal import SystemPackage

/// `inventory.lock`: what the master had configured, as its own database says, one line each.
struct BuildbotInventory {
    /// One configured thing.
    struct Line: Hashable {
        /// `builder`, `scheduler`, `worker`, `change-source`.
        var kind: String
        /// Its name.
        var name: String
        /// What else people would tell of it.
        var detail: String
    }

    /// What a snapshot notes when ``isCurrent`` is false.
    static let isOldNote =
        "the master was stopped, and its database lists every builder, scheduler and worker that ever was"

    /// The lines, sorted.
    var lines: [Line]
    /// Whether the database says what is configured now; a master that is stopped takes that with it, and then every
    /// name that it ever had is listed.
    var isCurrent: Bool

    /// Reads a copy of a master's database.
    init(database path: FilePath) throws {
        let database = try Database(path, .reading)
        let isCurrent = try !database.rows("SELECT 1 FROM builder_masters LIMIT 1").isEmpty
        func only(_ table: String, _ column: String) -> String {
            isCurrent ? "WHERE EXISTS (SELECT 1 FROM \(table) x WHERE x.\(column) = t.id)" : ""
        }
        var lines: [Line] = []
        let builders = try database.rows(
            """
            SELECT t.name, t.description,
                (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT w.name FROM configured_workers c
                    JOIN builder_masters m ON m.id = c.buildermasterid JOIN workers w ON w.id = c.workerid
                    WHERE m.builderid = t.id ORDER BY w.name)),
                (SELECT group_concat(name, ', ') FROM (SELECT g.name FROM builders_tags b
                    JOIN tags g ON g.id = b.tagid WHERE b.builderid = t.id ORDER BY g.name))
            FROM builders t \(only("builder_masters", "builderid"))
            """)
        for row in builders {
            let parts = [row[1], row[2].map { "workers: \($0)" }, row[3].map { "tags: \($0)" }]
            lines.append(Line(kind: "builder", name: row[0] ?? "", detail: joined(parts)))
        }
        for row in try database.rows(
            "SELECT t.name, t.enabled FROM schedulers t \(only("scheduler_masters", "schedulerid"))")
        {
            lines.append(
                Line(kind: "scheduler", name: row[0] ?? "", detail: row[1] == "0" ? "disabled" : ""))
        }
        let paused = try database.columns(of: "workers").contains("paused") ? "t.paused" : "0"
        for row in try database.rows(
            "SELECT t.name, \(paused) FROM workers t \(only("configured_workers", "workerid"))")
        {
            lines.append(Line(kind: "worker", name: row[0] ?? "", detail: row[1] == "1" ? "paused" : ""))
        }
        for row in try database.rows(
            "SELECT t.name FROM changesources t \(only("changesource_masters", "changesourceid"))")
        {
            lines.append(Line(kind: "change-source", name: row[0] ?? "", detail: ""))
        }
        // What JanitorConfigurator makes for itself is nobody's configuration.
        self.lines = lines.filter { !$0.name.hasPrefix("__Janitor") }
            .sorted { ($0.kind, $0.name) < ($1.kind, $1.name) }
        self.isCurrent = isCurrent
    }

    /// Reads the text of a lock; a line that is not understood is left out by no one: it throws.
    init(_ bytes: [UInt8]) throws {
        isCurrent = true
        lines = try PythonText.lines(String(decoding: bytes, as: UTF8.self)).compactMap { line in
            guard !line.isEmpty, !line.hasPrefix("#") else { return nil }
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(unescaped)
            guard fields.count == 3 else {
                throw DriverFailure(
                    "cannot read \(Inventory.lockName) of the snapshot: \(printable(line.utf8))",
                    hint: "verify the snapshot; if it is sound, a newer Understudy wrote it")
            }
            return Line(kind: fields[0], name: fields[1], detail: fields[2])
        }
    }

    /// The text.
    var text: String {
        lines.map { "\($0.kind)\t\(escaped($0.name))\t\(escaped($0.detail))\n" }.joined()
    }

    /// The items for people.
    var items: [Inventory.Item] {
        lines.map { Inventory.Item(kind: $0.kind, name: $0.name, detail: $0.detail) }
    }
}

private func joined(_ parts: [String?]) -> String {
    parts.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: "; ")
}

private func escaped(_ text: String) -> String {
    var result = ""
    for character in text.unicodeScalars {
        switch character {
        case "\\": result += "\\\\"
        case "\t": result += "\\t"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        default: result.unicodeScalars.append(character)
        }
    }
    return result
}

private func unescaped(_ text: Substring) -> String {
    var result = ""
    var rest = text.unicodeScalars[...]
    while let character = rest.popFirst() {
        guard character == "\\", let next = rest.popFirst() else {
            result.unicodeScalars.append(character)
            continue
        }
        switch next {
        case "t": result += "\t"
        case "n": result += "\n"
        case "r": result += "\r"
        default: result.unicodeScalars.append(next)
        }
    }
    return result
}
