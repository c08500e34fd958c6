internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// Restores databases beside those that are there, and exchanges them by their names in one transaction.
///
/// A database is known by its object id, as a directory is by its inode: whoever comes after a kill sees which of the two
/// bears the name.
struct DatabaseSwap: Application {
    let server: PostgreSQLServer
    /// Whether the database of the server's address is Buildbot's: unless work goes on by itself, its unfinished work is ended.
    var holdsBuildbot = false

    /// One database of a record: its `name`, the name `beside` it, the object id of the restored one, and that of the one
    /// `before`: ``nothing`` where there was none, left out in a record of a version that did not say.
    private enum Key {
        static let name = "database"
        static let beside = "beside"
        static let id = "oid"
        static let before = "before"
        static let mark = "mark"
    }

    /// The server's version: `15.18`.
    func version() async throws -> String {
        let rows = try await server.run(
            "SHOW server_version;", in: server.address.database == "template1" ? "postgres" : "template1")
        return rows.first?.first.map { String($0.prefix { $0 != " " }) } ?? ""
    }

    /// The object id of a database that is not there.
    private static let nothing = ""

    // MARK: Plan and stage

    func plan(_ source: any FileSource, captured: CapturedComponent) async throws -> ApplicationPlan {
        let version: String
        do {
            version = try await self.version()
        } catch let failure as DriverFailure {
            // Where the server was down at the snapshot as well, nobody knows its version.
            let wanted =
                captured.version.map { "install PostgreSQL \($0) or newer and start it" } ?? "start it"
            let refusal = Refusal(
                "component '\(captured.name)': \(failure.description)",
                hint: "a restore needs a running server: \(wanted); \(failure.hint)")
            return ApplicationPlan(refusals: [refusal])
        }
        let refusals = Self.refusals(dumped: captured.version, server: version, of: captured.name)
        let items = try DatabaseInventory.inventory(source.lock(Inventory.lockName) ?? []).items
        let there = try await server.run(
            "SELECT datname, (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid) FROM pg_database d;",
            in: maintenance([]))
        let databases = items.filter { $0.kind == "database" }
        func row(_ item: Inventory.Item) -> [String]? {
            there.first { printable(Self.name($0).utf8) == item.name }
        }
        let words = databases.map { item in
            let rows = row(item)
            guard !item.isUnknown else {
                return "database \(item.name): stays as it is, because the snapshot lacks it"
            }
            guard let rows else { return "database \(item.name): made, \(item.detail)" }
            let sessions = rows.last.flatMap { Int($0) } ?? 0
            return "database \(item.name): replaced, \(item.detail)"
                + (sessions > 0
                    ? "; \(counted(sessions, "session")) \(sessions == 1 ? "is" : "are") ended" : "")
        }
        return ApplicationPlan(
            words: words, refusals: refusals,
            replaces: databases.contains { !$0.isUnknown && row($0) != nil })
    }

    /// Refuses to restore into a server older than the one that was dumped: it would not know all that the dump says.
    static func refusals(dumped: String?, server: String, of component: String) -> [Refusal] {
        func major(_ version: String) -> Int { Int(version.prefix { $0.isNumber }) ?? 0 }
        guard let dumped, major(server) < major(dumped) else { return [] }
        return [
            Refusal(
                "component '\(component)' was dumped from PostgreSQL \(dumped), and the server is \(server)",
                hint: "restore it into PostgreSQL \(major(dumped)) or newer")
        ]
    }

    func record(_ staged: StagedComponent, mark: String, directory: FilePath) async throws -> Record {
        let databases = try databases(staged)
        guard !databases.isEmpty else { return [] }
        let ids = try await ids([])
        return databases.enumerated().map { index, name in
            [
                Key.name: name, Key.beside: Self.beside(name, mark: mark, number: index + 1), Key.mark: mark,
                Key.before: ids[name] ?? Self.nothing,
            ]
        }
    }

    /// The name beside a database; long ones that begin alike are told apart by the number.
    static func beside(_ name: String, mark: String, number: Int) -> String {
        let end = "_understudy_\(mark)_\(number)"
        // Names have at most 63 bytes, and while two are exchanged one is longer by one.
        let start = String(decoding: name.utf8.prefix(62 - end.utf8.count), as: UTF8.self)
        return start.filter { $0 != "\u{fffd}" } + end
    }

