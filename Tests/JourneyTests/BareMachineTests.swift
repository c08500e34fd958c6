import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A machine with nothing on it but the binary: the system comes back from a copy of its store and the recovery key.
@Suite struct BareMachineTests {
    /// A system in `srv` with its system file and policies in `etc`, two snapshots, and a copy in `offsite.git`; then all
    /// is lost but the copy, the key and a reference of what there was.
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        _ = try await shell(
            "mkdir -p srv/tree/sub srv/other etc; seq 100 >srv/tree/a; echo s3cret >srv/tree/b.key; ln -s a srv/tree/link; echo x >srv/other/x",
            in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize(
            "srv/tree", "srv/other", "--name", "acme", "--store", "var/acme.git", "--output", "etc/acme.yaml")
        _ = try await shell("echo 'keep: {last: 30}' >etc/policies/retention.yaml", in: directory)
        let system = ["--system", "etc/acme.yaml"]
        for text in ["one", "two"] {
            try Files.replace(directory.appending("srv/tree/c"), with: Array("\(text)\n".utf8))
            let outcome = try await runner.run(under: ["env"], ["snapshot"] + system)
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
        }
        _ = try await shell(
            "git clone --quiet --mirror --no-hardlinks var/acme.git offsite.git; mkdir lost; cp -a srv etc lost; rm -rf srv var etc",
            in: directory)
        return runner
    }

