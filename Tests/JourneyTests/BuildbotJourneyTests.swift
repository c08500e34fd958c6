import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A real Buildbot, lost and restored by the binary.
@Suite(.enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct BuildbotJourneyTests {
    private func describe(_ fixture: BuildbotFixture, recipient: String) throws {
        let text = """
            system: acme
            store: acme.git
            recipients: [\(recipient)]
            components:
            \(fixture.component("ci"))\
              sources:
                driver: files
                paths: [\(fixture.repository)]

            """
        try Files.replace(fixture.directory.appending("understudy.yaml"), with: Array(text.utf8))
    }

    /// Makes store and recovery key with `init`, and describes the system in place of what that wrote.
    private func start(_ runner: CommandLineRunner, _ fixture: BuildbotFixture) async throws {
        try Files.makeDirectories(fixture.directory.appending("empty"))
        try await runner.initialize("empty", "--name", "acme", "--output", "unused.yaml")
        try describe(fixture, recipient: try runner.recipient())
    }

    @Test func aLostBuildbotGoesOnWhereTheSnapshotWas() async throws {
        try await BuildbotFixture.with { fixture in
            try await fixture.start()
            #expect(try await fixture.build("deploy") == 0)
            let runner = try CommandLineRunner(fixture.directory)
            try await start(runner, fixture)
            _ = try await fixture.force("deploy", seconds: 600)
            try await wait("the second deployment") { try fixture.deploymentCount() == 2 }
            let output = try await runner.succeed("snapshot")
            #expect(output.contains("complete"))
            let deployments = try fixture.deploymentCount()
            try await fixture.stop()
            for path in [fixture.master, fixture.workers[0], fixture.repository] {
                try Files.removeTree(path)
            }
            let report = try await runner.succeed("restore")
            #expect(report.contains("started and healthy: ci"))
            #expect(report.contains("build deploy #2"), "the build that was in flight is told: \(report)")
            #expect(try await fixture.build("probe") == 0)
            // What was being deployed at the snapshot is not deployed again.
            #expect(try fixture.deploymentCount() == deployments)
            #expect(try Files.read(fixture.master.appending("secrets/deploy-token")) == Array("hunter2".utf8))
            #expect(try Files.status(fixture.master.appending("secrets/deploy-token"))?.mode == 0o600)
            try await runner.checkStore(fixture.directory.appending("acme.git"))
            let status = try await runner.succeed("status")
            #expect(status.contains("proven  yes"))
        }
    }

    @Test func aRestoreThatCannotStartPutsTheOldSystemBack() async throws {
        try await BuildbotFixture.with { fixture in
            try await fixture.start()
            let runner = try CommandLineRunner(fixture.directory)
            try await start(runner, fixture)
            let configuration = fixture.master.appending("master.cfg")
            let good = try Files.read(configuration)
            try Files.replace(configuration, with: Array("this is no Python\n".utf8))
            try await runner.succeed("snapshot")
            try Files.replace(configuration, with: good)
            let outcome = try await runner.run("restore")
            #expect(outcome.status == 1, "\(outcome.output)")
            #expect(
                outcome.errorOutput.contains("the old system is back as it was"), "\(outcome.errorOutput)")
            #expect(try Files.read(configuration) == good)
            #expect(try await fixture.build("probe") == 0)
        }
    }

    @Test func anEmptyMachineRunsItFromOneFileAtAnotherPlace() async throws {
        try await BuildbotFixture.with { fixture in
            try await fixture.start()
            #expect(try await fixture.build("deploy") == 0)
            let runner = try CommandLineRunner(fixture.directory)
            try await start(runner, fixture)
            try await runner.succeed("snapshot")
            try await runner.succeed("export", "latest", "acme.tar.zst")
            let deployments = try fixture.deploymentCount()
            try await fixture.stop()
            for name in ["master", "acme.git", "understudy.yaml", "unused.yaml", "policies"] {
                try Files.removeTree(fixture.directory.appending(name))
            }
            for path in [fixture.workers[0], fixture.repository] { try Files.removeTree(path) }
            let moved = fixture.directory.appending("elsewhere/master")
            let report = try await runner.succeed(
                "restore", "--from", "acme.tar.zst", "--store", "acme.git", "--map",
                "\(fixture.master)=\(moved)")
            #expect(report.contains("started and healthy: ci"), "\(report)")
            #expect(try Files.exists(moved.appending("state.sqlite")) && !Files.exists(fixture.master))
            // It runs, has its history, and what was deployed is not deployed again.
            #expect(try await fixture.build("probe") == 0)
            #expect(try fixture.deploymentCount() == deployments)
            #expect(try await runner.succeed("status").contains("proven  yes"))
        }
    }
}
