internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// Dumps databases so that an idle one is the same bytes tomorrow, and on another server.
///
/// SQL and not pg_dump's own format: that holds the time and the object ids of the server, SQL holds neither. So a database
/// that was restored and is dumped again gives the dump that it came from.
struct DatabaseDump {
    /// The statements that make a database of the name in psql's variable `database`, with its owner, language, settings
    /// and rights.
    static let definition = "create.sql"
    /// The dump of what is in it.
    static let contents = "dump.sql"
    /// Where the artifacts are, by the encoded name of the database.
    static let directory = "database"

    let server: PostgreSQLServer

    /// Dumps one database into two files of a directory.
    ///
    /// Throws a ``DriverFailure`` when the server fails, or when the dump is cut short.
    func write(_ database: String, to directory: FilePath) async throws -> DumpScan {
        let definition = try await define(database)
        try Files.replace(directory.appending(Self.definition), with: Array(definition.utf8))
        let file = directory.appending(Self.contents)
        let key = Self.key()
        try await server.dump(database, to: file, key: key)
        let scan = try DumpScan(file, key: key)
        guard scan.isComplete else {
            throw DriverFailure(
                "the dump of the database '\(database)' is cut short: its last words are missing",
                hint: "make sure that the disk is not full, and run 'pg_dump \(database)' by hand")
        }
        try Self.blank(scan.guards, in: file)
        return scan
    }

    /// The databases of which there are dumps in a directory, sorted.
    static func databases(in directory: FilePath) throws -> [String] {
        guard try Files.isDirectory(directory) else { return [] }
        return try Files.names(directory).map { String(decoding: $0, as: UTF8.self) }.sorted().compactMap {
            guard try Files.isDirectory(directory.appending($0)) else { return nil }
            guard let name = PostgreSQLAddress.decoded($0), !name.isEmpty else {
                throw DriverFailure(
                    "the snapshot holds a dump called '\(printable($0.utf8))', which names no database",
                    hint: "the store was tampered with: restore another snapshot")
            }
            return name
        }
    }

    /// The statements that make the roles of the cluster; passwords are in them as the server keeps them.
    ///
    /// Throws a ``DriverFailure`` when the server fails, or when the dump is cut short.
    func roles(withPasswords: Bool, scratch: FilePath) async throws -> [UInt8] {
        let file = scratch.appending("roles")
        try await server.roles(withPasswords: withPasswords, to: file, key: Self.key())
        let dump = try Files.read(file)
        guard String(decoding: dump.suffix(256), as: UTF8.self).contains(Self.lastWordsOfRoles) else {
            throw DriverFailure(
                "the dump of the roles is cut short: its last words are missing",
                hint: "make sure that the disk is not full, and run 'pg_dumpall --roles-only' by hand")
        }
        return try RoleStatements(dump).text
    }

    private static let lastWordsOfRoles = "-- PostgreSQL database cluster dump complete"

    /// Long and new each time: no row of a database can hold it.
    private static func key() -> String {
        String((0..<48).map { _ in "abcdefghijklmnopqrstuvwxyz0123456789".randomElement() ?? "x" })
    }

    /// Makes comments of psql's guards: their key is another each night, and a restore gives its own.
    private static func blank(_ guards: [(offset: Int64, count: Int)], in file: FilePath) throws {
        guard !guards.isEmpty else { return }
        let descriptor = try FileDescriptor.open(file, .writeOnly)
        try descriptor.closeAfter {
            for (offset, count) in guards {
                let dashes = [UInt8](repeating: UInt8(ascii: "-"), count: count)
                _ = try descriptor.writeAll(toAbsoluteOffset: offset, dashes)
            }
        }
    }

    private func define(_ database: String) async throws -> String {
        let rows = try await server.run(Self.definitionQuery, in: database)
        guard !rows.isEmpty else {
            throw DriverFailure(
                "the server says nothing of the database '\(database)'", hint: "run the command again")
        }
        return rows.map { $0.joined(separator: PostgreSQLServer.fieldSeparator) + "\n" }.joined()
    }

