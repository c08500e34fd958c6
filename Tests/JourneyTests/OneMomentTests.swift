import FileTree
import FoundationEssentials
import Programs
import SystemPackage
import TestSupport
import Testing

/// Components that belong together: captured at once, stopped and started by what they need.
@Suite struct OneMomentTests {
    /// A system of components with driver `command`, each with the lines that are its own.
    private func system(_ directory: FilePath, _ components: [(name: String, lines: [String])]) async throws
        -> CommandLineRunner
    {
        let runner = try CommandLineRunner(directory)
        try Files.makeDirectory(directory.appending("tree"))
        try await runner.initialize("tree")
        let text = components.map { name, lines in
            "  \(name):\n    driver: command\n" + lines.map { "    \($0)\n" }.joined()
        }.joined()
        try runner.describe(text)
        return runner
    }

    /// Appends a word to the log of the test, as a command.
    private func say(_ word: String, _ directory: FilePath) -> String { "echo \(word) >> \(directory)/log" }

    @Test func componentsAreCapturedAtOnceAndTheirTimesAreRecorded() async throws {
        try await withTemporaryDirectory { directory in
            // Each waits for the other: one after the other they would never end.
            func wait(_ own: String, _ other: String) -> String {
                "capture: \"touch \(directory)/\(own); while ! test -e \(directory)/\(other); do sleep 0.02; done; echo 1 > f\""
            }
            let runner = try await system(
                directory,
                [
                    ("one", [wait("a", "b"), "restore: 'true'", "limit: 30s"]),
                    ("two", [wait("b", "a"), "restore: 'true'", "limit: 30s"]),
                ])
            struct Result: Decodable {
                struct Head: Decodable {
                    var status: String
                    var spreadSeconds: Int64
                }
                var snapshot: Head
            }
            let output = try await runner.succeed("snapshot", "--format", "json")
            let result = try JSONDecoder().decode(Result.self, from: Data(output.utf8))
            #expect(result.snapshot.status == "complete" && (0...30).contains(result.snapshot.spreadSeconds))
            struct Stored: Decodable {
                struct Part: Decodable {
                    var started: String
                    var finished: String
                }
                var components: [Part]
                var spreadSeconds: Int64
            }
            let json = try await runner.succeed("show", "latest", "snapshot.json")
            let stored = try JSONDecoder().decode(Stored.self, from: Data(json.utf8))
            #expect(
                stored.components.count == 3 && stored.components.allSatisfy { $0.started <= $0.finished })
        }
    }

    /// What an export holds is in no history: there is nothing of the component that people read.
    @Test func aSnapshotOfOneComponentKeepsTheOthersWhateverTheyHold() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await system(
                directory, [("artifacts", ["capture: echo 1 > f", "restore: 'true'"])])
            try Files.replace(directory.appending("tree/file"), with: [1])
            try await runner.succeed("snapshot")
            try Files.replace(directory.appending("tree/file"), with: [2])
            try await runner.succeed("snapshot", "--component", "tree")
            let json = try await runner.succeed("show", "latest", "snapshot.json")
            #expect(json.contains("\"artifacts\""), "\(json)")
            let export = try await runner.succeed("show", "latest", "artifacts/database/export/f")
            #expect(export == "1\n")
            let again = try await runner.succeed("snapshot")
            #expect(again.contains("no change"), "\(again)")
        }
    }

    @Test func whatNeedsAComponentStopsBeforeItIsExchangedAndStartsAfterIt() async throws {
        try await withTemporaryDirectory { directory in
            func running(_ name: String) -> [String] {
                [
                    "start: touch \(directory)/up-\(name); \(say("start-\(name)", directory))",
                    "stop: rm \(directory)/up-\(name); \(say("stop-\(name)", directory))",
                    "ready: test -e \(directory)/up-\(name)",
                ]
            }
            let runner = try await system(
                directory,
                [
                    (
                        "server",
                        ["capture: echo 1 > f", "restore: \(say("restore", directory))", "after: [base]"]
                            + running("server")
                    ), ("base", ["capture: echo 1 > f", "restore: \(say("restore-base", directory))"]),
                    ("far", ["capture: echo 1 > f", "restore: 'false'", "after: [server]"] + running("far")),
                    ("other", ["capture: echo 1 > f", "restore: 'false'"] + running("other")),
                ])
            try await runner.succeed("snapshot")
            for name in ["server", "far", "other"] {
                try Files.replace(directory.appending("up-\(name)"), with: [])
            }
            let report = try await runner.succeed("restore", "--component", "base")
            #expect(report.contains("server is not restored; it stops and starts"), "\(report)")
            func log() throws -> [Substring] {
                String(decoding: try Files.read(directory.appending("log")), as: UTF8.self).split(
                    separator: "\n")
            }
            #expect(try log() == ["stop-far", "stop-server", "restore-base", "start-server", "start-far"])
            try await runner.succeed("undo")
            #expect(
                try log().dropFirst(5) == [
                    "stop-far", "stop-server", "restore-base", "start-server", "start-far",
                ])
            // Nobody asked for them to stay down.
            let plan = try await runner.succeed("restore", "--component", "base", "--no-start", "--dry-run")
            #expect(plan.contains("stops for the exchange and starts again: server, far"), "\(plan)")
            try await runner.succeed("restore", "--component", "base", "--no-start")
            #expect(
                try log().dropFirst(10) == [
                    "stop-far", "stop-server", "restore-base", "start-server", "start-far",
                ])
            // What needs one that stays down does too.
            let down = try await runner.succeed("restore", "--component", "server", "--no-start")
            #expect(down.contains("far is not restored; it stops because it needs what is"), "\(down)")
            #expect(try log().dropFirst(15) == ["stop-far", "stop-server", "restore"])
        }
    }

    @Test func aComponentThatDoesNotStartSaysWhatNeedsIt() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await system(
                directory,
                [
                    ("far", ["capture: echo 1 > f", "restore: 'true'", "after: [server]"]),
                    (
                        "server",
                        [
                            "capture: echo 1 > f", "restore: 'true'", "start: echo it is broken >&2; false",
                            "stop: 'true'", "ready: 'false'",
                        ]
                    ),
                ])
            try await runner.succeed("snapshot")
            let failed = try await runner.run("restore")
            #expect(failed.status == 1)
            #expect(
                failed.errorOutput.contains("it is broken")
                    && failed.errorOutput.contains("far must not start without it"), "\(failed.errorOutput)")
        }
    }

    @Test func anIncompleteComponentSaysWhatMustNotBeRestoredWithoutIt() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await system(
                directory,
                [
                    ("base", ["capture: 'false'", "restore: 'true'"]),
                    ("server", ["capture: echo 1 > f", "restore: 'true'", "after: [base]"]),
                ])
            let taken = try await runner.run("snapshot")
            #expect(taken.status == 3)
            #expect(
                taken.output.contains("base: it is not complete, and server must not be restored without it"),
                "\(taken.output)")
        }
    }

    @Test func independentComponentsStartAtOnceAndOneThatNeedsThemWhenBothServe() async throws {
        try await withTemporaryDirectory { directory in
            // Each is ready only when the other was started: one after the other they would never be.
            func part(_ own: String, _ other: String, _ more: [String] = []) -> [String] {
                [
                    "capture: echo 1 > f", "restore: 'true'", "stop: rm -f \(directory)/up-\(own)",
                    "start: touch \(directory)/up-\(own)", "running: test -e \(directory)/up-\(own)",
                    "ready: test -e \(directory)/up-\(other)",
                ] + more
            }
            let runner = try await system(
                directory,
                [
                    ("last", part("last", "last", ["after: [right]"])),
                    ("right", part("right", "left", ["after: [tree]"])), ("left", part("left", "right")),
                ])
            try await runner.succeed("snapshot")
            let plan = try await runner.succeed("restore", "--dry-run")
            #expect(
                plan.contains("  starts left at once\n") && plan.contains("  starts right at once\n"),
                "\(plan)")
            #expect(plan.contains("  starts last once right is ready\n"))
            #expect(plan.contains("if one fails to start, the old system is put back"))
            let outcome = try await runner.run("restore")
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
            let live = outcome.errorOutput.split(separator: "\n")
            let both = live.contains { $0.hasSuffix("; waiting: last") && !$0.contains("waiting: right") }
            // Of the two it needs one alone; the other may still be asked whether it serves.
            let last = live.contains {
                $0.hasPrefix("understudy: starting: last; ") && $0.contains("up: ") && $0.hasSuffix("right")
            }
            #expect(both && last, "\(live)")
            #expect(outcome.output.contains("ready left") && outcome.output.contains("start last"))
        }
    }

    @Test func whatDoesNotStartLeavesTheRestWhereThePlanSaysSo() async throws {
        try await withTemporaryDirectory { directory in
            func part(_ name: String, _ start: String, _ more: [String] = []) -> [String] {
                [
                    "capture: echo 1 > f", "restore: \(say("restore-\(name)", directory))", "start: \(start)",
                    "stop: rm -f \(directory)/up-\(name)", "ready: test -e \(directory)/up-\(name)",
                ] + more
            }
            func up(_ name: String) -> String { "touch \(directory)/up-\(name)" }
            let runner = try await system(
                directory,
                [
                    ("far", part("far", up("far"), ["after: [server]"])),
                    ("server", part("server", "echo it is broken >&2; false", ["after: [base]"])),
                    ("base", part("base", up("base"))), ("other", part("other", up("other"))),
                ])
            try await runner.succeed("snapshot")
            let plan = try await runner.succeed("restore", "--dry-run", "--keep-going")
            #expect(plan.contains("what fails to start stays down"), "\(plan)")
            let outcome = try await runner.run("restore", "--keep-going")
            #expect(outcome.status == 1, "\(outcome.errorOutput)")
            let report = outcome.output
            #expect(report.contains("NOT STARTED: server: ") && report.contains("it is broken"), "\(report)")
            #expect(report.contains("far must not start without it") && report.contains("  not started: far"))
            #expect(report.contains("not proven") && report.contains("started and healthy: "))
            func isUp(_ name: String) throws -> Bool { try Files.exists(directory.appending("up-\(name)")) }
            #expect(try isUp("base") && isUp("other") && !isUp("far"))
            #expect(try await runner.succeed("status").contains("proven  no"))

            // Without it everything goes back, and stops.
            let whole = try await runner.run("restore")
            #expect(whole.status == 1 && whole.errorOutput.contains("the old system is back as it was"))
        }
    }
}
