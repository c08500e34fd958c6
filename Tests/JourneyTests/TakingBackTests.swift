import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// The way back: after a failure, after a kill, and by `undo`; what goes wrong with one component hinders no other.
@Suite struct TakingBackTests {
    @Test func whatDoesNotStopLeavesTheOthersRunning() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(
                directory, [("a", []), ("b", []), ("c", ["stop: echo no >&2; false"])])
            let failed = try await world.runner.run("restore")
            #expect(failed.status == 1, "\(failed.output)")
            #expect(failed.errorOutput.contains("the old system is back as it was"), "\(failed.errorOutput)")
            #expect(try world.up() == ["a", "b", "c"] && world.text() == "2\n")
            #expect(try !world.done().contains { $0.hasPrefix("stop-a") || $0.hasPrefix("stop-b") })
        }
    }

    @Test func undoStartsByWhatNeedsWhatAndGoesOnWhereOneFails() async throws {
        try await withTemporaryDirectory { directory in
            let start =
                "test ! -e \(directory)/broken; echo start-ci >> \(directory)/log; touch \(directory)/up-ci"
            let world = try await TakingBackWorld(
                directory, [("ci", ["after: [db]", "start: set -e; \(start)"]), ("db", []), ("other", [])])
            try await world.runner.succeed("restore")
            let dry = try await world.runner.succeed("undo", "--dry-run")
            #expect(dry.contains("  starts ci\n") && !dry.contains("started"), "\(dry)")
            try await world.shell("touch broken")
            _ = try world.done()
            let failed = try await world.runner.run("undo")
            #expect(failed.status == 1 && failed.errorOutput.contains("ci is down"), "\(failed.errorOutput)")
            #expect(try world.up() == ["db", "other"] && world.text() == "2\n")
            let status = try await world.runner.succeed("status")
            #expect(status.contains("may not be up again"))
            #expect(status.contains("'understudy undo' tries to start it again"), "\(status)")
            let plan = try await world.runner.succeed("undo", "--dry-run")
            #expect(plan.contains("with 'understudy undo' whichever of"), "\(plan)")
            #expect(try await world.runner.run("undo").status == 1, "it tries again")
            try await world.shell("rm broken")
            let undone = try await world.runner.succeed("undo")
            #expect(undone.contains("was rolled back") && !undone.contains("may not be up"), "\(undone)")
            #expect(undone.contains("; what ran before runs: "), "\(undone)")
            #expect(try world.up() == ["ci", "db", "other"])
            #expect(try world.done().filter { $0.hasPrefix("start") }.last == "start-ci")
            #expect(try await world.runner.run("undo").status == 7)
        }
    }

    @Test func whatWasLeftDownIsStartedAlsoByARestoreOfAnotherComponent() async throws {
        try await withTemporaryDirectory { directory in
            let condition = "grep -q 1 \(directory)/tree/a && test ! -e \(directory)/broken"
            let world = try await TakingBackWorld(
                directory, [("ci", ["start: \(condition) && touch \(directory)/up-ci"])])
            try await world.runner.succeed("restore")
            #expect(try await world.runner.run("undo").status == 1)
            #expect(try world.up() == [])
            let report = try await world.runner.succeed("restore", "--component", "tree")
            #expect(report.contains("ci is up again"), "\(report)")
            #expect(try world.up() == ["ci"])

            #expect(try await world.runner.run("undo").status == 1)
            try await world.shell("touch broken")
            let told = try await world.runner.run("restore", "--component", "tree")
            #expect(told.status == 1 && told.output.contains("NOT STARTED: ci"), "\(told.output)")
            #expect(try world.text() == "1\n")
        }
    }

    @Test func whatWasLeftDownIsNotForgottenByARestoreThatIsKilled() async throws {
        try await withTemporaryDirectory { directory in
            let start = "start: test ! -e \(directory)/broken && touch \(directory)/up-ci"
            let world = try await TakingBackWorld(directory, [("ci", [start])])
            try await world.runner.succeed("restore")
            try await world.shell("touch broken")
            let loop = CrashLoop(world.runner, seed: 3)
            // Each step ends with a journal that takes the place of another.
            for number in 1...6 {
                #expect(try await world.runner.run("undo").status == 1)
                _ = try await loop.kill(
                    ["restore", "--component", "tree"], at: .call("rename", number: number))
                let journal = try Files.read(directory.appending("tree.git/understudy/restore.json"))
                #expect(
                    !String(decoding: journal, as: UTF8.self).contains("\"phase\" : \"undone\""), "\(number)")
            }
            try await world.shell("rm broken")
            try await world.runner.succeed("undo")
            #expect(try world.up() == ["ci"])
        }
    }

    @Test func whatADriverCannotPutBackHindersNoFileAndNoOtherComponent() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(
                directory,
                [
                    ("other", []), ("tool", ["restore: test ! -e \(directory)/broken"]),
                    ("needing", ["after: [tool]"]),
                ])
            try await world.runner.succeed("restore")
            try await world.shell("touch broken")
            let failed = try await world.runner.run("undo")
            #expect(
                failed.status == 1 && failed.errorOutput.contains("tool could not be put back"),
                "\(failed.errorOutput)")
            #expect(try world.text() == "2\n" && world.up() == ["other", "tool"])
            #expect(failed.errorOutput.contains("needing is down: it needs what could not be put back"))
            // What may be one state or the other is none to keep.
            let snapshot = try await world.runner.run("snapshot")
            #expect(snapshot.status == 7, "\(snapshot.errorOutput)")
            #expect(snapshot.errorOutput.contains("tool may hold the restored state or the old one"))
            let part = try await world.runner.run("restore", "--component", "tree")
            #expect(part.status == 1 && part.errorOutput.contains("tool could not be put back"))
            try await world.shell("rm broken")
            try await world.runner.succeed("undo")
            #expect(try world.up() == ["needing", "other", "tool"])
            #expect(try await world.runner.run("undo").status == 7)
            try await world.runner.succeed("snapshot")
        }
    }

    @Test func aFileThatCannotBePutBackHindersNothingElse() async throws {
        try await withTemporaryDirectory { directory in
            let tool = [
                "capture: cat \(directory)/held > f || echo 1 > f", "restore: cat f > \(directory)/held",
            ]
            let world = try await TakingBackWorld(directory, [("other", []), ("tool", tool)])
            try await world.shell("echo 2 > held")
            try await world.runner.succeed("restore")
            try world.interrupt()
            let kept = try await world.shell("echo -n .understudy-*")
            try await world.shell("mv \(kept)/tree away")
            let failed = try await world.runner.run("undo")
            #expect(
                failed.status == 1 && failed.errorOutput.contains("is neither there nor at"),
                "\(failed.errorOutput)")
            #expect(try world.up() == ["other", "tool"])
            #expect(try await world.shell("cat held") == "2\n")
            // What is back does not come once more.
            try await world.shell("echo 3 > held; mv away \(kept)/tree")
            try await world.runner.succeed("undo")
            #expect(try await world.shell("cat held") == "3\n" && world.text() == "2\n")
        }
    }

    /// What a tool writes until it is stopped came after it was captured.
    @Test func whatWasNotRestoredYetIsNotTakenBack() async throws {
        try await withTemporaryDirectory { directory in
            let held = "\(directory)/held"
            let failing = ["capture: cat \(held)-a > f || echo 1 > f", "restore: test $(cat f) = 2"]
            let writing = [
                "after: [a]", "capture: cat \(held)-b > f || echo 1 > f", "restore: cat f > \(held)-b",
                "stop: echo 3 >> \(held)-b; rm -f \(directory)/up-b",
            ]
            let world = try await TakingBackWorld(directory, [("a", failing), ("b", writing)])
            try await world.shell("echo 2 > held-a; echo 2 > held-b")
            let failed = try await world.runner.run("restore")
            #expect(
                failed.status == 1 && failed.errorOutput.contains("the old system is back as it was"),
                "\(failed.errorOutput)")
            #expect(try await world.shell("cat held-b") == "2\n3\n")
            #expect(try world.up() == ["a", "b"])
        }
    }

    @Test func aJournalThatCannotBeWrittenKeepsNothingDown() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory, [("a", []), ("b", [])])
            try await world.runner.succeed("restore")
            try world.interrupt()
            // A mount point cannot be replaced by another file.
            let journal = "\(directory)/tree.git/understudy/restore.json"
            let failed = try await world.runner.run(
                under: ["bwrap", "--dev-bind", "/", "/", "--bind", journal, journal], ["undo"])
            #expect(
                failed.status == 1 && failed.errorOutput.contains("the journal cannot be written"),
                "\(failed.errorOutput)")
            #expect(!failed.errorOutput.contains("nothing was changed"), "\(failed.errorOutput)")
            #expect(try world.up() == ["a", "b"] && world.text() == "2\n")
            try await world.runner.succeed("undo")
            #expect(try world.text() == "2\n")
        }
    }

    @Test func aJournalThatUndoCannotWriteKeepsNothingDown() async throws {
        try await withTemporaryDirectory { directory in
            let journal = "\(directory)/tree.git/understudy/restore.json"
            let stop =
                "if test -e \(directory)/stuck; then mv \(journal) \(directory)/away; mkdir \(journal); exit 1; fi"
            let world = try await TakingBackWorld(
                directory,
                [("a", ["stop: \(stop); rm -f \(directory)/up-a"]), ("b", ["after: [a]"])])
            try await world.runner.succeed("restore")
            _ = try world.done()
            // A mount point cannot be replaced by another file: nothing is begun that is written down nowhere.
            let refused = try await world.runner.run(
                under: ["bwrap", "--dev-bind", "/", "/", "--bind", journal, journal], ["undo"])
            #expect(refused.status == 1, "\(refused.output)\(refused.errorOutput)")
            #expect(try world.done() == [] && world.up() == ["a", "b"] && world.text() == "1\n")
            // Nor a directory, when one stops and the next does not.
            try await world.shell("touch stuck")
            let failed = try await world.runner.run("undo")
            #expect(
                failed.status == 1
                    && failed.errorOutput.contains(
                        "the journal cannot be written, so the next command takes it back first"),
                "\(failed.errorOutput)")
            #expect(try world.done() == ["stop-b", "start-b"] && world.up() == ["a", "b"])
            #expect(try world.text() == "1\n")
            try await world.shell("rm stuck; rmdir \(journal); mv away \(journal)")
            try await world.runner.succeed("undo")
            #expect(try world.up() == ["a", "b"] && world.text() == "2\n")
        }
    }

    @Test func aWayBackThatIsBlockedStartsAgainWhatWasStoppedForIt() async throws {
        try await withTemporaryDirectory { directory in
            let start = "if test -e \(directory)/broken; then touch \(directory)/stuck; exit 1; fi"
            let world = try await TakingBackWorld(
                directory,
                [
                    ("a", ["stop: test ! -e \(directory)/stuck && rm -f \(directory)/up-a"]),
                    ("b", ["after: [c]", "start: \(start); touch \(directory)/up-b"]),
                    ("c", ["after: [a]"]),
                ])
            try await world.shell("touch broken")
            let failed = try await world.runner.run("restore")
            #expect(
                failed.status == 1
                    && failed.errorOutput.contains("and the old system could not be put back: "),
                "\(failed.errorOutput)")
            #expect(try world.up() == ["a", "c"] && world.text() == "1\n")
            try await world.shell("rm broken stuck")
            try await world.runner.succeed("undo")
            #expect(try world.up() == ["a", "b", "c"] && world.text() == "2\n")
        }
    }

    /// A snapshot of a tool that holds `1` and can be told to fail, restored and half taken back: it held `2`.
    private func halfTakenBack(
        _ directory: FilePath, failing condition: String
    ) async throws -> TakingBackWorld {
        let restore = "restore: test ! -e \(directory)/broken \(condition) && cat f > \(directory)/held"
        let world = try await TakingBackWorld(
            directory, [("tool", ["capture: cat \(directory)/held > f || echo 1 > f", restore])])
        try world.set("1\n")
        try await world.shell("head -c 1000 /dev/urandom > tree/f7")
        try await world.runner.succeed("snapshot")
        try world.set("2\n")
        try await world.shell("echo 2 > held")
        try await world.runner.succeed("restore")
        try await world.shell("touch broken")
        #expect(try await world.runner.run("undo").status == 1)
        #expect(try await world.shell("cat held") == "1\n")
        return world
    }

    @Test(arguments: ["staging", "exchange", "nothing"])
    func whatCouldNotBePutBackIsNotGivenUpByTheNextRestore(_ failing: String) async throws {
        try await withTemporaryDirectory { directory in
            let world = try await halfTakenBack(
                directory, failing: failing == "nothing" ? "-o $(cat f) = 1" : "")
            if failing == "staging" {
                try await StoreDamage.flip("f7", in: directory.appending("tree.git"))
            }
            let restored = try await world.runner.run("restore")
            let status: [String: Int32] = ["staging": 6, "exchange": 1, "nothing": 0]
            #expect(restored.status == status[failing], "\(restored.errorOutput)")
            #expect(try await world.runner.run("snapshot").status == (failing == "nothing" ? 0 : 7))
            try await world.shell("rm broken")
            try await world.runner.succeed("undo")
            #expect(try await world.shell("cat held") == "2\n" && world.text() == "2\n")
            #expect(
                try await world.shell(
                    "set -o pipefail; ls tree.git/understudy | { grep -c ^applied || true; }") == "0\n")
            #expect(try await world.runner.run("undo").status == 7)
        }
    }

    @Test func whatADriverCouldNotRemoveIsTriedUntilItIsGone() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory, [("tool", [])])
            func kept() async throws -> String {
                try await world.shell("ls tree.git/understudy | grep -c ^applied- || true")
            }
            try await world.runner.succeed("restore")
            try await world.shell("sed -i 's/^  tool:/  other:/' understudy.yaml")
            for _ in 0..<2 {
                let report = try await world.runner.succeed("restore", "--component", "tree")
                #expect(report.contains("left beside it could not be removed"), "\(report)")
                #expect(try await kept() == "1\n")
            }
            try await world.shell("sed -i 's/^  other:/  tool:/' understudy.yaml")
            try await world.runner.succeed("restore", "--component", "tree")
            #expect(try await kept() == "0\n")
        }
    }
}
