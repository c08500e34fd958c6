import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// What is secret leaves no trace in the store, and comes back with the recovery key alone.
@Suite struct SealingJourneyTests {
    /// One of each kind of secret that the files driver knows by its name, with contents that stand nowhere else.
    private static let secrets: [(path: String, contents: String)] = [
        ".ssh/id_rsa", ".ssh/config", ".gnupg/secring.gpg", ".aws/credentials", ".kube/config",
        ".docker/config.json", ".netrc", ".pgpass", ".npmrc", ".pypirc", ".git-credentials", ".htpasswd",
        "htpasswd",
        ".env", "app/id_ecdsa", "app/id_ed25519", "ssh_host_rsa_key", "shadow", "gshadow", "tls/site.key",
        "tls/site.pem", "tls/site.p12", "tls/site.pfx", "java/store.jks", "java/store.keystore",
        "infra/terraform.tfstate", "infra/terraform.tfstate.backup", "vault.kdbx",
    ].enumerated().map { index, path in (path, "Gx\(index)/K+q7?zR~\(index * 7919)=vW\n") }

    /// A tree of secrets, a short password and something to read, and its first snapshot.
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        for (path, contents) in Self.secrets {
            let file = directory.appending("tree").pushing(FilePath(path))
            try Files.makeDirectories(file.removingLastComponent())
            try Files.replace(file, with: Array(contents.utf8), mode: 0o600)
        }
        try Files.replace(directory.appending("tree/pin.key"), with: Array("1234".utf8))
        try Files.replace(directory.appending("tree/notes.age"), with: Array("no age file\n".utf8))
        try Files.replace(directory.appending("tree/site.conf"), with: Array("listen 443;\n".utf8))
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        return runner
    }

    /// Every object of the store, one after the other.
    private func objects(_ directory: FilePath) async throws -> String {
        try await shell(
            "git -C tree.git cat-file --batch-all-objects --batch | iconv -f latin1 -t utf8", in: directory)
    }

    /// How a text may be spelled where it should not be.
    private func spellings(_ text: String) async throws -> [String] {
        let script = """
            import base64, sys, urllib.parse
            s = sys.argv[1].encode()
            print(sys.argv[1]); print(s.hex()); print(urllib.parse.quote(sys.argv[1], safe=""))
            # Wherever it stands in a longer text, base 64 shows one of three.
            for skip in range(3): print(base64.b64encode(b"\\0" * skip + s).decode()[skip + 1:-4])
            """
        return try await Program("python3", ["-c", script, text]).runSuccessfully().output
            .split(separator: "\n").map(String.init)
    }

    @Test func noSecretIsInAnyObjectOrOutputAndAllComeBack() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            var said = try await runner.succeed("snapshot")
            _ = try await shell("cp -a tree reference; printf 4321 >tree/pin.key", in: directory)
            for command in ["status", "diff", "verify", "snapshots", "log", "doctor"] {
                let outcome = try await runner.run("--verbose", command)
                said += outcome.output + outcome.errorOutput
            }
            said += try await runner.succeed("--format", "json", "show", "latest")
            #expect(said.contains("pin.key"), "that it changed is told")
            said += try await runner.succeed("restore")
            #expect(said.contains("it has the snapshot's own tree"))
            #expect(
                try await runner.differences(directory.appending("reference"), directory.appending("tree"))
                    == "")
            let objects = try await objects(directory)
            #expect(objects.contains("listen 443;") && objects.contains("no age file"))
            for (path, contents) in Self.secrets {
                let place = String(path.split(separator: "/").last ?? "")
                #expect(objects.contains("\(place.dropFirst()).age"), "\(path)")
                for spelling in try await spellings(String(contents.dropLast())) {
                    #expect(!objects.contains(spelling) && !said.contains(spelling), "\(path): \(spelling)")
                }
            }
            // A short secret must not be there by its digests either, from which it could be guessed.
            for digest in ["sha256sum", "sha1sum", "git hash-object --stdin"] {
                let value = try await shell(
                    "printf 1234 | \(digest) | cut -d' ' -f1 | tr -d '\\n'", in: directory)
                #expect(value.count >= 40 && !objects.contains(value), "\(digest)")
            }
            try await runner.checkStore(directory.appending("tree.git"))
        }
    }

    @Test func withoutAKeyThatFitsNothingIsTouched() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            _ = try await shell(
                "age-keygen -o other.key 2>/dev/null; echo changed >tree/site.conf; cp -a tree before; ls -A . tree.git/understudy >listing",
                in: directory)
            for arguments in [["restore"], ["restore", "--dry-run"]] {
                let outcome = try await runner.run(under: ["env"], arguments + ["--identity", "other.key"])
                #expect(outcome.status == 12, "\(outcome.errorOutput)")
                #expect(outcome.errorOutput.contains("hint: it is sealed to \(try runner.recipient())"))
            }
            _ = try await shell("mv recovery.key kept.key", in: directory)
            let none = try await runner.run("restore")
            #expect(none.status == 12)
            #expect(none.errorOutput.contains("--identity FILE"))
            let place = "tree/files\(directory)/tree/pin.key"
            #expect(try await runner.run("show", "latest", place).status == 12)
            #expect(try await runner.succeed("show", "latest", place, "--identity", "kept.key") == "1234")
            let wrong = try await runner.run("verify", "--identity", "tree/site.conf")
            #expect(wrong.status == 64 && !wrong.errorOutput.contains("changed"))
            #expect(
                try await runner.differences(directory.appending("before"), directory.appending("tree")) == ""
            )
            let listing = try await shell("ls -A . tree.git/understudy | grep -v kept.key", in: directory)
            let before = try await shell("grep -v recovery.key listing", in: directory)
            #expect(listing == before, "no lock, no journal, nothing staged")
            try await runner.succeed("restore", "--identity", "kept.key")
        }
    }

    @Test func anEmptyMachineNeedsTheStoreAndTheKeyAlone() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            _ = try await shell(
                "git clone --quiet --mirror tree.git copy.git; git -C copy.git config understudy.format 2; rm -rf tree.git; mv copy.git tree.git; mv tree reference",
                in: directory)
            let report = try await runner.succeed("restore")
            #expect(report.contains("it has the snapshot's own tree"))
            #expect(
                try await runner.differences(directory.appending("reference"), directory.appending("tree"))
                    == "")
            // The store goes on to seal as it did: nothing changed, and nothing is a new object but the snapshot itself.
            let again = try await runner.succeed("snapshot")
            #expect(again.contains("no change"))
            #expect(try await componentTrees(directory).count == 1)
        }
    }

    /// The different trees that the component has in all snapshots.
    private func componentTrees(_ directory: FilePath) async throws -> Set<Substring> {
        Set(
            try await shell(
                "git -C tree.git for-each-ref --format='%(refname)' refs/snapshots | while read -r ref; do git -C tree.git rev-parse $ref:tree; done",
                in: directory
            ).split(separator: "\n"))
    }

    @Test func whatDidNotChangeIsTheSameAndIsNotReadAgain() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            // What changed within a minute before a snapshot is read again, so the clock of each is ahead.
            func snapshot(after seconds: Int, under program: [String] = []) async throws {
                let taken = try await runner.run(
                    under: ["env", "NO_FAKE_STAT=1"] + program + ["faketime", "-f", "+\(seconds)s"],
                    ["snapshot"])
                #expect(taken.status == 0, "\(taken.errorOutput)")
            }
            try await snapshot(after: 70)
            try await snapshot(
                after: 140, under: ["strace", "-f", "-qq", "-e", "trace=openat", "-o", "opened"])
            let opened = try await shell("cat opened", in: directory)
            #expect(opened.contains("sealing-key") && !opened.contains("pin.key"))
            // Without a cache everything is read and sealed anew, to the same bytes.
            _ = try await shell("rm -r tree.git/understudy/cache", in: directory)
            try await snapshot(after: 210)
            #expect(try await componentTrees(directory).count == 1)
        }
    }

    @Test func aLargeSecretIsSealedInPiecesOfWhichFewChange() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell("head -c 20000000 /dev/urandom >tree/big.key", in: directory)
            try await runner.succeed("snapshot")
            let size = "du -s -B1 tree.git/objects | cut -f1"
            let before = try #require(Int(try await shell("\(size) | tr -d '\\n'", in: directory)))
            _ = try await shell(
                "printf changed | dd of=tree/big.key bs=1 seek=9000000 conv=notrunc status=none; cp -a tree reference",
                in: directory)
            try await runner.succeed("snapshot")
            let after = try #require(Int(try await shell("\(size) | tr -d '\\n'", in: directory)))
            #expect(before > 20_000_000 && after - before < 9_000_000)
            // Stock tools put it together again.
            let opened = try await shell(
                "tree=$(git -C tree.git for-each-ref --format='%(refname)' refs/snapshots | tail -n 1):tree/files$PWD/tree/big.key.age.chunks; git -C tree.git ls-tree --name-only $tree | while read -r chunk; do git -C tree.git cat-file blob $tree/$chunk | age -d -i recovery.key; done | cmp - tree/big.key && echo same",
                in: directory)
            #expect(opened == "same\n")
            _ = try await shell("rm -r tree", in: directory)
            try await runner.succeed("restore")
            #expect(
                try await runner.differences(directory.appending("reference"), directory.appending("tree"))
                    == "")
        }
    }

    @Test func historyHoldsSmallSecretsThatStockToolsOpen() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            let opened = try await shell(
                "git -C tree.git cat-file blob tree:tree/files$PWD/tree/pin.key.age | age -d -i recovery.key",
                in: directory)
            #expect(opened == "1234")
            let recipient = try runner.recipient()
            #expect(try await shell("cat understudy.yaml", in: directory).contains(recipient))
            let key = try await shell(
                "grep -c AGE-SECRET-KEY- recovery.key; stat -c %a recovery.key", in: directory)
            #expect(key == "1\n600\n")
            #expect(!(try await objects(directory)).contains("AGE-SECRET-KEY-"))
        }
    }

    @Test func aChangedBitOfWhatIsSealedIsFoundWithAndWithoutTheKey() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            #expect(try await runner.run("verify").status == 0)
            _ = try await shell(
                "blob=$(git -C tree.git rev-parse tree:tree/files$PWD/tree/pin.key.age); git -C tree.git unpack-objects -q < tree.git/objects/pack/*.pack; mkdir away; mv tree.git/objects/pack/* away; git -C tree.git unpack-objects -q < away/*.pack; file=tree.git/objects/${blob:0:2}/${blob:2}; chmod u+w $file; python3 -c 'import sys, zlib; d = bytearray(zlib.decompress(open(sys.argv[1], \"rb\").read())); d[-3] ^= 1; open(sys.argv[1], \"wb\").write(zlib.compress(bytes(d)))' $file; echo live >tree/site.conf",
                in: directory)
            for arguments in [["verify"], ["verify", "--identity", "recovery.key"], ["restore"]] {
                let outcome = try await runner.run(under: ["env"], arguments)
                #expect(outcome.status == 6, "\(arguments): \(outcome.output) \(outcome.errorOutput)")
                #expect((outcome.output + outcome.errorOutput).contains("pin.key"))
            }
            #expect(try Files.read(directory.appending("tree/site.conf")) == Array("live\n".utf8))
        }
    }
}
