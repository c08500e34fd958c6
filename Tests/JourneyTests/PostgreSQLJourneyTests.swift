import FileTree
import GitStore
import Programs
import SystemPackage
import TestSupport
import Testing

/// Databases of a real server: captured, lost, restored, taken back, killed in the middle.
@Suite(.enabled(if: PostgreSQLFixture.availablePrograms != nil, "needs a PostgreSQL server"))
struct PostgreSQLJourneyTests {
    /// A system of a directory and a database that Buildbot could have.
    private struct World {
        let directory: FilePath
        let server: PostgreSQLFixture
        let runner: CommandLineRunner
        var store: FilePath { directory.appending("tree.git") }

        init(_ directory: FilePath, _ server: PostgreSQLFixture, more: [String] = []) async throws {
            self.directory = directory
            self.server = server
            runner = try CommandLineRunner(directory)
            try await server.sql("CREATE ROLE ci LOGIN PASSWORD 'parole-5'; CREATE ROLE readers;")
            try await server.sql("CREATE DATABASE buildbot OWNER ci;")
            try await server.sql(
                """
                CREATE TABLE builds (id serial PRIMARY KEY, name text NOT NULL);
                INSERT INTO builds (name) SELECT 'build ' || i FROM generate_series(1, 500) i;
                CREATE INDEX ON builds (name); CREATE VIEW late AS SELECT * FROM builds WHERE id > 400;
                ALTER TABLE builds OWNER TO ci; GRANT SELECT ON builds TO readers;
                CREATE TABLE "od d" (payload bytea); INSERT INTO "od d" VALUES ('\\x00ff');
                SELECT lo_from_bytea(4711, 'large object');
                GRANT CONNECT ON DATABASE buildbot TO readers; REVOKE TEMP ON DATABASE buildbot FROM PUBLIC;
                ALTER DATABASE buildbot SET search_path TO public, pg_catalog;
                ALTER ROLE ci IN DATABASE buildbot SET work_mem TO '8MB';
                COMMENT ON DATABASE buildbot IS 'it''s the "CI"
                on two lines';
                """, in: "buildbot")
            try Files.makeDirectory(directory.appending("tree"))
            try Files.replace(directory.appending("tree/a.conf"), with: Array("1\n".utf8))
            try await runner.initialize("tree")
            try runner.describe(server.component("database", database: "buildbot", more: more))
        }

        /// Lets the last restore be one that was killed while it exchanged.
        func interrupt() throws {
            try replaceText(
                "\"phase\" : \"done\"", with: "\"phase\" : \"exchanging\"",
                in: store.appending("understudy/restore.json"))
        }

        /// How many builds the database knows.
        func count() async throws -> String {
            try await server.sql("SELECT count(*) FROM builds;", in: "buildbot")
        }

        /// What people would ask of the database, of its rights and settings too.
        func answers() async throws -> String {
            try await server.sql(
                """
                SELECT count(*), max(name) FROM builds; SELECT count(*) FROM late;
                SELECT * FROM "od d"; SELECT convert_from(lo_get(4711), 'UTF8');
                SELECT nextval('builds_id_seq') > 500;
                SELECT datname, pg_get_userbyid(datdba), datacl, shobj_description(oid, 'pg_database')
                FROM pg_database WHERE datname = current_database();
                SELECT relname, relacl, pg_get_userbyid(relowner) FROM pg_class
                WHERE relname IN ('builds', 'late') ORDER BY 1;
                SELECT coalesce(rolname, ''), setconfig FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = setrole
                WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1;
                """, in: "buildbot")
        }

        func names() async throws -> String {
            try await server.sql("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1;")
        }

        /// The tree of the component in the latest snapshot.
        func tree() async throws -> String {
            let reference = try await Program(
                "git",
                [
                    "-C", store.string, "for-each-ref", "--sort=-refname", "--count=1", "--format=%(refname)",
                    "refs/snapshots",
                ]
            ).runSuccessfully().output
            return try await Program(
                "git", ["-C", store.string, "rev-parse", reference.dropLast() + ":database"]
            ).runSuccessfully().output
        }
    }

    private func withWorld(more: [String] = [], _ body: (World) async throws -> Void) async throws {
        try await PostgreSQLFixture.with { server in
            try await withTemporaryDirectory { try await body(World($0, server, more: more)) }
        }
    }

