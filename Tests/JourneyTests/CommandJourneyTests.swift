import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A tool without a driver of its own, by its commands: a register of names and values that a process serves.
@Suite struct CommandJourneyTests {
    /// The tool and a system that has it.
    private struct World {
        let directory: FilePath
        let runner: CommandLineRunner
        var state: FilePath { directory.appending("state") }

        /// The scripts of the tool; `restore` is the body of the one that restores.
        init(_ directory: FilePath, restore: String? = nil, capture: String? = nil, more: [String] = [])
            async throws
        {
            self.directory = directory
            runner = try CommandLineRunner(directory)
            try Files.makeDirectory(directory.appending("tree"))
            try Files.replace(directory.appending("tree/a.conf"), with: Array("1\n".utf8))
            try Files.makeDirectory(directory.appending("state"))
            let place = directory.appending("state")
            try Files.replace(place.appending("names"), with: Array("a=1\nb=2\n".utf8))
            try script("capture", capture ?? "mkdir -p sub; cp \(place)/names sub/names; echo 7 > format")
            try script(
                "restore",
                restore
                    ?? "test -s sub/names; sleep 0.1; cp sub/names \(place)/names.new; mv \(place)/names.new \(place)/names"
            )
            try await runner.initialize("tree")
            let lines = [
                "  register:", "    driver: command", "    capture: \(directory)/capture",
                "    restore: \(directory)/restore", "    version: echo 3.1", "    limit: 20s",
            ]
            let component = (lines + more.map { "    \($0)" }).joined(separator: "\n") + "\n"
            try runner.describe(component)
        }

        func script(_ name: String, _ body: String) throws {
            try Files.replace(
                directory.appending(name), with: Array("#!/bin/sh -eu\n\(body)\n".utf8), mode: 0o755)
        }

        func set(_ text: String) throws {
            try Files.replace(state.appending("names"), with: Array(text.utf8))
        }
        func names() throws -> String {
            String(decoding: try Files.read(state.appending("names")), as: UTF8.self)
        }
    }