    func stage(_ staged: StagedComponent, _ record: Record) async throws -> StagedApplication {
        var result = StagedApplication(record: record, notes: [], proof: .equal)
        guard let artifacts = staged.artifacts else { return result }
        let directory = artifacts.appending(DatabaseDump.directory)
        if let words = try await makeRoles(directory.appending("roles.sql"), artifacts) {
            result.notes.append(words)
        }
        let maintenance = maintenance(record)
        for (index, entry) in record.enumerated() {
            let (name, beside) = try names(entry)
            let dump = directory.appending(PostgreSQLAddress.encoded(name))
            try await drop(beside, in: maintenance)
            try await server.runRestricted(
                dump.appending(DatabaseDump.definition), in: maintenance, ["database": beside],
                isOneTransaction: false)
            try await server.runRestricted(
                dump.appending(DatabaseDump.contents), in: beside, isOneTransaction: true)
            let rows = try await server.run(
                "ANALYZE; SELECT oid FROM pg_database WHERE datname = current_database();", in: beside)
            guard let id = rows.first?.first else {
                throw DriverFailure("the database \(beside) went away", hint: "run the restore again")
            }
            result.record[index][Key.id] = id
            let again = artifacts.appending("again-\(index)")
            try Files.makeDirectory(again, mode: 0o700)
            let scan = try await DatabaseDump(server: server).write(beside, to: again)
            let wanted = try DumpScan(dump.appending(DatabaseDump.contents), key: "")
            let isSame =
                try scan.digest == wanted.digest
                && Files.read(again.appending(DatabaseDump.definition))
                    == Files.read(dump.appending(DatabaseDump.definition))
            try Files.removeTree(again)
            let size =
                "\(counted(scan.tables.count, "table")) with \(counted(scan.tables.reduce(0) { $0 + $1.rows }, "row"))"
            result.notes.append(
                isSame
                    ? "database \(name): dumped again, it is the snapshot's own dump, \(size)"
                    : "database \(name): NOT PROVEN: dumped again, it differs from the snapshot's dump, as it does on another "
                        + "version of PostgreSQL; \(size)")
            if holdsBuildbot, name == server.address.database, !staged.resumesWork {
                result.notes += try await endWork(in: beside, of: name)
            }
            if !isSame { result.proof = .different }
        }
        return result
    }

    /// Ends the unfinished work of the Buildbot whose state a restored database is, and says what that was.
    private func endWork(in beside: String, of name: String) async throws -> [String] {
        // By the search path of the database, with nothing in it that could be another's function or operator.
        let rows = try await server.run(
            """
            RESET search_path;
            SELECT n.nspname FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
            WHERE c.oid OPERATOR(pg_catalog.=)
                pg_catalog.to_regclass(\(SQLScanner.literal(ServerStateRepair.table)))::pg_catalog.oid;
            """, in: beside)
        guard let schema = rows.first else {
            throw DriverFailure(
                "the database \(name) holds no Buildbot: its search path finds no table '\(ServerStateRepair.table)'",
                hint: "leave 'holds' out, or restore with --resume-work")
        }
        let spelled = SQLScanner.identifier(schema.joined(separator: PostgreSQLServer.fieldSeparator))
        return try await server.run(ServerStateRepair.sql(schema: spelled), in: beside).map { $0.joined() }
    }

    /// The databases whose dumps are staged.
    private func databases(_ staged: StagedComponent) throws -> [String] {
        try staged.artifacts.map { try DatabaseDump.databases(in: $0.appending(DatabaseDump.directory)) }
            ?? []
    }

    /// Makes the roles that are missing; those that are there are left alone, with their passwords.
    private func makeRoles(_ file: FilePath, _ scratch: FilePath) async throws -> String? {
        guard let text = try Files.readIfPresent(file) else { return nil }
        let statements = try RoleStatements(text)
        let there = Set(
            try await server.run("SELECT rolname FROM pg_roles;", in: maintenance([])).map {
                $0.joined(separator: PostgreSQLServer.fieldSeparator)
            })
        let missing = Set(statements.roles).subtracting(there)
        guard !missing.isEmpty else { return nil }
        let making = scratch.appending("missing-roles")
        try Files.replace(making, with: statements.making(missing), mode: 0o600)
        try await server.runRestricted(making, in: maintenance([]), isOneTransaction: true)
        return "made the roles \(missing.sorted().joined(separator: ", ")); 'undo' leaves them"
    }

    // MARK: Exchange

    func isApplied(_ record: Record) async throws -> Bool {
        let ids = try await ids(record)
        return try record.allSatisfy { entry in
            let (name, beside) = try names(entry)
            return ids[name] == entry[Key.id] && Self.isBefore(entry, ids[beside] ?? Self.nothing)
        }
    }

    func apply(_ record: Record) async throws {
        try await exchange(record) { entry, ids in
            let (name, beside) = try names(entry)
            guard let id = entry[Key.id], ids[name] != id else { return false }
            guard ids[beside] == id else {
                throw DriverFailure(
                    "the restored database '\(beside)' is not there any more, so '\(name)' stays as it is",
                    hint: "somebody dropped it: restore the snapshot again")
            }
            if let before = entry[Key.before], before != ids[name] ?? Self.nothing {
                throw DriverFailure(
                    "the database '\(name)' is another than when the restore began",
                    hint: "find out who else makes databases there, and restore the snapshot again")
            }
            return true
        }
    }

