import FileTree
import SystemPackage
import TestSupport
import Testing

/// A Buildbot whose state is in a database that its owner has prepared.
@Suite(.enabled(if: PostgreSQLFixture.availablePrograms != nil, "needs a PostgreSQL server"))
struct BuildbotDatabaseTests {
    /// The tables that are asked, with work under way, and with an operator and a trigger that make their owner a superuser.
    private static let state = """
        CREATE SCHEMA ci AUTHORIZATION ci;
        ALTER DATABASE buildbot SET search_path TO ci, public;
        SET ROLE ci; SET search_path = ci;
        CREATE TABLE builders (id int, name text);
        CREATE TABLE builds (id int, number int, builderid int, buildrequestid int, complete_at int, results int, state_string text);
        CREATE TABLE buildrequests (id int, builderid int, buildsetid int, complete int, results int, complete_at int);
        CREATE TABLE buildsets (id int, complete int, results int, complete_at int);
        CREATE TABLE buildrequest_claims (brid int);
        CREATE TABLE steps (id int, buildid int, results int, started_at int, complete_at int, state_string text);
        CREATE TABLE logs (id int, stepid int, complete int);
        CREATE TABLE schedulers (id int, name text);
        CREATE TABLE scheduler_changes (schedulerid int);
        CREATE TABLE objects (id int, name text);
        CREATE TABLE object_state (objectid int, name text, value_json text);
        INSERT INTO builders VALUES (1, 'app');
        INSERT INTO builds VALUES (1, 7, 1, 1, NULL, NULL, '');
        INSERT INTO buildrequests VALUES (1, 1, 1, 0, NULL, NULL), (2, 1, 2, 0, NULL, NULL);
        INSERT INTO schedulers VALUES (1, 'nightly'), (2, 'quick');
        INSERT INTO scheduler_changes VALUES (1), (2);
        INSERT INTO objects VALUES (1, 'nightly'); INSERT INTO object_state VALUES (1, 'last_build', '1.0');
        CREATE FUNCTION ci.join(text, int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        EXECUTE 'ALTER ROLE ci SUPERUSER'; RETURN pg_catalog.concat($1, $2); END $$;
        CREATE OPERATOR ci.|| (LEFTARG = text, RIGHTARG = int, FUNCTION = ci.join);
        CREATE FUNCTION ci.watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        EXECUTE 'ALTER ROLE ci SUPERUSER'; RETURN NEW; END $$;
        CREATE TRIGGER watch BEFORE UPDATE ON ci.builds FOR EACH ROW EXECUTE FUNCTION ci.watch();
        """

    @Test func endingTheWorkOfABuildbotRunsNothingThatItsDatabaseBrings() async throws {
        try await PostgreSQLFixture.with { server in
            try await withTemporaryDirectory { directory in
                try await server.sql("CREATE ROLE ci LOGIN;")
                try await server.sql("CREATE DATABASE buildbot OWNER ci;")
                try await server.sql(Self.state, in: "buildbot")
                let runner = try CommandLineRunner(directory)
                try Files.makeDirectory(directory.appending("tree"))
                try Files.replace(directory.appending("tree/a.conf"), with: Array("1\n".utf8))
                try await runner.initialize("tree")
                try runner.describe(
                    server.component("database", database: "buildbot", more: ["holds: buildbot"]))
                try await runner.succeed("snapshot")
                let report = try await runner.succeed("restore")
                #expect(report.contains("cancelled the build app #7, which was running"), "\(report)")
                #expect(report.contains("the scheduler nightly counts from now"), "\(report)")
                #expect(try await server.sql("SELECT results FROM ci.builds;", in: "buildbot") == "6\n")
                #expect(
                    try await server.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'ci';") == "f\n")
            }
        }
    }
}
