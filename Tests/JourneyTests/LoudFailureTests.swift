import FileTree
import FoundationEssentials
import Programs
import SystemPackage
import TestSupport
import Testing

/// Each thing that goes wrong in a night reaches webhook, mail, textfile and `status --check`, once, with what to do.
@Suite struct LoudFailureTests {
    private struct World {
        let directory: FilePath
        let runner: CommandLineRunner
        /// Whom the webhook tells.
        let server: WebServer
        var store: FilePath { directory.appending("tree.git") }

        /// Adds lines to the policy.
        func policy(_ more: String) throws {
            let text = """
                webhook: {url: "\(server.url)hook"}
                mail: {to: [ops@example.org], program: \(directory)/sendmail}
                textfile: \(directory)/u.prom
                \(more)

                """
            try Files.replace(directory.appending("policies/notify.yaml"), with: Array(text.utf8))
        }

        func text(_ name: String) throws -> String {
            String(decoding: try Files.read(directory.appending(name)), as: UTF8.self)
        }

        func names(_ start: String) throws -> [String] {
            try Files.names(directory).map { String(decoding: $0, as: UTF8.self) }.filter {
                $0.hasPrefix(start)
            }
        }

        /// A night that finds one thing wrong, and another one that finds the same.
        func expectLoud(
            _ kind: String, _ words: String, hint: String,
            night: ((World) async throws -> Void)? = nil, check: ((World) async throws -> String)? = nil
        ) async throws {
            let before = try (server.posted().count, names("mail-").count)
            for round in 1...2 {
                if let night { try await night(self) } else { try await runner.run("nightly") }
                let told = try server.posted()
                #expect(told.count == before.0 + 1, "told once, not in each of two nights (\(round))")
                #expect(try names("mail-").count == before.1 + 1)
                let message = try #require(told.last)
                struct Report: Decodable {
                    struct Problem: Decodable {
                        var kind: String
                        var message: String
                        var hint: String
                    }
                    var problems: [Problem]
                }
                let problems = try JSONDecoder().decode(Report.self, from: Data(message.utf8)).problems
                let found = problems.filter { $0.kind == kind }
                #expect(found.count == 1 && found[0].message.contains(words), "\(message)")
                #expect(found.first?.hint.contains(hint) == true, "\(message)")
                let mail = try text("mail-\(before.1 + 1)")
                #expect(mail.contains(words) && mail.contains("what to do: "), "\(mail)")
                let metrics = try text("u.prom")
                #expect(metrics.contains("kind=\"\(kind)\"} 1\n"), "\(metrics)")
                let said =
                    if let check { try await check(self) } else {
                        try await runner.run("status", "--check").output
                    }
                #expect(said.split(separator: words).count == 2, "said once: \(said)")
                #expect(said.contains(hint), "\(said)")
            }
        }
    }

