import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A restore that is ended in the middle: what it says, and what becomes of it.
@Suite struct InterruptTests {
    @Test func whatTheSystemFileDoesNotDescribeAnyMoreIsNotTakenBackBelowWhoHasItOpen() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try CommandLineRunner(directory)
            let file = directory.appending("tree/a")
            try Files.makeDirectory(directory.appending("tree"))
            try Files.replace(file, with: Array("1\n".utf8))
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            try Files.replace(file, with: Array("2\n".utf8))
            try await runner.succeed("restore")
            try replaceText(
                "\"phase\" : \"done\"", with: "\"phase\" : \"exchanging\"",
                in: directory.appending("tree.git/understudy/restore.json"))
            try replaceText("  tree:\n", with: "  wood:\n", in: directory.appending("understudy.yaml"))
            let script = "sleep 60 9<tree/a & pid=$!; \"$@\"; status=$?; kill $pid; exit $status"
            let held = try await runner.run(under: ["/bin/sh", "-c", script, "sh"], ["undo"])
            #expect(
                held.status == 1 && held.errorOutput.contains("nothing was put back: process ")
                    && held.errorOutput.contains("does not describe 'tree' any more"), "\(held.errorOutput)")
            #expect(try Files.read(file) == Array("1\n".utf8))
            try await runner.succeed("undo")
            #expect(try Files.read(file) == Array("2\n".utf8))
        }
    }

    @Test(arguments: ["INT", "TERM", "HUP"])
    func whoEndsARestoreWhileItStartsIsToldHowItIsAndWhatToDo(_ signal: String) async throws {
        try await withTemporaryDirectory { directory in
            let (runner, tree) = try await snapshotTool(
                directory,
                start:
                    "touch \(directory)/starting; test ! -e \(directory)/slow || sleep 5; touch \(directory)/up",
                stop: "rm -f \(directory)/up")
            let outcome = try await restore(runner, endedBy: signal, after: "starting")
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
            #expect(
                outcome.errorOutput.contains("interrupted: the restore is in the middle: ")
                    && outcome.errorOutput.contains(
                        "hint: run 'understudy undo': it puts the old system back"),
                "\(outcome.errorOutput)")
            try Files.remove(directory.appending("slow"))
            try await runner.succeed("undo")
            #expect(try Files.read(tree.appending("a")) == Array("2\n".utf8))
            #expect(try Files.exists(directory.appending("up")))
        }
    }

    @Test func whoLooksWhileARestoreRunsIsNotToldThatItWasInterrupted() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(
                directory,
                [
                    (
                        "ci",
                        [
                            "restore: touch \(directory)/begun; while test ! -e \(directory)/go; do sleep 0.1; done"
                        ]
                    )
                ])
            let script = """
                import os, subprocess, sys, time
                restore = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, cwd='\(directory)')
                while not os.path.exists('\(directory)/begun') and restore.poll() is None: time.sleep(0.05)
                try:
                    for words in ['status'], ['status', '--check'], ['undo', '--dry-run'], ['restore', '--dry-run']:
                        outcome = subprocess.run([sys.argv[1]] + words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                        print(*words, outcome.returncode, outcome.stdout)
                finally:
                    open('\(directory)/go', 'w').close()
                print('ended', restore.wait())
                """
            let outcome = try await world.runner.run(under: ["python3", "-c", script], ["restore"])
            let running = "understudy restore, process "
            #expect(outcome.output.contains("ended 0"), "\(outcome.output)\(outcome.errorOutput)")
            #expect(!outcome.output.contains("interrupted"), "\(outcome.output)")
            #expect(outcome.output.ranges(of: running).count == 4, "\(outcome.output)")
            #expect(outcome.output.contains("undo --dry-run 11 "), "\(outcome.output)")
            #expect(!(try await world.runner.succeed("status").contains("running")))
        }
    }

    /// What outlived the restore would stop what undo has said is up.
    @Test(arguments: ["TERM", "HUP"])
    func theCommandThatStopsAToolEndsWithTheRestore(_ signal: String) async throws {
        try await withTemporaryDirectory { directory in
            let (runner, _) = try await snapshotTool(
                directory, start: "touch \(directory)/up",
                stop:
                    "touch \(directory)/stopping; test ! -e \(directory)/slow || sleep 3; rm -f \(directory)/up"
            )
            let outcome = try await restore(runner, endedBy: signal, after: "stopping")
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
            try await runner.succeed("undo")
            try await Task.sleep(for: .seconds(4))
            #expect(try Files.exists(directory.appending("up")))
        }
    }

    /// A tree and a tool that is up, snapshotted; then the tree is another one, and what the tool's commands do is slow.
    private func snapshotTool(
        _ directory: FilePath, start: String, stop: String
    ) async throws -> (runner: CommandLineRunner, tree: FilePath) {
        let runner = try CommandLineRunner(directory)
        let tree = directory.appending("tree")
        try Files.makeDirectory(tree)
        try Files.replace(tree.appending("a"), with: Array("1\n".utf8))
        try await runner.initialize("tree")
        try runner.describe(
            """
              ci:
                driver: command
                capture: echo 1 > f
                restore: "true"
                ready: test -e \(directory)/up
                start: \(start)
                stop: \(stop)

            """)
        try Files.replace(directory.appending("up"), with: [])
        try await runner.succeed("snapshot")
        try Files.replace(tree.appending("a"), with: Array("2\n".utf8))
        try Files.replace(directory.appending("slow"), with: [])
        return (runner, tree)
    }

    /// Runs a restore that gets a signal once a file is there; 0 when that ended it.
    private func restore(
        _ runner: CommandLineRunner, endedBy signal: String, after file: String
    ) async throws -> Program.Outcome {
        // Where the tests run in the background they may have been told to ignore SIGINT.
        let script = """
            import os, signal, subprocess, sys, time
            restore = subprocess.Popen(sys.argv[1:], preexec_fn=lambda: signal.signal(signal.SIG\(signal), signal.SIG_DFL))
            while not os.path.exists('\(file)') and restore.poll() is None: time.sleep(0.05)
            restore.send_signal(signal.SIG\(signal))
            sys.exit(0 if restore.wait() == -signal.SIG\(signal) else 1)
            """
        return try await runner.run(under: ["python3", "-c", script], ["restore"])
    }

    @Test func whoEndsARestoreWhileItStagesIsToldThatNothingWasExchanged() async throws {
        try await withTemporaryDirectory { directory in
            let slow = "touch \(directory)/capturing; test ! -e \(directory)/slow || sleep 3"
            let world = try await TakingBackWorld(directory, [("ci", ["capture: \(slow); echo 1 > f"])])
            try await world.shell("rm capturing; touch slow")
            let outcome = try await restore(world.runner, endedBy: "INT", after: "capturing")
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
            #expect(
                outcome.errorOutput.contains("interrupted: nothing was exchanged yet")
                    && outcome.errorOutput.contains("hint: run 'understudy undo': it removes what was staged"),
                "\(outcome.errorOutput)")
            #expect(try world.up() == ["ci"] && world.text() == "2\n")
            #expect(
                try await world.runner.succeed("undo").contains("interrupted before it changed anything"))
            #expect(try await world.shell("ls -A | grep -c ^.understudy- || true") == "0\n")
        }
    }
}