    /// Asks for one statement a row, in the order in which they are run.
    ///
    /// Columns that not every version has are asked of a row as JSON. A setting that is a list is taken apart and spelled
    /// anew: what a role sets with `FROM CURRENT` is there as it came, and need be nothing that SQL reads as a list.
    private static let definitionQuery = #"""
        WITH d AS (SELECT d.*, to_jsonb(d) AS j FROM pg_database d WHERE datname = current_database()),
        acl AS (SELECT a.* FROM d, aclexplode(datacl) a WHERE datacl IS NOT NULL),
        settings AS (
            SELECT setrole, split_part(s, '=', 1) AS name, substr(s, strpos(s, '=') + 1) AS value
            FROM d, pg_db_role_setting, unnest(setconfig) s WHERE setdatabase = d.oid),
        statements(place, detail, statement) AS (
            SELECT 1, '', 'CREATE DATABASE :"database" WITH TEMPLATE = template0 ENCODING = '
                || quote_literal(pg_encoding_to_char(encoding)) || ' LC_COLLATE = ' || quote_literal(datcollate)
                || ' LC_CTYPE = ' || quote_literal(datctype)
                || CASE j->>'datlocprovider'
                    WHEN 'i' THEN ' LOCALE_PROVIDER = icu ICU_LOCALE = '
                        || quote_literal(coalesce(j->>'daticulocale', j->>'datlocale'))
                    WHEN 'b' THEN ' LOCALE_PROVIDER = builtin BUILTIN_LOCALE = ' || quote_literal(j->>'datlocale')
                    ELSE '' END
                || ' OWNER = ' || quote_ident(pg_get_userbyid(datdba)) || ';' FROM d
            UNION ALL SELECT 2, '', 'ALTER DATABASE :"database" CONNECTION LIMIT ' || datconnlimit || ';'
                FROM d WHERE datconnlimit >= 0
            UNION ALL SELECT 3, '', 'COMMENT ON DATABASE :"database" IS ' || quote_literal(text) || ';'
                FROM d, shobj_description(d.oid, 'pg_database') text WHERE text IS NOT NULL
            UNION ALL SELECT 4, '', 'REVOKE ALL ON DATABASE :"database" FROM PUBLIC, '
                || quote_ident(pg_get_userbyid(datdba)) || ';' FROM d WHERE datacl IS NOT NULL
            UNION ALL SELECT 5, CASE grantee WHEN 0 THEN '' ELSE pg_get_userbyid(grantee) END || ' ' || privilege_type, 'GRANT ' || privilege_type || ' ON DATABASE :"database" TO '
                || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
                || CASE WHEN is_grantable THEN ' WITH GRANT OPTION;' ELSE ';' END FROM acl
            UNION ALL SELECT 6, coalesce(rolname, '') || name, 'ALTER '
                || CASE setrole WHEN 0 THEN 'DATABASE :"database"'
                    ELSE 'ROLE ' || quote_ident(rolname) || ' IN DATABASE :"database"' END
                || ' SET ' || quote_ident(name) || ' TO '
                || CASE WHEN name IN ('local_preload_libraries', 'search_path', 'session_preload_libraries',
                        'temp_tablespaces')
                    THEN elements ELSE quote_literal(value) END || ';'
                FROM settings LEFT JOIN pg_roles r ON r.oid = setrole, LATERAL (
                    SELECT coalesce(string_agg(
                        CASE WHEN octet_length(e) BETWEEN 1 AND 63 THEN quote_ident(e) ELSE quote_literal(e) END,
                        ', ' ORDER BY n), '''''')
                    FROM (SELECT n, coalesce(replace(parts[1], '""', '"'), parts[2]) FROM regexp_matches(
                        value, '"((?:[^"]|"")*)"|([^",[:space:]][^,[:space:]]*)', 'g') WITH ORDINALITY m(parts, n)
                    ) element(n, e)) list(elements))
        SELECT statement FROM statements ORDER BY place, detail COLLATE "C";
        """#
}
