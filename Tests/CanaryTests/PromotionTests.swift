import FileTree
import Foundation
import Programs
import SystemPackage
import TestSupport
import Testing

/// What passed, brought into a production that runs: applied, refused, rolled back, killed in the middle.
@Suite(.enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct PromotionTests {
    private let rules = "stages: [static, boot]\nbake: 1s\napprovals: 0"

    /// Lets the system's own policy be a quick one, so that a verdict under it may be promoted.
    private func useQuickPolicy(_ production: CanaryProduction, more: String = "") throws {
        let text = try Files.read(try production.policy(rules + more))
        try Files.replace(production.fixture.directory.appending("policies/canary.yaml"), with: text)
    }

    private func installed(_ production: CanaryProduction) async throws -> String {
        let question = "import importlib.metadata as m; print(m.version('acme-buildbot-steps'), end='')"
        let python = production.fixture.environment.appending("bin/python")
        return try await Program(python.string, ["-c", question]).runSuccessfully().output
    }

    private func pass(_ production: CanaryProduction, _ arguments: [String]) async throws {
        let outcome = try await production.runner.run(
            ["canary", "--offline", "--quiet"] + arguments, limit: .seconds(600))
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errorOutput)")
    }

    private func promote(_ production: CanaryProduction) async throws -> Program.Outcome {
        try await production.runner.run(["promote", "--quiet", "latest"], limit: .seconds(600))
    }

    /// Directories beside production in which something was staged.
    private func staging(_ production: CanaryProduction) throws -> [String] {
        try (Files.names(production.fixture.directory) + Files.names(production.fixture.master)).map {
            String(decoding: $0, as: UTF8.self)
        }
        .filter { $0.hasPrefix(".understudy-") }
    }

    @Test func whatPassedIsAppliedOnceAndTakenBack() async throws {
        try await CanaryProduction.with { production in
            try useQuickPolicy(production)
            // What production complains of while it stops, as of a poll that is killed then, is not the change's.
            let taken = production.fixture.directory.appending("taken")
            try Files.makeDirectory(taken)
            let complains = """

                from twisted.internet import reactor
                from twisted.python import log
                if os.path.isdir(\(Self.python(taken.string))):
                    reactor.addSystemEventTrigger("during", "shutdown", log.msg, "ERROR: a poll was killed")

                """
            try Files.replace(
                production.fixture.master.appending("master.cfg"),
                with: Array((try production.masterFile("master.cfg") + complains).utf8))
            try await production.fixture.start()
            let plugin = production.wheels.appending(StepPlugin.second.file).string
            try await production.runner.succeed("snapshot", "--quiet")
            try await pass(production, ["--plugin", plugin])
            let plan = try await production.runner.succeed("promote", "--dry-run", "latest")
            #expect(plan.contains("1.0 → 2.0"))
            #expect(try await installed(production) == "1.0")

            let promoted = try await promote(production)
            #expect(promoted.status == 0, "\(promoted.output) \(promoted.errorOutput)")
            #expect(promoted.output.contains(" as in the candidate: "), "\(promoted.output)")
            #expect(promoted.output.contains("smoke build: not tried: the policy names no job for it"))
            #expect(try await installed(production) == "2.0")
            #expect(try production.masterFile("twistd.log").contains("ERROR: a poll was killed"))
            #expect(try await production.fixture.build("probe") == 0)

            let again = try await promote(production)
            #expect(again.status == 7)
            #expect(again.output.contains("promoted already"))

            let undone = try await production.runner.succeed("undo")
            #expect(undone.contains("undid the promotion of 2"), "\(undone)")
            #expect(try await installed(production) == "1.0")
            let after = try await promote(production)
            #expect(
                after.status == 7 && after.output.contains("'undo' took that back")
                    && after.output.contains("run a new canary"), "\(after.output)")
            #expect(try await production.fixture.build("probe") == 0)
            try #expect(staging(production).isEmpty)
        }
    }

    @Test func whatFailsInProductionIsTakenBackAndDriftIsRefused() async throws {
        try await CanaryProduction.with { production in
            try useQuickPolicy(production)
            try await production.fixture.start()
            try await production.runner.succeed("snapshot", "--quiet")
            // A directory stands where the master wants to write: in a shadow there is none.
            let before = try production.masterFile("master.cfg")
            let taken = production.fixture.directory.appending("taken")
            try Files.makeDirectory(taken)
            let bad =
                before
                + "\nif os.path.isdir(\(Self.python(taken.string))): open(\(Self.python(taken.string)), 'w')\n"
            let files = try production.changed([
                "master.cfg": bad,
                "new/notes.txt": "a directory that was not there\npassword = 'hunter2-and-more'\n",
            ])
            try await pass(production, ["--files", files.string])
            // The evidence goes to remotes: what looks like a secret is sealed in it.
            let kept = try await Program(
                "git",
                [
                    "-C", production.fixture.directory.appending("acme.git").string, "show",
                    "refs/evidence/acme/canaries:change/files/master/new/notes.txt.age",
                ]
            ).runSuccessfully().output
            #expect(kept.hasPrefix("age-encryption.org/v1"))
            let outcome = try await promote(production)
            #expect(outcome.status == 1)
            #expect(outcome.output.contains("ROLLED BACK"), "\(outcome.output) \(outcome.errorOutput)")
            #expect(try production.masterFile("master.cfg") == before)
            #expect(try await production.fixture.build("probe") == 0)
            try #expect(staging(production).isEmpty)
            try #expect(!Files.exists(production.fixture.master.appending("new")))
            let again = try await promote(production)
            #expect(again.status == 7)
            #expect(again.output.contains("rolled back"))

            let plugin = production.wheels.appending(StepPlugin.second.file).string
            try await production.runner.succeed("snapshot", "--quiet")
            try await pass(production, ["--plugin", plugin])
            try Files.replace(
                production.fixture.master.appending("master.cfg"), with: Array((before + "# edited\n").utf8))
            let drifted = try await promote(production)
            #expect(drifted.status == 7)
            #expect(drifted.output.contains("master.cfg"))
            #expect(try await installed(production) == "1.0")
        }
    }

    /// What only production does, as a script that is run at its start would: a package goes that the candidate had.
    @Test func aPackageThatProductionLacksTakesTheChangeBack() async throws {
        try await CanaryProduction.with { production in
            try useQuickPolicy(production)
            try await production.fixture.start()
            let taken = production.fixture.directory.appending("taken")
            try Files.makeDirectory(taken)
            let packages = try production.fixture.packages
            let companion = packages.appending("acme_companion_1-1.0.dist-info")
            let before = try production.masterFile("master.cfg")
            let bad = """

                import shutil
                if os.path.isdir(\(Self.python(taken.string))): shutil.rmtree(\(Self.python(companion.string)))

                """
            let plugin = production.wheels.appending(StepPlugin.second.file).string
            try await production.runner.succeed("snapshot", "--quiet")
            try await pass(
                production,
                ["--plugin", plugin, "--files", try production.changed(["master.cfg": before + bad]).string])
            let outcome = try await promote(production)
            #expect(outcome.status == 1, "\(outcome.output) \(outcome.errorOutput)")
            let words = "package acme-companion-1: 1.0 was to be at work, and it is not there"
            #expect(outcome.output.contains(words), "\(outcome.output)")
            #expect(outcome.output.contains("plugin set: BROKEN"), "\(outcome.output)")
            #expect(
                outcome.output.contains("smoke build: not tried: the change was rolled back before"),
                "\(outcome.output)")
            // It went from the environment that was taken back.
            try #expect(Files.exists(companion))
            #expect(try await installed(production) == "1.0")
            #expect(try production.masterFile("master.cfg") == before)
            #expect(try await production.fixture.build("probe") == 0)
            try #expect(staging(production).isEmpty)
        }
    }

    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func aSmokeBuildThatFailsTakesTheChangeBack() async throws {
        try await CanaryProduction.with { production in
            try useQuickPolicy(production, more: "\nsmoke: {jobs: [verify], limit: 2m}")
            try await production.fixture.start()
            try await production.runner.succeed("snapshot", "--quiet")
            // Its builds fail, and a policy without probes does not see that.
            try await pass(
                production, ["--plugin", production.wheels.appending(StepPlugin.fails.file).string])
            let plan = try await production.runner.succeed("promote", "--dry-run", "latest")
            #expect(plan.contains("asks for a build of verify in production"), "\(plan)")
            let outcome = try await promote(production)
            #expect(outcome.status == 1, "\(outcome.output) \(outcome.errorOutput)")
            #expect(outcome.output.contains("the smoke build of verify failed: build 1"), "\(outcome.output)")
            #expect(outcome.output.contains("plugin set: "), "\(outcome.output)")
            #expect(try await installed(production) == "1.0")
            #expect(try await production.fixture.build("probe") == 0)
            #expect(try await production.fixture.lastBuild(of: "verify") == 1)
            try #expect(staging(production).isEmpty)
        }
    }

    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func aSmokeBuildIsAskedForOnlyWhereItCanBeAndEndsInTime() async throws {
        try await CanaryProduction.with { production in
            try await production.fixture.start()
            try await production.runner.succeed("snapshot", "--quiet")
            let plugin = ["--plugin", production.wheels.appending(StepPlugin.second.file).string]
            // 'idle' is no builder: said before anything is touched.
            try useQuickPolicy(production, more: "\nsmoke: {jobs: [idle]}")
            try await pass(production, plugin)
            let unknown = try await promote(production)
            #expect(unknown.status == 7)
            #expect(unknown.output.contains("production has no builder 'idle'"), "\(unknown.output)")

            // A build of it takes a second and a half.
            try useQuickPolicy(production, more: "\nsmoke: {jobs: [verify], limit: 1s}")
            try await pass(production, plugin)
            let late = try await promote(production)
            #expect(late.status == 1)
            #expect(late.output.contains("did not end within"), "\(late.output)")
            #expect(late.output.contains("was cancelled"), "\(late.output)")
            #expect(try await installed(production) == "1.0")
            // It was made once at most, and not again by the master that came back.
            #expect(try await production.fixture.build("probe") == 0)
            let last = try await production.fixture.lastBuild(of: "verify")
            #expect(last <= 1, "\(last)")

            try useQuickPolicy(production, more: "\nsmoke: {jobs: [verify], limit: 2m}")
            try await production.runner.succeed("snapshot", "--quiet")
            try await pass(production, plugin)
            let promoted = try await promote(production)
            #expect(promoted.status == 0, "\(promoted.output) \(promoted.errorOutput)")
            #expect(promoted.output.contains("smoke build: verify passed in "), "\(promoted.output)")
            #expect(try await installed(production) == "2.0")
        }
    }

    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func whatIsKilledInTheMiddleIsWholeAfterTheNextCommand() async throws {
        try await CanaryProduction.with { production in
            try useQuickPolicy(production)
            try await production.fixture.start()
            try await production.runner.succeed("snapshot", "--quiet")
            let plugin = production.wheels.appending(StepPlugin.second.file).string
            try await pass(production, ["--plugin", plugin])
            // While it is rehearsed, which no machine does within a second, and at several moments of the exchange; what
            // ends before is whole anyway.
            var hits = 0
            for milliseconds in [1000, 3000, 8000, 11000, 14000] {
                let outcome = try await production.runner.kill(
                    after: milliseconds, ["promote", "--quiet", "latest"])
                if outcome.status == 128 + 9 { hits += 1 }
                // There is nothing to take back, or there is; either way nothing half done is left.
                _ = try await production.runner.run(["undo", "--quiet"], limit: .seconds(300))
                #expect(try await installed(production) == "1.0", "killed after \(milliseconds) ms")
                try #expect(staging(production).isEmpty)
                let record = production.fixture.directory.appending("acme.git/understudy/shadow")
                try #expect(!Files.exists(record), "the directory of the rehearsal is still there")
            }
            #expect(hits > 0)
            try await production.fixture.stop()
            try await production.fixture.start()
            #expect(try await production.fixture.build("probe") == 0)
        }
    }

    private static func python(_ text: String) -> String { "'\(text)'" }
}