    @Test func theCopyAndTheKeyAreEnough() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let plan = try await runner.succeed("restore", "--from", "offsite.git", "--dry-run")
            #expect(plan.contains("would restore") && plan.contains("srv/tree"))
            #expect(try !Files.exists(directory.appending("srv/tree")))
            #expect(try !Files.exists(directory.appending("etc")))
            let report = try await runner.succeed("restore", "--from", "offsite.git")
            #expect(
                report.contains("proven") && report.contains("wrote \(directory)/etc/acme.yaml"), "\(report)")
            for name in ["srv/tree", "srv/other", "etc"] {
                let found = try await runner.differences(
                    directory.appending("lost/\(name)"), directory.appending(name))
                #expect(
                    found.split(separator: "\n").allSatisfy {
                        // Addresses of whom to tell at night do not travel.
                        $0.hasPrefix(".d..t") || $0.hasPrefix(".f..t") || $0.hasSuffix("notify.yaml")
                    }, "\(found)")
            }
            // The system goes on as it did, and a second run of the same command does no harm.
            #expect(try await runner.succeed("snapshot", "--system", "etc/acme.yaml").contains("no change"))
            try await runner.succeed("restore", "--from", "offsite.git")
            // Only what the snapshot needed was brought, and says so.
            #expect(report.contains("1 other snapshot is still at"), "\(report)")
            #expect(try await runner.succeed("pull", "--system", "etc/acme.yaml").contains("got 1 snapshot"))
            try await runner.succeed("verify", "--all", "--system", "etc/acme.yaml")
        }
    }

    @Test func historyAndEvidenceComeOnceHoweverManySafetySnapshotsAreNewer() async throws {
        try await withTemporaryDirectory { directory in
            try await shell("mkdir tree; echo 1 >tree/a", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            for text in ["two", "three"] {
                try Files.replace(directory.appending("tree/a"), with: Array("\(text)\n".utf8))
                try await runner.succeed("restore")
            }
            try await shell(
                "git clone --quiet --mirror --no-hardlinks tree.git copy.git; rm -rf tree tree.git understudy.yaml policies",
                in: directory)
            let outcome = try await runner.run("restore", "--from", "copy.git")
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
            let pulls = outcome.errorOutput.split(separator: "\n").filter {
                $0.contains("pulling from source")
            }
            #expect(pulls.count == 5, "\(outcome.errorOutput)")
            for part in ["history", "evidence"] {
                #expect(pulls.count { $0.hasSuffix(": \(part)") } == 1, "\(outcome.errorOutput)")
            }
            #expect(try await shell("cat tree/a", in: directory) == "1\n")
        }
    }

    /// What was not brought is no loss, also when nobody knows the copy any more; what was, and is dropped, is.
    @Test(arguments: [0, 1])
    func whatStaysAtTheCopyIsNoLoss(_ wanted: Int) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let ids = try await shell(
                "git -C offsite.git for-each-ref --format='%(refname:lstrip=3)' refs/snapshots", in: directory
            ).split(separator: "\n").map(String.init)
            let system = ["--system", "etc/acme.yaml"]
            func verify(status: Int32 = 0) async throws {
                let outcome = try await runner.run(under: ["env"], ["verify", "--all"] + system)
                #expect(outcome.status == status, "\(outcome.output)\(outcome.errorOutput)")
            }
            try await runner.succeed("restore", ids[wanted], "--from", "offsite.git")
            try await runner.succeed("remote", "remove", "source", "--system", "etc/acme.yaml")
            try await verify()
            let copy = directory.appending("offsite.git").string
            try await runner.succeed("remote", "add", "source", copy, "--system", "etc/acme.yaml")
            try await runner.succeed("pull", "--system", "etc/acme.yaml")
            try await runner.succeed("remote", "remove", "source", "--system", "etc/acme.yaml")
            try await verify()
            _ = try await shell(
                "git -C var/acme.git update-ref -d refs/snapshots/acme/\(ids[0])", in: directory)
            try await verify(status: 6)
        }
    }

    @Test func whatStandsElsewhereIsMappedAndPrinted() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let old = directory.appending("srv/tree")
            let map = [
                "--map", "\(old)=\(directory)/data/moved", "--map", "\(directory)/etc=\(directory)/opt",
            ]
            let command = ["restore", "--from", "offsite.git", "--store", "stores/new.git"] + map
            let plan = try await runner.run(under: ["env"], command + ["--dry-run"])
            #expect(
                plan.status == 0
                    && plan.output.contains("mapped: tree.paths: \(old) → \(directory)/data/moved"))
            let outcome = try await runner.run(under: ["env"], command)
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
            #expect(outcome.output.contains("it has the snapshot's own tree"), "\(outcome.output)")
            let found = try await runner.differences(
                directory.appending("lost/srv/tree"), directory.appending("data/moved"))
            #expect(found == "")
            #expect(try !Files.exists(old) && Files.exists(directory.appending("srv/other/x")))
            // What is named by its path seems to be another, until the next snapshot; that is said.
            let words = "its places were \(old), and are \(directory)/data/moved: "
            for command in ["diff", "status"] {
                let told = try await runner.succeed(command, "--system", "opt/acme.yaml")
                #expect(told.ranges(of: words).count == 1, "\(told)")
            }
            // The written system file describes the new places.
            let snapshot = try await runner.succeed("snapshot", "--system", "opt/acme.yaml")
            #expect(snapshot.contains("complete"))
            #expect(try await runner.succeed("diff", "--system", "opt/acme.yaml").contains("no change"))
            #expect(
                try await shell("cat opt/acme.yaml", in: directory).contains("\(directory)/stores/new.git"))
            try await runner.succeed("restore", "--system", "opt/acme.yaml")
        }
    }

    /// A rehearsal beside production leaves production alone, also what no mapping fits.
    @Test func whatIsNotMappedIsNotOverwrittenUnnamed() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell(
                "mkdir tree other tool; echo a >tree/a; echo a >other/a; echo a >tool/state", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree", "other", "--name", "acme")
            try describeTool(runner, directory)
            try await runner.succeed("snapshot")
            _ = try await shell(
                "cp -a acme.git copy.git; for f in tree other tool; do echo production >$f/new; done; echo production >tool/state",
                in: directory)
            func rehearse(_ arguments: String..., map: [String]) async throws -> Program.Outcome {
                let command = [
                    "restore", "--from", "copy.git", "--store", "rehearsal.git", "--system", "rehearsal.yaml",
                    "--map", "\(directory)/tree=\(directory)/moved",
                ]
                let maps = map.flatMap { ["--map", "\(directory)/\($0)=\(directory)/moved-\($0)"] }
                return try await runner.run(under: ["env"], command + maps + arguments)
            }
            let shared = try await runner.run(
                under: ["env"],
                [
                    "restore", "--from", "copy.git", "--system", "rehearsal.yaml", "--map",
                    "\(directory)/tree=\(directory)/moved",
                ])
            #expect(
                shared.status == 7 && shared.errorOutput.contains("a store of its own, --store DIR"),
                "\(shared.errorOutput)")
            #expect(try await shell("git -C acme.git remote", in: directory) == "", "nothing came there")
            let refused = try await rehearse(map: [])
            #expect(refused.status == 7, "\(refused.output)\(refused.errorOutput)")
            for words in [
                "--map leaves 'capture' (cp \(directory)/tool/state state)", "\(directory)/other of ",
                "is not mapped, and what is there is replaced", "leave it out: --component tree",
            ] { #expect(refused.errorOutput.contains(words), "\(words): \(refused.errorOutput)") }
            #expect(try !Files.exists(directory.appending("moved")))
            let told = try await rehearse("--dry-run", map: ["other"])
            #expect(told.status == 7 && told.output.contains("of tool as it is"), "\(told.output)")
            // All of it is mapped: nothing of production is touched.
            _ = try await shell("mkdir moved-tool", in: directory)
            let mapped = try await rehearse(map: ["other", "tool"])
            #expect(mapped.status == 0, "\(mapped.output)\(mapped.errorOutput)")
            // Its nights would leave production no copy to push to.
            #expect(mapped.output.contains("'understudy remote remove source' first"), "\(mapped.output)")
            let states = try await shell(
                "cat tool/state moved-tool/state; ls tree other moved", in: directory)
            #expect(states == "production\na\nmoved:\na\n\nother:\na\nnew\n\ntree:\na\nnew\n", "\(states)")
            // What is left out stays production's in the system file, too.
            _ = try await shell("rm -r moved* rehearsal.*", in: directory)
            let part = try await rehearse("--component", "tree", map: [])
            #expect(
                part.status == 0
                    && part.output.contains("tool was left out, and \(directory)/rehearsal.yaml has"),
                "\(part.output)\(part.errorOutput)")
            // Who names it means it.
            _ = try await shell("rm -r moved* rehearsal.*", in: directory)
            let named = try await rehearse("--component", "tree", "--component", "tool", map: [])
            #expect(named.status == 0, "\(named.output)\(named.errorOutput)")
            #expect(named.output.contains("note: --map leaves 'capture'"), "\(named.output)")
            #expect(try await shell("cat tool/state", in: directory) == "a\n")
        }
    }

    /// A tool whose commands name the directory that its state is in.
    private func describeTool(_ runner: CommandLineRunner, _ directory: FilePath) throws {
        try runner.describe(
            """
              tool:
                driver: command
                capture: cp \(directory)/tool/state state
                restore: cp state \(directory)/tool/state

            """)
    }

    /// What a mapping leaves as it is is nobody's production where the old places are gone.
    @Test func aMappedSystemComesToAnEmptyMachineWithOneCommand() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir tree tool; echo a >tree/a; echo a >tool/state", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree", "--name", "acme")
            try describeTool(runner, directory)
            try await runner.succeed("snapshot")
            _ = try await shell("mv acme.git copy.git; rm -r tree/a understudy.yaml policies", in: directory)
            let command = ["restore", "--from", "copy.git", "--map", "\(directory)/tree=\(directory)/moved"]
            func restore(_ arguments: String...) async throws {
                let outcome = try await runner.run(under: ["env"], command + arguments)
                #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
            }
            // An empty old place, as a package makes it, and a store that the dry run brought are no production either.
            try await restore("--component", "tree", "--dry-run")
            try await restore("--component", "tree")
            _ = try await shell("rm -r tree moved acme.git understudy.yaml policies", in: directory)
            try await restore()
            #expect(try await shell("cat moved/a tool/state", in: directory) == "a\na\n")
        }
    }

    /// The disk that fails is why somebody maps the system to another one.
    @Test func anOldPlaceThatCannotBeLookedAtHindersNothing() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir -p disk/tree; echo a >disk/tree/a", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("disk/tree", "--name", "acme")
            try await runner.succeed("snapshot")
            _ = try await shell(
                "mv acme.git copy.git; rm -r disk understudy.yaml policies; ln -s disk disk", in: directory)
            try await runner.succeed(
                "restore", "--from", "copy.git", "--map", "\(directory)/disk/tree=\(directory)/moved")
            #expect(try await shell("cat moved/a", in: directory) == "a\n")
        }
    }

    @Test func whatCannotBeIsRefusedBeforeAnythingIsTouched() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            func refused(_ arguments: [String], _ status: Int32, _ words: String) async throws {
                let outcome = try await runner.run(under: ["env"], ["restore", "--from"] + arguments)
                #expect(outcome.status == status, "\(arguments): \(outcome.output)\(outcome.errorOutput)")
                #expect(outcome.errorOutput.contains(words), "\(arguments): \(outcome.errorOutput)")
                #expect(try !Files.exists(directory.appending("srv")))
            }
            try await refused(["nowhere.git"], 1, "cannot read source (nowhere.git)")
            try await refused(["lost"], 1, "does not appear to be a git repository")
            try await refused(["https://me:hunter2@vault/x.git"], 7, "holds a password")
            try await refused(
                ["offsite.git", "--map", "/not/there=/x"], 64, "nothing that is the path '/not/there'")
            #expect(try !Files.exists(directory.appending("var")), "the store went again")
            try await refused(
                ["offsite.git", "--map", "\(directory)/srv/tree=\(directory)/var"], 64,
                "lies in \(directory)/var")
            #expect(try !Files.exists(directory.appending("var")), "the store went again")
            try await refused(
                ["offsite.git", "--name", "other"], 64, "holds the systems acme, and no 'other'")
            try await refused(["offsite.git", "--store", "/proc/x.git"], 7, "--store DIR")
            _ = try await shell("mkdir etc; echo 'system: other' >etc/acme.yaml", in: directory)
            try await refused(["offsite.git"], 7, "acme.yaml exists already")
            _ = try await shell(
                "rm -r etc; mv recovery.key kept.key; age-keygen -o wrong.key 2>/dev/null", in: directory)
            try await refused(["offsite.git"], 12, "--identity FILE")
            try await refused(["offsite.git", "--identity", "wrong.key"], 12, "none of the identities")
            let outcome = try await runner.run("restore", "--store", "x")
            #expect(outcome.status == 64 && outcome.errorOutput.contains("belong to --from"))
        }
    }

    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "only root gives files to others"))
    func everyOwnerThatIsMissingHereIsSaidAtOnceAndCanBeMapped() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell(
                """
                mkdir -p srv/tree; echo a >srv/tree/a; echo b >srv/tree/b; chown games:games srv/tree/a; chgrp staff srv/tree/b
                grep -v games /etc/passwd >passwd; grep -Ev 'games|staff' /etc/group >group
                """, in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("srv/tree")
            try await runner.succeed("snapshot")
            _ = try await shell("mv tree.git copy.git; rm -r srv understudy.yaml policies", in: directory)
            // The same host without these accounts, and without a network.
            let bare = [
                "bwrap", "--dev-bind", "/", "/", "--unshare-net", "--ro-bind", "passwd", "/etc/passwd",
                "--ro-bind",
                "group", "/etc/group",
            ]
            let command = ["restore", "--from", "copy.git", "--store", "tree.git"]
            let refused = try await runner.run(under: bare, command)
            #expect(refused.status == 7, "\(refused.output)\(refused.errorOutput)")
            #expect(
                refused.errorOutput.contains("the user 'games'")
                    && refused.errorOutput.contains("the group 'staff'"))
            #expect(refused.errorOutput.contains("useradd --system --user-group games"))
            #expect(try !Files.exists(directory.appending("srv")))
            let mapped = try await runner.run(
                under: bare, command + ["--map", "games=daemon", "--map", "user:staff=daemon"])
            #expect(mapped.status == 0, "\(mapped.output)\(mapped.errorOutput)")
            let owners = try await shell("stat -c '%U:%G %n' srv/tree/*", in: directory)
            #expect(owners == "daemon:daemon srv/tree/a\nroot:daemon srv/tree/b\n")
        }
    }
}
