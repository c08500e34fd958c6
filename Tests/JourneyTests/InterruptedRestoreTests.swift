import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A restore that was killed: what is said of it, what stands where, and what `undo` and the next restore make of that.
@Suite struct InterruptedRestoreTests {
    @Test func aKillBeforeTheExchangeStopsNothingAndBesideProductionNobodyLooks() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory, [("a", []), ("b", [])])
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

    @Test func whatDoesNotStopKeepsAnInterruptedRestoreAsItIs() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(
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
            let world = try await TakingBackWorld(directory)
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

    /// A service writes its own files anew and renames, an editor does, and people move what they do not want.
    @Test func whatSomebodyReplacedSinceIsPutBackOrLeftToHim() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory)
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
            let world = try await TakingBackWorld(directory)
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
            let world = try await TakingBackWorld(directory)
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

    /// Nothing of the restore ever stood there.
    @Test func aFileThatSomebodyWroteWhereTheRestoreNeverCameStays() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory)
            try await world.shell("rm tree/a")
            try await world.runner.succeed("restore", "--only", "file:\(directory)/tree/a")
            try world.interrupt()
            try await world.shell(
                "staged=$(echo .understudy-*-0/tree); mv tree/a $staged; echo mine > tree/a")
            try await world.runner.succeed("undo")
            #expect(try world.text() == "mine\n")
            #expect(try await world.shell("ls -A | grep -c ^.understudy- || true") == "0\n")
        }
    }

    /// What belongs together lies together, and nobody but us knows where.
    @Test func aDatabaseIsPutAsideWithItsLogWhereverAKillComes() async throws {
        try await withTemporaryDirectory { directory in
            let write = #"""
                import os, sqlite3, sys
                database = sqlite3.connect(sys.argv[1])
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("CREATE TABLE IF NOT EXISTS builds (number)")
                database.execute("INSERT INTO builds VALUES (1)")
                database.commit()
                if len(sys.argv) > 2: os._exit(0)
                database.close()
                """#
            let world = try await TakingBackWorld(directory)
            try Files.replace(directory.appending("write.py"), with: Array(write.utf8))
            try await world.shell("python3 write.py tree/state.sqlite; cp tree/state.sqlite first")
            try await world.runner.succeed("snapshot")
            let loop = CrashLoop(world.runner, seed: 1)
            // What SQLite keeps beside it, itself, and the directory that they are in then.
            for number in 1...4 {
                try await world.shell("rm tree/state.sqlite")
                try await world.runner.succeed("restore", "--only", "file:\(directory)/tree/state.sqlite")
                try world.interrupt()
                try await world.shell(
                    """
                    cp first new; mv new tree/state.sqlite; python3 write.py tree/state.sqlite killed
                    test -s tree/state.sqlite-wal; test -e tree/state.sqlite-shm
                    """)
                #expect(try await loop.kill(["undo"], at: .call("renameat2", number: number)), "\(number)")
                let undone = try await world.runner.run("undo")
                #expect(undone.status == 1, "\(number): \(undone.output)\(undone.errorOutput)")
                let words = try #require(undone.errorOutput.firstRange(of: "is kept as "))
                let kept = undone.errorOutput[words.upperBound...].prefix { $0 != "\n" && $0 != ";" }
                let left = try await world.shell(
                    """
                    ls tree; find . -maxdepth 1 -name '.understudy-*-moving'
                    python3 - '\(kept)' <<'END'
                    import sqlite3, sys
                    print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM builds").fetchone()[0])
                    END
                    """)
                #expect(left == "a\n2\n", "\(number)")
                #expect(try await world.runner.run("undo").status == 7)
                try await world.shell("cp first tree/state.sqlite")
            }
        }
    }

    /// An older version did not write down what stood at a place before.
    @Test(arguments: [false, true])
    func aJournalOfAnOlderVersionIsTakenBack(_ isInterrupted: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory)
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

    @Test func whatWasDoneAboutAnInterruptedRestoreIsToldWhateverComesOfThisOne() async throws {
        try await withTemporaryDirectory { directory in
            let start = "start: test ! -e \(directory)/broken && touch \(directory)/up-ci"
            let world = try await TakingBackWorld(directory, [("ci", [start])])
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
}
