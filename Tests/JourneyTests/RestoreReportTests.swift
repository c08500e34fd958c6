import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// What a restore says of itself when not all of it went well, or not all of the snapshot came back.
@Suite struct RestoreReportTests {
    @Test func aPartOfASnapshotProvesNothingOfTheWhole() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory, [("tool", [])])
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
            let world = try await TakingBackWorld(directory)
            try await world.shell("mkdir -p tree.git/refs/evidence/tree/restores/in-the-way")
            let report = try await world.runner.succeed("restore")
            #expect(report.contains("not proven: the record of this restore could not be kept"), "\(report)")
            #expect(try world.text() == "1\n")
            try await world.runner.succeed("undo")
            #expect(try world.text() == "2\n")
        }
    }

    @Test func whatThePolicyLeavesOutAndGoesIsCountedAndTold() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory)
            let quiet = try await world.runner.succeed("restore", "--dry-run")
            #expect(!quiet.contains("that the policy leaves out"), "\(quiet)")
            try await world.shell(
                """
                mkdir -p tree/sub/logs/old; echo l > tree/sub/logs/1; echo l > tree/sub/logs/old/2; echo c > tree/cache
                cat >policies/snapshot.yaml <<'END'
                classify:
                  - {component: tree, path: "**/logs/**", class: bulk}
                  - {component: tree, path: cache, class: derived}
                skip: [bulk]
                END
                echo s > tree/sub/s
                """)
            try await world.runner.succeed("snapshot")
            let bulk =
                "2 files of class bulk that the policy leaves out (first: \(directory)/tree/sub/logs/1) are not in the snapshot"
            let derived = "1 file of class derived that the policy leaves out (\(directory)/tree/cache)"
            for options in [["--dry-run"], ["--dry-run", "--format", "json"], []] {
                let said = try await world.runner.run(["restore"] + options, limit: .seconds(60)).output
                #expect(said.contains(bulk) && said.contains(derived), "\(said)")
                if options.count > 1 { #expect(said.contains("\"delete\" : 3"), "\(said)") }
            }
            #expect(try await world.shell("find tree -type f | sort") == "tree/a\ntree/sub/s\n")
            try await world.runner.succeed("undo")
            let item = try await world.runner.succeed(
                "restore", "--only", "file:\(directory)/tree/sub", "--dry-run")
            #expect(item.contains(bulk) && !item.contains(derived), "\(item)")
            #expect(try await world.shell("cat tree/cache tree/sub/logs/old/2") == "c\nl\n")
        }
    }

    @Test func whatCannotBeRemovedAfterAFailureDoesNotHideIt() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory)
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

    /// On an empty machine the system file, which `undo` reads, is written at the end.
    @Test func aFailedRestoreFromACopyNamesNoUndoBeforeThereIsASystemFile() async throws {
        try await withTemporaryDirectory { directory in
            let start = "start: test ! -e \(directory)/broken && touch \(directory)/up-tool"
            let world = try await TakingBackWorld(directory, [("tool", [start])])
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
            let world = try await TakingBackWorld(directory, [("tool", [start])])
            let report = try await world.runner.succeed(
                "restore", "--from", "tree.git", "--system", "later/understudy.yaml")
            #expect(report.contains("not proven: the system file or its policies"), "\(report)")
            #expect(try world.text() == "1\n")
        }
    }
}