    @Test func aDrillSaysThatItRunsNoCommandThatRestores() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("snapshot")
            let drill = try await world.runner.succeed("drill")
            #expect(
                drill.contains("(verify, restore, load, boot); without the loading of register"), "\(drill)")
            let status = try await world.runner.succeed("status")
            #expect(status.contains("; without the loading of register"), "\(status)")
        }
    }

    @Test func aToolComesBackByItsCommandAndUndoBringsWhatWasThere() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            let taken = try await world.runner.succeed("snapshot")
            #expect(taken.contains("command  3.1"), "\(taken)")
            #expect(try await world.runner.succeed("snapshot").contains("no change"))
            try world.set("worse\n")
            #expect(try await world.runner.succeed("diff").contains("export"))
            let plan = try await world.runner.succeed("restore", "--dry-run")
            #expect(plan.contains("register: restored by its own command from 2 files, 10 bytes"), "\(plan)")
            let report = try await world.runner.succeed("restore")
            #expect(try world.names() == "a=1\nb=2\n")
            #expect(
                report.contains("register: captured again, it is what the snapshot holds")
                    && report.contains("proven: read back"), "\(report)")
            try await world.runner.succeed("undo")
            #expect(try world.names() == "worse\n")
            let objects = try await shell(
                "set -o pipefail; git -C tree.git cat-file --batch-all-objects --batch | { grep -ac 'a=1' || true; }",
                in: directory)
            #expect(objects == "0\n", "what a tool keeps is sealed")
        }
    }

    @Test func thatItIsSealedWithAnotherKeyIsNoChangeOfAnExport() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("snapshot")
            try await world.runner.succeed("key", "rotate", "--generate", "second.key")
            let same = try await world.runner.succeed("snapshot")
            #expect(same.contains("no change"), "\(same)")
            try world.set("a=1\nb=20\n")
            try await world.runner.succeed("key", "rotate", "--generate", "third.key")
            try await world.runner.succeed("snapshot")
            let changed = try await world.runner.succeed("diff", "latest~1", "latest")
            #expect(
                changed.contains("export  sub/names") && !changed.contains("  format"), "\(changed)")
        }
    }

    @Test func aCaptureThatFailsIsNamedAndTheRestIsCaptured() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            try await world.runner.succeed("snapshot")
            for (body, words) in [
                ("echo it broke >&2; exit 4", "ended with status 4: it broke"), ("true", "wrote no file"),
                ("ln -s /etc/passwd link; echo 1 > one", "only regular files are kept"),
            ] {
                try world.script("capture", body)
                let taken = try await world.runner.run("snapshot")
                #expect(taken.status == 3 && taken.output.contains(words), "\(taken.output)")
                #expect(
                    try await world.runner.succeed("show", "latest", "tree/files\(directory)/tree/a.conf")
                        == "1\n")
            }
            try await world.runner.checkStore(directory.appending("tree.git"))
        }
    }

    @Test func aRestoreThatFailsPutsBackWhatWasThere() async throws {
        try await withTemporaryDirectory { directory in
            let place = directory.appending("state/names")
            // It breaks what is there, and fails on what the snapshot holds.
            let world = try await World(
                directory, restore: "cp sub/names \(place); ! grep -q 'a=1' sub/names")
            try await world.runner.succeed("snapshot")
            try world.set("worse\n")
            let failed = try await world.runner.run("restore")
            #expect(
                failed.status == 1 && failed.errorOutput.contains("the old system is back as it was"),
                "\(failed.errorOutput)")
            #expect(try world.names() == "worse\n")
        }
    }

    @Test func aRestoreKilledInItsCommandIsTakenBackByTheNext() async throws {
        try await withTemporaryDirectory { directory in
            let place = directory.appending("state")
            let world = try await World(
                directory,
                restore: "touch \(place)/begun; "
                    + "while test ! -e \(directory)/go && test -d \(directory); do sleep 0.1; done; "
                    + "cp sub/names \(place)/names; rm \(place)/begun")
            try await world.runner.succeed("snapshot")
            try world.set("worse\n")
            async let killed = world.runner.run(
                under: ["/bin/sh", "-c", "echo $$ > pid; exec \"$@\"", "sh"], ["restore", "latest"])
            try await wait("the command") { try Files.exists(place.appending("begun")) }
            let pid = String(decoding: try Files.read(directory.appending("pid")), as: UTF8.self)
            try await Program("kill", ["-KILL", String(pid.dropLast())]).runSuccessfully()
            #expect(try await killed.status != 0)
            try Files.replace(directory.appending("go"), with: [])
            // The command outlived us; what takes it back waits for its end.
            #expect(try await world.runner.run("undo").status == 0)
            #expect(try world.names() == "worse\n")
            try await world.runner.succeed("restore", "latest")
            #expect(try world.names() == "a=1\nb=2\n")
        }
    }

    @Test func aLostToolIsRestoredAndTheReportSaysThatThereIsNoWayBack() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(
                directory, restore: "mkdir -p \(directory)/state; cp sub/names \(directory)/state/names")
            try await world.runner.succeed("snapshot")
            try Files.removeTree(world.state)
            let report = try await world.runner.succeed("restore")
            #expect(report.contains("there is no way back"), "\(report)")
            #expect(report.contains("undo' cannot revert it: nothing of register"), "\(report)")
            #expect(!report.contains("undo' reverts it") && !report.contains("kept for 'undo'"), "\(report)")
            #expect(try world.names() == "a=1\nb=2\n")
            let undo = try await world.runner.run("undo")
            #expect(undo.status == 7 && undo.errorOutput.contains("has nothing to go back to"))
        }
    }

    @Test func startStopAndProbesAreCommands() async throws {
        try await withTemporaryDirectory { directory in
            let up = directory.appending("up")
            let world = try await World(
                directory,
                more: [
                    "start: touch \(up)", "stop: rm -f \(up)", "ready: test -e \(up)",
                    "healthy: \"test -s \(directory)/state/names || { echo no names; false; }\"",
                ])
            try await world.runner.succeed("snapshot")
            try Files.replace(up, with: [])
            try world.set("worse\n")
            let plan = try await world.runner.succeed("restore", "--dry-run")
            #expect(plan.contains("stops for the exchange and starts again: register"), "\(plan)")
            let report = try await world.runner.succeed("restore")
            #expect(report.contains("started and healthy: register"), "\(report)")
            #expect(try Files.exists(up))
        }
    }

    @Test func theCheckPassesWhatKeepsTheContractAndNamesWhatDoesNot() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            let good = try await world.runner.run("driver", "check", "register", "--restore")
            #expect(good.status == 0, "\(good.output) \(good.errorOutput)")
            #expect(
                good.output.split(separator: "\n").count { $0.hasPrefix("  ok  ") } == 8, "\(good.output)")
            #expect(try world.names() == "a=1\nb=2\n")
            let place = world.state
            for (restore, capture, breach) in [
                ("", "date +%N > now", "a second capture of the idle tool is the same bytes"),
                ("true", "", "restore of an empty directory fails"),
                (
                    "test -s sub/names; cat sub/names >> \(place)/names", "",
                    "captured again it is the same bytes"
                ),
                ("test -s sub/names; echo x > more", "", "leaves the directory that it reads alone"),
                (
                    "test -s sub/names; test ! -e \(place)/lock; : > \(place)/lock; sleep 0.3; rm \(place)/lock",
                    "",
                    "killed in the middle"
                ),
            ] {
                let old = try Files.read(directory.appending("restore"))
                let oldCapture = try Files.read(directory.appending("capture"))
                if !restore.isEmpty { try world.script("restore", restore) }
                if !capture.isEmpty { try world.script("capture", capture) }
                let found = try await world.runner.run("driver", "check", "register", "--restore")
                #expect(found.status == 1, "\(breach)")
                let failed = found.output.split(separator: "\n").filter { $0.hasPrefix("  FAIL") }
                #expect(failed.contains { $0.contains(breach) }, "\(breach): \(found.output)")
                try Files.replace(directory.appending("restore"), with: old, mode: 0o755)
                try Files.replace(directory.appending("capture"), with: oldCapture, mode: 0o755)
                try world.set("a=1\nb=2\n")
                try Files.remove(place.appending("lock"))
            }
        }
    }

    @Test func mistakesInTheCommandsAreTold() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await World(directory, more: ["start: 'true'"])
            let only = try await world.runner.run("snapshot")
            #expect(only.status == 64 && only.errorOutput.contains("only one of 'start' and 'stop'"))
        }
        try await withTemporaryDirectory { directory in
            let world = try await World(directory)
            let other = try await world.runner.run("driver", "check", "tree")
            #expect(other.status == 64, "\(other.output)\(other.errorOutput)")
            #expect(
                other.errorOutput.contains("'tree' is not a component with driver 'command'"),
                "\(other.errorOutput)")
        }
    }
}