    private func withWorld(_ body: (World) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            try await WebServer.with(.always(200, "")) { server in
                let script =
                    "#!/bin/sh\ncat > \(directory)/mail-$(($(ls \(directory) | grep -c ^mail-) + 1))\n"
                try Files.replace(directory.appending("sendmail"), with: Array(script.utf8), mode: 0o755)
                try Files.makeDirectory(directory.appending("tree"))
                for number in 1...20 {
                    try Files.replace(directory.appending("tree/f\(number)"), with: Array("\(number)\n".utf8))
                }
                let runner = try CommandLineRunner(directory)
                try await runner.initialize("tree")
                let world = World(directory: directory, runner: runner, server: server)
                try world.policy("")
                try await body(world)
            }
        }
    }

    @Test func aStoreThatIsFullIsLoud() async throws {
        try await withWorld { world in
            try await world.runner.succeed("nightly")
            let directory = world.directory
            try Files.rename(world.store, to: directory.appending("copy.git"))
            try Files.makeDirectory(world.store, mode: 0o700)
            try Files.replace(directory.appending("tree/new"), with: Array("new\n".utf8))
            // A file system without a free byte; both nights and both monitors run on it, in one process after the other.
            let script = """
                cp -a \(directory)/copy.git/. \(world.store)/; chmod 700 \(world.store)
                dd if=/dev/zero of=\(world.store)/fill bs=1k 2>/dev/null
                for night in 1 2; do "$1" nightly >\(directory)/night-$night 2>&1
                "$1" status --check >\(directory)/check-$night 2>&1; done
                """
            let binary = try await world.runner.copyOfBinary()
            _ = try await Program(
                "bwrap",
                [
                    "--dev-bind", "/", "/", "--size", "4194304", "--tmpfs", world.store.string, "/bin/sh",
                    "-c",
                    script, "sh", binary.string,
                ], directory: directory, limit: .seconds(120)
            ).run()
            try Files.removeTree(world.store)
            try Files.rename(directory.appending("copy.git"), to: world.store)
            let check = try world.text("check-1")
            let night = try world.text("night-1") + world.text("night-2")
            #expect(
                check.contains("could not be kept: its disk is full"), "\(check) \(night)"
            )
            let told = try world.server.posted()
            #expect(told.count == 1, "\(night)")
            let message = try #require(told.first)
            #expect(
                message.contains("snapshot failed: ") && message.contains("free some space"), "\(message)")
            #expect(try world.text("u.prom").contains("kind=\"snapshot\"} 1\n"))
            #expect(try world.text("check-2") == check)
        }
    }

    @Test func aRemoteThatIsGoneIsLoud() async throws {
        try await withWorld { world in
            let offsite = world.directory.appending("offsite.git")
            try await Program("git", ["init", "-q", "--bare", offsite.string]).runSuccessfully()
            try await world.runner.succeed("remote", "add", "offsite", offsite.string)
            try await world.runner.succeed("nightly")
            try Files.rename(offsite, to: world.directory.appending("away"))
            try await world.expectLoud("push", "offsite: ", hint: "whether its disk is mounted")
            try Files.rename(world.directory.appending("away"), to: offsite)
            try await world.runner.succeed("nightly")
            #expect(try world.server.posted().count == 2, "that it is over is told, once")
            try await world.runner.succeed("nightly")
            #expect(try world.server.posted().count == 2)
        }
    }

    @Test(.enabled(if: PostgreSQLFixture.availablePrograms != nil, "needs a PostgreSQL server"))
    func aDatabaseThatIsDownIsLoud() async throws {
        try await PostgreSQLFixture.with { server in
            try await server.sql("CREATE DATABASE buildbot;")
            try await withWorld { world in
                try world.runner.describe(server.component("database", database: "buildbot"))
                try await world.runner.succeed("nightly")
                try await server.stop()
                try await world.expectLoud(
                    "partial", "database/database/buildbot: ", hint: "run 'understudy snapshot'")
            }
        }
    }

    @Test func aClockThatJumpedIsLoud() async throws {
        try await withWorld { world in
            try await world.runner.succeed("nightly")
            let ahead = try await world.runner.run(
                under: ["env", "NO_FAKE_STAT=1", "faketime", "-f", "+400d"], ["snapshot"])
            #expect(ahead.status == 0, "\(ahead.errorOutput)")
            try await world.expectLoud("clock", "newer than the clock", hint: "timedatectl")
        }
    }

    @Test func aPartialSnapshotIsLoud() async throws {
        try await withWorld { world in
            try world.runner.describe(
                "  tool: {driver: command, capture: 'echo it is broken >&2; false', restore: 'true'}\n")
            try await world.expectLoud("partial", "tool/database/export: ", hint: "run 'understudy snapshot'")
        }
    }

    @Test func aDrillThatTurnsRedIsLoudTheSameNight() async throws {
        try await withWorld { world in
            try world.policy("drillEvery: 1s")
            let first = try await world.runner.run("nightly")
            #expect(first.status == 0 && first.output.contains("drill green"), "\(first.output)")
            try await StoreDamage.flip("f7", in: world.store)
            // Until the next drill is due: times count whole seconds.
            try await Task.sleep(for: .seconds(2))
            try await world.expectLoud("red", "is red: verify: ", hint: "run 'understudy drill'")
            #expect(try world.text("u.prom").contains("understudy_drill_green{system=\"tree\"} 0\n"))
        }
    }
}
