import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A whole delivery system: Buildbot with its state in PostgreSQL, and the repository that it builds.
@Suite(
    .enabled(
        if: BuildbotFixture.isAvailable && PostgreSQLFixture.availablePrograms != nil,
        "needs Buildbot and a PostgreSQL server"))
struct ReferenceSystemTests {
    @Test func everythingIsLostComesBackWithOneCommandAndAPushIsBuilt() async throws {
        try await PostgreSQLFixture.with { server in
            try await server.sql("CREATE ROLE ci LOGIN PASSWORD 'parole-5';")
            try await server.sql("CREATE DATABASE buildbot OWNER ci;")
            try await BuildbotFixture.with(
                database: "postgresql+psycopg2://ci:parole-5@/buildbot?host=\(server.directory)"
            ) { try await journey($0, server) }
        }
    }

    private func journey(_ fixture: BuildbotFixture, _ server: PostgreSQLFixture) async throws {
        let runner = try CommandLineRunner(fixture.directory)
        try Files.makeDirectories(fixture.directory.appending("empty"))
        try await runner.initialize("empty", "--name", "acme", "--output", "unused.yaml")
        let bin = fixture.environment.appending("bin")
        let worker = fixture.workers[0]
        let text = """
            system: acme
            store: acme.git
            recipients: [\(try runner.recipient())]
            components:
              ci:
                driver: buildbot
                master: \(fixture.master)
                workers: [\(worker)]
                url: \(fixture.url)
                database: database
                service:
                  start: "\(bin)/buildbot start \(fixture.master) && \(bin)/buildbot-worker start \(worker)"
                  stop: "\(bin)/buildbot stop \(fixture.master); \(bin)/buildbot-worker stop \(worker)"
                after: [database, sources]
            \(server.component("database", database: "buildbot", more: ["holds: buildbot"]))\
              sources: {driver: git-repositories, paths: [\(fixture.repository)]}

            """
        try Files.replace(fixture.directory.appending("understudy.yaml"), with: Array(text.utf8))
        try await fixture.start()
        #expect(try await fixture.build("deploy") == 0)
        _ = try await fixture.force("deploy", seconds: 30)
        try await Task.sleep(for: .seconds(1))
        let deployments = try fixture.deploymentCount()
        let taken = try await runner.succeed("snapshot")
        #expect(taken.contains("complete"), "\(taken)")
        let last = try await fixture.lastBuildSet()
        try await fixture.stop()
        for path in [fixture.master, worker, fixture.repository] { try Files.removeTree(path) }
        try await server.sql("DROP DATABASE buildbot;")
        try await server.sql("DROP ROLE ci;")
        let report = try await runner.succeed("restore")
        #expect(
            report.contains("it is the snapshot's own dump") && report.contains("started and healthy: ci"),
            "\(report)")
        #expect(report.contains("cancelled the build deploy #2"), "\(report)")
        #expect(try await fixture.lastBuildSet() == last, "the history is there, and numbers go on")
        try await fixture.commit("hello.txt", "hello again\n")
        #expect(try await fixture.resultOfChange(after: last) == 0)
        #expect(try fixture.deploymentCount() == deployments, "what was being deployed is not deployed again")
        #expect(try await runner.succeed("status").contains("proven  yes"))
    }
}
