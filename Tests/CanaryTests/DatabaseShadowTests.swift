import FileTree
import Foundation
import Judge
import Programs
import SystemPackage
import TestSupport
import Testing

/// Shadows and drills of what keeps its state in a PostgreSQL server: a server of their own has the rows of the snapshot.
@Suite(.enabled(if: PostgreSQLFixture.availablePrograms != nil, "needs a PostgreSQL server"))
struct DatabaseShadowTests {
    private struct Report: Decodable {
        struct Step: Decodable {
            var component: String, name: String, result: String, detail: String
        }
        var steps: [Step]

        func step(_ component: String, _ name: String) -> Step? {
            steps.first { $0.component == component && $0.name == name }
        }
    }
    private struct NoReport: Error { var words: String }

    private func drill(_ runner: CommandLineRunner) async throws -> (status: Int32, report: Report) {
        let outcome = try await runner.run(["--format", "json", "drill"], limit: .seconds(600))
        guard outcome.status == 0 || outcome.status == 6 else { throw NoReport(words: outcome.errorOutput) }
        return (outcome.status, try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8)))
    }

    @Test(
        .enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)),
        .enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func aMasterMeetsTheRowsOfTheSnapshot() async throws {
        try await PostgreSQLFixture.with { server in
            try await server.sql("CREATE ROLE ci LOGIN PASSWORD 'parole-5';")
            try await server.sql("CREATE DATABASE buildbot OWNER ci;")
            try await CanaryProduction.with(
                server: server,
                prepare: { fixture in
                    try await fixture.start()
                    #expect(try await fixture.build("probe") == 0)
                    try await fixture.stop()
                    try await server.sql(
                        "INSERT INTO users (identifier, bb_username, bb_password) VALUES ('kim', 'kim', 'x9f:2b7')",
                        in: "buildbot")
                }
            ) { production in
                // Production's server is not needed, and not reached.
                try await server.stop()
                let (status, report) = try await drill(production.runner)
                #expect(status == 0, "\(report.steps)")
                #expect(report.step("database", "database buildbot")?.detail.contains("rows") == true)
                let history = report.step("ci", "history")
                #expect(
                    history?.result == "passed" && history?.detail.contains(" 0 builds") == false,
                    "\(report.steps)")
                #expect(report.step("ci", "boot")?.result == "passed")

                // What a change does to the history is seen, so there is one to be seen; and the secrets of the database are not.
                var text = try production.masterFile("master.cfg")
                text += """

                    import psycopg2
                    with psycopg2.connect(host='/run/database', user='understudy-shadow', dbname='buildbot') as database:
                        cursor = database.cursor()
                        cursor.execute('SELECT (SELECT count(*) FROM logchunks) + (SELECT count(bb_password) FROM users)')
                        if cursor.fetchone()[0] == 0:
                            cursor.execute('DELETE FROM logs')
                            cursor.execute('DELETE FROM steps')

                    """
                let change = try production.changed(["master.cfg": text]).string
                let outcome = try await production.canary(
                    rules: "stages: [boot, roundTrip]", ["--files", change])
                struct Document: Decodable { var verdict: Verdict }
                let verdict = try JSONDecoder().decode(Document.self, from: Data(outcome.document.utf8))
                    .verdict
                #expect(verdict.result == .fail, "\(verdict.headline) \(outcome.errors)")
                let findings = verdict.stages.first { $0.name == .roundTrip }?.findings ?? []
                #expect(findings.contains { $0.object == ObjectName("history", "steps") }, "\(findings)")
                let server = verdict.notCovered.first { $0.object == ObjectName("part", "database server") }
                #expect(server?.reason.contains("loaded from the snapshot") == true, "\(verdict.notCovered)")
            }
            try await server.start()
        }
    }

    /// A migration that the version of before cannot work with: there would be no way back.
    @Test(
        .enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)),
        .enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func aPromotionThatCannotBeTakenBackOnTheServerIsRefused() async throws {
        try await PostgreSQLFixture.with { server in
            try await server.sql("CREATE ROLE ci LOGIN PASSWORD 'parole-5';")
            try await server.sql("CREATE DATABASE buildbot OWNER ci;")
            try await CanaryProduction.with(server: server) { production in
                let rules = "stages: [static, boot]\nbake: 1s\napprovals: 0"
                try Files.replace(
                    production.fixture.directory.appending("policies/canary.yaml"),
                    with: Files.read(try production.policy(rules)))
                let version = "SELECT version_num FROM alembic_version"
                let before = try await server.sql(version, in: "buildbot")
                let head = before.filter { !$0.isWhitespace }
                try SchemaPackage.write(to: production.wheels, after: head)
                try await production.fixture.start()
                try await production.runner.succeed("snapshot", "--quiet")
                let plugin = production.wheels.appending(SchemaPackage.file).string
                let canary = try await production.runner.run(
                    ["canary", "--offline", "--quiet", "--plugin", plugin], limit: .seconds(600))
                #expect(canary.status == 0, "\(canary.output) \(canary.errorOutput)")
                let outcome = try await production.runner.run(
                    ["promote", "--quiet", "latest"], limit: .seconds(600))
                #expect(outcome.status == 7, "\(outcome.output) \(outcome.errorOutput)")
                #expect(
                    outcome.errorOutput.contains("the change migrates the database server"),
                    "\(outcome.errorOutput)")
                #expect(try await server.sql(version, in: "buildbot") == before)
                let migration = try production.fixture.packages.appending(
                    "buildbot/db/migrations/versions/acme_schema.py")
                #expect(try !Files.exists(migration))
                #expect(try await production.fixture.build("probe") == 0)
            }
        }
    }

    @Test func aDumpThatDoesNotLoadIsFoundBeforeItIsNeeded() async throws {
        try await PostgreSQLFixture.with { server in
            try await withTemporaryDirectory { directory in
                try await server.sql("CREATE ROLE ci LOGIN; CREATE ROLE readers;")
                try await server.sql("CREATE DATABASE \"a shop\" OWNER ci;")
                try await server.sql(
                    """
                    CREATE TABLE zone (name text PRIMARY KEY); CREATE TABLE audit (name text);
                    INSERT INTO zone SELECT 'zone ' || i FROM generate_series(1, 40) i;
                    INSERT INTO audit SELECT name FROM zone;
                    ALTER TABLE zone OWNER TO ci; GRANT SELECT ON zone TO readers;
                    """, in: "a shop")
                let runner = try CommandLineRunner(directory)
                try Files.makeDirectory(directory.appending("tree"))
                try await runner.initialize("tree")
                try runner.describe(server.component("database", database: "a shop"))
                try replaceText(
                    "postgresql:///a shop", with: "postgresql:///a%20shop",
                    in: directory.appending("understudy.yaml"))
                try await runner.succeed("snapshot")
                let (status, report) = try await drill(runner)
                #expect(status == 0, "\(report.steps)")
                let step = report.step("database", "database a shop")
                #expect(
                    step?.detail.contains("the snapshot's own dump: 2 tables with 80 rows") == true,
                    "\(report.steps)")

                // A rule about other rows: the server keeps it, and no dump of it can be loaded, for these come later.
                try await server.sql(
                    """
                    CREATE FUNCTION known(text) RETURNS boolean LANGUAGE sql AS
                        'SELECT EXISTS (SELECT 1 FROM public.zone WHERE name = $1)';
                    ALTER TABLE audit ADD CHECK (known(name));
                    """, in: "a shop")
                try await runner.succeed("snapshot")
                let red = try await drill(runner)
                #expect(red.status == 6)
                #expect(
                    red.report.step("database", "load")?.detail.contains("violates check constraint") == true)
            }
        }
    }
}
