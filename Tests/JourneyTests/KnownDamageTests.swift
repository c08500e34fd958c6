import FileTree
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

    /// A system of two components, in `both.yaml` too, and without the second in `alone.yaml`; no snapshot yet.
    private func startTwo(_ directory: FilePath) async throws -> CommandLineRunner {
        try await shell(
            "mkdir -p tree other/sub; echo 1 >tree/a; echo 2 >other/x; seq 50 >other/sub/b", in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try await shell(
            """
            cp understudy.yaml alone.yaml
            sed -i "s|^components:|&\\n  other: {driver: files, paths: [$PWD/other]}|" understudy.yaml
            cp understudy.yaml both.yaml
            """, in: directory)
        return runner
    }

    /// A snapshot of one component reads that one anew; the others still stand on the pack that went.
    @Test func aPackThatWentIsMissedUntilAllIsCapturedAnew() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startTwo(directory)
            try await runner.succeed("snapshot")
            // The directory above is in the second pack, and what is in the one below is not.
            try Files.replace(directory.appending("other/x"), with: Array("22\n".utf8))
            try await runner.succeed("snapshot")
            try await shell(
                "first=$(ls -t tree.git/objects/pack/*.pack | tail -n 1); rm $first ${first%pack}idx",
                in: directory)
            try await expect("snapshot", "--component", "tree", status: 6, saying: "partial", runner)
            try await expect("snapshot", status: 6, saying: "complete", runner)
            try await runner.succeed("verify")
            try await expect("snapshot", status: 0, saying: "no change", runner)
        }
    }

    /// What the last snapshot does not hold is not missed when a pack goes, and so is read anew when it comes back.
    @Test func aComponentThatWasAwayIsReadAnew() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await startTwo(directory)
            try await runner.succeed("snapshot")
            try Files.replace(directory.appending("other/x"), with: Array("22\n".utf8))
            try Files.replace(directory.appending("tree/a"), with: Array("11\n".utf8))
            try await runner.succeed("snapshot")
            try await shell("cp alone.yaml understudy.yaml; echo 111 >tree/a", in: directory)
            try await runner.succeed("snapshot")
            try await shell(
                "first=$(ls -t tree.git/objects/pack/*.pack | tail -n 1); rm $first ${first%pack}idx; cp both.yaml understudy.yaml",
                in: directory)
            _ = try await runner.run("snapshot")
            try await runner.succeed("verify")
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
