import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Single items restored into the live system: nothing else changes, and undo takes it back.
@Suite struct ItemJourneyTests {
    /// A directory, and the system that captures it.
    private func tree(_ directory: FilePath) async throws -> CommandLineRunner {
        try await shell(
            """
            mkdir -p tree/sub/deep tree/other; echo old > tree/sub/deep/a.conf; ln tree/sub/deep/a.conf tree/other/hard
            ln tree/sub/deep/a.conf tree/sub/deep/twin; ln -s deep tree/sub/link; echo key > tree/sub/id_rsa
            chmod 640 tree/sub/deep/a.conf; touch -d '2001-02-03 04:05:06.7Z' tree/sub/deep/a.conf; echo 1 > tree/other/b
            """, in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try await runner.succeed("snapshot")
        return runner
    }

    @Test func oneFileComesBackAndNothingElseChanges() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await tree(directory)
            try await shell(
                "cp -a tree good; echo bad > tree/sub/deep/new; mv tree/sub/deep/new tree/sub/deep/a.conf; echo 2 > tree/other/b; cp -a tree bad",
                in: directory)
            let file = "file:\(directory)/tree/sub/deep/a.conf"
            // What is equal stays, also when it is written anew.
            let key = "\(directory)/tree/sub/id_rsa"
            let equal = try await runner.succeed("restore", "--only", "file:\(key)", "--dry-run")
            #expect(equal.contains("\(key)  0       0        0       1"), "\(equal)")
            let plan = try await runner.succeed("restore", "--only", file, "--dry-run")
            #expect(plan.contains("\(directory)/tree/sub/deep/a.conf  0       1"), "\(plan)")
            let report = try await runner.succeed("restore", "--only", file)
            #expect(report.contains("every byte is the snapshot's") && report.contains("'understudy undo'"))
            #expect(
                try await shell(
                    "TZ=UTC stat -c '%a %y' tree/sub/deep/a.conf; cat tree/sub/deep/a.conf tree/other/b",
                    in: directory)
                    == "640 2001-02-03 04:05:06.700000000 +0000\nold\n2\n")
            let listed = try await runner.succeed("snapshots")
            #expect(listed.contains("before restoring \(file) of 20"), "\(listed)")
            let others = try await runner.differences(directory.appending("bad"), directory.appending("tree"))
            #expect(
                others.split(separator: "\n").allSatisfy {
                    $0.contains("sub/deep/a.conf") || $0.hasPrefix(".d..t")
                },
                "\(others)")
            try await runner.succeed("undo")
            let back = try await runner.differences(directory.appending("bad"), directory.appending("tree"))
            #expect(back.split(separator: "\n").allSatisfy { $0.hasPrefix(".d..t") }, "\(back)")
            #expect(try await runner.succeed("restore", "--only", file).contains("restored"))
            let night = try await runner.succeed("diff")
            #expect(!night.contains(".understudy"), "what is kept for undo is not captured: \(night)")
        }
    }

    @Test func whatCannotBeFoundIsSaidWithTheReason() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await tree(directory)
            try await shell("ln -s tree way; echo x > tree/$'a\\nb'", in: directory)
            try await runner.succeed("snapshot")
            let report = try await runner.succeed("restore", "--only", "file:\(directory)/tree/a\nb")
            #expect(report.contains("every byte is") && !report.contains("a\nb"), "\(report)")
            func refused(_ path: String, _ words: String) async throws {
                let outcome = try await runner.run("restore", "--only", "file:\(directory)/\(path)")
                #expect(
                    outcome.status == 7 && outcome.errorOutput.contains(words),
                    "\(path): \(outcome.errorOutput)")
            }
            try await refused("tree/sub/link/a.conf", "\(directory)/tree/sub/link is a link to deep")
            try await refused("way/sub/deep/a.conf", "--only file:\(directory)/tree/sub/deep/a.conf")
            try await shell(
                "mkdir another; sed -i 's/^  tree:/  another:/; s|/tree$|/another|' understudy.yaml",
                in: directory)
            try await refused("tree/sub/deep/a.conf", "which the system file does not describe any more")
        }
    }

    @Test func oneNameOfSeveralBecomesAFileOfItsOwnAndThatIsTold() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await tree(directory)
            let one = ["restore", "--only", "file:\(directory)/tree/other/hard"]
            let two = one + ["--only", "file:\(directory)/tree/sub/deep/twin"]
            let linked = try await runner.run(one, limit: .seconds(60))
            #expect(
                linked.output.contains(
                    "tree/other/hard is one of 3 names of a file: it becomes a file of its own"),
                "\(linked.output)\(linked.errorOutput)")
            #expect(try await shell("stat -c %h tree/other/hard", in: directory) == "1\n")
            try await shell("rm tree/sub/deep/twin", in: directory)
            let gone = try await runner.run(two, limit: .seconds(60))
            #expect(gone.output.contains("a file of its own"), "\(gone.output)\(gone.errorOutput)")
            #expect(!gone.output.contains("tree/other/hard is one of"), "\(gone.output)")
        }
    }

    @Test func aDirectoryComesBackWithSecretsLinksAndDeletions() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await tree(directory)
            try await shell(
                "cp -a tree good; rm -rf tree/sub/deep tree/sub/id_rsa; echo x > tree/sub/more", in: directory
            )
            // What stands alone is told apart: two items of one root, one of them gone with its directory.
            try await runner.succeed(
                "restore", "--only", "file:\(directory)/tree/sub/deep", "--only",
                "file:\(directory)/tree/sub/id_rsa")
            #expect(
                try await shell("ls tree/sub; cat tree/sub/deep/twin tree/sub/id_rsa", in: directory)
                    == "deep\nid_rsa\nlink\nmore\nold\nkey\n")
            #expect(
                try await shell("stat -c %h tree/sub/deep/a.conf", in: directory) == "2\n",
                "the names within the item are one file, the name outside is another")
            try await runner.succeed("restore", "--only", "file:\(directory)/tree/sub")
            #expect(try await shell("ls tree/sub", in: directory) == "deep\nid_rsa\nlink\n")
        }
    }

    @Test func whatCannotBeRestoredAloneIsRefusedBeforeAnythingIsTouched() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await tree(directory)
            try await shell("rm -rf tree/sub; cp -a tree before", in: directory)
            for (item, status, words) in [
                ("file:\(directory)/tree/none", 7, "has nothing at \(directory)/tree/none"),
                ("file:/somewhere/else", 7, "has no file:/somewhere/else"),
                ("file:\(directory)/tree", 7, "a whole component is restored with --component"),
                (
                    "file:\(directory)/tree/sub/deep/a.conf", 7,
                    "in which \(directory)/tree/sub/deep/a.conf would stand"
                ),
                ("job:none", 7, "has no job:none"), ("file:tree/sub", 64, "is not an item"),
                ("builder:x", 7, "has no builder:x"), ("worker:x", 64, "is not an item"),
            ] {
                let found = try await runner.run("restore", "--only", item)
                #expect(
                    found.status == status && found.errorOutput.contains(words),
                    "\(item): \(found.errorOutput)")
            }
            let both = try await runner.run(
                "restore", "--only", "file:\(directory)/tree/sub", "--only", "file:\(directory)/tree/sub/deep"
            )
            #expect(both.status == 7 && both.errorOutput.contains("lies in another item"))
            // A file in the place of the directory: no rights are missing.
            try await shell("echo x >tree/sub; cp -p tree/sub before; touch -r tree before", in: directory)
            let file = try await runner.run("restore", "--only", "file:\(directory)/tree/sub/deep")
            #expect(
                file.status == 7
                    && file.errorOutput.contains(
                        "error: \(directory)/tree/sub, in which it would be made, is no directory\nhint: move"
                    ),
                "\(file.errorOutput)")
            #expect(
                try await runner.differences(directory.appending("before"), directory.appending("tree")) == ""
            )
        }
    }

    @Test func nothingIsReplacedThroughALink() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await tree(directory)
            try await shell(
                "mkdir victim; echo v > victim/a.conf; mv tree/sub/deep aside; ln -s ../../victim tree/sub/deep",
                in: directory)
            let item = "file:\(directory)/tree/sub/deep/a.conf"
            for options in [["--dry-run"], []] {
                let found = try await runner.run(["restore", "--only", item] + options, limit: .seconds(60))
                let said = found.output + found.errorOutput
                #expect(
                    found.status == 7 && said.contains("\(directory)/tree/sub/deep is a link"), "\(said)")
            }
            #expect(try await shell("cat victim/a.conf; ls -A victim", in: directory) == "v\na.conf\n")

            try await shell("rm tree/sub/deep; mv aside tree/sub/deep", in: directory)
            try await runner.succeed("restore", "--only", item)
            try await shell("mv tree/sub/deep aside; ln -s ../../aside tree/sub/deep", in: directory)
            let undo = try await runner.run("undo")
            #expect(
                undo.status == 7 && undo.errorOutput.contains("\(directory)/tree/sub/deep is a link now"),
                "\(undo.errorOutput)")
            try await shell("rm tree/sub/deep; mv aside tree/sub/deep", in: directory)
            try await runner.succeed("undo")
        }
    }

    @Test func oneRepositoryComesBackWithItsObjectsAndPartsOfItAreRefused() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                """
                export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
                mkdir git; for name in one two; do
                    git init -q --bare git/$name.git; git init -q work-$name; cd work-$name
                    echo $name > f; git add f; git commit -qm $name; git push -q ../git/$name.git HEAD:refs/heads/main; cd ..
                done
                """, in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("git")
            try await runner.succeed("snapshot")
            let names = try await shell(
                "git -C git.git show \"$(git -C git.git for-each-ref --format='%(refname)' refs/snapshots)\":git/sources.lock | cut -f4-",
                in: directory)
            let root = try #require(names.split(separator: "\t").first)
            let main = try await shell(
                "git -C git/one.git rev-parse main; rm -rf git/one.git; git -C git/two.git update-ref refs/heads/more main; cp -a git/two.git two",
                in: directory)
            let part = try await runner.run("restore", "--only", "file:\(directory)/git/two.git/HEAD")
            #expect(
                part.status == 7 && part.errorOutput.contains("is part of the repository"),
                "\(part.errorOutput)")
            let unknown = try await runner.run("restore", "--only", "repository:other")
            #expect(
                unknown.status == 7
                    && unknown.errorOutput.contains("it has repository:\(root)/one.git, repository:"),
                "\(unknown.errorOutput)")
            // Its last part is enough.
            try await runner.succeed("restore", "--only", "repository:one")
            #expect(
                try await shell(
                    "git -C git/one.git fsck --full >&2; git -C git/one.git rev-parse main", in: directory)
                    == main)
            #expect(
                try await runner.differences(directory.appending("two"), directory.appending("git/two.git"))
                    == "")
            try await shell(
                "cd work-one; echo 2 > f; git -c user.name=a -c user.email=a@b commit -qam 2; git push -q ../git/one.git HEAD:main",
                in: directory)
        }
    }

    @Test func oneJobComesBackWithItsBuildsAndNumbersGoOn() async throws {
        try await withTemporaryDirectory { directory in
            var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
            builder.plugins = 2
            builder.jobs = 3
            builder.builds = 2
            try builder.make()
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins")
            try await runner.succeed("snapshot")
            try await shell(
                "echo 9 > jenkins/jobs/job-1/nextBuildNumber; echo '<broken/>' > jenkins/jobs/job-1/config.xml; echo x > jenkins/jobs/job-2/new; cp -a jenkins bad",
                in: directory)
            let report = try await runner.succeed("restore", "--only", "job:job-1")
            #expect(report.contains("fixed: jobs/job-1/nextBuildNumber"), "\(report)")
            #expect(
                try await shell(
                    "cat jenkins/jobs/job-1/nextBuildNumber; grep -c broken jenkins/jobs/job-1/config.xml || true",
                    in: directory) == "9\n0\n")
            let others = try await runner.differences(
                directory.appending("bad"), directory.appending("jenkins"))
            #expect(
                others.split(separator: "\n").allSatisfy {
                    $0.contains("jobs/job-1/") || $0.hasPrefix(".d..t")
                }, "\(others)")
            try await runner.succeed("undo")
            let back = try await runner.differences(
                directory.appending("bad"), directory.appending("jenkins"))
            #expect(back.split(separator: "\n").allSatisfy { $0.hasPrefix(".d..t") }, "\(back)")
        }
    }

    @Test func filesOfAJobAreLookedAfterAsTheJobIs() async throws {
        try await withTemporaryDirectory { directory in
            var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
            (builder.plugins, builder.jobs, builder.builds) = (2, 2, 2)
            try builder.make()
            try await shell(
                """
                mkdir jenkins/jobs/job-1/builds/3; echo 4 > jenkins/jobs/job-1/nextBuildNumber
                echo '<flow-build><completed>false</completed></flow-build>' > jenkins/jobs/job-1/builds/3/build.xml
                echo next > jenkins/jobs/job-1/builds/3/program.dat
                """, in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins")
            try await runner.succeed("snapshot")
            let job = "\(directory)/jenkins/jobs/job-1"
            for (item, fix) in [
                ("jenkins/jobs", "fixed: jobs/job-1/nextBuildNumber"),
                ("jenkins/jobs/job-1", "fixed: jobs/job-1/builds/3: aborted"),
                ("jenkins/jobs/job-1/builds", "fixed: jobs/job-1/builds/3: aborted"),
                ("jenkins/jobs/job-1/nextBuildNumber", "fixed: jobs/job-1/nextBuildNumber: 4 → 9"),
            ] {
                try await shell("echo 9 > \(job)/nextBuildNumber; rm -r \(job)/builds/3", in: directory)
                let report = try await runner.succeed("restore", "--only", "file:\(directory)/\(item)")
                #expect(report.contains(fix), "\(item): \(report)")
                let found = try await shell(
                    "cat \(job)/nextBuildNumber; ls \(job)/builds/*/program.dat || true", in: directory)
                #expect(found == "9\n", "\(item)")
                try await shell("mkdir -p \(job)/builds/3", in: directory)
            }
            let other = try await runner.succeed("restore", "--only", "file:\(job)/config.xml")
            #expect(!other.contains("fixed: "), "\(other)")
            let program = ["restore", "--only", "file:\(job)/builds/3/program.dat"]
            let failed = try await runner.run(program, limit: .seconds(60))
            #expect(
                failed.status == 1 && failed.errorOutput.contains("--resume-work"), "\(failed.errorOutput)")
            #expect(try await shell("ls -A \(job)/builds/3", in: directory) == "")
            let resumed = try await runner.run(program + ["--resume-work"], limit: .seconds(60))
            #expect(resumed.status == 0, "\(resumed.errorOutput)")
        }
    }

    @Test func aNameThatIsNoTextIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
            (builder.plugins, builder.jobs, builder.builds) = (2, 1, 1)
            try builder.make()
            try await shell("cp -a jenkins/jobs/job-0 $'jenkins/jobs/M\\xfcnchen'", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins")
            try await runner.succeed("snapshot")
            let refused = try await runner.run("restore", "--only", "job:M\\xfcnchen")
            #expect(
                refused.status == 7 && refused.errorOutput.contains("jobs/M\\xfcnchen is no UTF-8"),
                "\(refused.errorOutput)")
        }
    }

    @Test func aKillLeavesTheOldItemOrTheNewOne() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await tree(directory)
            try await shell(
                "echo bad > tree/sub/deep/new; mv tree/sub/deep/new tree/sub/deep/a.conf", in: directory)
            let arguments = ["restore", "latest", "--only", "file:\(directory)/tree/sub/deep/a.conf"]
            let loop = CrashLoop(runner, seed: 7)
            let steps = try await loop.calls(["rename", "renameat2"], of: arguments)
            try await runner.succeed("undo")
            var hits = 0
            var random = SplitMix(state: 7)
            // The first is the first of any thread.
            for instant in steps.prefix(1) + steps.dropFirst().shuffled(using: &random).prefix(7) {
                if try await loop.kill(arguments, at: instant) { hits += 1 }
                let found = try await shell("cat tree/sub/deep/a.conf", in: directory)
                #expect(found == "old\n" || found == "bad\n", "\(instant)")
                _ = try await runner.run("undo")
                #expect(
                    try await shell("cat tree/sub/deep/a.conf; ls -A tree/sub/deep", in: directory)
                        == "bad\na.conf\ntwin\n", "\(instant)")
            }
            #expect(hits > 0, "of \(steps)")
        }
    }
}
