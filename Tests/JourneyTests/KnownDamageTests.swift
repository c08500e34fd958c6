import FileTree
import Git
import GitStore
import Programs
import SystemPackage
import TestSupport
import Testing

/// What a verification found damaged is not taken for stored: the next snapshot stores it again where it is still live.
@Suite struct KnownDamageTests {
    private static let list = "tree.git/understudy/damaged-objects"

    /// A store with two snapshots of the same, and one of the files in it damaged, which nobody knows.
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        try await shell("mkdir -p tree/sub; seq 100 >tree/a; seq 200 >tree/sub/b", in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try await runner.succeed("snapshot")
        try await runner.succeed("snapshot")
        try await runner.succeed("verify", "--all")
        #expect(try !Files.exists(directory.appending(Self.list)))
        try await shell("git clone -q --mirror --no-hardlinks tree.git offsite.git", in: directory)
        try await StoreDamage.flip("b", in: directory.appending("tree.git"))
        return runner
    }

    private func expect(
        _ arguments: String..., status: Int32, saying words: String = "", _ runner: CommandLineRunner
    ) async throws {
        let outcome = try await runner.run(arguments, limit: .seconds(60))
        #expect(outcome.status == status, "\(arguments): \(outcome.output)\(outcome.errorOutput)")
        #expect(outcome.output.contains(words), "\(arguments): \(outcome.output)\(outcome.errorOutput)")
    }

