import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// What an exchange would harm is refused before anything is touched.
@Suite struct RestoreRefusalTests {
    /// A captured tree that changed since, and a directory that is somebody else's.
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        try await shell(
            "mkdir -p tree/sub 'shared place'; echo 1 > tree/sub/a; echo s > 'shared place'/precious",
            in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try await runner.succeed("snapshot")
        try await shell("echo 2 > tree/sub/a; mkdir 'tree/a mount'; cp -a tree before", in: directory)
        return runner
    }

    /// What surrounds the command, what it says, and whether one file of the tree is refused too.
    enum Obstacle: String, CaseIterable {
        case below, openFile

        func program(_ directory: FilePath) -> [String] {
            let tree = "\(directory)/tree"
            return switch self {
            case .below:
                ["bwrap", "--dev-bind", "/", "/", "--bind", "\(directory)/shared place", "\(tree)/a mount"]
            case .openFile: ["/bin/bash", "-c", "exec 9<\(tree)/sub/a; \"$@\"; exit $?", "sh"]
            }
        }

        var words: String {
            switch self {
            case .below: "something is mounted at "
            case .openFile: "open, or something in it"
            }
        }
    }

    @Test(arguments: Obstacle.allCases) func aMountOrAnOpenFileIsARefusal(_ obstacle: Obstacle) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            var commands = [["restore"], ["restore", "--dry-run"]]
            if obstacle != .below { commands.append(["restore", "--only", "file:\(directory)/tree/sub/a"]) }
            for command in commands {
                let found = try await runner.run(under: obstacle.program(directory), command)
                let said = found.output + found.errorOutput
                #expect(found.status == 7 && said.contains(obstacle.words), "\(command): \(said)")
            }
            #expect(
                try await runner.differences(directory.appending("before"), directory.appending("tree")) == ""
            )
            #expect(try await shell("ls -A | grep -c ^.understudy- || true", in: directory) == "0\n")
        }
    }

    /// Where the mount came after the plan of the last restore, as a service that mounts by itself would bring it.
    @Test func whatIsMountedInWhatIsKeptForUndoIsNotRemovedWithIt() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("restore")
            let kept = try await shell("echo -n $PWD/.understudy-*/tree/sub", in: directory)
            let mounting = ["bwrap", "--dev-bind", "/", "/", "--bind", "\(directory)/shared place"]
            for place in [kept, "\(directory)/tree/sub"] {
                let undo = try await runner.run(under: mounting + [place], ["undo"])
                #expect(
                    undo.status == 7 && undo.errorOutput.contains("something is mounted at \(place)"),
                    "\(undo.errorOutput)")
            }
            let found = try await runner.run(under: mounting + [kept], ["restore"])
            #expect(found.status == 0, "\(found.errorOutput)")
            #expect(found.output.contains("remove what is mounted at \(kept)"), "\(found.output)")
            #expect(try await shell("ls -A | grep -c ^.understudy-", in: directory) == "2\n")
            #expect(try await shell("cat 'shared place/precious'", in: directory) == "s\n")
            try await runner.succeed("restore")
            #expect(
                try await shell("ls -A | grep -c ^.understudy-", in: directory) == "1\n",
                "it is removed as soon as it can be")
        }
    }

    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "only root locks files"))
    func whatCannotBeRemovedOfAnEarlierRestoreHindersNothing() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell("chattr +i tree/sub/a", in: directory)
            do {
                try await runner.succeed("restore")
                for _ in 0..<2 {
                    let report = try await runner.succeed("restore")
                    #expect(report.contains("do it by hand"), "\(report)")
                    #expect(
                        report.contains("tree/sub/a: Operation not permitted"),
                        "it is no directory: \(report)")
                }
                try await runner.succeed("undo")
                #expect(try await shell("cat tree/sub/a", in: directory) == "1\n")
                try await shell("chattr -R -i .", in: directory)
            } catch {
                try await shell("chattr -R -i .", in: directory)
                throw error
            }
            #expect(try await runner.run("undo").status == 7)
            #expect(try await shell("ls -A | grep -c ^.understudy- || true", in: directory) == "0\n")
        }
    }

    @Test func whoHasFilesOpenIsSeenThroughALinkAbove() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell("ln -s . here; sed -i s,/tree$,/here/tree, understudy.yaml", in: directory)
            try await runner.succeed("snapshot")
            let found = try await runner.run(under: Obstacle.openFile.program(directory), ["restore"])
            #expect(
                found.status == 7 && found.errorOutput.contains(Obstacle.openFile.words),
                "\(found.output)\(found.errorOutput)")
        }
    }

    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can run as somebody else"))
    func whoMayNotWriteBesideARootIsToldBefore() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let binary = try await runner.copyOfBinary()
            try await shell(
                "mkdir lib; mv tree lib/tree; sed -i s,/tree$,/lib/tree, understudy.yaml; chown -R 65534:65534 .; chown 0:0 lib",
                in: directory)
            let asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", binary.string]
            let words = "\(directory)/lib, in which it would be made and exchanged, cannot be written by "
            let identity = ["--identity", CommandLineRunner.recoveryKey]
            let taken = try await Program("setpriv", asNobody + ["snapshot"], directory: directory).run()
            #expect(taken.status == 0, "\(taken.output)\(taken.errorOutput)")
            let item = ["restore", "--only", "file:\(directory)/lib/tree/sub/a", "--dry-run"]
            let commands: [(arguments: [String], status: Int32)] = [
                (["restore", "--dry-run"] + identity, 7), (["restore"] + identity, 7), (item + identity, 7),
                (["doctor"], 1),
            ]
            for (arguments, status) in commands {
                let found = try await Program("setpriv", asNobody + arguments, directory: directory).run()
                let said = found.output + found.errorOutput
                #expect(found.status == status && said.contains(words), "\(arguments): \(said)")
            }
        }
    }

    @Test func besideProductionIsNotInIt() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell(
                "ln -s tree/sub link; ln -s tree.git store; mkdir out; ln -s ../tree out/tree", in: directory)
            for (place, words) in [
                ("tree", "which component 'tree' captures"),
                ("tree/new/er", "which component 'tree' captures"),
                ("link/new", "which component 'tree' captures"), ("out", "which component 'tree' captures"),
                ("tree.git", "would be written into the store"),
                ("store/understudy/x", "would be written into the store"),
            ] {
                for options in [["--dry-run"], []] {
                    let found = try await runner.run(
                        ["restore", "--to", place] + options, limit: .seconds(60))
                    let said = found.output + found.errorOutput
                    #expect(found.status == 7 && said.contains(words), "\(place): \(said)")
                }
            }
            #expect(try await runner.run("restore", "--to", "").status == 64)
            #expect(
                try await runner.differences(directory.appending("before"), directory.appending("tree")) == ""
            )
            #expect(try await shell("ls tree.git/understudy", in: directory).contains("x\n") == false)
        }
    }

    /// What a snapshot lacks of a system is told once: that it stays, or that it would be missing.
    @Test func whatTheSnapshotLacksIsToldOnce() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try CommandLineRunner(directory)
            try await shell("mkdir tree other; echo 1 > tree/a; echo 1 > other/a", in: directory)
            try await runner.initialize("tree")
            let file = directory.appending("understudy.yaml")
            try replaceText(
                "      - \(directory)/tree\n",
                with: "      - \(directory)/tree\n      - \(directory)/other\n",
                in: file)
            try await shell("mv other away", in: directory)
            #expect(try await runner.run("snapshot").status == 3)
            let missing = try await runner.run("restore", "--dry-run")
            let lost = "the snapshot lacks \(directory)/other of tree, which could not be read: "
            #expect(missing.output.contains("\(lost)it would be missing afterwards"), "\(missing.output)")
            #expect(!missing.output.contains("stays as it is"), "\(missing.output)")
            try await shell("mv away other", in: directory)
            let staying = try await runner.run("restore", "--dry-run")
            #expect(staying.status == 7, "\(staying.output)")
            #expect(staying.output.contains("\(lost)it would stay as it is now"), "\(staying.output)")
            #expect(!staying.output.contains("would be missing"), "\(staying.output)")
            let accepted = try await runner.succeed("restore", "--dry-run", "--partial")
            #expect(
                accepted.contains("\(directory)/other of tree is not in the snapshot, and stays as it is"),
                "\(accepted)")
        }
    }

    /// On a machine with nothing on it there is nothing to compare, nor to keep.
    @Test func whatIsNotThereIsNotToldAsUnread() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try CommandLineRunner(directory)
            try await shell("mkdir tree other; echo 1 > tree/a; echo 1 > other/a", in: directory)
            try await runner.initialize("tree")
            try replaceText(
                "      - \(directory)/tree\n",
                with: "      - \(directory)/tree\n      - \(directory)/other\n",
                in: directory.appending("understudy.yaml"))
            try await runner.succeed("snapshot")
            for lost in ["tree", "tree other"] {
                try await shell("rm -r \(lost)", in: directory)
                let plan = try await runner.succeed("restore", "--dry-run")
                #expect(!plan.contains("cannot be compared"), "\(plan)")
                let report = try await runner.succeed("restore")
                #expect(!report.contains("kept for 'undo'"), "\(report)")
                #expect(report.contains("proven: read back"), "\(report)")
            }
        }
    }

    /// A system file that names other places today than when a snapshot was taken.
    @Test func olderSnapshotsComeBackWhatEverTheSystemFileNamesToday() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let file = directory.appending("understudy.yaml")
            let old = String(decoding: try Files.read(file), as: UTF8.self)
            func name(_ paths: String...) throws {
                let lines = paths.map { "      - \(directory)/\($0)\n" }.joined()
                let text = old.replacing("      - \(directory)/tree\n", with: lines)
                try Files.replace(file, with: Array(text.utf8))
            }
            try await shell("mkdir more; echo m > more/m", in: directory)

            try name("tree", "more")
            let report = try await runner.succeed("restore")
            #expect(report.contains("captured again, it has the snapshot's own tree"), "\(report)")
            #expect(report.contains("\(directory)/more of tree is not in the snapshot, and stays as it is"))
            #expect(try await shell("cat tree/sub/a more/m", in: directory) == "1\nm\n")

            for other in ["more", "tree/sub"] {
                try name(other)
                let refused = try await runner.run("restore")
                #expect(
                    refused.status == 7
                        && refused.errorOutput.contains(
                            "\(directory)/tree of tree is in the snapshot, and not in the system file any more"
                        ),
                    "\(refused.errorOutput)")
                let single = try await runner.run("restore", "--only", "file:\(directory)/tree/sub/a")
                #expect(single.status == 7, "\(single.errorOutput)")
                let beside = try await runner.succeed("restore", "--to", "out")
                #expect(beside.contains("captured again, it has the snapshot's own tree"), "\(beside)")
                #expect(try await shell("cat out/tree$PWD/tree/sub/a; rm -r out", in: directory) == "1\n")
            }
        }
    }
}
