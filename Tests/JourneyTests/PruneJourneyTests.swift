import FileTree
import GitStore
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

/// Pruning with the binary on real stores, judged by stock git.
@Suite struct PruneJourneyTests {
    /// A store with `count` snapshots, each with files of its own, of which a policy keeps the newest.
    private func makeStore(_ directory: FilePath, count: Int = 4) async throws -> CommandLineRunner {
        try await shell(
            "mkdir -p tree/a/b; seq 20000 > tree/a/common; head -c 300000 /dev/urandom > tree/stays",
            in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        for number in 1...count {
            try await shell(
                "seq \(number) 20000 > tree/a/common; head -c 100000 /dev/urandom > tree/a/b/only; mkdir -p tree/d\(number); echo \(number) > tree/d\(number)/f; rm -rf tree/d\(number - 1)",
                in: directory)
            try await runner.succeed("snapshot", "-m", "number \(number)", "--tag", "t\(number)")
        }
        try Files.replace(
            directory.appending("policies/retention.yaml"), with: Array("keep: {last: 1}\n".utf8))
        return runner
    }

    private func snapshots(_ directory: FilePath) throws -> [SnapshotID] {
        try SnapshotStore.open(at: directory.appending("tree.git")).snapshots(of: "tree").map(\.id)
    }

    private func checkAll(_ runner: CommandLineRunner, _ comment: String = "") async throws {
        try await runner.checkStore(runner.directory.appending("tree.git"))
        let verdict = try await runner.run("verify", "--all")
        #expect(verdict.status == 0, "\(comment): \(verdict.output)\(verdict.errorOutput)")
    }

    @Test func pruningFreesWhatNobodyKeepsAndAgainDoesNothing() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await makeStore(directory)
            let before = try snapshots(directory)
            let history = try await runner.succeed("log")
            let dry = try await runner.succeed("prune", "--dry-run")
            #expect(dry.contains("would forget 3 of 4 snapshots") && dry.contains("last 1"))
            #expect(try snapshots(directory) == before)
            let words = try await runner.succeed("prune")
            #expect(words.contains("forgot 3 of 4 snapshots"))
            #expect(try snapshots(directory) == before.suffix(1))
            #expect(try await runner.succeed("log") == history)
            try await checkAll(runner)
            try await shell(
                "git -C tree.git count-objects -v | grep -qx 'garbage: 0'; git -C tree.git fsck --unreachable > left; if grep unreachable left; then exit 1; fi; git clone --quiet --mirror tree.git copy.git; git -C copy.git fsck --full --strict; for i in tree.git/objects/pack/*.idx; do git verify-pack $i; done",
                in: directory)
            let again = try await runner.succeed("prune")
            #expect(again.contains("forgot 0 of 1 snapshot") && again.contains("freed 0 objects"))
        }
    }

    @Test func filesThatComeBackAfterAPruneAreSavedAgain() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await makeStore(directory, count: 1)
            try await shell("mv tree/a aside", in: directory)
            try await runner.succeed("snapshot")
            try await runner.succeed("prune")
            // Same inodes, sizes and times: all that the stat cache knows them by.
            try await shell("mv aside tree/a", in: directory)
            try await runner.succeed("snapshot")
            try await checkAll(runner)
        }
    }

    @Test func packsOfStockGitAndWhatItDerivesFromThemArePrunedToo() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await makeStore(directory)
            try await shell(
                "git -C tree.git gc --quiet --aggressive --prune=now; git -C tree.git multi-pack-index write; git -C tree.git commit-graph write --reachable; git -C tree.git for-each-ref --format='%(refname)' refs/snapshots | tail -1 > newest; test -e tree.git/packed-refs",
                in: directory)
            let words = try await runner.succeed("prune")
            #expect(words.contains("forgot 3 of 4 snapshots"))
            #expect(try snapshots(directory).count == 1)
            try await checkAll(runner)
            try await shell(
                "git -C tree.git multi-pack-index verify; git -C tree.git commit-graph verify; for i in tree.git/objects/pack/*.idx; do git verify-pack $i; done; git -C tree.git fsck --unreachable > left; if grep unreachable left; then exit 1; fi",
                in: directory)
            try await shell("cp -a tree reference; rm -rf tree", in: directory)
            try await runner.succeed("restore")
            let found = try await runner.differences(
                directory.appending("reference"), directory.appending("tree"))
            #expect(found.isEmpty)
        }
    }

    @Test func foreignReferencesTagsAndKeptPacksStay() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await makeStore(directory)
            try await shell(
                "policy=policies/retention.yaml; echo 'tags: [t2]' >> $policy; first=$(git -C tree.git for-each-ref --format='%(refname)' refs/snapshots | head -1); git -C tree.git update-ref refs/mine/x $first; git -C tree.git -c user.name=a -c user.email=a@b tag -a -m note v1 $first; for i in tree.git/objects/pack/*.pack; do touch ${i%.pack}.keep; break; done; ls tree.git/objects/pack/*.keep > kept",
                in: directory)
            let words = try await runner.succeed("prune")
            #expect(words.contains("tag t2"))
            #expect(try snapshots(directory).count == 2)
            try await checkAll(runner)
            try await shell(
                "k=$(cat kept); test -e ${k%.keep}.pack; git -C tree.git ls-tree -r v1 > list; test -s list",
                in: directory)
            let listed = try await runner.succeed("snapshots")
            #expect(listed.contains("t2"))
        }
    }

    @Test func aDamagedStoreIsNotPruned() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await makeStore(directory)
            let before = try snapshots(directory)
            try await shell(
                "pack=$(ls tree.git/objects/pack/*.pack | head -1); chmod u+w $pack; size=$(stat -c %s $pack); printf '\\377\\0\\377' | dd of=$pack bs=1 seek=$((size / 2)) conv=notrunc status=none; ls tree.git/objects/pack > names",
                in: directory)
            let outcome = try await runner.run("prune")
            #expect(outcome.status == 6, "\(outcome.errorOutput)")
            #expect(try snapshots(directory) == before)
            try await shell("ls tree.git/objects/pack | cmp - names", in: directory)
        }
    }

    /// What a reference that cannot be read keeps alive nobody knows.
    @Test(arguments: [": >$ref", "echo nonsense >$ref"])
    func withAReferenceThatCannotBeReadNothingIsPruned(_ damage: String) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await makeStore(directory)
            try await shell(
                "first=$(git -C tree.git for-each-ref --format='%(refname)' refs/snapshots | head -1); git -C tree.git update-ref refs/heads/other $first; git -C tree.git symbolic-ref refs/remotes/x/HEAD refs/heads/other; ref=tree.git/refs/heads/other; \(damage); ls tree.git/objects/pack >names",
                in: directory)
            let outcome = try await runner.run("prune")
            #expect(outcome.status == 6, "\(outcome.output)\(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains("refs/heads/other"), "\(outcome.errorOutput)")
            try await shell(
                "ls tree.git/objects/pack | cmp - names; rm tree.git/refs/heads/other", in: directory)
            #expect(try await runner.succeed("prune").contains("forgot 3 of 4 snapshots"))
        }
    }

    @Test func aReflogIsARefusal() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await makeStore(directory, count: 1)
            try await shell("mkdir tree.git/logs; : > tree.git/logs/HEAD", in: directory)
            #expect(try await runner.run("prune").status == 7)
        }
    }
}
