internal import FileTree
package import Programs
internal import SnapshotModel
package import SystemPackage

/// A server that is made on this host from the dumps of a snapshot, for a shadow or a drill.
///
/// It has no network, lets in whoever reaches its socket, and takes no care of power cuts, for it does not outlive what it was
/// made for. Its programs are for sandboxes: the paths that they name are ``dataPlace``, ``socketPlace`` and ``dumpPlace``
/// there, and the server itself refuses to run as user 0.
package struct PostgreSQLCluster: Hashable, Sendable {
    /// The directory of the server's programs.
    package let programs: FilePath
    /// The server's version: `15.18`.
    package let version: String

    /// Where what the server keeps stands inside, to be written by the server alone.
    package static let dataPlace: FilePath = "/run/cluster"
    /// Where the directory of its socket stands inside.
    package static let socketPlace: FilePath = "/run/database"
    /// Where the dumps stand inside that it is made from, as a snapshot keeps them.
    package static let dumpPlace: FilePath = "/run/dumps"
    /// The name of its superuser; no role of a snapshot has it.
    package static let user = "understudy-shadow"
    /// The user that its programs run as inside: one that every list of users has, and that is not root.
    package static let identity: UInt32 = 65534

    /// Where its programs are that a sandbox has not by itself; the place that they are called by, and that which it leads to.
    package var places: [FilePath] {
        get throws {
            let server = programs.appending("postgres")
            return Array(
                Set(SystemPrograms.places(of: server) + SystemPrograms.places(of: try Files.resolved(server)))
            )
        }
    }

    // MARK: - Finding one

    /// The server on this host that is nearest above the version of what was dumped.
    ///
    /// Throws a ``DriverFailure`` when there is none.
    static func find(for captured: CapturedComponent, programs: String?) async throws -> PostgreSQLCluster {
        let wanted = captured.version.map(major) ?? 0
        var found: [PostgreSQLCluster] = []
        for place in try places(programs) where try Files.exists(place.appending("initdb")) {
            let answer = try await Program(place.appending("postgres").string, ["--version"]).run().output
            // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
            guard let version = answer.split(separator: " ").first(where: { $0.first?.isNumber == true })
            else { continue }
            found.append(PostgreSQLCluster(programs: place, version: trimmed(version)))
        }
        let fitting = found.filter { major($0.version) >= wanted }
        guard let nearest = fitting.min(by: { major($0.version) < major($1.version) }) else {
            let newest = found.map(\.version).max { major($0) < major($1) }
            throw DriverFailure(
                "this host has no PostgreSQL server that could be made of the dumps"
                    + (newest.map { ": its newest is \($0), and they are of \(captured.version ?? "")" }
                        ?? ""),
                hint:
                    "install its programs, such as postgresql-\(wanted == 0 ? "15" : String(wanted)); it need not run"
            )
        }
        return nearest
    }

    private static func major(_ version: String) -> Int { Int(version.prefix { $0.isNumber }) ?? 0 }

    /// Where distributions put the programs of a server.
    private static func places(_ given: String?) throws -> [FilePath] {
        let versions: FilePath = "/usr/lib/postgresql"
        var places = given.map { [FilePath($0)] } ?? []
        if try Files.isDirectory(versions) {
            places += try Files.names(versions).map {
                versions.pushing(FilePath(bytes: $0)).appending("bin")
            }
        }
        for name in try Files.names("/usr") where name.starts(with: "pgsql-".utf8) {
            places.append(FilePath("/usr").pushing(FilePath(bytes: name)).appending("bin"))
        }
        return places + ["/usr/bin", "/usr/local/bin"]
    }

    // MARK: - Making one

    /// The dumps that are in the artifacts of a component, by the names of the databases.
    package static func dumps(in artifacts: FilePath) throws -> [String: FilePath] {
        let directory = artifacts.appending(DatabaseDump.directory)
        let names = try DatabaseDump.databases(in: directory)
        return Dictionary(
            uniqueKeysWithValues: names.map {
                ($0, directory.appending(PostgreSQLAddress.encoded($0)))
            })
    }

    /// Writes a dump as it may be in a shadow, without `omissions`, below a directory that is to stand at ``dumpPlace``.
    package static func writeHarmless(
        _ dump: FilePath, of database: String, to directory: FilePath,
        without omissions: [String: DumpOmission]
    ) throws {
        let target = directory.appending(PostgreSQLAddress.encoded(database))
        try Files.makeDirectories(target, mode: 0o700)
        try Files.replaceWithoutSync(
            target.appending(DatabaseDump.definition),
            with: Files.read(dump.appending(DatabaseDump.definition)))
        try DumpFilter.copy(
            dump.appending(DatabaseDump.contents), to: target.appending(DatabaseDump.contents),
            without: omissions)
    }

    /// Writes, into the directory that is to stand at ``dataPlace``, the statements that make the roles which the dumps name.
    ///
    /// With `passwords` they are those of the snapshot; without, the roles have their names and nothing else.
    package func writeRoles(
        _ artifacts: FilePath, for databases: [String], passwords: Bool, to data: FilePath
    ) throws {
        let dumps = try Self.dumps(in: artifacts)
        let file = artifacts.appending(DatabaseDump.directory).appending("roles.sql")
        let statements = try RoleStatements(try Files.readIfPresent(file) ?? [])
        var text = passwords ? statements.text : []
        var names = passwords ? [] : Set(statements.roles.map(SQLScanner.identifier))
        for database in databases {
            guard let dump = dumps[database] else { continue }
            names.formUnion(try DumpFilter.owners(of: dump.appending(DatabaseDump.contents)))
        }
        names.subtract(passwords ? statements.roles.map(SQLScanner.identifier) : [])
        text += names.sorted().map { "CREATE ROLE \($0);\n" }.joined().utf8
        try Files.replace(data.appending(Self.roles), with: text, mode: 0o600)
    }

    private static let roles = "roles.sql"
    /// The word by which the guards of a dump that is made again are found; nobody is to be kept out by it.
    private static let againKey = "understudyagain"
    /// What a database was dumped again into, by its place among those that were made.
    private static func again(_ index: Int) -> String { "again-\(index).sql" }

    /// The program that makes the cluster in an empty directory, and ends the server when that is done; with `dumpsAgain` each
    /// database is dumped once more, for ``inspect(_:in:against:)``.
    package func making(_ databases: [String], dumpsAgain: Bool) -> Program {
        let key = String((0..<48).map { _ in "abcdefghijklmnopqrstuvwxyz0123456789".randomElement() ?? "x" })
        return Program(
            "/bin/sh",
            ["-euc", Self.script, "making", programs.string, key, dumpsAgain ? "yes" : "no"]
                + databases.flatMap { [$0, PostgreSQLAddress.encoded($0)] },
            directory: Self.dataPlace, limit: .seconds(12 * 3600))
    }

    /// Names come as arguments and in the environment: what is in them means nothing here.
    private static let script = """
        bin=$1 key=$2 again=$3
        shift 3
        "$bin/initdb" --pgdata=data --auth=trust --username=\(user) --encoding=UTF8 --no-locale --no-sync >made 2>&1 ||
            { cat made; exit 1; }
        cat >>data/postgresql.conf <<END
        listen_addresses = ''
        unix_socket_directories = '\(socketPlace)'
        fsync = off
        full_page_writes = off
        synchronous_commit = off
        wal_level = minimal
        max_wal_senders = 0
        END
        "$bin/pg_ctl" --pgdata=data --wait --silent --log=log start || { cat log; exit 1; }
        export PGHOST=\(socketPlace) PGUSER=\(user) PGOPTIONS='-c default_transaction_read_only=off -c standard_conforming_strings=on'
        ask() { "$bin/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=VERBOSITY=terse "$@" >/dev/null; }
        PGDATABASE=postgres ask --single-transaction --command="\\\\restrict $key" --file=roles.sql
        guard=
        case $("$bin/pg_dump" --help) in *--restrict-key*) guard=--restrict-key=\(againKey) ;; esac
        number=0
        while [ $# -gt 0 ]; do
            PGDATABASE=postgres ask --set="database=$1" --command="\\\\restrict $key" --file="\(dumpPlace)/$2/create.sql"
            export PGDATABASE="$1"
            ask --single-transaction --command="\\\\restrict $key" --file="\(dumpPlace)/$2/dump.sql"
            ask --command=ANALYZE
            if [ $again = yes ]; then "$bin/pg_dump" $guard --file="again-$number.sql"; fi
            number=$((number + 1))
            shift 2
        done
        "$bin/pg_ctl" --pgdata=data --wait --silent --mode=fast stop
        """

    /// What came of dumping the databases again, against the dumps of the snapshot.
    package static func inspect(
        _ databases: [String], in data: FilePath, against artifacts: FilePath
    ) throws -> [Inspection] {
        let dumps = try dumps(in: artifacts)
        // What a dump made the server do may have left links.
        let directory = try OpenDirectory(data)
        return try databases.enumerated().map { index, database in
            guard let dump = dumps[database] else { preconditionFailure("what was made has a dump") }
            let wanted = try DumpScan(dump.appending(DatabaseDump.contents), key: "")
            let made = try DumpScan(again(index), in: directory, key: againKey)
            let rows = made.tables.reduce(0) { $0 + $1.rows }
            let words = "\(counted(made.tables.count, "table")) with \(counted(rows, "row"))"
            let there = Dictionary(made.tables.map { ($0.name, $0.rows) }) { $0 + $1 }
            let problems = wanted.tables.filter { there[$0.name] != $0.rows }.map {
                "\($0.name) has \(there[$0.name].map { "\($0)" } ?? "no") rows and not \($0.rows)"
            }
            return Inspection(
                "database \(database)", problems: problems,
                detail: made.digest == wanted.digest
                    ? "loaded and dumped again, it is the snapshot's own dump: \(words)"
                    : "loaded and dumped again, it has \(words), as the snapshot; this version of PostgreSQL spells them otherwise"
            )
        }
    }

    // MARK: - Running one

    /// The server, on a cluster that was made.
    package var server: Program {
        Program(
            programs.appending("postgres").string, ["-D", Self.dataPlace.appending("data").string],
            directory: Self.dataPlace, limit: .seconds(24 * 3600))
    }

    /// The file in a cluster that a server which runs has there.
    private static let running = "postmaster.pid"

    /// Whether the server of a cluster that is in a directory of the host takes connections.
    package static func isReady(_ data: FilePath) throws -> Bool {
        let lines = try ShadowCopy.contents("data/\(running)", below: data) ?? []
        return lines.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropFirst(7)
            .first?
            .starts(with: "ready".utf8) == true
    }

    /// Takes away what a server that was killed has left: it would be taken for one that runs.
    ///
    /// Who reached that server was its superuser, and may have put a link in the place of the cluster: no link is followed, and
    /// one there is a ``DriverFailure``.
    package static func forget(_ data: FilePath, socket: FilePath) throws {
        let cluster = data.appending("data")
        guard try Files.status(cluster)?.kind == .directory else {
            throw DriverFailure(
                "what ran in a shadow has put something else in the place of its database, \(cluster)",
                hint:
                    "nothing outside of the shadow was touched; look at what the change does with the database"
            )
        }
        // Nothing runs there now, and a link that comes all the same is not followed.
        try OpenDirectory(cluster).remove(Array(running.utf8))
        for name in try Files.names(socket) { try Files.remove(socket.pushing(FilePath(bytes: name))) }
    }

    /// Prints U+0001 on a line of its own before the rows, behind whatever the server has to say to who connects.
    func query(_ sql: String, in database: String) -> Program {
        Program(
            programs.appending("psql").string,
            [
                "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator", "\u{1f}",
                "--set",
                "ON_ERROR_STOP=1", "--command", "SELECT chr(1)", "--command", sql,
            ],
            environment: [
                "PGHOST": Self.socketPlace.string, "PGUSER": Self.user, "PGDATABASE": database,
                "PGCONNECT_TIMEOUT": "30",
            ], limit: .seconds(300))
    }
}