    func unapply(_ record: Record) async throws -> [String] {
        try await exchange(record) { entry, ids in
            let (name, beside) = try names(entry)
            // It was not staged, or it did not come.
            guard let id = entry[Key.id], ids[beside] != id else { return false }
            let current = ids[name] ?? Self.nothing
            guard entry[Key.before].map({ $0 != current }) ?? (current == id) else { return false }
            guard Self.isBefore(entry, ids[beside] ?? Self.nothing) else {
                throw DriverFailure(
                    "what was the database '\(name)' before is not at '\(beside)' any more",
                    hint:
                        "somebody dropped it. What is there now can stay: restore another snapshot, or remove "
                        + "the journal (understudy/restore.json in the store)")
            }
            guard current == id || current == Self.nothing else {
                throw DriverFailure(
                    "the database '\(name)' is not the one that was restored",
                    hint: "somebody made it since: rename it, and run 'understudy undo' again")
            }
            return true
        }
        return []
    }

    func differences(_ record: Record) async throws -> [String] { [] }

    func discard(_ record: Record) async throws {
        let maintenance = maintenance(record)
        try await endOwnSessions(record, in: maintenance)
        for entry in record { try await drop(try names(entry).beside, in: maintenance) }
    }

    /// Whether a database is what bore the name before.
    ///
    /// A record that does not say what that was tells too little to give up what bears it now: then there must be something.
    private static func isBefore(_ entry: [String: String], _ id: String) -> Bool {
        entry[Key.before].map { $0 == id } ?? (id != nothing)
    }

    /// Lets those databases of a record that `isWanted` names change names with what is beside them, all in one transaction; it
    /// is told the object ids of all databases by name.
    private func exchange(
        _ record: Record, where isWanted: ([String: String], [String: String]) throws -> Bool
    ) async throws {
        let maintenance = maintenance(record)
        try await endOwnSessions(record, in: maintenance)
        // A database cannot be renamed while a session is in it, and a client may come back at once.
        for attempt in 1... {
            let ids = try await ids(record)
            var sql = ""
            var sessions: [String] = []
            for entry in record where try isWanted(entry, ids) {
                let (name, beside) = try names(entry)
                let old = "\(beside)x"
                sessions += [name, beside].map(SQLScanner.literal)
                // What is on one side only changes to the other.
                if ids[name] != nil { sql += Self.rename(name, old) }
                if ids[beside] != nil { sql += Self.rename(beside, name) }
                if ids[name] != nil { sql += Self.rename(old, beside) }
            }
            guard !sql.isEmpty else { return }
            let ending = """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname IN (\(sessions.joined(separator: ", "))) AND pid <> pg_backend_pid();
                BEGIN;\n\(sql)COMMIT;
                """
            do {
                try await server.run(ending, in: maintenance, as: applicationName(record))
                return
            } catch {
                guard attempt < 5 else { throw error }
            }
        }
    }

    /// Ends what a restore that was killed left running on the server, so that it changes nothing behind our back.
    private func endOwnSessions(_ record: Record, in database: String) async throws {
        let name = SQLScanner.literal(applicationName(record))
        for _ in 0..<100 {
            let left = try await server.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = \(name);",
                in: database)
            guard !left.isEmpty else { return }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private func applicationName(_ record: Record) -> String {
        "understudy \(record.first?[Key.mark] ?? "")"
    }

    /// The object ids of the databases of a record, by name.
    private func ids(_ record: Record) async throws -> [String: String] {
        let rows = try await server.run("SELECT datname, oid FROM pg_database;", in: maintenance(record))
        return Dictionary(rows.map { (Self.name($0), $0.last ?? Self.nothing) }) { first, _ in first }
    }

    /// The name in a row that has one other field behind it; whatever is in a name, it is no further field.
    private static func name(_ row: [String]) -> String {
        row.dropLast().joined(separator: PostgreSQLServer.fieldSeparator)
    }

    private func drop(_ name: String, in database: String) async throws {
        try await server.run(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = \(SQLScanner.literal(name));
            DROP DATABASE IF EXISTS \(SQLScanner.identifier(name));
            """, in: database)
    }

    /// A database to be connected to while others are renamed.
    private func maintenance(_ record: Record) -> String {
        record.contains { $0[Key.name] == "postgres" } ? "template1" : "postgres"
    }

    private func names(_ entry: [String: String]) throws -> (name: String, beside: String) {
        guard let name = entry[Key.name], let beside = entry[Key.beside] else {
            throw DriverFailure(
                "the journal of the last restore lacks the names of a database",
                hint: "it was changed: look for databases called *_understudy_* by hand")
        }
        return (name, beside)
    }

    private static func rename(_ name: String, _ new: String) -> String {
        "ALTER DATABASE \(SQLScanner.identifier(name)) RENAME TO \(SQLScanner.identifier(new));\n"
    }
}
