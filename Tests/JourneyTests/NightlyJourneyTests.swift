import FileTree
import FoundationEssentials
import Programs
import SystemPackage
import TestSupport
import Testing

/// Nights as a timer runs them, and a monitor that asks afterwards.
@Suite struct NightlyJourneyTests {
    private struct World {
        let directory: FilePath
        let runner: CommandLineRunner
        var metrics: String {
            get throws { String(decoding: try Files.read(directory.appending("u.prom")), as: UTF8.self) }
        }

        init(_ directory: FilePath) async throws {
            self.directory = directory
            runner = try CommandLineRunner(directory)
            try Files.makeDirectory(directory.appending("tree"))
            for number in 1...20 {
                try Files.replace(directory.appending("tree/f\(number)"), with: Array("\(number)\n".utf8))
            }
            try await runner.initialize("tree")
            try runner.describe(
                "  tool: {driver: command, capture: \(directory)/capture, restore: 'true'}\n")
            try capture("echo 1 > f")
            try policy("")
        }

        func capture(_ body: String) throws {
            try Files.replace(
                directory.appending("capture"), with: Array("#!/bin/sh\n\(body)\n".utf8), mode: 0o755)
        }

        func policy(_ more: String) throws {
            let text = "textfile: \(directory)/u.prom\n\(more)\n"
            try Files.replace(directory.appending("policies/notify.yaml"), with: Array(text.utf8))
        }
    }

