import FileTree
import Foundation
import Glibc
import Programs
import SystemPackage
import TestSupport
import Testing

/// Canaries and drills that are killed in the middle, and those of users who are not root.
@Suite(.enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct KilledCanaryTests {
    /// Processes whose command line, or that of their sandbox, names a place; ours do not count.
    private func processes(naming place: FilePath) throws -> [String] {
        try Files.names("/proc").compactMap { name in
            guard let number = Int32(String(decoding: name, as: UTF8.self)), number != getpid(),
                // A process that ended meanwhile names nothing.
                let line = try? Files.readIfPresent(FilePath("/proc/\(number)/cmdline"))
            else { return nil }
            let words = String(decoding: line, as: UTF8.self).replacing("\0", with: " ")
            return words.contains(place.string) ? words : nil
        }
    }

    /// What is left of a shadow's directory, nil when nothing is.
    private func left(_ production: CanaryProduction) throws -> FilePath? {
        let record = production.fixture.directory.appending("acme.git/understudy/shadow")
        return try Files.readIfPresent(record).map { FilePath(String(decoding: $0, as: UTF8.self)) }
    }

    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func whatIsKilledLeavesNothingThatRunsAndTheNextOneWorks() async throws {
        try await CanaryProduction.with { production in
            let directory = production.fixture.directory
            let before = directory.appending("before")
            try await Program("cp", ["--archive", production.fixture.master.string, before.string])
                .runSuccessfully()
            let policy = try production.policy("stages: [static, boot]").string
            let plugin = production.wheels.appending(StepPlugin.second.file).string
            let canary = ["canary", "--offline", "--policy", policy, "--plugin", plugin]
            var places: [FilePath] = []
            // While the snapshot is written, while arms are made and changed, while they are looked at, while they boot.
            for (milliseconds, arguments) in [
                (700, canary), (4000, canary), (9000, canary), (15000, canary), (9000, ["drill"]),
            ] {
                try await production.runner.kill(after: milliseconds, arguments)
                var running: [String] = []
                for _ in 0..<100 {
                    running = try processes(naming: directory)
                    if running.isEmpty { break }
                    try await Task.sleep(for: .milliseconds(50))
                }
                #expect(running.isEmpty, "killed after \(milliseconds) ms: \(running)")
                if let place = try left(production) { places.append(place) }
            }
            #expect(!places.isEmpty, "no kill came before the end")
            let next = try await production.canary(rules: "stages: [static]", ["--plugin", plugin])
            #expect(next.status == 0, "\(next.errors)")
            for place in places { try #expect(!Files.exists(place), "\(place)") }
            try #expect(left(production) == nil)
            let difference = try await production.runner.differences(before, production.fixture.master)
            #expect(difference.isEmpty)
            try await production.runner.checkStore(directory.appending("acme.git"))
        }
    }

    @Test(
        .enabled(if: getuid() == 0, "SKIPPED: only root can be somebody else"),
        .enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func whoIsNotRootRehearsesToo() async throws {
        try await CanaryProduction.with { production in
            let directory = production.fixture.directory
            let policy = try production.policy("stages: [static, boot]").string
            let binary = try await production.runner.copyOfBinary()
            try await Program("chown", ["-R", "65534:65534", directory.string]).runSuccessfully()
            let outcome = try await Program(
                "setpriv",
                [
                    "--reuid=65534", "--regid=65534", "--clear-groups", binary.string, "canary", "--offline",
                    "--policy", policy, "--plugin",
                    production.wheels.appending(StepPlugin.second.file).string,
                    "--identity", CommandLineRunner.recoveryKey,
                ], directory: directory, limit: .seconds(600)
            ).run()
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
        }
    }
}
