import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// The way back: after a failure, after a kill, and by `undo`; what goes wrong with one component hinders no other.
@Suite struct TakingBackTests {
    /// A directory `tree` with one file, and tools that run while a file of theirs is there and write down what is done.
    private struct World {
        let directory: FilePath
        let runner: CommandLineRunner

        init(_ directory: FilePath, _ tools: [(name: String, lines: [String])] = []) async throws {
            self.directory = directory
            runner = try CommandLineRunner(directory)
            try Files.makeDirectory(directory.appending("tree"))
            try Files.replace(directory.appending("tree/a"), with: Array("1\n".utf8))
            try await runner.initialize("tree")
            let text = tools.map { name, lines in
                let up = "\(directory)/up-\(name)"
                // Later lines win over these.
                var settings = [
                    "capture": "echo 1 > f", "restore": "'true'", "ready": "test -e \(up)",
                    "start": "echo start-\(name) >> \(directory)/log; touch \(up)",
                    "stop": "echo stop-\(name) >> \(directory)/log; rm -f \(up)",
                ]
                for line in lines {
                    let key = String(line.prefix { $0 != ":" })
                    settings[key] = String(line.dropFirst(key.count + 2))
                }
                let own = settings.sorted { $0.key < $1.key }.map { "    \($0.key): \($0.value)\n" }.joined()
                return "  \(name):\n    driver: command\n\(own)"
            }.joined()
            if !tools.isEmpty { try runner.describe(text) }
            for tool in tools { try Files.replace(directory.appending("up-\(tool.name)"), with: []) }
            try await runner.succeed("snapshot")
            try set("2\n")
        }

        func set(_ text: String) throws {
            try Files.replace(directory.appending("tree/a"), with: Array(text.utf8))
        }

        func text() throws -> String {
            String(decoding: try Files.read(directory.appending("tree/a")), as: UTF8.self)
        }

        func up() throws -> Set<String> {
            Set(
                try Files.names(directory).map { String(decoding: $0, as: UTF8.self) }
                    .filter { $0.hasPrefix("up-") }.map { String($0.dropFirst(3)) })
        }

        /// What was done since this was asked last.
        func done() throws -> [String] {
            let log = directory.appending("log")
            let text = String(decoding: try Files.readIfPresent(log) ?? [], as: UTF8.self)
            try Files.replace(log, with: [])
            return text.split(separator: "\n").map(String.init)
        }

        /// Lets the last restore be one that was killed while it exchanged.
        func interrupt() throws {
            try replaceText(
                "\"phase\" : \"done\"", with: "\"phase\" : \"exchanging\"",
                in: directory.appending("tree.git/understudy/restore.json"))
        }

        @discardableResult
        func shell(_ script: String) async throws -> String {
            try await TestSupport.shell(script, in: directory)
        }
    }