    @Test func aGoodNightIsTakenPrunedAndReported() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            let none = try await world.runner.run("status", "--check")
            #expect(none.status == 7 && none.output.contains("there is no complete snapshot"))
            let night = try await world.runner.run("nightly")
            #expect(night.status == 0, "\(night.output) \(night.errorOutput)")
            #expect(night.output.contains("forgot 0 snapshots"))
            #expect(try world.metrics.contains("understudy_last_run_problems{system=\"tree\"} 0\n"))
            #expect(try await world.runner.run("status", "--check").output == "ok\n")
            try world.policy("maxAge: {proven: 1d}")
            let unproven = try await world.runner.run("status", "--check", "--format", "json")
            #expect(unproven.status == 7 && unproven.output.contains("there is no proven snapshot"))
        }
    }

    @Test func oneComponentTakenAgainDoesNotMakeTheOthersFresh() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("snapshot")
            #expect(try await world.runner.run("status", "--check").status == 0)
            try world.policy("maxAge: {complete: 2s}")
            try await Task.sleep(for: .seconds(4))
            try await world.runner.succeed("snapshot", "--component", "tree")
            let check = try await world.runner.run("status", "--check")
            #expect(check.status == 7 && check.output.contains("complete"), "\(check.output)")
            struct Status: Decodable {
                struct Readiness: Decodable { var rpoSeconds: Int64 }
                var readiness: Readiness
            }
            let status = try await world.runner.succeed("status", "--format", "json")
            let decoded = try JSONDecoder().decode(Status.self, from: Data(status.utf8))
            #expect(decoded.readiness.rpoSeconds >= 4)
        }
    }

    @Test func aToolThatIsDownReachesEveryoneAndIsForgottenWhenItIsMended() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("nightly")
            try world.capture("echo the server is down >&2; exit 1")
            let night = try await world.runner.run("nightly")
            #expect(night.status == 3)
            #expect(
                night.output.contains("tool/database/export") && night.output.contains("the server is down"))
            #expect(!night.output.contains("forgot") && !night.output.contains("vanished"))
            #expect(try world.metrics.contains("kind=\"partial\"} 1\n"))
            let check = try await world.runner.run("status", "--check")
            #expect(check.status == 7 && check.output.contains("the server is down"))
            try world.capture("echo 1 > f")
            try await world.runner.succeed("nightly")
            #expect(try await world.runner.run("status", "--check").status == 0)
        }
    }

    @Test func aNightThatDiesOrFindsNothingToReadIsTold() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            let local = directory.appending("tree.git/understudy")
            // The night is killed while its snapshot is taken.
            try world.capture(
                "touch \(directory)/begun; while test ! -e \(directory)/go && test -d \(directory); do sleep 0.05; done; echo 1 > f"
            )
            async let killed = world.runner.run(
                under: ["/bin/sh", "-c", "echo $$ > pid; exec \"$@\"", "sh"], ["nightly"])
            try await wait("the snapshot") { try Files.exists(directory.appending("begun")) }
            let pid = String(decoding: try Files.read(directory.appending("pid")), as: UTF8.self)
            try await Program("kill", ["-KILL", String(pid.dropLast())]).runSuccessfully()
            try Files.replace(directory.appending("go"), with: [])
            #expect(try await killed.status != 0)
            // Its snapshot ends by itself.
            try await wait("the lock") {
                try await Program("flock", ["--nonblock", local.appending("lock").string, "true"]).run()
                    .status == 0
            }
            try world.capture("echo 1 > f")
            try await world.runner.succeed("snapshot")
            let check = try await world.runner.run("status", "--check")
            #expect(check.status == 7 && check.output.contains("did not end"))
            try Files.replace(local.appending("nightly.json"), with: Array("{".utf8))
            let night = try await world.runner.run("nightly")
            #expect(night.status == 1, "\(night.output) \(night.errorOutput)")
            #expect(night.output.contains("did not end") && night.output.contains("cannot be read"))
            try await world.runner.succeed("nightly")
            #expect(try await world.runner.run("status", "--check").status == 0)
            try Files.rename(directory.appending("tree.git"), to: directory.appending("gone.git"))
            #expect(try await world.runner.run("nightly").status == 10)
            #expect(try world.metrics.contains("kind=\"store\"} 1\n"))
        }
    }

    @Test func aMistakeInAPolicyIsTold() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            let file = directory.appending("policies/snapshot.yaml")
            try Files.replace(file, with: Array("nonsense: 1\n".utf8))
            #expect(try await world.runner.run("nightly").status == 64)
            #expect(try world.metrics.contains("kind=\"settings\"} 1\n"))
            // Nobody is told of a word that was wrong on the command line.
            try Files.remove(directory.appending("u.prom"))
            #expect(try await world.runner.run("nightly", "--format", "html").status == 64)
            #expect(try !Files.exists(directory.appending("u.prom")))
        }
    }

    @Test func whatVanishesAllAtOnceRaisesTheAlarmUntilItIsAccepted() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("nightly")
            let ids =
                ["-C", directory.appending("tree.git").string]
                + ["for-each-ref", "--format=%(refname:lstrip=3)", "refs/snapshots"]
            func last() async throws -> String {
                let names = try await Program("git", ids).runSuccessfully().output.split(separator: "\n")
                return String(try #require(names.last))
            }
            let baseline = try await last()
            for number in 3...20 { try Files.remove(directory.appending("tree/f\(number)")) }
            for _ in 0..<2 {
                let night = try await world.runner.run("nightly")
                #expect(night.status == 7 && night.output.contains("tree: 21 entries → 3"), "\(night.output)")
                #expect(!night.output.contains("forgot"), "nothing is pruned")
                let latest = try await last()
                #expect(
                    night.output.contains("'understudy diff \(baseline) \(latest)'"), "\(night.output)")
                let shown = try await world.runner.succeed("diff", baseline, latest)
                #expect(!shown.contains("no change"), "\(shown)")
            }
            #expect(try world.metrics.contains("kind=\"shrink\"} 1\n"))
            #expect(try await world.runner.run("status", "--check").status == 7)
            try await world.runner.succeed("nightly", "--accept-shrink")
            try await world.runner.succeed("nightly")
            #expect(try await world.runner.run("status", "--check").status == 0)
        }
    }

    @Test func aNightIsPushedAndARemoteThatIsGoneReachesEveryone() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            let offsite = directory.appending("offsite.git")
            try await Program("git", ["init", "-q", "--bare", offsite.string]).runSuccessfully()
            try await world.runner.succeed("remote", "add", "offsite", offsite.string)
            try world.policy("maxAge: {pushed: 1d}")
            try await world.runner.succeed("snapshot")
            let before = try await world.runner.run("status", "--check")
            #expect(before.status == 7 && before.output.contains("there is no pushed snapshot"))
            let night = try await world.runner.run("nightly")
            #expect(night.status == 0, "\(night.output)")
            let there = try await Program(
                "git", ["-C", offsite.string, "for-each-ref", "refs/snapshots"]
            ).runSuccessfully().output
            #expect(there.split(separator: "\n").count == 2)
            #expect(try await world.runner.run("status", "--check").status == 0)
            try Files.removeTree(offsite)
            let gone = try await world.runner.run("nightly")
            #expect(gone.status == 1 && gone.output.contains("PROBLEM: offsite: "), "\(gone.output)")
            #expect(!gone.output.contains("forgot"))
            #expect(try world.metrics.contains("kind=\"push\"} 1\n"))
            #expect(try await world.runner.run("status", "--check").status == 7)
        }
    }

    @Test func aStepThatFailsOrDiesIsToldWithWhatToDo() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("nightly")
            try Files.rename(directory.appending("tree"), to: directory.appending("elsewhere"))
            let partial = try await world.runner.run("nightly")
            #expect(
                partial.status == 3
                    && partial.output.contains(
                        "\(directory)/tree is not there (make it, or take it out of 'paths')"),
                "\(partial.output)")
            // Without the other component there is nothing that could be captured.
            _ = try await shell("sed -i '/^  tool:/d' understudy.yaml", in: directory)
            let night = try await world.runner.run("nightly")
            #expect(night.status == 1)
            #expect(
                night.output.contains("snapshot failed: \(directory)/tree is not there"), "\(night.output)")
            #expect(night.output.contains("make it, or take it out of 'paths'"))
            #expect(try await world.runner.run("status", "--check").status == 7)
        }
    }

    @Test func aNightHoldsADrillWhenOneIsDueAndARedOneStopsPruning() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try world.policy("drillEvery: 7d\ntargets: {rpo: 1d, rto: 1h}")
            let first = try await world.runner.run("nightly")
            #expect(first.status == 0 && first.output.contains("drill green"), "\(first.output)")
            #expect(try world.metrics.contains("understudy_drill_green{system=\"tree\"} 1\n"))
            let status = try await world.runner.run("status")
            #expect(status.output.contains("target 1 h 0 min") && !status.output.contains("MISSED"))
            #expect(status.output.contains("green, restored in"), "\(status.output)")
            let second = try await world.runner.run("nightly")
            #expect(second.status == 0 && !second.output.contains("drill"), "\(second.output)")

            // A job that nobody knows makes no drill red.
            let unknown = try await world.runner.run("drill", "--build", "nightly")
            #expect(unknown.status == 64 && unknown.errorOutput.contains("'nightly'"), "\(unknown.output)")
            #expect(try await world.runner.run("status", "--check").status == 0)

            // A file of the snapshot is damaged in the store: no night sees that, a drill does.
            let store = directory.appending("tree.git")
            try await StoreDamage.flip("f7", in: store)
            let red = try await world.runner.run("drill", "--report", "red.html")
            let page = String(decoding: try Files.read(directory.appending("red.html")), as: UTF8.self)
            #expect(page.contains("<p class=\"badge\">red</p>") && page.contains("<strong>FAILED</strong>"))
            let evidence = try await Program(
                "git", ["-C", store.string, "rev-parse", "refs/evidence/tree/drills"]
            ).runSuccessfully().output.prefix(40)
            #expect(page.contains("<dt>evidence commit</dt><dd><code>\(evidence)</code></dd>"))
            #expect(page.contains("<dt>evidence signed</dt><dd><code>NO: "))
            #expect(try await world.runner.run("drill", "--report", "nowhere/p.html").status == 64)
            #expect(red.status == 6, "\(red.output) \(red.errorOutput)")
            let check = try await world.runner.run("status", "--check")
            #expect(check.status == 7 && check.output.contains("is red: verify: "), "\(check.output)")
            let night = try await world.runner.run("nightly")
            #expect(night.status != 0 && !night.output.contains("forgot"), "\(night.output)")
            #expect(try world.metrics.contains("understudy_drill_green{system=\"tree\"} 0\n"))
            #expect(try world.metrics.contains("kind=\"red\"} 1\n"))
        }
    }

    @Test func aDrillThatHasNoKeySaysWhereToPutOne() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try CommandLineRunner(directory)
            try Files.makeDirectory(directory.appending("tree"))
            try Files.replace(directory.appending("tree/f"), with: Array("1\n".utf8))
            try await runner.initialize("tree")
            func policy(_ text: String) throws {
                try Files.replace(directory.appending("policies/notify.yaml"), with: Array(text.utf8))
            }
            // Without the file, the runner sets no $UNDERSTUDY_IDENTITY.
            let key = directory.appending("elsewhere.key")
            try Files.rename(directory.appending(CommandLineRunner.recoveryKey), to: key)
            try policy("drillEvery: 1d\n")
            let night = try await runner.run("nightly")
            #expect(night.status == 1 && night.output.contains("there is no recovery key"), "\(night.output)")
            #expect(night.output.contains("'identityFile' in policies/notify.yaml"))
            #expect(!night.output.contains("forgot"))
            #expect(try await runner.run("status", "--check").status == 7)
            try policy("drillEvery: 1d\nidentityFile: \(key)\n")
            let proven = try await runner.run("nightly")
            #expect(proven.status == 0 && proven.output.contains("drill green"), "\(proven.output)")
            #expect(try await runner.run("status", "--check").status == 0)

            // A key that is lost later is no green drill any more, the same night, even in a shell that has another.
            try Files.rename(key, to: directory.appending(CommandLineRunner.recoveryKey))
            try policy("drillEvery: 1s\nidentityFile: \(key)\ntextfile: \(directory)/u.prom\n")
            // Until the next drill is due: times count whole seconds.
            try await Task.sleep(for: .seconds(2))
            let lost = try await runner.run("nightly")
            #expect(lost.status == 1 && lost.output.contains("drill failed: "), "\(lost.output)")
            let metrics = String(decoding: try Files.read(directory.appending("u.prom")), as: UTF8.self)
            #expect(metrics.contains("understudy_drill_green{system=\"tree\"} 0\n"), "\(metrics)")
            let check = try await runner.run("status", "--check")
            #expect(check.status == 7 && check.output.contains("elsewhere.key"), "\(check.output)")
        }
    }

    /// What a prune would stumble over is told once, and by its name.
    @Test func aLossIsMetBeforeAnythingIsPruned() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("snapshot")
            try Files.replace(
                directory.appending("tree.git/refs/snapshots/tree/20200101T000000Z-0000"),
                with: Array("\(String(repeating: "1", count: 40))\n".utf8))
            struct Night: Decodable {
                struct Problem: Decodable { var kind: String }
                var problems: [Problem]
                var forgotten: Int?
            }
            let outcome = try await world.runner.run("nightly", "--format", "json")
            #expect(outcome.status == 1, "\(outcome.output)\(outcome.errorOutput)")
            let night = try JSONDecoder().decode(Night.self, from: Data(outcome.output.utf8))
            #expect(night.problems.map(\.kind) == ["lost"] && night.forgotten == nil, "\(outcome.output)")
        }
    }

    @Test func aScheduleIsShownWrittenOnceAndTakenAway() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            let options = ["--directory", directory.appending("units").string]
            func schedule(_ verb: String, _ more: [String] = []) async throws -> Program.Outcome {
                try await world.runner.run(
                    under: ["/bin/sh", "-c", "exec \"$@\"", "sh"], ["schedule", verb] + options + more)
            }
            let none = try await schedule("show")
            #expect(none.status == 7 && !none.output.contains("the night runs as"), "\(none.output)")
            let plan = try await schedule("install", ["--dry-run", "--at", "03:30"])
            #expect(
                plan.output.contains("OnCalendar=*-*-* 03:30:00") && plan.output.contains("nightly --quiet"))
            #expect(
                plan.output.contains("ReadWritePaths=-\(directory)/tree.git\nReadWritePaths=-\(directory)\n"))
            // A service begins at the root.
            #expect(plan.output.contains("--system \(directory)/understudy.yaml\n"))
            #expect(try !Files.exists(directory.appending("units")))
            for _ in 0..<2 { #expect(try await schedule("install", ["--at", "03:30"]).status == 0) }
            #expect(try await schedule("show", ["--at", "03:30"]).status == 0)
            // Without options it is what is installed that counts, also when it is installed again.
            #expect(try await schedule("show").status == 0)
            #expect(try await schedule("install").status == 0)
            #expect(try await schedule("show", ["--at", "03:30"]).status == 0)
            #expect(try await schedule("show", ["--at", "03:31"]).output.contains("other than"))
            // A copy in a directory must be written to.
            try await world.runner.succeed("remote", "add", "shelf", directory.appending("shelf.git").string)
            #expect(try await schedule("show").output.contains("other than"))
            let copy = try await schedule("install", ["--dry-run", "--user", "nobody"])
            #expect(copy.output.contains("ReadWritePaths=-\(directory)/shelf.git\n"), "\(copy.output)")
            #expect(
                copy.output.contains("\nUser=nobody\n")
                    && copy.output.contains("RequiresMountsFor=\(directory)/tree.git\n"))
            #expect(try await schedule("install", ["--user", "nobody-there"]).status == 64)
            // Whoever installs it again does not become the one who runs it.
            #expect(copy.output.contains("# the night runs as nobody\n"), "\(copy.output)")
            // Nor is it silent that he cannot enter a store of another.
            #expect(
                copy.output.contains("# NOT READY: nobody cannot enter the store \(directory)/tree.git, "),
                "\(copy.output)")
            #expect(!plan.output.contains("NOT READY"), "\(plan.output)")
            #expect(try await schedule("install").output.contains(", who runs this; --user names"))
            #expect(try await schedule("install", ["--user", "nobody"]).status == 0)
            let again = try await schedule("install", ["--at", "04:00"])
            #expect(again.output.contains("\nthe night runs as nobody\n"), "\(again.output)")
            #expect(try await schedule("show").status == 0)
            // Nobody keeps who went since.
            try replaceText(
                "User=nobody\n", with: "User=nobody-there\n",
                in: directory.appending("units/understudy-tree.service"))
            for verb in ["show", "install"] {
                let gone = try await schedule(verb)
                #expect(gone.status == 64 && gone.errorOutput.contains("'nobody-there'"), "\(gone.output)")
            }
            #expect(try await schedule("install", ["--user", "nobody"]).status == 0)
            #expect(try await schedule("remove", ["--at", "03:30"]).status == 64)
            #expect(try await schedule("remove").status == 0)
            #expect(try await schedule("remove").output == "nothing is scheduled\n")
            #expect(try await schedule("install", ["--at", "25:00"]).status == 64)
        }
    }
}
