import FileTree
import Git
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

/// A damaged store with a copy elsewhere heals itself, and one without says what is lost and touches nothing.
@Suite struct HealingTests {
    /// A store with two snapshots and two remotes: one that is not there, and a mirror of it.
    private func start(_ directory: FilePath, withRemote: Bool = true) async throws -> CommandLineRunner {
        try await shell(
            "mkdir -p tree/sub; echo one > tree/sub/a; seq 5000 > tree/b; ln -s b tree/link", in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try await runner.succeed("snapshot")
        try Files.replace(directory.appending("tree/sub/a"), with: Array("two\n".utf8))
        try await runner.succeed("snapshot")
        guard withRemote else { return runner }
        _ = try await shell(
            "git clone --quiet --mirror --no-hardlinks tree.git offsite.git; git -C tree.git remote add away /nowhere; git -C tree.git remote add offsite \"$PWD/offsite.git\"",
            in: directory)
        return runner
    }

    /// Flips bytes of an object of the latest snapshot where it lies in its pack.
    private func damage(_ object: String, _ directory: FilePath) async throws {
        let id = try await shell(
            """
            snapshot=$(git -C tree.git for-each-ref --format='%(refname)' refs/snapshots | tail -n 1)
            git -C tree.git rev-parse "$snapshot\(object)"
            """, in: directory)
        try await StoreDamage.flip(object: id, in: directory.appending("tree.git"))
    }

    @Test(arguments: [
        "", "^{tree}", ":snapshot.json", ":tree/files$PWD/tree/b", ":tree/files$PWD/tree/sub",
        ":tree/manifest",
    ])
    func aRestoreFetchesWhatIsDamaged(_ object: String) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let expected = try TreeListing(directory.appending("tree"))
            try await damage(object, directory)
            #expect(try await runner.run("verify").status == 6)
            let all = try await runner.run("verify", "--all")
            #expect(all.status == 6 && all.output.contains("NOT OK"), "\(all.output)\(all.errorOutput)")
            try await Program("rm", ["-rf", "tree"], directory: directory).runSuccessfully()
            let outcome = try await runner.run("restore")
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
            #expect(outcome.output.contains("replaced from offsite"), "\(outcome.output)")
            #expect(try TreeListing(directory.appending("tree")).differences(from: expected) == [])
            // The good copy wins from now on.
            try await runner.succeed("verify")
            // The damaged pack is put aside when it is asked for, and then git is content.
            let healed = try await runner.succeed("verify", "--all", "--heal")
            #expect(healed.contains("the damaged pack"), "\(healed)")
            try await runner.checkStore(directory.appending("tree.git"))
            try await runner.succeed("verify", "--all")
        }
    }

    @Test(arguments: [false, true])
    func aRestoreBesideFetchesWhatIsDamagedOrLeavesNothing(_ withRemote: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: withRemote)
            let expected = try TreeListing(directory.appending("tree"))
            // In a directory after the first, so that something is written before it is met.
            try await damage(":tree/files$PWD/tree/sub/a", directory)
            let outcome = try await runner.run("restore", "--to", "beside")
            #expect(outcome.status == (withRemote ? 0 : 6), "\(outcome.errorOutput)")
            let restored = directory.appending("beside/tree").pushing(
                FilePath(root: nil, directory.appending("tree").components))
            if withRemote {
                #expect(try TreeListing(restored).differences(from: expected) == [])
            } else {
                #expect(try !Files.exists(restored))
            }
        }
    }

    @Test func aLostPackIsFetchedWhole() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell("rm -f tree.git/objects/pack/*", in: directory)
            #expect(try await runner.run("verify", "--all").status == 6)
            let expected = try TreeListing(directory.appending("tree"))
            try await runner.succeed("verify", "--all", "--heal")
            try await runner.checkStore(directory.appending("tree.git"))
            try await runner.succeed("restore")
            #expect(try TreeListing(directory.appending("tree")).differences(from: expected) == [])
        }
    }

    @Test func aDamagedIndexIsMadeAgainFromItsPackAlone() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: false)
            _ = try await shell(
                "for i in tree.git/objects/pack/*.idx; do chmod u+w $i; printf 'x' | dd of=$i bs=1 seek=1 conv=notrunc status=none; done",
                in: directory)
            #expect(try await runner.run("verify").status == 6)
            let outcome = try await runner.run("restore")
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
            #expect(outcome.output.contains("made again from its pack"), "\(outcome.output)")
            try await runner.checkStore(directory.appending("tree.git"))
        }
    }

    /// The new pack has the name of the damaged one when that was written the same way.
    @Test func aPackThatHealedOnceHealsAgain() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            for round in 1...3 {
                _ = try await shell(
                    "for i in tree.git/objects/pack/*.pack; do chmod u+w $i; printf x | dd of=$i bs=1 seek=$(($(stat -c %s $i) - 1)) conv=notrunc status=none; done",
                    in: directory)
                #expect(try await runner.run("verify", "--all").status == 6)
                let healed = try await runner.succeed("verify", "--all", "--heal")
                #expect(healed.contains("was replaced"), "\(round): \(healed)")
                try await runner.checkStore(directory.appending("tree.git"))
                try await runner.succeed("verify", "--all")
            }
        }
    }

    /// What cannot be opened at all counts as missing, in every command, and heals.
    @Test(arguments: [
        ": >$first", ": >${first%pack}idx", "printf x >$first",
        "printf x | dd of=${first%pack}idx bs=1 seek=1 conv=notrunc status=none; printf '\\377\\377\\377' | dd of=$first bs=1 seek=20 conv=notrunc status=none",
        // Damaged, and by its time the newest of all.
        "printf '\\377\\377\\377' | dd of=$first bs=1 seek=20 conv=notrunc status=none; touch -d tomorrow $first",
    ])
    func aPackThatCannotBeReadHeals(_ damage: String) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let expected = try TreeListing(directory.appending("tree"))
            _ = try await shell(
                "first=$(ls -t tree.git/objects/pack/*.pack | tail -n 1); chmod u+w tree.git/objects/pack/*; \(damage)",
                in: directory)
            let found = try await runner.run("verify", "--all")
            #expect(
                found.status == 6 && found.output.contains("NOT OK"), "\(found.output)\(found.errorOutput)")
            let pruned = try await runner.run("prune")
            #expect(pruned.status == 6, "\(pruned.errorOutput)")
            try await runner.succeed("verify", "--all", "--heal")
            try await runner.checkStore(directory.appending("tree.git"))
            try await runner.succeed("verify", "--all")
            try await runner.succeed("restore")
            #expect(try TreeListing(directory.appending("tree")).differences(from: expected) == [])
        }
    }

    /// What an earlier night stored in it is not believed to be there any more.
    @Test(arguments: [
        ": >${first%pack}idx", ": >$first", "printf x >$first", "truncate -s 200 $first",
        "cp $(ls -t tree.git/objects/pack/*.idx | head -n 1) ${first%pack}idx",
    ])
    func aSnapshotStoresAgainWhatALostPackHeldAndSaysSo(_ damage: String) async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir -p tree/still; echo still > tree/still/c", in: directory)
            let runner = try await start(directory, withRemote: false)
            _ = try await shell(
                "first=$(ls -t tree.git/objects/pack/*.pack | tail -n 1); chmod u+w tree.git/objects/pack/*; \(damage)",
                in: directory)
            let rehearsed = try await runner.run("snapshot", "--dry-run")
            #expect(
                rehearsed.status == 6 && rehearsed.output.contains("cannot be read"), "\(rehearsed.output)")
            try Files.replace(directory.appending("tree/still/c"), with: Array("changed\n".utf8))
            let expected = try TreeListing(directory.appending("tree"))
            let taken = try await runner.run("snapshot")
            #expect(taken.status == 6, "\(taken.output)\(taken.errorOutput)")
            #expect(taken.output.contains("complete") && taken.output.contains("/objects/pack/pack-"))
            #expect(taken.output.contains("verify --all --heal") && !taken.output.contains("no change"))
            try await runner.succeed("verify")
            // It knows what the store has now, and takes nothing for granted as long as the pack is there.
            let night = try await runner.run("nightly")
            #expect(night.status == 1, "\(night.output)\(night.errorOutput)")
            #expect(night.output.contains("parts of the store cannot be read"), "\(night.output)")
            try await runner.succeed("verify")
            let restored = try await runner.run("restore")
            #expect(restored.status == 0, "\(restored.output)\(restored.errorOutput)")
            #expect(try TreeListing(directory.appending("tree")).differences(from: expected) == [])
        }
    }

    /// Git remembers no pack; a snapshot does, and says once that one went.
    @Test(arguments: ["rm $first ${first%pack}idx", "rm ${first%pack}idx", "rm $first"])
    func aSnapshotStoresAgainWhatAPackHeldThatWent(_ damage: String) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: false)
            let expected = try TreeListing(directory.appending("tree"))
            _ = try await shell(
                "first=$(ls -t tree.git/objects/pack/*.pack | tail -n 1); \(damage)", in: directory)
            let taken = try await runner.run("snapshot")
            #expect(taken.status == 6, "\(taken.output)\(taken.errorOutput)")
            #expect(taken.output.contains("complete") && taken.output.contains("is gone"), "\(taken.output)")
            try await runner.succeed("verify")
            try await runner.succeed("snapshot")
            try await runner.succeed("restore")
            #expect(try TreeListing(directory.appending("tree")).differences(from: expected) == [])
        }
    }

    @Test func nothingIsMissedWhereGitPackedTheStoreAnew() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: false)
            _ = try await shell("git -C tree.git gc --quiet --prune=now", in: directory)
            #expect(try await runner.succeed("snapshot").contains("no change"))
        }
    }

    /// What a pack without its right end gives counts where it is what its id says.
    @Test func whatAPackWithAnotherEndHoldsIsRestored() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: false)
            let expected = try TreeListing(directory.appending("tree"))
            _ = try await shell(
                "for i in tree.git/objects/pack/*.pack; do chmod u+w $i; printf xx | dd of=$i bs=1 seek=$(($(stat -c %s $i) - 2)) conv=notrunc status=none; done",
                in: directory)
            #expect(try await runner.run("verify", "--all").status == 6)
            try await runner.succeed("restore", "--to", "copy")
            let copy = try await shell("find copy -path \"*$PWD/tree\"", in: directory).dropLast()
            #expect(
                try TreeListing(directory.appending(String(copy))).differences(from: expected) == [])
        }
    }

    /// A night in which nothing changed stands on the history of the one before.
    @Test func aSnapshotIsTakenWhereTheHistoryBeforeItIsLost() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir tree; echo 1 > tree/a", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            try await runner.succeed("snapshot")
            _ = try await shell(
                "first=$(ls -t tree.git/objects/pack/*.pack | tail -n 1); chmod u+w $first; : >$first",
                in: directory)
            let taken = try await runner.run("snapshot")
            #expect(
                taken.status == 6 && taken.output.contains("complete"), "\(taken.output)\(taken.errorOutput)")
            try await runner.succeed("verify")
        }
    }

    /// Whether an older one is the latest nobody can say.
    @Test(arguments: [": >$newest", "rm $newest"])
    func aLostNewestSnapshotIsNotPassedOver(_ damage: String) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: false)
            let first = try await shell(
                "newest=$(ls -t tree.git/objects/pack/*.pack | head -n 1); chmod u+w $newest; \(damage); ls tree.git/refs/snapshots/tree | head -n 1",
                in: directory
            ).dropLast()
            try Files.replace(directory.appending("tree/sub/a"), with: Array("live\n".utf8))
            let live = try TreeListing(directory.appending("tree"))
            let references = try TreeListing(directory.appending("tree.git/refs"))
            for arguments in [["restore"], ["restore", "latest~1"], ["snapshot"]] {
                let outcome = try await runner.run(arguments, limit: .seconds(60))
                #expect(outcome.status == 6, "\(arguments): \(outcome.output)\(outcome.errorOutput)")
                #expect(try TreeListing(directory.appending("tree")).differences(from: live) == [])
            }
            let now = try TreeListing(directory.appending("tree.git/refs"))
            #expect(now.differences(from: references) == [])
            let named = try await runner.run("restore", String(first))
            #expect(named.status == 0, "\(named.output)\(named.errorOutput)")
            #expect(try Files.read(directory.appending("tree/sub/a")) == Array("one\n".utf8))
        }
    }

    /// Takes the one commit out of the store that a revision names.
    private func lose(_ revision: String, _ directory: FilePath) async throws {
        _ = try await shell(
            """
            shopt -s nullglob; cd tree.git
            for i in objects/pack/*.pack; do mv $i x; rm -f ${i%pack}*; git unpack-objects -q <x; done; rm -f x
            id=$(git rev-parse "\(revision)"); rm -f objects/${id:0:2}/${id:2}
            """, in: directory)
    }

    /// Only who counts back from the newest must know of each that is newer.
    @Test func aLostSnapshotIsInTheWayOfWhatItMayBeAlone() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: false)
            try await runner.succeed("snapshot")
            let ids = try await shell("ls tree.git/refs/snapshots/tree", in: directory).split(separator: "\n")
                .map(
                    String.init)
            let times = try ids.map { try #require(SnapshotID($0)).time }
            let commit = try await shell("cat tree.git/refs/snapshots/tree/\(ids[0])", in: directory)
                .dropLast()
            try await lose("refs/snapshots/tree/\(ids[1])", directory)
            for name in [
                ids[0], String(ids[0].dropLast()), String(commit), times[0], "latest", times[2], ids[2],
            ] {
                let shown = try await runner.run("show", name)
                #expect(shown.status == 0, "\(name): \(shown.errorOutput)")
            }
            for name in ["latest~1", "latest~2", ids[1], String(ids[1].dropLast()), times[1]] {
                let shown = try await runner.run("show", name)
                #expect(shown.status == 6, "\(name): \(shown.output)")
                #expect(shown.errorOutput.contains(ids[1]), "\(name): \(shown.errorOutput)")
            }
        }
    }

    @Test func whatIsLostHidesNothingElse() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: false)
            try await runner.succeed("restore")
            try await runner.succeed("restore")
            let ids = try await shell("ls tree.git/refs/snapshots/tree", in: directory).split(separator: "\n")
                .map(
                    String.init)
            try await lose("refs/snapshots/tree/\(ids[0])", directory)
            let listed = try await runner.run("snapshots")
            #expect(listed.status == 6, "\(listed.output)\(listed.errorOutput)")
            #expect(ids.allSatisfy { listed.output.contains($0) }, "\(listed.output)")
            #expect(listed.output.contains("\(ids[0])  lost") && listed.errorOutput.contains(ids[0]))
            let status = try await runner.run("status")
            #expect(status.status == 6, "\(status.output)\(status.errorOutput)")
            #expect(status.output.contains("latest  \(ids[1])") && status.output.contains("2 snapshots"))
            #expect(status.output.contains("LOST    the snapshot \(ids[0]): cannot read"), "\(status.output)")
            #expect(status.output.contains("drift   none"), "\(status.output)")
            let check = try await runner.run("status", "--check", "--format", "json")
            #expect(check.status == 6, "\(check.output)\(check.errorOutput)")
            #expect(
                check.output.contains("the snapshot \(ids[0]) is lost")
                    && check.output.contains("\"complete\""))
            // So is an old record of what was done; what a newer one proves is proven.
            try await lose("refs/evidence/tree/restores~1", directory)
            let proven = try await runner.run("status")
            #expect(proven.status == 6, "\(proven.output)\(proven.errorOutput)")
            #expect(proven.output.contains("proven  yes") && proven.output.contains("of restores"))
        }
    }

    @Test func whatIsTakenOverFromALostPackIsMissed() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir tree other; echo 1 > tree/a; echo 2 > other/b", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            _ = try await shell(
                "sed -i \"s|^components:|&\\n  other: {driver: files, paths: [$PWD/other]}|\" understudy.yaml",
                in: directory)
            try await runner.succeed("snapshot")
            try Files.replace(directory.appending("tree/a"), with: Array("11\n".utf8))
            try await runner.succeed("snapshot")
            _ = try await shell(
                "first=$(ls -t tree.git/objects/pack/*.pack | tail -n 1); chmod u+w ${first%pack}idx; : >${first%pack}idx",
                in: directory)
            let part = try await runner.run("snapshot", "--component", "tree")
            #expect(
                part.status == 6 && part.output.contains("partial"),
                "\(part.output)\(part.errorOutput)")
            let all = try await runner.run("snapshot")
            #expect(all.status == 6 && all.output.contains("complete"), "\(all.output)\(all.errorOutput)")
            try await runner.succeed("verify")
        }
    }

    @Test func aPackThatIsPutAsideLeavesNothingThatNamesIt() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell("git -C tree.git multi-pack-index write", in: directory)
            try await damage(":tree/files$PWD/tree/b", directory)
            try await runner.succeed("verify", "--all", "--heal")
            _ = try await shell("git -C tree.git -c core.multiPackIndex=true fsck --full", in: directory)
            try await runner.checkStore(directory.appending("tree.git"))
            // Killed after the index was moved, and before the pack was.
            let pack = try await shell(
                "cd tree.git; mv understudy/damaged/*.pack objects/pack/; ls understudy/damaged/*.idx",
                in: directory)
            #expect(pack.contains(".idx"))
            #expect(try await runner.succeed("verify", "--all", "--heal").contains("remove it when you like"))
            _ = try await shell(
                "cd tree.git; for i in understudy/damaged/*.idx; do test -e ${i%idx}pack; test ! -e objects/pack/$(basename ${i%idx}pack); done",
                in: directory)
            try await runner.checkStore(directory.appending("tree.git"))
        }
    }

    @Test(arguments: ["understudy.yaml", "understudy.policies/retention.yaml"])
    func aDamagedSystemFileIsFoundAndHeals(_ name: String) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await damage(":\(name)", directory)
            let found = try await runner.run("verify")
            #expect(found.status == 6 && found.output.contains(name), "\(found.output)")
            try await runner.succeed("verify", "--heal")
            try await runner.succeed("verify")
        }
    }

    /// Times of files say which copy is looked into first, and a copied store may have any.
    @Test func aSoundCopyInAnotherPackHeals() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: false)
            _ = try await shell(
                "git clone --quiet --mirror --no-hardlinks tree.git whole.git; git -C whole.git repack -adq",
                in: directory)
            try await damage(":tree/files$PWD/tree/b", directory)
            _ = try await shell(
                "touch -d '1 hour ago' whole.git/objects/pack/*; mv whole.git/objects/pack/pack-* tree.git/objects/pack/; rm -rf whole.git",
                in: directory)
            #expect(try await runner.run("verify").status == 6)
            #expect(try await runner.succeed("verify", "--heal").contains("another pack of the store"))
            try await runner.succeed("verify")
            try await runner.succeed("verify", "--all", "--heal")
            try await runner.succeed("verify", "--all")
        }
    }

    /// What no reference of ours reaches, but a tag of somebody else's, say.
    @Test func whatOneOfTwoDamagedPacksHoldsWholeStays() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: false)
            _ = try await shell(
                """
                cd tree.git; for i in 1 2; do
                    id=$(head -c 200 /dev/urandom | git hash-object -w --stdin); git tag keep$i $id; ids="${ids-} $id"
                done
                for order in 1 2; do
                    { printf '%s\\n' $ids; test $order = 1 || git rev-parse refs/heads/tree; } | git pack-objects -q objects/pack/pack >name
                    pack=objects/pack/pack-$(cat name).pack; chmod u+w $pack
                    place=$(git show-index <${pack%pack}idx | grep " $(git rev-parse keep$order) ")
                    printf '\\377\\377\\377' | dd of=$pack bs=1 seek=$((${place%% *} + 9)) conv=notrunc status=none
                done
                rm name; for id in $ids; do rm objects/${id:0:2}/${id:2}; done
                """, in: directory)
            let healed = try await runner.succeed("verify", "--all", "--heal")
            #expect(healed.contains("the damaged pack"), "\(healed)")
            _ = try await shell(
                "cd tree.git; git cat-file blob keep1 >/dev/null; git cat-file blob keep2 >/dev/null",
                in: directory)
            try await runner.checkStore(directory.appending("tree.git"))
        }
    }

    /// Stock git drops what no reference reaches yet when its pack is two weeks old.
    @Test func whatHealsIsNoOlderThanItIs() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await damage(":tree/files$PWD/tree/b", directory)
            _ = try await shell("touch -d '20 days ago' tree.git/objects/pack/*", in: directory)
            try await runner.succeed("verify", "--heal")
            let young = try await shell(
                "find tree.git/objects/pack -name '*.pack' -mmin -60 | wc -l", in: directory)
            #expect(young == "1\n")
            try await runner.succeed("verify")
        }
    }

    @Test func anIndexOfAnotherPackIsMadeAgain() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: false)
            _ = try await shell(
                "cd tree.git/objects/pack; set -- *.idx; mv $1 x; mv $2 $1; mv x $2", in: directory)
            #expect(try await runner.run("verify", "--all").status == 6)
            #expect(
                try await runner.succeed("verify", "--all", "--heal").contains("made again from its pack"))
            try await runner.succeed("verify", "--all")
            try await runner.checkStore(directory.appending("tree.git"))
        }
    }

    @Test(arguments: [false, true])
    func whatNobodyHasIsNamedAndProductionIsUntouched(_ withRemote: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory, withRemote: withRemote)
            try await damage(":tree/files$PWD/tree/b", directory)
            if withRemote { _ = try await shell("rm -rf offsite.git", in: directory) }
            try Files.replace(directory.appending("tree/sub/a"), with: Array("live\n".utf8))
            let live = try TreeListing(directory.appending("tree"))
            let outcome = try await runner.run("restore")
            #expect(outcome.status == 6, "\(outcome.output)\(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains("/tree/b is damaged in the store"), "\(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains(withRemote ? "remote offsite" : "no git remote"))
            #expect(outcome.errorOutput.contains("hint: "))
            #expect(try TreeListing(directory.appending("tree")).differences(from: live) == [])
            #expect(try CrashLoop.leftovers(in: directory.appending("tree.git")) == [])
        }
    }
}