    @Test func whatDoesNotStopLeavesTheOthersRunning() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(
                directory, [("a", []), ("b", []), ("c", ["stop: echo no >&2; false"])])
            let failed = try await world.runner.run("restore")
            #expect(failed.status == 1, "\(failed.output)")
            #expect(failed.errorOutput.contains("the old system is back as it was"), "\(failed.errorOutput)")
            #expect(try world.up() == ["a", "b", "c"] && world.text() == "2\n")
            #expect(try !world.done().contains { $0.hasPrefix("stop-a") || $0.hasPrefix("stop-b") })
        }
    }

    @Test func aKillBeforeTheExchangeStopsNothingAndBesideProductionNobodyLooks() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory, [("a", []), ("b", [])])
            let journal = """
                {"applied": [{"component": "a", "record": []}], "phase": "staging", "places": [], "running": [],
                "snapshot": "20260101T000000Z-0000", "stagingDirectories": [], "started": "2026-01-01T00:00:00Z"}
                """
            let file = directory.appending("tree.git/understudy/restore.json")
            try Files.replace(file, with: Array(journal.utf8))
            try await world.runner.succeed("restore", "--to", "out")
            #expect(try Files.read(file) == Array(journal.utf8))
            let undone = try await world.runner.succeed("undo")
            #expect(undone.contains("interrupted before it changed anything"), "\(undone)")
            #expect(try world.up() == ["a", "b"] && world.done() == [])
            #expect(try await world.runner.run("undo").status == 7)
            // Killed while it stopped what runs.
            let stopping = journal.replacing(#""running": []"#, with: #""running": ["a"]"#)
            try Files.replace(file, with: Array(stopping.utf8))
            let status = try await world.runner.succeed("status")
            #expect(status.contains("but what it stops: a may be down"), "\(status)")
        }
    }

    @Test func undoStartsByWhatNeedsWhatAndGoesOnWhereOneFails() async throws {
        try await withTemporaryDirectory { directory in
            let start =
                "test ! -e \(directory)/broken; echo start-ci >> \(directory)/log; touch \(directory)/up-ci"
            let world = try await World(
                directory, [("ci", ["after: [db]", "start: set -e; \(start)"]), ("db", []), ("other", [])])
            try await world.runner.succeed("restore")
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
            #expect(undone.contains("was rolled back"), "\(undone)")
            #expect(try world.up() == ["ci", "db", "other"])
            #expect(try world.done().filter { $0.hasPrefix("start") }.last == "start-ci")
            #expect(try await world.runner.run("undo").status == 7)
        }
    }

    @Test func whatWasLeftDownIsStartedAlsoByARestoreOfAnotherComponent() async throws {
        try await withTemporaryDirectory { directory in
            let condition = "grep -q 1 \(directory)/tree/a && test ! -e \(directory)/broken"
            let world = try await World(
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
            let world = try await World(directory, [("ci", [start])])
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
            let world = try await World(
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

    @Test func undoRefusesWhenWhatWasKeptIsGone() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            for script in ["rm -r .understudy-*", "rm -r .understudy-*/*"] {
                try await world.runner.succeed("restore")
                try await world.shell(script)
                for _ in 0..<2 {
                    let refused = try await world.runner.run("undo")
                    #expect(
                        refused.status == 7 && refused.errorOutput.contains("is not at"),
                        "\(refused.errorOutput)")
                    #expect(try world.text() == "1\n")
                }
                // And where the kill came first: nothing is put in the place of what is gone.
                try world.interrupt()
                let failed = try await world.runner.run("undo")
                #expect(failed.status == 1 && failed.errorOutput.contains("is neither there nor at"))
                #expect(try world.text() == "1\n")
                try await world.shell("rm tree.git/understudy/restore.json")
                try world.set("2\n")
            }
            // What was not there before goes away again.
            try await world.shell("rm -r tree")
            try await world.runner.succeed("restore")
            try await world.runner.succeed("undo")
            #expect(try !Files.exists(directory.appending("tree")))
        }
    }

    @Test func whatTheSystemFileForgotIsNotTakenBackUnseen() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory, [("tool", [])])
            try await world.runner.succeed("restore")
            try await world.shell("sed -i 's/^  tree:/  wood:/' understudy.yaml")
            for arguments in [["undo", "--dry-run"], ["undo"]] {
                let refused = try await world.runner.run(arguments, limit: .seconds(60))
                #expect(
                    refused.status == 7 && refused.errorOutput.contains("does not describe 'tree' any more"),
                    "\(refused.errorOutput)")
            }
            #expect(try world.text() == "1\n")
            // Without its commands nobody can stop what runs on what would change, before the kill as after it.
            try await world.shell(
                "sed -i 's/^  wood:/  tree:/; /^    start:/d; /^    stop:/d; /^    ready:/d' understudy.yaml")
            for status: Int32 in [7, 1] {
                let refused = try await world.runner.run("undo")
                #expect(
                    refused.status == status
                        && refused.errorOutput.contains("does not say any more how 'tool' is stopped"),
                    "\(refused.errorOutput)")
                #expect(try world.text() == "1\n" && world.up() == ["tool"])
                if status == 7 { try world.interrupt() }
            }
        }
    }

    @Test func whatDoesNotStopKeepsAnInterruptedRestoreAsItIs() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(
                directory,
                [
                    ("a", ["stop: test ! -e \(directory)/stuck && rm -f \(directory)/up-a"]),
                    ("b", ["start: test ! -e \(directory)/broken && touch \(directory)/up-b"]),
                ])
            try await world.runner.succeed("restore")
            try world.interrupt()
            for (script, up) in [("touch stuck", Set(["a", "b"])), ("touch broken", Set(["a"]))] {
                try await world.shell(script)
                let failed = try await world.runner.run("undo")
                #expect(
                    failed.status == 1 && failed.errorOutput.contains("1 of 1 places hold the new tree")
                        && failed.errorOutput.contains("nothing was put back: component 'a'")
                        && failed.errorOutput.contains("b is down") == (up == ["a"]),
                    "\(failed.errorOutput)")
                #expect(try world.up() == up && world.text() == "1\n")
            }
            try await world.shell("rm stuck broken")
            try await world.runner.succeed("undo")
            #expect(try world.up() == ["a", "b"] && world.text() == "2\n")
        }
    }

    @Test func noSnapshotIsTakenInTheMiddleOfARestoreAndUndoEndsIt() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("restore")
            try world.interrupt()
            let refused = try await world.runner.run("snapshot")
            #expect(refused.status == 7, "\(refused.errorOutput)")
            #expect(refused.errorOutput.contains("1 of 1 places hold the new tree"), "\(refused.errorOutput)")
            #expect(try await world.runner.run("nightly").status == 1)
            let plan = try await world.runner.succeed("undo", "--dry-run")
            #expect(plan.contains("with 'understudy undo' the old trees are put back"), "\(plan)")
            let restoring = try await world.runner.succeed("restore", "--dry-run")
            #expect(restoring.contains("the old trees are put back first"), "\(restoring)")
            #expect(try world.text() == "1\n")
            let undone = try await world.runner.succeed("undo", "--quiet")
            #expect(undone.contains("the old trees are back everywhere"), "\(undone)")
            #expect(try world.text() == "2\n")
            try await world.runner.succeed("snapshot")
            try await world.runner.succeed("restore", "latest~1")
            try world.interrupt()
            let restored = try await world.runner.succeed("restore", "latest~1")
            #expect(restored.contains("note: the restore of") && restored.contains("the old trees are back"))
            #expect(try world.text() == "1\n")
        }
    }

    @Test func aPartOfASnapshotProvesNothingOfTheWhole() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory, [("tool", [])])
            let part = try await world.runner.succeed("restore", "--component", "tree")
            #expect(
                part.contains("not proven: of the snapshot's components only tree came back"), "\(part)")
            let down = try await world.runner.succeed("restore", "--no-start")
            #expect(down.contains("it was not started"), "\(down)")
            #expect(try await world.runner.succeed("status").contains("proven  no"))
            try await world.shell("sed -i 's/^  tool:/  other:/' understudy.yaml")
            let drill = try await world.runner.run("drill")
            #expect(drill.status == 5, "\(drill.output)")
            #expect(drill.output.contains("the system file does not describe this component"))
            try await world.shell("sed -i 's/^  other:/  tool:/' understudy.yaml")
            #expect(try await world.runner.succeed("restore").contains("  proven: "))
            #expect(try await world.runner.succeed("status").contains("proven  yes"))
        }
    }

    @Test func aRecordThatCannotBeKeptIsTold() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.shell("mkdir -p tree.git/refs/evidence/tree/restores/in-the-way")
            let report = try await world.runner.succeed("restore")
            #expect(report.contains("not proven: the record of this restore could not be kept"), "\(report)")
            #expect(try world.text() == "1\n")
            try await world.runner.succeed("undo")
            #expect(try world.text() == "2\n")
        }
    }

    /// A service writes its own files anew and renames, an editor does, and people move what they do not want.
    @Test func whatSomebodyReplacedSinceIsPutBackOrLeftToHim() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("restore", "--only", "file:\(directory)/tree/a")
            try world.interrupt()
            try await world.shell("sed -i s/1/9/ tree/a")
            try await world.runner.succeed("undo")
            #expect(try world.text() == "2\n")
            #expect(try await world.shell("ls -A | grep -c ^.understudy- || true") == "0\n")

            try await world.runner.succeed("restore")
            try world.interrupt()
            try await world.shell("mv tree tree.new")
            try await world.runner.succeed("undo")
            #expect(try world.text() == "2\n")
            #expect(try await world.shell("cat tree.new/a") == "1\n")

            try await world.runner.succeed("restore")
            try world.interrupt()
            try await world.shell("rm -r tree.new; mv tree tree.new; mkdir tree; echo 3 > tree/a")
            let refused = try await world.runner.run("undo")
            #expect(refused.status == 1, "\(refused.output)")
            #expect(
                refused.errorOutput.contains("\(directory)/tree is not what was restored there")
                    && refused.errorOutput.contains("move it away"), "\(refused.errorOutput)")
            #expect(refused.errorOutput.contains("1 something else or nothing"))
            #expect(try world.text() == "3\n")
            #expect(try await world.runner.run("restore").status == 1, "the old tree would be given up")
            try await world.shell("mv tree mine")
            try await world.runner.succeed("undo")
            #expect(try world.text() == "2\n")
            #expect(try await world.runner.run("undo").status == 7)
        }
    }

    @Test func whatSomebodyPutWhereNothingStoodBeforeIsLeftToHim() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.shell("rm -r tree")
            try await world.runner.succeed("restore")
            try world.interrupt()
            try await world.shell("mv tree tree.new; mkdir tree; echo 3 > tree/a")
            let refused = try await world.runner.run("undo")
            #expect(refused.status == 1, "\(refused.output)")
            #expect(
                refused.errorOutput.contains(
                    "\(directory)/tree is not what was restored there, and nothing stood there before"),
                "\(refused.errorOutput)")
            #expect(try world.text() == "3\n")
            let check = try await world.runner.run("status", "--check")
            #expect(
                check.status == 7 && check.output.contains("1 something else or nothing")
                    && check.output.contains("'understudy undo' puts the old trees back"), "\(check.output)")
            try await world.shell("mv tree mine")
            try await world.runner.succeed("undo")
            #expect(try !Files.exists(directory.appending("tree")))
            #expect(try await world.runner.run("undo").status == 7)
        }
    }

    @Test func aFileThatWasWrittenAnewWhereNothingStoodIsKeptBesideAndTold() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.shell("rm tree/a")
            for number in 1...2 {
                try await world.runner.succeed("restore", "--only", "file:\(directory)/tree/a")
                try world.interrupt()
                try await world.shell("sed -i s/1/mine-\(number)/ tree/a")
                let undone = try await world.runner.run("undo")
                #expect(
                    undone.status == 1 && undone.errorOutput.contains("the old trees are back everywhere")
                        && undone.errorOutput.contains("is kept as \(directory)/.understudy-"),
                    "\(undone.errorOutput)")
                #expect(try !Files.exists(directory.appending("tree/a")))
                #expect(try await world.runner.run("undo").status == 7)
            }
            #expect(try await world.shell("cat .understudy-*-kept*/a | sort") == "mine-1\nmine-2\n")
        }
    }

    /// An older version did not write down what stood at a place before.
    @Test(arguments: [false, true])
    func aJournalOfAnOlderVersionIsTakenBack(_ isInterrupted: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("restore")
            try await world.shell(
                "cd tree.git/understudy; grep -q '\"before\" : ' restore.json; sed -i '/\"before\" : /d' restore.json"
            )
            if isInterrupted { try world.interrupt() }
            #expect(try world.text() == "1\n")
            try await world.runner.succeed("undo")
            #expect(try world.text() == "2\n")
            #expect(try await world.runner.run("undo").status == 7)
        }
    }

    @Test func aFileThatCannotBePutBackHindersNothingElse() async throws {
        try await withTemporaryDirectory { directory in
            let tool = [
                "capture: cat \(directory)/held > f || echo 1 > f", "restore: cat f > \(directory)/held",
            ]
            let world = try await World(directory, [("other", []), ("tool", tool)])
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
            let world = try await World(directory, [("a", failing), ("b", writing)])
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
            let world = try await World(directory, [("a", []), ("b", [])])
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

    /// A snapshot of a tool that holds `1` and can be told to fail, restored and half taken back: it held `2`.
    private func halfTakenBack(_ directory: FilePath, failing condition: String) async throws -> World {
        let restore = "restore: test ! -e \(directory)/broken \(condition) && cat f > \(directory)/held"
        let world = try await World(
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
            let world = try await World(directory, [("tool", [])])
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

    @Test func whatWasDoneAboutAnInterruptedRestoreIsToldWhateverComesOfThisOne() async throws {
        try await withTemporaryDirectory { directory in
            let start = "start: test ! -e \(directory)/broken && touch \(directory)/up-ci"
            let world = try await World(directory, [("ci", [start])])
            try await world.shell("head -c 1000 /dev/urandom > tree/f7")
            try await world.runner.succeed("snapshot")
            try world.set("3\n")
            try await world.runner.succeed("restore")
            try world.interrupt()
            try await world.shell("touch broken")
            let refused = try await world.runner.run("restore", "--quiet", "--only", "file:/nowhere")
            #expect(
                refused.status != 0 && refused.errorOutput.contains("the old trees are back everywhere")
                    && refused.errorOutput.contains("ci is down"), "\(refused.errorOutput)")
            #expect(try world.text() == "3\n")
            try await StoreDamage.flip("f7", in: directory.appending("tree.git"))
            let failed = try await world.runner.run("restore", "--quiet")
            #expect(failed.status == 6 && failed.errorOutput.contains("ci is down"), "\(failed.errorOutput)")
            #expect(try await world.runner.succeed("status").contains("may not be up again: ci"))
            try await world.shell("rm broken")
            try await world.runner.succeed("undo")
            #expect(try world.up() == ["ci"])
        }
    }

    @Test func whatCannotBeRemovedAfterAFailureDoesNotHideIt() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.shell("head -c 1000 /dev/urandom > tree/f7")
            try await world.runner.succeed("snapshot")
            try await StoreDamage.flip("f7", in: directory.appending("tree.git"))
            let failed = try await world.runner.run(
                under: ["strace", "-f", "-o", "/dev/null", "-e", "inject=unlinkat:error=EIO"],
                ["restore", "--to", "out"])
            #expect(failed.status == 6, "\(failed.errorOutput)")
            #expect(failed.errorOutput.contains("what was staged could not be removed"))
        }
    }

    @Test func aDryRunOfUndoRefusesWhatUndoRefuses() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory, [("tool", [])])
            try await world.runner.succeed("restore")
            #expect(try await world.runner.succeed("undo", "--dry-run").contains("would undo the restore"))
            try await world.shell("rm -r tree.git/understudy/applied-*/before")
            for arguments in [["undo", "--dry-run"], ["undo"]] {
                let refused = try await world.runner.run(arguments, limit: .seconds(60))
                #expect(refused.status == 7, "\(arguments): \(refused.output)\(refused.errorOutput)")
            }
        }
    }

    /// On an empty machine the system file, which `undo` reads, is written at the end.
    @Test func aFailedRestoreFromACopyNamesNoUndoBeforeThereIsASystemFile() async throws {
        try await withTemporaryDirectory { directory in
            let start = "start: test ! -e \(directory)/broken && touch \(directory)/up-tool"
            let world = try await World(directory, [("tool", [start])])
            try await world.shell("touch broken")
            let restore = ["restore", "--from", "tree.git", "--system", "new/understudy.yaml"]
            let failed = try await world.runner.run(restore, limit: .seconds(120))
            #expect(failed.status == 1, "\(failed.output)")
            #expect(
                failed.errorOutput.contains("run the same 'understudy restore --from' again")
                    && !failed.errorOutput.contains("understudy undo"), "\(failed.errorOutput)")
            try await world.shell("rm broken")
            let restored = try await world.runner.run(restore, limit: .seconds(120))
            #expect(restored.status == 0, "\(restored.errorOutput)")
            #expect(try world.text() == "1\n" && world.up() == ["tool"])
        }
    }

    @Test func aSystemFileThatCannotBeWrittenIsADoubt() async throws {
        try await withTemporaryDirectory { directory in
            let start = "start: touch \(directory)/later \(directory)/up-tool"
            let world = try await World(directory, [("tool", [start])])
            let report = try await world.runner.succeed(
                "restore", "--from", "tree.git", "--system", "later/understudy.yaml")
            #expect(report.contains("not proven: the system file or its policies"), "\(report)")
            #expect(try world.text() == "1\n")
        }
    }
}
