import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Whole journeys on real files with the binary, judged by stock tools.
@Suite struct FilesJourneyTests {
    /// A tree with everything that a file can be.
    private func makeTree(in directory: FilePath) async throws {
        try await shell(
            #"""
            mkdir -p tree/sub/empty tree/.git tree/.GIT tree/git~1 tree/a.chunks 'tree/with space' tree/deep/er
            echo hello > tree/a.conf; ln tree/a.conf tree/sub/hard; ln -s /nowhere tree/dangling; ln -s a.conf tree/link
            printf x > $'tree/new\nline'; printf y > $'tree/\xff\xfe'; printf z > tree/%41; echo 1 > tree/a.chunks/00000000
            echo ref > tree/.git/HEAD; echo ref > tree/.GIT/HEAD; echo e > tree/git~1/e; : > tree/empty
            printf l > "tree/$(printf 'n%.0s' {1..255})"; chmod 4755 tree/a.conf; chmod 1777 tree/sub
            # Only root reads what its mode keeps everybody from.
            if [ $(id -u) = 0 ]; then chmod 000 tree/empty; fi
            truncate -s 20M tree/sparse; echo end >> tree/sparse; head -c 12000000 /dev/urandom > tree/large.bin
            setfattr -n user.note -v bar tree/link 2>/dev/null || setfattr -n user.note -v bar tree/large.bin
            setfacl -m u:1234:rwx tree/deep; mkfifo tree/fifo; touch -d '1969-12-31 23:59:58.5Z' tree/deep/er
            touch -d '2020-02-02 02:02:02.5Z' tree
            """#, in: directory)
    }

    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        try await makeTree(in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        return runner
    }

    /// A tree of two files, for what has nothing to do with what files can be.
    private func startSmall(_ directory: FilePath) async throws -> CommandLineRunner {
        try await shell("mkdir -p tree/sub; echo hello > tree/a.conf; echo 1 > tree/sub/b", in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        return runner
    }

    @Test func aFailureDoesNothingToTheTerminal() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try CommandLineRunner(directory)
            try Files.makeDirectory(directory.appending("tree"))
            try await runner.initialize("tree")
            let outcome = try await runner.run("drill", "--report", "no\u{1b}]0;x\u{7}where/drill.html")
            #expect(outcome.status == 64)
            #expect(outcome.errorOutput.contains("no\\x1b]0;x\\x07where"))
            #expect(!outcome.errorOutput.utf8.contains(0x1b))
        }
    }

    @Test func aLostTreeComesBackToTheLastAttribute() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let output = try await runner.succeed("snapshot")
            #expect(output.contains("fifo: a fifo"))
            try await runner.checkStore(directory.appending("tree.git"))
            try await shell("rm tree/fifo; cp -a tree reference; rm -rf tree", in: directory)
            let report = try await runner.succeed("restore")
            #expect(report.contains("captured again, it has the snapshot's own tree"))
            // Removing the fifo moved the time of the directory itself.
            let found = try await runner.differences(
                directory.appending("reference"), directory.appending("tree"))
            #expect(found == ".d..t...... ./\n")
            try await shell(
                "git -C tree.git cat-file -p \"$(git -C tree.git for-each-ref --format='%(refname)' refs/snapshots)\":tree/manifest$PWD/tree/root.mtree > root.mtree; git -C tree.git ls-tree --name-only \"$(git -C tree.git for-each-ref --format='%(refname)' refs/snapshots)\":tree/manifest$PWD/tree/ | while read -r part; do git -C tree.git cat-file -p \"$(git -C tree.git for-each-ref --format='%(refname)' refs/snapshots)\":tree/manifest$PWD/tree/$part; done > all.mtree; mtree -f all.mtree -p tree",
                in: directory)
        }
    }

    @Test func aSnapshotLeavesTheTimesOfTheLastAccessAlone() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            // Before the last change: with `relatime` whoever reads it now leaves a trace.
            try await shell("find tree ! -type l -exec touch -a -d 2001-01-01Z {} +", in: directory)
            try await runner.succeed("snapshot")
            try await shell("echo more >> tree/sub/hard", in: directory)
            try await runner.succeed("snapshot")
            try await shell(
                "export TZ=UTC; ! find tree ! -type l -printf '%A+ %p\\0' | grep -zv ^2001-01-01",
                in: directory)
        }
    }

    @Test func aStoreStaysReadableThroughStockGitsCareAndClone() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            try await shell("echo more >> tree/a.conf", in: directory)
            try await runner.succeed("snapshot")
            try await shell(
                "git -C tree.git gc --quiet --aggressive --prune=now; git clone --quiet --mirror tree.git copy.git; git -C copy.git fsck --full --strict; git -C tree.git log -p tree > log; test -s log",
                in: directory)
            try await runner.succeed("verify", "--all")
            try await shell("rm tree/fifo; cp -a tree reference; rm -rf tree", in: directory)
            try await runner.succeed("restore")
            let found = try await runner.differences(
                directory.appending("reference"), directory.appending("tree"))
            #expect(found == ".d..t...... ./\n")
        }
    }

    @Test func aSnapshotCountsWhoseStatCacheCannotBeKept() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startSmall(directory)
            try await runner.succeed("snapshot")
            try await shell(
                "cache=$(ls tree.git/understudy/cache/*.stat); rm $cache; mkdir $cache; echo 2 > tree/a.conf",
                in: directory)
            let taken = try await runner.succeed("snapshot")
            let note = "note: tree: the next snapshot reads again"
            #expect(taken.contains("complete") && taken.contains(note), "\(taken)")
            #expect(try await runner.succeed("show", "latest", "tree/files\(directory)/tree/a.conf") == "2\n")
        }
    }

    /// What a restore put aside for people is theirs, and what it keeps for `undo` is nobody's.
    @Test func whatIsKeptForPeopleIsCapturedAndComesBack() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startSmall(directory)
            try await shell(
                "for i in 0 0-kept; do mkdir tree/sub/.understudy-20261128T171614Z-f092-$i; echo mine >tree/sub/.understudy-20261128T171614Z-f092-$i/c; done",
                in: directory)
            try await runner.succeed("snapshot")
            try await shell("rm -r tree/sub", in: directory)
            try await runner.succeed("restore")
            try await shell(
                "test -e tree/sub/.understudy-*-kept/c; test ! -e tree/sub/.understudy-*-0", in: directory)
        }
    }

    /// Of what a partial snapshot holds nobody can say that the system comes back; and what could not be saved is named.
    @Test func aPartialSnapshotProvesNothingAndWhatIsNotSavedIsNamed() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startSmall(directory)
            try await runner.succeed("snapshot")
            try await shell(
                "git init -q --bare tree/app.git; ln -s /nowhere tree/app.git/packed-refs", in: directory)
            let system = directory.appending("understudy.yaml")
            let text = String(decoding: try Files.read(system), as: UTF8.self)
            try Files.replace(
                system, with: Array(text.replacing("driver: files", with: "driver: git-repositories").utf8))
            #expect(try await runner.run("snapshot").status == 3)
            let restored = try await runner.succeed("restore", "--partial")
            #expect(restored.contains("not proven: the snapshot itself is partial"), "\(restored)")
            #expect(
                restored.contains("lacks 1 part of it") && restored.contains("app.git/packed-refs"),
                "\(restored)")
            #expect(try await !runner.succeed("snapshots").contains("proven "))
        }
    }

    @Test func aRestoreCanBeUndoneOnceAndTheSafetySnapshotIsNotTheLatest() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startSmall(directory)
            try await runner.succeed("snapshot", "-m", "good")
            try await shell(
                "echo bad > tree/a.conf; echo new > tree/new; cp -a tree bad", in: directory)
            let differences = try await runner.succeed("diff")
            #expect(differences.contains("tree/a.conf") && differences.contains("tree/new"))
            try await runner.succeed("restore")
            try await shell("echo since > tree/since", in: directory)
            let plan = try await runner.succeed("undo", "--dry-run")
            #expect(
                plan.contains(" s ago\n") && plan.contains("what changed there since then goes"), "\(plan)")
            let undone = try await runner.succeed("undo")
            #expect(undone.contains("the state before it is snapshot "), "\(undone)")
            let listed = try await runner.succeed("snapshots")
            #expect(listed.contains("before undoing the restore of "), "\(listed)")
            let safety = try #require(undone.split(whereSeparator: \.isWhitespace).last.map(String.init))
            try await runner.succeed("restore", safety, "--to", "saved")
            #expect(
                try await shell("cat saved/tree$PWD/tree/since; rm -r saved", in: directory) == "since\n")
            let (bad, tree) = (directory.appending("bad"), directory.appending("tree"))
            #expect(try await runner.differences(bad, tree) == "")
            #expect(try await runner.run("undo").status == 7)
            try await runner.succeed("restore")
            let again = try await runner.succeed("restore")
            #expect(again.contains("restored"))
            #expect(
                try await runner.succeed("show", "latest", "tree/files\(directory)/tree/a.conf") == "hello\n")
            #expect(try Files.read(tree.appending("a.conf")) == Array("hello\n".utf8))
        }
    }

    @Test func restoringBesideProductionLeavesItAlone() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startSmall(directory)
            try await runner.succeed("snapshot")
            try await shell("echo changed > tree/a.conf", in: directory)
            try await runner.succeed("restore", "--to", "beside")
            let restored = directory.appending("beside/tree").pushing(
                FilePath(String("\(directory)/tree".dropFirst())))
            #expect(try Files.read(restored.appending("a.conf")) == Array("hello\n".utf8))
            #expect(try Files.read(directory.appending("tree/a.conf")) == Array("changed\n".utf8))
        }
    }

    /// Directories above may hand down a group, an access list, or both; what comes back has its own and nothing else.
    @Test(arguments: ["chmod g+s out", "setfacl -d -m u:1234:rwx,g::rwx out", "umask 000; chmod 2777 out"])
    func whatADirectoryHandsDownDoesNotStayWithWhatIsRestored(_ script: String) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            try await shell("mkdir out; \(script)", in: directory)
            let report = try await runner.succeed("restore", "--to", "out")
            #expect(report.contains("captured again, it has the snapshot's own tree"))
            let restored = directory.appending("out/tree").pushing(
                FilePath(String("\(directory)/tree".dropFirst())))
            try await shell("rm tree/fifo; touch -d '2020-02-02 02:02:02.5Z' tree", in: directory)
            #expect(try await runner.differences(directory.appending("tree"), restored) == "")
        }
    }

    @Test func aDamagedObjectIsNamedAndNeverReachesProduction() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            try await shell(
                "pack=$(ls tree.git/objects/pack/*.pack); chmod u+w $pack; size=$(stat -c %s $pack); printf '\\377\\0\\377' | dd of=$pack bs=1 seek=$((size / 2)) conv=notrunc status=none; echo live > tree/a.conf",
                in: directory)
            let verdict = try await runner.run("verify")
            #expect(verdict.status == 6)
            #expect(verdict.output.contains("large.bin"), "\(verdict.output)")
            let restore = try await runner.run("restore")
            #expect(restore.status == 6, "\(restore.errorOutput)")
            #expect(try Files.read(directory.appending("tree/a.conf")) == Array("live\n".utf8))
            let names = try Files.names(directory).map { String(decoding: $0, as: UTF8.self) }
            #expect(!names.contains { $0.hasPrefix(".understudy-") })
        }
    }

    /// Noise and text of every length at which a block or a pair of files ends, in one directory, and more than one thread takes
    /// at once.
    @Test func largeFilesOfOneDirectoryComeBackWholeOrAreNamed() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                """
                mkdir tree; cd tree
                for size in 65535 65536 65537 61440 122879 122880 122881 184320 1000000; do
                    head -c $size /dev/urandom > noise-$size; seq 1000000 | head -c $size > text-$size
                done
                for number in 1 2 3; do head -c 40000000 /dev/urandom > large-$number; done
                truncate -s 200000 sparse; head -c 70000 /dev/urandom >> sparse; chmod 755 noise-122880
                """, in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            try await runner.succeed("restore", "--to", "out")
            let restored = directory.appending("out/tree").pushing(
                FilePath(String("\(directory)/tree".dropFirst())))
            #expect(try await runner.differences(directory.appending("tree"), restored) == "")

            let id = try await shell("git hash-object --no-filters tree/noise-1000000", in: directory)
            try await StoreDamage.flip(object: id, at: 500_000, in: directory.appending("tree.git"))
            let outcome = try await runner.run("restore", "--to", "again")
            #expect(outcome.status == 6, "\(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains("tree/noise-1000000 is damaged in the store"))
        }
    }

    /// A directory whose files several threads read, among them second names of one file, with a directory below and an attribute;
    /// on the next night some of them are others.
    @Test func aDirectoryThatSeveralThreadsReadIsWhole() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                """
                mkdir -p tree/below; cd tree
                for number in $(seq 40); do head -c 1500000 /dev/urandom > large-$number; done
                for number in $(seq 3000); do echo $number > small-$number; done
                ln large-7 below/also-7; ln small-9 zz-9; echo end > zzz
                setfattr -n user.note -v hello large-20
                """, in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            for (night, out) in ["one", "two"].enumerated() {
                if night > 0 {
                    try await shell(
                        "cd tree; for n in $(seq 1 2 40); do echo more >> large-$n; rm small-$n; done; rm zz-9",
                        in: directory)
                    try await runner.succeed("snapshot")
                }
                try await runner.succeed("restore", "--to", out)
                let restored = directory.appending(out).appending("tree").pushing(
                    FilePath(String("\(directory)/tree".dropFirst())))
                #expect(try await runner.differences(directory.appending("tree"), restored) == "")
                try await shell(
                    "test $(stat -c %i \(restored)/large-7) = $(stat -c %i \(restored)/below/also-7)",
                    in: directory)
            }
            try await runner.checkStore(directory.appending("tree.git"))
        }
    }

    @Test func aWriterThatIsNotAloneSaysWhoIsThere() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startSmall(directory)
            try Files.makeDirectory(directory.appending("tree.git/understudy"))
            async let holder = shell(
                "exec 9>>tree.git/understudy/lock; flock 9; echo 'the test' >&9; touch held; while [ ! -e seen ]; do sleep 0.05; done",
                in: directory)
            try await wait("the lock") { try Files.exists(directory.appending("held")) }
            let second = try await runner.run("snapshot")
            try Files.replace(directory.appending("seen"), with: [])
            _ = try await holder
            #expect(second.status == 11)
            #expect(second.errorOutput.contains("the test"))
            try await runner.succeed("snapshot")
        }
    }

    @Test(arguments: [
        ("rm -rf tree.git", 10, "there is no store"),
        ("git -C tree.git config understudy.format 99", 7, "format 99"),
        ("sed -i 's/driver: files/driver: teapot/' understudy.yaml", 64, "teapot"),
        ("sed -i 's/paths:/path:/' understudy.yaml", 64, "understudy.yaml:"),
        ("rm understudy.yaml", 64, "understudy init"),
        ("mv tree away", 1, "is not there"),
    ]) func mistakesAreToldWithTheRightStatus(_ script: String, _ status: Int32, _ words: String) async throws
    {
        try await withTemporaryDirectory { directory in
            let runner = try await startSmall(directory)
            try await shell(script, in: directory)
            let outcome = try await runner.run("snapshot")
            #expect(outcome.status == status, "\(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains(words), "\(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains("hint: "))
            let json = try await runner.run("--format", "json", "snapshot")
            #expect(json.errorOutput.contains("\"status\" : \(status)"))
        }
    }

    @Test func aPrefixThatFitsTwoSnapshotsIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startSmall(directory)
            try await runner.succeed("snapshot")
            try await runner.succeed("snapshot")
            let outcome = try await runner.run("show", "2")
            #expect(outcome.status == 1)
            #expect(outcome.errorOutput.contains("matches 2 snapshots"))
        }
    }
}
