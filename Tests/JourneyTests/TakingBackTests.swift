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
            let file = directory.appending("understudy.yaml")
            let old = String(decoding: try Files.read(file), as: UTF8.self)
            try Files.replace(
                file, with: Array(old.replacing("components:\n", with: "components:\n\(text)").utf8))
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

        /// The journal of the last restore with another phase, as a kill would leave it.
        func setPhase(_ phase: String) async throws {
            try await shell(
                "sed -i 's/\"phase\" : \"[a-z]*\"/\"phase\" : \"\(phase)\"/' tree.git/understudy/restore.json"
            )
        }

        @discardableResult
        func shell(_ script: String) async throws -> String {
            try await Program("/bin/bash", ["-euc", script], directory: directory).runSuccessfully().output
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
            #expect(try await world.runner.succeed("status").contains("may not be up again"))
            #expect(try await world.runner.run("undo").status == 1, "it tries again")
            try await world.shell("rm broken")
            let undone = try await world.runner.succeed("undo")
            #expect(undone.contains("was taken back"), "\(undone)")
            #expect(try world.up() == ["ci", "db", "other"])
            #expect(try world.done().filter { $0.hasPrefix("start") }.last == "start-ci")
            #expect(try await world.runner.run("undo").status == 7)
        }
    }

    @Test func whatADriverCannotPutBackHindersNoFileAndNoOtherComponent() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(
                directory, [("other", []), ("tool", ["restore: test ! -e \(directory)/broken"])])
            try await world.runner.succeed("restore")
            try await world.shell("touch broken")
            let failed = try await world.runner.run("undo")
            #expect(
                failed.status == 1 && failed.errorOutput.contains("tool could not be put back"),
                "\(failed.errorOutput)")
            #expect(try world.text() == "2\n" && world.up() == ["other", "tool"])
            // What may be one state or the other is none to keep.
            let snapshot = try await world.runner.run("snapshot")
            #expect(snapshot.status == 7, "\(snapshot.errorOutput)")
            #expect(snapshot.errorOutput.contains("tool may hold the restored state or the old one"))
            let part = try await world.runner.run("restore", "--component", "tree")
            #expect(part.status == 1 && part.errorOutput.contains("tool could not be put back"))
            try await world.shell("rm broken")
            try await world.runner.succeed("undo")
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
                try await world.setPhase("exchanging")
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

    @Test func noSnapshotIsTakenInTheMiddleOfARestoreAndUndoEndsIt() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("restore")
            try await world.setPhase("exchanging")
            let refused = try await world.runner.run("snapshot")
            #expect(refused.status == 7, "\(refused.errorOutput)")
            #expect(refused.errorOutput.contains("1 of 1 places hold the new tree"), "\(refused.errorOutput)")
            #expect(try await world.runner.run("nightly").status == 1)
            let undone = try await world.runner.succeed("undo", "--quiet")
            #expect(undone.contains("the old trees are back everywhere"), "\(undone)")
            #expect(try world.text() == "2\n")
            try await world.runner.succeed("snapshot")
            try await world.runner.succeed("restore", "latest~1")
            try await world.setPhase("exchanging")
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
}
