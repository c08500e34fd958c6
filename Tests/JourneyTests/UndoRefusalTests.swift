import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// What `undo` refuses, before anything is changed.
@Suite struct UndoRefusalTests {
    @Test func undoRefusesWhenWhatWasKeptIsGone() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory)
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
            let world = try await TakingBackWorld(directory, [("tool", [])])
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

    @Test func aDryRunOfUndoRefusesWhatUndoRefuses() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory, [("tool", [])])
            try await world.runner.succeed("restore")
            #expect(try await world.runner.succeed("undo", "--dry-run").contains("would undo the restore"))
            try await world.shell("rm -r tree.git/understudy/applied-*/before")
            for arguments in [["undo", "--dry-run"], ["undo"]] {
                let refused = try await world.runner.run(arguments, limit: .seconds(60))
                #expect(refused.status == 7, "\(arguments): \(refused.output)\(refused.errorOutput)")
            }
        }
    }

    /// Nothing else keeps what came since.
    @Test func whatCannotBeSavedIsNotGivenUpUnasked() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await TakingBackWorld(directory, [("tool", [])])
            try await world.runner.succeed("restore")
            try world.set("3\n")
            _ = try world.done()
            try await world.shell("mv tree.git/objects/pack packs; ln -s nowhere tree.git/objects/pack")
            let refused = try await world.runner.run("undo")
            #expect(
                refused.status == 7 && refused.errorOutput.contains("could not be saved before: "),
                "\(refused.errorOutput)")
            #expect(try world.text() == "3\n" && world.done() == [])
            let report = try await world.runner.succeed("undo", "--unsaved")
            #expect(report.contains("what was there could not be captured"), "\(report)")
            #expect(try world.text() == "2\n" && world.up() == ["tool"])
        }
    }

    /// A tool that cannot be captured any more would lose all that it took since.
    @Test func aToolThatCannotBeSavedIsNotGivenUpUnasked() async throws {
        try await withTemporaryDirectory { directory in
            let capture = "capture: test ! -e \(directory)/broken && echo 1 > f"
            let world = try await TakingBackWorld(directory, [("tool", [capture])])
            try await world.runner.succeed("restore")
            try world.set("3\n")
            _ = try world.done()
            try await world.shell("touch broken")
            let refused = try await world.runner.run("undo")
            #expect(
                refused.status == 7
                    && refused.errorOutput.contains("could not be saved before: tool: database/export"),
                "\(refused.errorOutput)")
            #expect(try world.text() == "3\n" && world.done() == [])
            let report = try await world.runner.succeed("undo", "--unsaved")
            #expect(report.contains("lacks 1 part of it, and that is gone"), "\(report)")
            #expect(try world.text() == "2\n" && world.up() == ["tool"])
        }
    }

    /// What the snapshot lacks of a tool was not restored, and does not go.
    @Test func aToolThatTheRestoreLeftAloneHindersNoUndo() async throws {
        try await withTemporaryDirectory { directory in
            let capture = "capture: test ! -e \(directory)/broken && echo 1 > f"
            let world = try await TakingBackWorld(directory, [("tool", [capture])])
            try await world.shell("touch broken")
            #expect(try await world.runner.run("snapshot").status == 3)
            try world.set("3\n")
            try await world.runner.succeed("restore", "--partial")
            #expect(try world.text() == "2\n")
            try await world.runner.succeed("undo")
            #expect(try world.text() == "3\n" && world.up() == ["tool"])
        }
    }
}