    @Test func aLostDatabaseComesBackWithItsRolesAndRightsAndIsTheSnapshotsOwnDump() async throws {
        try await withWorld { world in
            let taken = try await world.runner.succeed("snapshot")
            #expect(taken.contains("complete") && taken.contains("postgresql"))
            let before = try await world.answers()
            let tree = try await world.tree()
            try await world.server.sql("DROP DATABASE buildbot;")
            try await world.server.sql("DROP ROLE ci;")
            let plan = try await world.runner.succeed("restore", "--dry-run")
            #expect(plan.contains("database: database buildbot: made, 2 tables"), "\(plan)")
            let report = try await world.runner.succeed("restore")
            #expect(
                report.contains("dumped again, it is the snapshot's own dump, 2 tables with 501 rows")
                    && report.contains("made the roles ci") && report.contains("proven"), "\(report)")
            #expect(try await world.answers() == before)
            try await world.runner.succeed("snapshot")
            // nextval moved the sequence, before the loss and now: the rest is the same.
            try await world.server.sql("SELECT setval('builds_id_seq', 500, true);", in: "buildbot")
            try await world.runner.succeed("snapshot")
            #expect(try await world.tree() == tree)
            try await world.runner.checkStore(world.store)
            try await world.runner.succeed("verify", "--all")
        }
    }

    /// A role may set and comment what it likes of itself, and stays what it is.
    @Test func whatARoleWritesOfItselfComesBackAsItWas() async throws {
        try await withWorld { world in
            try await world.server.sql(
                """
                CREATE ROLE app LOGIN;
                ALTER ROLE app SET application_name = E', b;\\nCREATE ROLE evil SUPERUSER LOGIN;\\n';
                COMMENT ON ROLE app IS E'owner: Bob;\\nsee the "wiki"; it''s \\\\ there';
                """)
            // What it sets from what is current is taken as it is.
            try await world.server.sql(
                """
                SET SESSION AUTHORIZATION app;
                SELECT set_config('search_path', 'a;ALTER/**/ROLE/**/app/**/SUPERUSER;--', false);
                ALTER ROLE app IN DATABASE buildbot SET search_path FROM CURRENT;
                """)
            let asked = """
                SELECT rolname, rolsuper, shobj_description(oid, 'pg_authid') FROM pg_roles
                WHERE rolname IN ('app', 'evil');
                SELECT setconfig FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = setrole
                WHERE rolname = 'app' AND setdatabase = 0;
                """
            let before = try await world.server.sql(asked)
            try await world.runner.succeed("snapshot")
            for statement in ["DROP DATABASE buildbot;", "DROP ROLE app;"] {
                try await world.server.sql(statement)
            }
            let report = try await world.runner.succeed("restore")
            #expect(report.contains("made the roles app;") && report.contains("proven"), "\(report)")
            #expect(try await world.server.sql(asked) == before)
            // Also where the role is there.
            try await world.runner.succeed("restore")
            #expect(try await world.server.sql(asked) == before)
        }
    }

    /// Who owns a database may name a function as the server names one of its own.
    @Test func noFunctionOfADatabaseIsTakenForOneOfTheServers() async throws {
        try await withWorld { world in
            try await world.server.sql(
                """
                CREATE FUNCTION public.quote_literal(name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
                EXECUTE 'ALTER ROLE ci SUPERUSER'; RETURN pg_catalog.quote_literal($1::text); END $$;
                """, in: "buildbot")
            try await world.runner.succeed("snapshot")
            let report = try await world.runner.succeed("restore")
            #expect(report.contains("proven"), "\(report)")
            #expect(
                try await world.server.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'ci';") == "f\n")
        }
    }

    /// Nobody but superusers may come in: such a limit comes back as well.
    @Test func aDatabaseThatLetsNobodyInStaysSo() async throws {
        try await withWorld { world in
            try await world.server.sql("ALTER DATABASE buildbot CONNECTION LIMIT 0;")
            try await world.runner.succeed("snapshot")
            try await world.server.sql("DROP DATABASE buildbot;")
            let report = try await world.runner.succeed("restore")
            #expect(report.contains("proven: read back"), "\(report)")
            #expect(
                try await world.server.sql(
                    "SELECT datconnlimit FROM pg_database WHERE datname = 'buildbot';") == "0\n")
        }
    }

    /// The settings of a database are there before its rows.
    @Test func aDatabaseThatIsReadOnlyByItsSettingsIsLoadedAndStaysSo() async throws {
        try await withWorld { world in
            try await world.server.sql("ALTER DATABASE buildbot SET default_transaction_read_only TO on;")
            try await world.runner.succeed("snapshot")
            try await world.server.sql("DROP DATABASE buildbot;")
            let report = try await world.runner.succeed("restore")
            #expect(report.contains("proven: read back"), "\(report)")
            #expect(try await world.count() == "500\n")
            #expect(
                try await world.server.sql("SHOW default_transaction_read_only;", in: "buildbot") == "on\n")
        }
    }

    @Test func aNightWithoutAChangeAddsNothing() async throws {
        try await withWorld { world in
            try await world.runner.succeed("snapshot")
            let tree = try await world.tree()
            let second = try await world.runner.succeed("snapshot")
            #expect(second.contains("no change"))
            #expect(try await world.tree() == tree)
            try await world.server.sql("INSERT INTO builds (name) VALUES ('one more');", in: "buildbot")
            let third = try await world.runner.succeed("snapshot")
            #expect(third.contains("table") && third.contains("500 rows → 501 rows"), "\(third)")
        }
    }

    @Test func aRestoreEndsSessionsAndUndoBringsTheOtherDatabaseBack() async throws {
        try await withWorld { world in
            try await world.runner.succeed("snapshot")
            try await world.server.sql("DELETE FROM builds WHERE id > 10;", in: "buildbot")
            async let session: String = world.server.sql("SELECT pg_sleep(60);", in: "buildbot")
            try await wait("a session") {
                try await world.server.sql(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = 'buildbot';") != "0\n"
            }
            let report = try await world.runner.succeed("restore")
            #expect(report.contains("proven"))
            var isEnded = false
            do { _ = try await session } catch is ProgramFailure { isEnded = true }
            #expect(isEnded)
            #expect(try await world.server.sql("SELECT count(*) FROM builds;", in: "buildbot") == "500\n")
            #expect(try await world.names().contains("buildbot_understudy_"))
            let undone = try await world.runner.succeed("undo")
            #expect(undone.contains("  database\n"))
            #expect(try await world.server.sql("SELECT count(*) FROM builds;", in: "buildbot") == "10\n")
            #expect(try await world.names() == "buildbot\npostgres\n")
            #expect(try await world.runner.run("undo").status == 7)
        }
    }

    /// People tidy what they do not know, and what they must not have.
    @Test func aDatabaseThatSomebodyDroppedSinceCostsNoOther() async throws {
        try await withWorld { world in
            try await world.runner.succeed("snapshot")
            try await world.server.sql("DELETE FROM builds WHERE id > 10;", in: "buildbot")

            try await world.runner.succeed("restore")
            try world.interrupt()
            try await world.server.sql("DROP DATABASE buildbot;")
            try await world.runner.succeed("undo")
            #expect(try await world.count() == "10\n")

            try await world.runner.succeed("restore")
            let names = try await world.names().split(separator: "\n")
            let kept = try #require(names.first { $0.contains("_understudy_") })
            try await world.server.sql("DROP DATABASE \"\(kept)\";")
            let refused = try await world.runner.run("undo")
            #expect(refused.status == 7, "\(refused.output)\(refused.errorOutput)")
            #expect(try await world.count() == "500\n")
            // And where the kill came first.
            try world.interrupt()
            let failed = try await world.runner.run("undo")
            #expect(
                failed.status == 1 && failed.errorOutput.contains("is not at '\(kept)' any more"),
                "\(failed.errorOutput)")
            #expect(try await world.count() == "500\n")
            try await world.runner.succeed("restore")
            #expect(try await world.names().split(separator: "\n").count == 3)
        }
    }

    @Test func aDatabaseThatSomebodyMadeSinceIsNotGivenUp() async throws {
        try await withWorld { world in
            try await world.runner.succeed("snapshot")
            try await world.server.sql("DELETE FROM builds WHERE id > 10;", in: "buildbot")
            try await world.runner.succeed("restore")
            try world.interrupt()
            try await world.server.sql("DROP DATABASE buildbot;")
            try await world.server.sql("CREATE DATABASE buildbot;")
            try await world.server.sql("CREATE TABLE mine (a text);", in: "buildbot")
            let failed = try await world.runner.run("undo")
            #expect(
                failed.status == 1
                    && failed.errorOutput.contains("the database 'buildbot' is not the one that was restored")
                    && failed.errorOutput.contains("rename it"), "\(failed.errorOutput)")
            #expect(try await world.names().split(separator: "\n").count == 3)
            #expect(try await world.server.sql("SELECT count(*) FROM mine;", in: "buildbot") == "0\n")
            try await world.server.sql("ALTER DATABASE buildbot RENAME TO mine;")
            try await world.runner.succeed("undo")
            #expect(try await world.count() == "10\n")
            #expect(try await world.names() == "buildbot\nmine\npostgres\n")
        }
    }

    @Test func aServerThatIsDownIsNamedAndTheRestIsCaptured() async throws {
        try await withWorld { world in
            try await world.runner.succeed("snapshot")
            try await world.server.stop()
            let taken = try await world.runner.run("snapshot")
            #expect(taken.status == 3)
            #expect(taken.output.contains("unreadable: database/database/buildbot"), "\(taken.output)")
            #expect(taken.output.contains("make sure that it runs and accepts connections"))
            #expect(
                try await world.runner.succeed("show", "latest", "tree/files\(world.directory)/tree/a.conf")
                    == "1\n")
            let restore = try await world.runner.run("restore", "latest~1")
            #expect(restore.status == 7 && restore.errorOutput.contains("a restore needs a running server"))
            try await world.runner.succeed("restore", "latest~1", "--component", "tree")
            try await world.server.start()
            // What was lost in the partial snapshot is refused, and when that is accepted the database stays.
            #expect(try await world.runner.run("restore", "latest").status == 7)
            try await world.runner.succeed("restore", "latest", "--partial")
            #expect(try await world.server.sql("SELECT count(*) FROM builds;", in: "buildbot") == "500\n")
        }
    }

    @Test func aDumpThatIsCutShortIsNamed() async throws {
        try await PostgreSQLFixture.with { server in
            try await withTemporaryDirectory { directory in
                let world = try await World(directory, server)
                // Programs that end well and leave the end of the dump out.
                let programs = server.directory.appending("programs")
                try Files.makeDirectory(programs)
                for name in ["psql", "pg_dumpall"] {
                    try Files.makeLink(
                        programs.appending(name), to: server.programs.appending(name).byteArray)
                }
                let script = "#!/bin/sh\n\(server.programs)/pg_dump \"$@\" | head -c 2000\n"
                try Files.replace(programs.appending("pg_dump"), with: Array(script.utf8), mode: 0o755)
                try replaceText(
                    "programs: \(server.programs)", with: "programs: \(programs)",
                    in: directory.appending("understudy.yaml"))
                let taken = try await world.runner.run("snapshot")
                #expect(taken.status == 3)
                #expect(
                    taken.output.contains("the dump of the database 'buildbot' is cut short"),
                    "\(taken.output)")
            }
        }
    }

    @Test func aPasswordIsReadFromItsFileAndAppearsNowhere() async throws {
        try await withWorld { world in
            let file = world.server.directory.appending("pgpass")
            try Files.replace(file, with: Array("*:*:*:ci:parole-5\n".utf8), mode: 0o600)
            let name = world.directory.appending("understudy.yaml")
            let text = String(decoding: try Files.read(name), as: UTF8.self)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).filter {
                !$0.contains("runAs:")
            }
            .joined(separator: "\n")
            let user = try #require(lines.firstRange(of: "user="))
            let end = try #require(lines[user.upperBound...].firstIndex(of: "\""))
            let changed =
                lines[..<user.upperBound] + "ci"
                + lines[end...].replacing(
                    "programs:", with: "passwordFile: \(file)\n    roles: without-passwords\n    programs:")
            try Files.replace(name, with: Array(changed.utf8))
            // Its owner reads all but the table of the other user.
            try await world.server.sql(
                "ALTER TABLE \"od d\" OWNER TO ci; ALTER LARGE OBJECT 4711 OWNER TO ci;", in: "buildbot")
            let taken = try await world.runner.run("snapshot")
            #expect(taken.status == 0, "\(taken.output) \(taken.errorOutput)")
            try Files.replace(file, with: Array("*:*:*:ci:wrong-6\n".utf8), mode: 0o600)
            let refused = try await world.runner.run("snapshot")
            #expect(
                refused.status == 3 && refused.output.contains("password authentication failed"),
                "\(refused.output)")
            for said in [taken, refused] {
                #expect(
                    !(said.output + said.errorOutput).contains("parole-5") && !said.output.contains("wrong-6")
                )
            }
            let objects = try await shell(
                "set -o pipefail; git -C tree.git cat-file --batch-all-objects --batch | { grep -ac 'parole-5\\|SCRAM-SHA' || true; }",
                in: world.directory)
            #expect(objects == "0\n")
            try replaceText("postgresql:///", with: "postgresql://ci:geheim-7@/", in: name)
            let usage = try await world.runner.run("snapshot")
            #expect(usage.status == 64 && !usage.errorOutput.contains("geheim-7"), "\(usage.errorOutput)")
        }
    }

    @Test func aDatabaseOfAnyNameComesBack() async throws {
        try await withWorld(more: ["databases: [\"we'i\\\"rd/ $d\"]"]) { world in
            let never = world.server.directory.appending("never")
            try await world.server.sql("CREATE DATABASE \"we'i\"\"rd/ $d\";")
            try await world.server.sql(
                "CREATE TABLE \"T;\\\"(a text); INSERT INTO \"T;\\\" VALUES (E'\\\\! touch \(never)\\n\\\\.');",
                in: "we'i\"rd/ $d")
            try await world.runner.succeed("snapshot")
            try await world.server.sql("DROP DATABASE \"we'i\"\"rd/ $d\";")
            let report = try await world.runner.succeed("restore")
            #expect(report.contains("proven"), "\(report)")
            #expect(try await world.server.sql("SELECT count(*) FROM \"T;\\\";", in: "we'i\"rd/ $d") == "1\n")
            #expect(try !Files.exists(never), "psql ran what stands in a table")
        }
    }

    @Test func aDumpThatSomebodyPutIntoTheStoreIsFoundAndNotRestored() async throws {
        try await withWorld { world in
            try await world.runner.succeed("snapshot")
            let never = world.server.directory.appending("never")
            let script = """
                ref=$(git for-each-ref --format='%(refname)' refs/snapshots)
                export GIT_INDEX_FILE=$PWD/../index GIT_AUTHOR_NAME=e GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=e GIT_COMMITTER_EMAIL=e
                git read-tree $ref
                blob=$(printf '\\\\! touch \(never)\\n' | age -r \(try world.runner.recipient()) | git hash-object -w --stdin)
                git update-index --cacheinfo 100644,$blob,database/database/buildbot/dump.sql.age
                git cat-file commit $ref | sed '1,/^$/d' > ../message
                git update-ref $ref $(git commit-tree -F ../message -p $ref^1 $(git write-tree))
                """
            try await shell(script, in: world.store)
            let verdict = try await world.runner.run("verify")
            #expect(
                verdict.status == 6
                    && verdict.output.contains(
                        "database/database/buildbot/dump.sql: its SHA-256 is not the one in database.lock"),
                "\(verdict.output)")
            let restore = try await world.runner.run("restore")
            #expect(restore.status == 6, "\(restore.errorOutput)")
            #expect(try !Files.exists(never), "psql ran what somebody put into the store")
            #expect(try await world.names() == "buildbot\npostgres\n")
        }
    }

    @Test func restoringBesideWritesTheDumpsAndLeavesTheServerAlone() async throws {
        try await withWorld { world in
            try await world.runner.succeed("snapshot")
            try await world.server.stop()
            try await world.runner.succeed("restore", "--to", "beside")
            let dump = try Files.read(world.directory.appending("beside/database/database/buildbot/dump.sql"))
            #expect(String(decoding: dump, as: UTF8.self).contains("build 499"))
        }
    }

    @Test func aKillAtAnyInstantLeavesTheOldDatabaseOrTheNewOne() async throws {
        try await withWorld { world in
            try await world.runner.succeed("snapshot")
            let good = "500\n"
            try await world.server.sql("DELETE FROM builds WHERE id > 10;", in: "buildbot")
            let loop = CrashLoop(world.runner, seed: 5)
            // Every step of a restore begins and ends with a journal that takes the place of another.
            let steps = try await loop.calls(["rename"], of: ["restore", "latest"])
            try await world.runner.succeed("undo")
            let delays = [300, 500, 700, 900].map { CrashLoop.Instant.delay($0) }
            var hits = 0
            var random = SplitMix(state: 5)
            // The first is the first of any thread.
            for instant in steps.prefix(1) + steps.dropFirst().shuffled(using: &random).prefix(7) + delays {
                let isKilled = try await loop.kill(["restore", "latest"], at: instant)
                if isKilled, !delays.contains(instant) { hits += 1 }
                let rows = try await world.server.sql("SELECT count(*) FROM builds;", in: "buildbot")
                #expect(rows == "10\n" || rows == good, "\(instant)")
                // A server's program that the killed one had started ends by itself.
                try await Task.sleep(for: .seconds(1))
                // Whoever comes next puts the old state back, and has nothing to take back then.
                let next = try await world.runner.run("undo")
                #expect(isKilled ? next.status == 7 || next.status == 0 : next.status == 0, "\(instant)")
                #expect(
                    try await world.server.sql("SELECT count(*) FROM builds;", in: "buildbot") == "10\n",
                    "\(instant)")
                #expect(try await world.names() == "buildbot\npostgres\n", "\(instant)")
            }
            #expect(hits > 0, "of \(steps)")
            try await world.runner.succeed("restore", "latest")
            #expect(try await world.server.sql("SELECT count(*) FROM builds;", in: "buildbot") == good)
        }
    }
}
