import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// What of the PostgreSQL driver needs no server.
@Suite struct PostgreSQLValueTests {
    @Test func anAddressIsAnotherOnlyInItsDatabase() throws {
        let address = try #require(
            PostgreSQLAddress("postgresql://ci@db:5433/build%62ot?host=/run/x&sslmode=require"))
        #expect(address.database == "buildbot")
        #expect(
            address.with(database: "a b/ö").text
                == "postgresql://ci@db:5433/a%20b%2F%C3%B6?host=/run/x&sslmode=require")
        #expect(PostgreSQLAddress("postgres:///x")?.text == "postgresql:///x")
        #expect(PostgreSQLAddress("postgresql://host")?.database == "")
    }

    @Test(arguments: [
        "postgresql://ci:geheim@db/x", "postgresql:///x?password=geheim", "postgresql:///x?PASSWORD=geheim",
        "http://x/y", "postgresql:///a%zz",
    ])
    func anAddressWithAPasswordIsNone(_ text: String) {
        #expect(PostgreSQLAddress(text) == nil)
    }

    @Test func everyNameOfADatabaseIsAFileNameAndComesBack() {
        for name in ["ci", "roles.sql", "..", "a/b", "we\"ird $1", "ö%2F", "%"] {
            let encoded = PostgreSQLAddress.encoded(name)
            #expect(!encoded.contains("/") && !encoded.contains("."))
            #expect(PostgreSQLAddress.decoded(encoded) == name)
        }
    }

    @Test func databasesWhoseLongNamesBeginAlikeAreRestoredBesideEachOther() {
        let name = String(repeating: "ö", count: 30)
        let names = [1, 2].map { DatabaseSwap.beside("\(name)_\($0)", mark: "3w5e11264sgsf", number: $0) }
        #expect(Set(names).count == 2)
        #expect(names.allSatisfy { $0.utf8.count <= 62 && $0.hasPrefix("ööö") })
        #expect(DatabaseSwap.beside("ci", mark: "3w5e", number: 1) == "ci_understudy_3w5e_1")
    }

    /// A candidate that asks the shadow's server as its superuser may exchange its directory for any link.
    @Test func noLinkOfAShadowsServerIsFollowed() throws {
        let scratch = try ScratchDirectory()
        let (data, socket) = (scratch.appending("data"), scratch.appending("s"))
        let host = scratch.appending("host")
        for place in [data, socket, host] { try Files.makeDirectory(place) }
        let running = host.appending("postmaster.pid")
        try Files.replace(running, with: Array("1\n\n\n\n\n\n\nready\n".utf8))
        try Files.makeLink(data.appending("data"), to: host.byteArray)
        #expect(throws: DriverFailure.self) { try PostgreSQLCluster.forget(data, socket: socket) }
        #expect(try Files.exists(running))
        #expect(try !PostgreSQLCluster.isReady(data))

        try Files.remove(data.appending("data"))
        try Files.rename(host, to: data.appending("data"))
        #expect(try PostgreSQLCluster.isReady(data))
        try PostgreSQLCluster.forget(data, socket: socket)
        #expect(try !Files.exists(data.appending("data/postmaster.pid")))

        // Nor is what a dump had the server write.
        let artifacts = scratch.appending("artifacts")
        let dumps = artifacts.appending(DatabaseDump.directory).appending("ci")
        try Files.makeDirectories(dumps)
        try Files.replace(dumps.appending(DatabaseDump.contents), with: Array(dump.utf8))
        try Files.makeLink(
            data.appending("again-0.sql"), to: dumps.appending(DatabaseDump.contents).byteArray)
        #expect(throws: FileFailure.self) {
            try PostgreSQLCluster.inspect(["ci"], in: data, against: artifacts)
        }
    }

    private func scan(_ text: String, key: String = "K") throws -> DumpScan {
        let scratch = try ScratchDirectory()
        let file = scratch.appending("dump")
        try Files.replace(file, with: Array(text.utf8))
        return try DumpScan(file, key: key)
    }

    private let dump = """
        \\restrict K

        -- Dumped from database version 15.18
        -- Dumped by pg_dump version 15.18
        COPY public.a (id, name) FROM stdin;
        1\tCOPY x (id) FROM stdin;
        2\t-- PostgreSQL database dump complete
        \\.
        COPY public."we ird" (id) FROM stdin;
        \\.
        -- PostgreSQL database dump complete
        \\unrestrict K

        """

    @Test func aScanCountsRowsAndFindsTheGuardsAndTheEnd() throws {
        let found = try scan(dump)
        #expect(found.tables.map(\.name) == ["public.a", "public.\"we ird\""])
        #expect(found.tables.map(\.rows) == [2, 0])
        #expect(found.isComplete)
        #expect(found.guards.map(\.offset) == [0, Int64(dump.utf8.count) - 14])
        #expect(found.guards.map(\.count) == [11, 13])
        // Guards of another key are what a database holds.
        #expect(try scan(dump, key: "L").guards.isEmpty)
    }

    @Test func aScanOfAnyBeginningSaysThatTheEndIsMissing() throws {
        let end = try #require(dump.utf8.firstRange(of: Array("dump complete\n\\unrestrict".utf8)))
        let length = dump.utf8.distance(from: dump.utf8.startIndex, to: end.lowerBound)
        for count in stride(from: 0, through: length, by: 7) {
            #expect(try !scan(String(decoding: dump.utf8.prefix(count), as: UTF8.self)).isComplete)
        }
    }

    /// What somebody wrote into a function or a comment is no line of the dump's own.
    @Test func aScanGoesByNoLineInQuotes() throws {
        let function = """
            CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $_$
            COPY public.no (id) FROM stdin;
            -- PostgreSQL database dump complete
            $_$;
            COMMENT ON FUNCTION public.f() IS 'it''s
            COPY public.no (id) FROM stdin;
            -- Dumped 1';

            """
        let start = try #require(dump.firstRange(of: "COPY"))
        let text = String(dump[..<start.lowerBound]) + function + String(dump[start.lowerBound...])
        let found = try scan(text)
        #expect(found.tables.map(\.name) == ["public.a", "public.\"we ird\""] && found.isComplete)
        #expect(try scan(text.replacing("Dumped 1'", with: "Dumped 2'")).digest != found.digest)
        #expect(try !scan("\(function)SELECT 1;\n").isComplete)
    }

    @Test func namesWithLineBreaksBeginRowsAsWell() throws {
        let found = try scan(
            "COPY public.\"a\nb\" (\"c\n(\", d) FROM stdin;\nit's\t$x$\n\\.\n"
                + "-- PostgreSQL database dump complete\n")
        #expect(found.tables.map(\.name) == ["public.\"a\nb\""] && found.tables.map(\.rows) == [1])
        #expect(found.isComplete)
    }

    @Test func theDigestLeavesOutOnlyWhoMadeTheDumpAndItsGuards() throws {
        let digest = try scan(dump).digest
        let newer = dump.replacing("15.18", with: "15.19").replacing("\\restrict K", with: "-----------")
            .replacing("\\unrestrict K", with: "-------------")
        #expect(try scan(newer).digest == digest)
        #expect(try scan(dump.replacing("1\tCOPY", with: "3\tCOPY")).digest != digest)
    }

    @Test func aLineOfAnyLengthIsOneRow() throws {
        let long = String(repeating: "x", count: 3 << 20)
        let text = "COPY a (t) FROM stdin;\n\(long)\n\(long)\n\\.\n-- PostgreSQL database dump complete\n"
        let found = try scan(text)
        #expect(found.tables.map(\.rows) == [2] && found.isComplete)
        #expect(try scan(text.replacing("xxx\n", with: "xxy\n")).digest != found.digest)
    }

    @Test func anInventoryNamesTablesAndRowsAndWhatWasNotCaptured() throws {
        var inventory = DatabaseInventory()
        inventory.add("ci", try scan(dump))
        inventory.addUnreadable("other")
        let items = DatabaseInventory.inventory(inventory.contents).items
        #expect(
            Set(items.map { "\($0.kind) \($0.name): \($0.detail)" }) == [
                "database ci: 2 tables", "table ci public.a: 2 rows", "table ci public.\"we ird\": 0 rows",
                "database other: not captured",
            ])
        #expect(items.filter(\.isUnknown).map(\.name) == ["other"])
        let one = DatabaseInventory.inventory(Array("database\tci\t1 tables\ntable\tci a\t1 rows\n".utf8))
        #expect(one.items.map(\.detail) == ["1 table", "1 row"])
    }

    @Test func onlyAnOlderServerIsRefused() {
        #expect(DatabaseSwap.refusals(dumped: "15.18", server: "15.2", of: "db").isEmpty)
        #expect(DatabaseSwap.refusals(dumped: "9.6.24", server: "15.2", of: "db").isEmpty)
        #expect(DatabaseSwap.refusals(dumped: nil, server: "15.2", of: "db").isEmpty)
        let refused = DatabaseSwap.refusals(dumped: "16.1", server: "15.18", of: "db")
        #expect(refused.map(\.hint) == ["restore it into PostgreSQL 16 or newer"])
    }

    @Test func whatNoShadowIsToHaveIsLeftOutOfADump() {
        let dump = """
            SET client_encoding = 'UTF8';
            COPY public.users (uid, identifier, bb_password) FROM stdin;
            1\tkim\tsecret
            \\.
            COPY public.logchunks (logid, content) FROM stdin;
            1\thunter2
            \\.
            COPY public.object_state (objectid, name, value_json) FROM stdin;
            1\tsession_secret\t"k"
            1\tlast_build\t7
            \\.
            COPY public."Odd, table" ("a b", name) FROM stdin;
            session_secret\tCOPY x (y) FROM stdin;
            \\.
            SELECT 'COPY';
            """
        var filter = DumpFilter([
            "users": .fields(["bb_password"]), "logchunks": .rows,
            "object_state": .rowsWhere(column: "name", value: "session_secret"),
        ])
        let kept = dump.split(separator: "\n").compactMap { filter.line(Array($0.utf8)) }
            .map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
        let wanted = dump.replacing("\tsecret", with: "\t\\N").replacing("1\thunter2\n", with: "")
            .replacing("1\tsession_secret\t\"k\"\n", with: "")
        #expect(kept == wanted)
    }

    /// A function that holds what reads like the beginning of rows must not hide the rows behind it.
    @Test func whatNoShadowIsToHaveIsLeftOutBehindAnyFunction() {
        let dump = """
            CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$
            COPY public.no (id) FROM stdin;
            $$;
            COPY public.users ("a,b", "x)", bb_password) FROM stdin;
            1\t2\tsecret
            \\.
            """
        var filter = DumpFilter(["users": .fields(["bb_password"])])
        let kept = dump.split(separator: "\n").compactMap { filter.line(Array($0.utf8)) }
            .map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
        #expect(kept == dump.replacing("\tsecret", with: "\t\\N"))
    }

    /// A server that no distribution packed ends its line with its version.
    @Test func theVersionOfAServerHasNoEndOfALine() async throws {
        let programs = try ScratchDirectory()
        for name in ["initdb", "postgres"] {
            try Files.replace(
                programs.appending(name),
                with: Array("#!/bin/sh\necho 'postgres (PostgreSQL) 99.1'\n".utf8), mode: 0o755)
        }
        let captured = CapturedComponent(name: "database", driver: "postgresql", version: "99.1", roots: [])
        let found = try await PostgreSQLCluster.find(for: captured, programs: programs.path.string)
        #expect(found.version == "99.1")
    }

    @Test func aServerThatIsTooOldIsToldWithWhatToInstall() async throws {
        let captured = CapturedComponent(name: "database", driver: "postgresql", version: "99.1", roots: [])
        do {
            let found = try await PostgreSQLCluster.find(for: captured, programs: nil)
            Issue.record("found \(found.version)")
        } catch let failure as DriverFailure {
            #expect(failure.hint.contains("postgresql-99"))
        }
    }
}
