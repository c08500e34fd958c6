import FileTree
import FoundationEssentials
import Programs
import SystemPackage
import TestSupport
import Testing

/// A whole delivery system: Buildbot with its state in PostgreSQL, behind nginx, with three repositories.
@Suite(.enabled(if: ReferenceSystem.isAvailable, Comment(rawValue: ReferenceSystem.whySkipped)))
struct ReferenceSystemTests {
    private struct Report: Decodable {
        struct Step: Decodable {
            var name: String
            var seconds: Double
        }

        var steps: [Step]
        var started: [String]
        var notes: [String]
        var proven: Bool
        var seconds: Double
    }

    @Test func everythingIsLostComesBackWithOneCommandAndAPushIsBuilt() async throws {
        try await ReferenceSystem.with { system in
            let (fixture, front, runner) = (system.buildbot, system.front, system.runner)
            #expect(try await front.build("deploy") == 0)
            _ = try await front.force("deploy", seconds: 30)
            try await wait("the second deployment") { try fixture.deploymentCount() == 2 }
            let deployments = try fixture.deploymentCount()
            let taken = try await runner.succeed("snapshot")
            #expect(taken.contains("complete"), "\(taken)")
            let last = try await front.lastBuildSet()
            let number = try await front.lastBuild(of: "application")
            let references = try await system.references()
            let logo = try Files.read(system.assets.appending("logo.bin"))

            try await system.destroy()
            let output = try await runner.succeed("restore", "--format", "json")
            let report = try JSONDecoder().decode(Report.self, from: Data(output.utf8))
            #expect(report.proven && report.started == ["ci", "proxy"], "\(output)")
            for part in ["stage", "verify", "exchange", "start ci", "ready ci", "start proxy", "ready proxy"]
            {
                #expect(report.steps.contains { $0.name == part }, "\(part) is not among \(report.steps)")
            }
            print("everything lost, back in \(report.seconds) s")
            for step in report.steps { print("  \(step.name)  \(step.seconds) s") }
            #expect(report.notes.contains { $0.contains("it is the snapshot's own dump") }, "\(report.notes)")
            #expect(report.notes.contains { $0.contains("cancelled the build deploy #2") }, "\(report.notes)")

            // Seen as its users see it, through nginx.
            #expect(try await front.lastBuildSet() == last, "the history is there")
            #expect(try await system.references() == references)
            try await system.push("hello.txt", "hello again\n")
            #expect(try await front.resultOfChange(after: last) == 0)
            #expect(try await front.lastBuild(of: "application") == number + 1, "numbers go on")
            #expect(
                try fixture.deploymentCount() == deployments, "what was being deployed is not deployed again")
            for name in ReferenceSystem.names {
                try await fixture.git(["fsck", "--full"], in: system.repository(name))
            }
            let clone = fixture.directory.appending("again")
            try await fixture.git(
                [
                    "-c", "filter.lfs.smudge=git-lfs smudge -- %f", "-c", "filter.lfs.required=true", "clone",
                    "-q", system.repository("assets").string, clone.string,
                ], in: fixture.directory)
            #expect(try Files.read(clone.appending("logo.bin")) == logo)
            #expect(try await runner.succeed("status").contains("proven  yes"))

            // A proxy that runs is stopped and started, and what stands behind it is left alone.
            let configuration = system.proxy.appending("nginx.conf")
            let right = try Files.read(configuration)
            try Files.replace(configuration, with: Array("# somebody's attempt\n".utf8) + right)
            let again = try await runner.succeed("restore", "--component", "proxy")
            #expect(again.contains("started and healthy: proxy\n"), "\(again)")
            #expect(try Files.read(configuration) == right)
            #expect(try await front.lastBuild(of: "application") == number + 1)
        }
    }
}