    @Test(arguments: [["verify"], ["verify", "--all"]])
    func whatIsLiveIsStoredAgainAndSaid(_ command: [String]) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let expected = try TreeListing(directory.appending("tree"))
            for _ in 0..<2 {
                let found = try await runner.run(command, limit: .seconds(60))
                #expect(found.status == 6, "\(found.output)\(found.errorOutput)")
            }
            try await expect("snapshot", "--dry-run", status: 6, saying: "found damaged or missing", runner)
            try await expect("snapshot", status: 6, saying: "found damaged or missing", runner)
            #expect(try !Files.exists(directory.appending(Self.list)))
            // All that have it are whole again, and the next one finds nothing to say.
            for name in ["latest", "latest~1", "latest~2"] { try await runner.succeed("verify", name) }
            try await expect("snapshot", status: 0, saying: "no change", runner)
            try await shell("rm -r tree", in: directory)
            try await runner.succeed("restore")
            #expect(try TreeListing(directory.appending("tree")).differences(from: expected) == [])
        }
    }

    /// Whoever looks is told until it is mended.
    @Test func whatIsDamagedIsSaidUntilItIsMended() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell("cp -a tree/sub/b old; echo new >tree/sub/b", in: directory)
            func look(_ status: Int32) async throws {
                for arguments in [["status"], ["status", "--check"], ["snapshots"]] {
                    let found = try await runner.run(arguments, limit: .seconds(60))
                    let said = found.output + found.errorOutput
                    #expect(found.status == status, "\(arguments): \(said)")
                    let isTold = said.contains("damaged or missing") && said.contains("verify --all --heal")
                    #expect(isTold == (status == 6), "\(arguments): \(said)")
                    #expect(said.contains("stores again what is still live") == (status == 6), "\(said)")
                }
            }
            try await look(0)
            try await expect("verify", status: 6, runner)
            try await look(6)
            // What is not live stays away.
            try await expect("snapshot", status: 6, saying: "complete", runner)
            try await look(6)
            try await shell("cp -a old tree/sub/b", in: directory)
            try await expect("snapshot", status: 6, saying: "complete", runner)
            try await look(0)
        }
    }

    @Test func whatIsNotLiveIsKnownUntilItComesBack() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell("cp -a tree/sub/b old; echo new >tree/sub/b", in: directory)
            try await expect("verify", status: 6, runner)
            for _ in 0..<2 {
                try await expect("snapshot", status: 6, saying: "complete", runner)
                try await runner.succeed("verify")
                #expect(try Files.exists(directory.appending(Self.list)))
            }
            try await shell("cp -a old tree/sub/b", in: directory)
            try await expect("snapshot", status: 6, saying: "complete", runner)
            #expect(try !Files.exists(directory.appending(Self.list)))
            try await expect("snapshot", status: 0, saying: "no change", runner)
            for name in ["latest", "latest~5"] { try await runner.succeed("verify", name) }
        }
    }

    @Test func whatHealedIsForgotten() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await expect("verify", "--all", status: 6, runner)
            #expect(try Files.exists(directory.appending(Self.list)))
            try await runner.succeed("remote", "add", "offsite", directory.appending("offsite.git").string)
            try await runner.succeed("verify", "--all", "--heal")
            #expect(try !Files.exists(directory.appending(Self.list)))
            try await expect("snapshot", status: 0, saying: "no change", runner)
        }
    }

    /// Healed by whatever brings an object back, and not by a look at all that there is.
    @Test func whatIsWholeAgainGoesOffTheListWithTheNextSnapshot() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await expect("verify", status: 6, runner)
            try await runner.succeed("remote", "add", "offsite", directory.appending("offsite.git").string)
            try await runner.succeed("verify", "--heal")
            #expect(try Files.exists(directory.appending(Self.list)))
            try await expect("snapshot", status: 0, saying: "no change", runner)
            #expect(try !Files.exists(directory.appending(Self.list)))
        }
    }

    @Test func whatIsNotedWhileSomebodyElseLooksStays() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await expect("verify", status: 6, runner)
            let store = try SnapshotStore.open(at: directory.appending("tree.git"))
            let before = try store.notedDamage()
            #expect(before.count == 1)
            let lock = try store.lock(purpose: "a test")
            let other = ObjectID.of(.blob, Array("another".utf8))
            try store.rememberDamage([other], holding: lock)
            try store.forgetDamage(before, holding: lock)
            #expect(try store.notedDamage() == [other])
            try store.forgetDamage([other], holding: lock)
            #expect(try !Files.exists(directory.appending(Self.list)))
        }
    }

    /// Whoever finds all whole does not wait to say so.
    @Test func aNoteThatIsOutdatedStaysWhileSomebodyElseWrites() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await expect("verify", status: 6, runner)
            // Brought back by hand, in a pack of another name than those of the last snapshot.
            try await shell(
                "rm -r tree.git/objects; cp -a offsite.git/objects tree.git/", in: directory)
            let lock = directory.appending("tree.git/understudy/lock").string
            let beside = try await runner.run(under: ["flock", lock], ["verify", "--all"])
            #expect(beside.status == 0, "\(beside.output)\(beside.errorOutput)")
            #expect(try Files.exists(directory.appending(Self.list)))
            try await runner.succeed("verify", "--all")
            #expect(try !Files.exists(directory.appending(Self.list)))
            try await expect("snapshot", status: 0, saying: "no change", runner)
        }
    }

    /// A snapshot of a file of the class source, which history does not hold.
    private func snapshotSource(_ directory: FilePath) async throws -> CommandLineRunner {
        try await shell(
            "mkdir -p tree/s.git/objects; echo 1 >tree/a; seq 200 >tree/s.git/objects/b", in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try await runner.succeed("snapshot")
        return runner
    }

    /// A prune does not read what lies outside of packs: it goes on, and leaves the note of what is still wanted.
    @Test(arguments: [true, false])
    func aPruneLeavesTheNoteOfWhatIsStillWanted(_ isWanted: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await snapshotSource(directory)
            if !isWanted { try await shell("seq 300 >tree/s.git/objects/b", in: directory) }
            try await runner.succeed("snapshot")
            try await shell(
                """
                echo 'keep: {last: 1}' >policies/retention.yaml; id=$(seq 200 | git hash-object --stdin); cd tree.git
                for i in objects/pack/*.pack; do mv $i x; rm -f ${i%pack}*; git unpack-objects -q <x; done; rm -f x
                file=objects/${id:0:2}/${id:2}; chmod u+w $file
                printf '\\377\\377\\377' | dd of=$file bs=1 seek=4 conv=notrunc status=none
                """, in: directory)
            try await expect("verify", "latest~1", status: 6, runner)
            try await expect("prune", status: 0, saying: "forgot 1 of 2 snapshots", runner)
            #expect(try Files.exists(directory.appending(Self.list)) == isWanted)
            try await expect("snapshot", status: isWanted ? 6 : 0, saying: "complete", runner)
            #expect(try !Files.exists(directory.appending(Self.list)))
            try await runner.succeed("verify")
            try await expect("snapshot", status: 0, saying: "no change", runner)
        }
    }

    /// What no remote has is given up with the snapshot that needs it; the rest is whole then, and is pruned.
    @Test func whatIsDamagedForGoodIsGivenUpByName() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await snapshotSource(directory)
            for count in [300, 400] {
                try await shell("seq \(count) >tree/s.git/objects/b", in: directory)
                try await runner.succeed("snapshot")
            }
            try await shell("git clone -q --mirror --no-hardlinks tree.git offsite.git", in: directory)
            let lost = try await shell("seq 200 | git hash-object --stdin", in: directory)
            try await StoreDamage.flip(object: lost, in: directory.appending("tree.git"))
            let ids = try await shell("ls tree.git/refs/snapshots/tree", in: directory)
                .split(separator: "\n").map(String.init)
            let refused = try await runner.run("prune")
            #expect(refused.status == 6, "\(refused.output)\(refused.errorOutput)")
            #expect(refused.errorOutput.contains("prune --forget ID"), "\(refused.errorOutput)")
            try await expect("prune", "--forget", ids[1], status: 7, runner)
            try await expect("prune", "--forget", "latest", status: 1, runner)
            // What a remote has, or may have, is no loss.
            try await runner.succeed("remote", "add", "offsite", directory.appending("offsite.git").string)
            try await shell("mv offsite.git away", in: directory)
            let unread = try await runner.run("prune", "--forget", ids[0])
            #expect(
                unread.status == 7 && unread.errorOutput.contains("cannot be read"), "\(unread.errorOutput)")
            try await shell("mv away offsite.git", in: directory)
            let healed = try await runner.run("prune", "--forget", ids[0])
            #expect(
                healed.status == 7 && healed.errorOutput.contains("nothing of it"), "\(healed.errorOutput)")
            try await runner.succeed("verify", ids[0])
            try await runner.succeed("remote", "remove", "offsite")
            try await StoreDamage.flip(object: lost, in: directory.appending("tree.git"))
            for (option, words) in [("--dry-run", "would forget 1 of 3"), ("--quiet", "forgot 1 of 3")] {
                try await expect("prune", "--forget", ids[0], option, status: 0, saying: words, runner)
            }
            try await runner.succeed("verify", "--all", "--heal")
            for command in [["verify", "--all"], ["prune"], ["status"]] {
                let outcome = try await runner.run(command, limit: .seconds(60))
                #expect(outcome.status == 0, "\(command): \(outcome.output)\(outcome.errorOutput)")
            }
            try await expect("snapshot", status: 0, saying: "no change", runner)
        }
    }

    /// As long as there is no other, it is what a restore begins with, though a file of it is lost.
    @Test func theNewestCompleteSnapshotIsNotGivenUp() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let ids = try await shell("ls tree.git/refs/snapshots/tree", in: directory)
                .split(separator: "\n").map(String.init)
            let refused = try await runner.run("prune", "--forget", ids[0], "--forget", ids[1])
            #expect(refused.status == 7, "\(refused.output)\(refused.errorOutput)")
            #expect(refused.errorOutput.contains("newest complete one"), "\(refused.errorOutput)")
            #expect(try await shell("ls tree.git/refs/snapshots/tree | wc -l", in: directory) == "2\n")
        }
    }

    /// A system of two components, in `both.yaml` too, and in `alone.yaml` with the paths of the second that are given, or
    /// without it; no snapshot yet.
    private func startTwo(
        _ directory: FilePath, paths: String = "$PWD/other", alone: String? = nil
    ) async throws -> CommandLineRunner {
        try await shell(
            """
            mkdir -p tree more other/sub other/s.git/objects/sub; echo 1 >tree/a; echo 3 >more/c; echo 2 >other/x
            seq 50 >other/sub/b; cp other/x other/sub/b other/s.git/objects; seq 70 >other/s.git/objects/sub/b
            """, in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        let rest = alone.map { "add \"\($0)\"" } ?? "cat understudy.yaml"
        try await shell(
            """
            add() { sed "s|^components:|&\\n  other: {driver: files, paths: [$1]}|" understudy.yaml; }
            \(rest) >alone.yaml; add "\(paths)" >both.yaml; cp both.yaml understudy.yaml
            """, in: directory)
        return runner
    }

    /// Takes a snapshot by a clock that is ahead: what changed within a minute before one is read again by the next.
    private func snapshot(
        _ arguments: String..., after seconds: Int, status: Int32 = 0, saying words: String = "",
        _ runner: CommandLineRunner
    ) async throws {
        let outcome = try await runner.run(
            under: ["env", "NO_FAKE_STAT=1", "faketime", "-f", "+\(seconds)s"], ["snapshot"] + arguments)
        #expect(outcome.status == status, "\(seconds): \(outcome.output)\(outcome.errorOutput)")
        #expect(outcome.output.contains(words), "\(seconds): \(outcome.output)\(outcome.errorOutput)")
    }

    /// A snapshot of one component reads that one anew; the others still stand on the pack that went.
    @Test func aPackThatWentIsMissedUntilAllIsCapturedAnew() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startTwo(directory)
            try await snapshot(after: 70, runner)
            // The directory above is in the second pack, and what is in the one below is not.
            try Files.replace(directory.appending("other/x"), with: Array("22\n".utf8))
            try await snapshot(after: 140, runner)
            try await shell(
                "first=$(ls -t tree.git/objects/pack/*.pack | tail -n 1); rm $first ${first%pack}idx",
                in: directory)
            try await snapshot("--component", "tree", after: 210, status: 6, saying: "partial", runner)
            try await snapshot(after: 280, status: 6, saying: "complete", runner)
            try await runner.succeed("verify")
            try await snapshot(after: 350, saying: "no change", runner)
        }
    }

    /// What the last snapshot does not hold, a component or one of its paths, is not missed when a pack goes, and so is read
    /// anew when it comes back.
    @Test(arguments: [false, true])
    func whatWasAwayIsReadAnew(_ isPath: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let runner =
                try await isPath
                ? startTwo(directory, paths: "$PWD/more, $PWD/other", alone: "$PWD/more")
                : startTwo(directory)
            try await snapshot(after: 70, runner)
            // Only the directory below is in a pack that no later snapshot needs, nor history.
            let objects = directory.appending("other/s.git/objects")
            try Files.replace(objects.appending("sub/b"), with: Array("7\n".utf8))
            try await snapshot(after: 140, runner)
            let pack = try await shell("ls -t tree.git/objects/pack/*.pack | head -n 1", in: directory)
            try Files.replace(objects.appending("x"), with: Array("22\n".utf8))
            try await snapshot(after: 210, runner)
            try await shell("cp alone.yaml understudy.yaml", in: directory)
            try await snapshot(after: 280, runner)
            try await shell("rm \(pack.dropLast(5))*; cp both.yaml understudy.yaml", in: directory)
            try await snapshot(after: 350, saying: "complete", runner)
            try await runner.succeed("verify")
        }
    }

    /// A reference that nobody can read takes nothing from what is said of the snapshots.
    @Test func aReferenceThatCannotBeReadHidesNoVerdict() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell("rm -rf tree.git; mv offsite.git tree.git", in: directory)
            try await shell(
                "mkdir -p tree.git/refs/heads; echo rotten >tree.git/refs/heads/tree", in: directory)
            let outcome = try await runner.run("verify", "--all")
            #expect(outcome.status == 6, "\(outcome.output)\(outcome.errorOutput)")
            #expect(
                outcome.output.split(separator: "\n").count { $0.contains("  ok  ") } == 2,
                "\(outcome.output)")
            #expect(outcome.output.contains("holds no object id"), "\(outcome.output)")
        }
    }

    /// A pack of a name that git does not look into is nobody's loss.
    @Test func aPackOfAnotherNameIsNotMissed() async throws {
        try await withTemporaryDirectory { directory in
            try await shell("mkdir tree; echo 1 >tree/a", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            try await shell(
                "cd tree.git/objects/pack; for i in pack-*; do cp $i other.${i##*.}; done", in: directory)
            try await runner.succeed("snapshot")
            let known = try await shell("cat tree.git/understudy/packs", in: directory)
            #expect(known.contains("pack-") && !known.contains("other"), "\(known)")
        }
    }

    /// What can be read is verified, and what cannot be noted is said.
    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can run as somebody else"))
    func theStoreOfSomebodyElseIsVerifiedAsFarAsItCanBeRead() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startTwo(directory)
            try await runner.succeed("snapshot")
            try await runner.succeed("snapshot")
            let binary = try await runner.copyOfBinary()
            func verify() async throws -> Program.Outcome {
                try await shell("chmod -R a+rX .; chmod 700 tree.git/understudy", in: directory)
                return try await Program(
                    "setpriv",
                    ["--reuid=65534", "--regid=65534", "--clear-groups", binary.string, "verify", "--all"],
                    directory: directory
                ).run()
            }
            let sound = try await verify()
            #expect(sound.status == 0, "\(sound.output)\(sound.errorOutput)")
            let first = try await shell(
                "git -C tree.git for-each-ref --format='%(refname)' refs/snapshots | head -n 1",
                in: directory)
            try await shell("git -C tree.git update-ref -d \(first)", in: directory)
            let dropped = try await verify()
            #expect(dropped.status == 6 && dropped.output.contains("was not pruned"), "\(dropped.output)")
            #expect(dropped.output.contains("may be on a remote"), "\(dropped.output)")
            try await StoreDamage.flip("tree/a", in: directory.appending("tree.git"))
            let damaged = try await verify()
            #expect(damaged.status == 6 && damaged.output.contains("NOT OK"), "\(damaged.output)")
            #expect(damaged.output.contains("cannot be noted"), "\(damaged.output)")
        }
    }

    /// What says what a copy held is made anew by the next push; that it cannot be read hides nothing of what was verified.
    @Test func aDamagedNoteOfARemoteHidesNothing() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startTwo(directory)
            try await runner.succeed("snapshot")
            try await shell(
                "mkdir -p tree.git/understudy/remotes; echo '{' >tree.git/understudy/remotes/x.json",
                in: directory)
            try await expect("verify", "--all", status: 6, saying: "  ok  ", runner)
            try await expect("verify", "--all", status: 6, saying: "x.json cannot be read", runner)
        }
    }

    /// Found by who may not write to the store, it is told all the same.
    @Test func whereNothingCanBeNotedThatIsSaid() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let store = directory.appending("tree.git").string
            let outcome = try await runner.run(
                under: ["bwrap", "--dev-bind", "/", "/", "--ro-bind", store, store], ["verify"])
            #expect(outcome.status == 6, "\(outcome.output)\(outcome.errorOutput)")
            #expect(outcome.output.contains("NOT OK") && outcome.output.contains("cannot be noted"))
        }
    }
}
