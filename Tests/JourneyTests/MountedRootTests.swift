import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A captured directory that is a mount point, as a disk or a container's volume is one: what is in it comes back name by name.
@Suite struct MountedRootTests {
    /// A volume and the place at which it is mounted, for each command by itself.
    private struct World {
        let directory: FilePath
        let runner: CommandLineRunner
        var volume: FilePath { directory.appending("volume") }
        var before: FilePath { directory.appending("before") }

        func mounting(_ more: [String] = []) -> [String] {
            ["bwrap", "--dev-bind", "/", "/", "--bind", volume.string, "\(directory)/home"] + more
        }

        @discardableResult
        func succeed(_ arguments: String...) async throws -> String {
            let outcome = try await runner.run(under: mounting(), arguments)
            #expect(outcome.status == 0, "\(arguments): \(outcome.output)\(outcome.errorOutput)")
            return outcome.output
        }

        /// What differs from before the restore: of directories in which we made and removed something not the time.
        func changes() async throws -> String {
            try await shell("rsync -naHAXOc --delete --itemize-changes changed/ volume/", in: directory)
        }

        /// What is ours in the volume.
        func ours() throws -> Int { try Files.names(volume).count { $0.starts(with: ".understudy-".utf8) } }
    }

    /// Gives a test a snapshot of a volume, and a volume that is another since; `before` has what was captured, `changed` what is
    /// there now.
    private func withVolume(_ test: (World) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let world = World(directory: directory, runner: try CommandLineRunner(directory))
            try await shell(
                """
                mkdir -p home volume/jobs/a volume/plugins volume/gone
                echo 1 > volume/config; echo 1 > volume/jobs/a/config; echo 1 > volume/gone/file; echo 1 > volume/both
                ln -s jobs/a volume/link; chmod 750 volume; touch -d 2020-01-01 volume
                """, in: directory)
            let outcome = try await world.runner.run(
                under: world.mounting(), ["init", "home", "--recovery-key", CommandLineRunner.recoveryKey])
            try #require(outcome.status == 0, "\(outcome.errorOutput)")
            try await world.succeed("snapshot")
            try await shell(
                """
                cp -a volume before
                echo 2 > volume/jobs/a/config; rm -r volume/gone volume/link; mkdir volume/link volume/new; echo n > volume/new/n
                rm volume/both; mkdir volume/both; chmod 700 volume
                cp -a volume changed
                """, in: directory)
            try await test(world)
        }
    }

    @Test func whatIsInItComesBackAndGoesBack() async throws {
        try await withVolume { world in
            let plan = try await world.succeed("restore", "--dry-run")
            #expect(plan.contains("home is a mount point: it stays"), "\(plan)")
            #expect(try world.ours() == 0)
            let report = try await world.succeed("restore")
            #expect(report.contains("proven: read back, it equals the snapshot"), "\(report)")
            #expect(try world.ours() == 1, "what undo needs")
            try await shell(
                "mkdir without; cp -a volume/. without; rm -r without/.understudy-*", in: world.directory)
            try await shell("touch -r volume without", in: world.directory)
            #expect(
                try await world.runner.differences(world.before, world.directory.appending("without")) == "")
            #expect(try await world.succeed("diff").contains("no change"))
            let night = try await world.succeed("snapshot")
            #expect(!night.contains(".understudy-"), "what is kept for undo is not captured: \(night)")
            // As a service does with what is its own.
            try await shell(
                """
                cd volume; echo 3 > x; mv x config; rm jobs/a/config; mkdir new; echo 3 > new/3; mkdir since; echo 3 > since/3
                rm -r gone; touch $'\\xff'
                """, in: world.directory)
            let undo = try await world.succeed("undo", "--dry-run")
            #expect(undo.contains("\(world.directory)/home\n"), "\(undo)")
            try await world.succeed("undo")
            #expect(
                try await world.changes() == "")
            let times = try await shell("stat -c %.9Y volume changed | uniq | wc -l", in: world.directory)
            #expect(times == "1\n", "the root's own time is back too")
        }
    }

    /// As one comes from a Mac.
    @Test func namesThatOnlyLookEqualAreTwo() async throws {
        try await withVolume { world in
            try await shell("echo 1 > $'volume/e\\xcc\\x81'", in: world.directory)
            try await world.succeed("snapshot")
            try await shell(
                "cd volume; rm $'e\\xcc\\x81'; echo 2 > $'\\xc3\\xa9'; cd ..; rm -r changed; cp -a volume changed",
                in: world.directory)
            try await world.succeed("restore")
            let text = try await shell(
                "cat $'volume/e\\xcc\\x81'; test ! -e $'volume/\\xc3\\xa9'", in: world.directory)
            #expect(text == "1\n")
            try await world.succeed("undo")
            #expect(try await world.changes() == "")
        }
    }

    @Test func oneFileOfItComesBackAndGoesBack() async throws {
        try await withVolume { world in
            let file = "\(world.directory)/home/jobs/a/config"
            try await world.succeed("restore", "--only", "file:\(file)")
            #expect(
                try await shell("cat volume/jobs/a/config; ls volume/new", in: world.directory) == "1\nn\n")
            try await world.succeed("undo")
            #expect(
                try await world.changes() == "")
        }
    }

    @Test func aRestoreKilledAmidTheNamesIsTakenBack() async throws {
        try await withVolume { world in
            var killed = 0
            for number in 1...20 {
                let outcome = try await world.runner.run(
                    under: world.mounting([
                        "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2",
                        "-e",
                        "inject=renameat2:signal=KILL:when=\(number)",
                    ]), ["restore"])
                guard outcome.status == 128 + 9 else {
                    try #require(outcome.status == 0, "at \(number): \(outcome.errorOutput)")
                    try await world.succeed("undo")
                    break
                }
                killed += 1
                if number.isMultiple(of: 2) {
                    try await world.succeed("undo")
                } else {
                    try await world.succeed("restore")
                    try await world.succeed("undo")
                }
                #expect(
                    try await world.changes() == "",
                    "at \(number)")
            }
            #expect(killed >= 5, "of the names of the volume only \(killed)")
        }
    }

    /// As after a start of the host at which the disk did not come.
    @Test(arguments: [false, true]) func nothingIsTakenBackInADirectoryBelowTheMountPoint(
        _ isInterrupted: Bool
    ) async throws {
        try await withVolume { world in
            // All that the snapshot holds is new there then.
            try await shell(
                "rm -r changed; find volume -mindepth 1 -delete; cp -a volume changed", in: world.directory)
            try await world.succeed("restore")
            if isInterrupted {
                try replaceText(
                    "\"phase\" : \"done\"", with: "\"phase\" : \"exchanging\"",
                    in: world.directory.appending("home.git/understudy/restore.json"))
            }
            let outcome = try await world.runner.run("undo")
            #expect(
                outcome.status == (isInterrupted ? 1 : 7)
                    && outcome.errorOutput.contains("mount what belongs at \(world.directory)/home"),
                "\(outcome.errorOutput)")
            try await world.succeed("undo")
            #expect(try await world.changes() == "")
            #expect(try world.ours() == 0)
        }
    }

    /// Where the disk was full all is put back, and what was staged is removed; the journal still says the old.
    @Test func whatIsBackAndWasNotWrittenDownIsLeftAlone() async throws {
        try await withVolume { world in
            try await world.succeed("restore")
            let journal = world.directory.appending("home.git/understudy/restore.json")
            try replaceText("\"phase\" : \"done\"", with: "\"phase\" : \"exchanging\"", in: journal)
            try await shell("cp \(journal) kept", in: world.directory)
            try await world.succeed("undo")
            // As a service does that runs again.
            try await shell(
                "cp kept \(journal); cp -p volume/config new; mv new volume/config; touch volume/late volume/gone",
                in: world.directory)
            try await world.succeed("undo")
            try await shell("rm volume/late volume/gone", in: world.directory)
            #expect(try await world.changes() == "")
            #expect(try await world.runner.run(under: world.mounting(), ["undo"]).status == 7)
        }
    }

    /// As on NFS.
    @Test func whatCannotExchangeIsRefusedBeforeAnythingIsTouched() async throws {
        try await withVolume { world in
            let outcome = try await world.runner.run(
                under: world.mounting([
                    "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2",
                    "-e", "inject=renameat2:error=EINVAL",
                ]), ["restore"])
            #expect(
                outcome.status == 7 && outcome.errorOutput.contains("cannot exchange two names"),
                "\(outcome.errorOutput)")
            #expect(try await world.changes() == "")
            #expect(try world.ours() == 0)
        }
    }

    /// It cannot go with what came since, and that would be met when all else is back.
    @Test func whatIsMountedInItSinceIsRefusedBeforeAnythingIsTakenBack() async throws {
        try await withVolume { world in
            try await world.succeed("restore")
            try await shell("mkdir volume/since other", in: world.directory)
            let since = "\(world.directory)/home/since"
            let outcome = try await world.runner.run(
                under: world.mounting(["--bind", "\(world.directory)/other", since]), ["undo"])
            #expect(
                outcome.status == 7 && outcome.errorOutput.contains("something is mounted at \(since)"),
                "\(outcome.errorOutput)")
            #expect(try await shell("cat volume/jobs/a/config", in: world.directory) == "1\n")
            try await world.succeed("undo")
            #expect(try await world.changes() == "")
        }
    }

    @Test func aNameThatNoJournalCanHoldIsARefusal() async throws {
        try await withVolume { world in
            try await shell("touch $'volume/\\xff'", in: world.directory)
            let outcome = try await world.runner.run(under: world.mounting(), ["restore"])
            #expect(
                outcome.status == 7 && outcome.errorOutput.contains("is no UTF-8"), "\(outcome.errorOutput)")
            #expect(try world.ours() == 0)
        }
    }
}
