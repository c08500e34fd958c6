import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Signed snapshots: stock git agrees, and what somebody who can write to a store does to it is noticed and named.
@Suite struct SignatureTests {
    /// A system whose snapshots are signed, three of them, and `$1` to `$3` for their references in scripts.
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        _ = try await shell("mkdir tree; seq 100 >tree/a", in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree", "--signing-key", "keys/signing")
        for text in ["one", "two", "three"] {
            try Files.replace(directory.appending("tree/c"), with: Array("\(text)\n".utf8))
            try await runner.succeed("snapshot")
        }
        return runner
    }

    private static let references =
        "cd tree.git; set -- $(git for-each-ref --format='%(refname)' refs/snapshots); "

    /// Runs a script with the snapshots' references as `$1`, `$2` and `$3`, in the store.
    @discardableResult
    private func tamper(_ script: String, _ directory: FilePath) async throws -> String {
        try await shell(Self.references + script, in: directory)
    }

    @Test func signaturesAreCheckedWhereTheDiskIsFull() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell("cp -a tree.git copy.git", in: directory)
            let store = directory.appending("tree.git")
            // The store is copied onto a file system of 4 MiB, and the rest of that is filled.
            let fill = "while dd if=/dev/zero bs=4k count=1 status=none >>$store/fill; do :; done 2>/dev/null"
            let outcome = try await runner.run(
                under: [
                    "bwrap", "--dev-bind", "/", "/", "--size", "4194304", "--tmpfs", "\(store)", "/bin/bash",
                    "-c",
                    "store=\(store); cp -a \(directory)/copy.git/. $store; chmod 700 $store; \(fill); \"$@\"",
                    "bash",
                ], ["verify"])
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
        }
    }

    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root locks files"))
    func signaturesAreCheckedWhereOurDirectoryIsLocked() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell("chattr +i tree.git/understudy", in: directory)
            let outcome: Program.Outcome
            do {
                outcome = try await runner.run("verify")
            } catch {
                try await shell("chattr -i tree.git/understudy", in: directory)
                throw error
            }
            try await shell("chattr -i tree.git/understudy", in: directory)
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
        }
    }

    private func expect(
        _ words: String, of arguments: [String], status: Int32 = 6, _ runner: CommandLineRunner
    ) async throws {
        let outcome = try await runner.run(under: ["env"], arguments)
        #expect(outcome.status == status, "\(arguments): \(outcome.output)\(outcome.errorOutput)")
        #expect(
            (outcome.output + outcome.errorOutput).contains(words),
            "\(arguments): \(outcome.output)\(outcome.errorOutput)")
    }

    @Test func stockGitAgreesWithTheSignatures() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell("rm tree/a", in: directory)
            try await runner.succeed("restore")
            try await runner.succeed("verify", "--all")
            #expect(try await runner.succeed("doctor").contains("keys/signing signs"))
            #expect(try await runner.succeed("--format", "json", "snapshots").contains("\"signed\" : true"))
            let verified = try await tamper(
                """
                echo "me $(cat ../keys/signing.pub)" >../allowed; git config gpg.ssh.allowedSignersFile $PWD/../allowed
                for ref in "$@" refs/evidence/tree/restores; do git verify-commit $ref 2>&1; done | grep -c 'Good "git" signature for me with ED25519 key'
                """, directory)
            #expect(verified == "5\n")
            try await runner.checkStore(directory.appending("tree.git"))
            #expect(try await shell("stat -c %a keys/signing", in: directory) == "600\n")
        }
    }

    @Test func aStoreThatNobodyCanWriteToIsVerified() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let store = directory.appending("tree.git").string
            let verified = try await runner.run(
                under: ["bwrap", "--dev-bind", "/", "/", "--ro-bind", store, store], ["verify", "--all"])
            #expect(verified.status == 0, "\(verified.output)\(verified.errorOutput)")
        }
    }

    @Test func aChangedFileUnderTheOldNameIsNoticed() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            // The whole snapshot made anew around another file, with the old message and the old signature.
            try await tamper(
                """
                export GIT_INDEX_FILE=$PWD/../index; git read-tree $3
                path=$(git ls-tree -r --name-only $3 | grep 'tree/c$'); blob=$(echo evil | git hash-object -w --stdin)
                git update-index --cacheinfo 100644,$blob,$path; tree=$(git write-tree)
                git cat-file commit $3 | sed "1s/.*/tree $tree/" >../commit
                git update-ref $3 $(git hash-object -t commit -w ../commit)
                """, directory)
            _ = try await shell("echo live >tree/c", in: directory)
            for arguments in [["verify"], ["restore"], ["restore", "--dry-run"]] {
                let words = arguments == ["verify"] ? "tree/c" : "was changed after it was signed"
                try await expect(words, of: arguments, runner)
            }
            #expect(try Files.read(directory.appending("tree/c")) == Array("live\n".utf8))
        }
    }

    @Test func anUnsignedSnapshotAndAForeignSignerAreNamed() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await tamper(
                """
                git cat-file commit $3 | sed '/^gpgsig/,/END SSH/d' >../unsigned
                git update-ref $3 $(git hash-object -t commit -w ../unsigned)
                """, directory)
            try await expect("is not signed", of: ["verify"], runner)
            try await expect("is not signed", of: ["restore"], runner)
            let fingerprint = try await tamper(
                """
                ssh-keygen -q -t ed25519 -N '' -f ../foreign; ssh-keygen -Y sign -n git -f ../foreign <../unsigned >../signature 2>/dev/null
                { sed '/^$/,$d' ../unsigned; sed '1s/^/gpgsig /; 2,$s/^/ /' ../signature; sed -n '/^$/,$p' ../unsigned; } >../signed
                git update-ref $3 $(git hash-object -t commit -w ../signed); ssh-keygen -lf ../foreign.pub | cut -d' ' -f2
                """, directory
            ).dropLast()
            try await expect("is signed by \(fingerprint), and not by SHA256:", of: ["verify"], runner)
            try await expect("is signed by \(fingerprint)", of: ["restore"], runner)
            // Whoever trusts that key may say so; older ones are still good.
            try await runner.succeed("restore", "--signer", "foreign.pub", "--dry-run")
            try await runner.succeed("restore", "latest~1", "--dry-run")
            try await expect(
                "neither a public Ed25519 key", of: ["restore", "--signer", "tree/c"], status: 64, runner)
        }
    }

    @Test func anOlderSnapshotAsTheLatestIsNoticed() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await tamper("git update-ref $3 $1", directory)
            try await expect("an older one was put in its place", of: ["restore"], runner)
            try await expect("it describes the snapshot", of: ["verify"], runner)
        }
    }

    @Test func aDroppedSnapshotIsNamedAndAPrunedOneIsNot() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("verify", "--all")
            let middle = try await tamper("git update-ref -d $2; echo ${2##*/}", directory).dropLast()
            try await expect("the snapshot \(middle), which", of: ["verify", "--all"], runner)
            #expect(try await runner.succeed("restore").contains("the snapshot \(middle), which"))
            // The newest gone: history and evidence remember.
            try await tamper("git update-ref -d $2; git update-ref -d $3", directory)
            try await expect("history goes on after the snapshot", of: ["verify", "--all"], runner)
            try await expect(
                "there is evidence of restores about the snapshot", of: ["verify", "--all"], runner)
        }
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell("echo 'keep: {last: 1}' >policies/retention.yaml", in: directory)
            #expect(try await runner.succeed("prune").contains("forgot 2 of 3"))
            try await runner.succeed("verify", "--all")
            try await runner.checkStore(directory.appending("tree.git"))
        }
    }

    /// What is done to the newest snapshot of a copy, with its reference as `$3`, and what a pull says of it.
    static let tamperings: [(script: String, words: String)] = [
        (
            "git cat-file commit $3 | sed '/^gpgsig/,/END SSH/d' >../c; git update-ref $3 $(git hash-object -t commit -w ../c)",
            "is not signed"
        ),
        (
            """
            git cat-file commit $3 | sed '/^gpgsig/,/END SSH/d' >../c; ssh-keygen -q -t ed25519 -N '' -f ../foreign
            ssh-keygen -Y sign -n git -f ../foreign <../c >../s 2>/dev/null
            { sed '/^$/,$d' ../c; sed '1s/^/gpgsig /; 2,$s/^/ /' ../s; sed -n '/^$/,$p' ../c; } >../d
            git update-ref $3 $(git hash-object -t commit -w ../d)
            """, "is signed by SHA256:"
        ),
        (
            """
            export GIT_INDEX_FILE=$PWD/../index; git read-tree $3; blob=$(echo evil | git hash-object -w --stdin)
            git update-index --cacheinfo 100644,$blob,$(git ls-tree -r --name-only $3 | grep 'tree/c$')
            git cat-file commit $3 | sed "1s/.*/tree $(git write-tree)/" >../c; git update-ref $3 $(git hash-object -t commit -w ../c)
            """, "was changed after it was signed"
        ),
        ("git update-ref $3 $1", "an older one was put in its place"),
    ]

    @Test(arguments: tamperings.map(\.script))
    func aPullTakesOnlyWhatIsSigned(_ script: String) async throws {
        try await withTemporaryDirectory { directory in
            let words = try #require(Self.tamperings.first { $0.script == script }).words
            let runner = try await start(directory)
            // A copy with everything, of which somebody changes the newest; the store has only what came before.
            let newest = try await tamper(
                """
                git clone -q --mirror . ../offsite.git; git rev-parse $3; git update-ref -d $3; git update-ref refs/heads/tree $2^
                cd ../offsite.git; \(script)
                """, directory
            ).dropLast()
            try await runner.succeed("remote", "add", "offsite", directory.appending("offsite.git").string)
            let before = try await tamper("git for-each-ref", directory)
            #expect(try await runner.succeed("pull", "--dry-run").contains("would get 1 snapshot"))
            try await expect(words, of: ["pull"], runner)
            #expect(try await tamper("git for-each-ref", directory) == before, "nothing of it is here")
            try await expect(words, of: ["pull"], runner)
            _ = try await shell(
                "cd offsite.git; set -- $(git for-each-ref --format='%(refname)' refs/snapshots); git update-ref $3 \(newest)",
                in: directory)
            #expect(try await runner.succeed("pull").contains("got 1 snapshot, history"))
            try await runner.succeed("verify", "--all")
            try await runner.checkStore(directory.appending("tree.git"))
        }
    }

    @Test func aPullNamesASnapshotThatWasDroppedAndTakesNoHistoryWithoutOne() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await tamper(
                """
                git clone -q --mirror . ../offsite.git; git -C ../offsite.git update-ref -d $3
                git update-ref -d $3; git update-ref refs/heads/tree $2^
                """, directory)
            try await runner.succeed("remote", "add", "offsite", directory.appending("offsite.git").string)
            let before = try await tamper("git for-each-ref", directory)
            try await expect("goes on after what signed snapshots stand on", of: ["pull"], runner)
            #expect(try await tamper("git for-each-ref", directory) == before)
        }
    }

    @Test func aPullTakesNoEvidenceThatAForeignerSigned() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell("rm tree/a", in: directory)
            try await runner.succeed("restore")
            try await tamper(
                """
                git clone -q --mirror . ../offsite.git; git update-ref -d refs/evidence/tree/restores; cd ../offsite.git
                ssh-keygen -q -t ed25519 -N '' -f ../foreign; export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x
                old=$(git rev-parse refs/evidence/tree/restores)
                new=$(git -c gpg.format=ssh -c user.signingkey=$PWD/../foreign commit-tree -S -m "all is well" -p $old "$old^{tree}")
                git update-ref refs/evidence/tree/restores $new
                """, directory)
            try await runner.succeed("remote", "add", "offsite", directory.appending("offsite.git").string)
            try await expect("of restores is signed by SHA256:", of: ["pull"], runner)
            #expect(try await tamper("git for-each-ref refs/evidence", directory) == "")
        }
    }

    @Test func aCopyThatWasRolledBackIsNoticedOnAnEmptyMachine() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell("git init -q --bare offsite.git; cp keys/signing.pub my.pub", in: directory)
            try await runner.succeed("remote", "add", "offsite", directory.appending("offsite.git").string)
            try await runner.succeed("push")
            _ = try await shell(
                "cd offsite.git; git update-ref -d $(git for-each-ref --format='%(refname)' refs/snapshots | tail -n 1); cd ..; rm -rf tree tree.git understudy.yaml keys policies",
                in: directory)
            let report = try await runner.succeed("restore", "--from", "offsite.git", "--signer", "my.pub")
            #expect(report.contains("history goes on after the snapshot"), "\(report)")
            #expect(report.contains("no snapshot can be taken here before the key is there"), "\(report)")
            // Without a key from elsewhere only its own word stands for it.
            let again = try await runner.succeed("restore", "--from", "offsite.git", "--dry-run")
            #expect(again.contains("it is signed by a key named only in its own system file, SHA256:"))
            try await expect(
                "cannot sign with the key", of: ["snapshot"], status: 1, runner)
        }
    }

    @Test func aKeyOfAnAgentSigns() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell(
                "mv keys/signing secret; sed -i 's|^signing-key: .*|&.pub|' understudy.yaml", in: directory)
            try await expect("cannot sign with the key", of: ["snapshot"], status: 1, runner)
            let script = """
                eval "$(ssh-agent -s)" >/dev/null; trap 'kill $SSH_AGENT_PID' EXIT; ssh-add -q secret; "$@"
                """
            let outcome = try await runner.run(
                under: ["/bin/bash", "-c", script, "bash"], ["snapshot"])
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
            try await runner.succeed("verify", "--all")
        }
    }

    @Test func aHostThatCannotCheckSaysSoAndAccusesNobody() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            // ssh-keygen does nothing for a user whom the host does not know.
            _ = try await shell(": >passwd; echo 'passwd: files' >nsswitch.conf", in: directory)
            let bare = [
                "bwrap", "--dev-bind", "/", "/", "--ro-bind", "passwd", "/etc/passwd", "--ro-bind",
                "nsswitch.conf",
                "/etc/nsswitch.conf",
            ]
            let outcome = try await runner.run(under: bare, ["verify"])
            #expect(outcome.status == 1, "\(outcome.output)")
            #expect(
                outcome.errorOutput.contains("signatures cannot be checked: ssh-keygen"),
                "\(outcome.errorOutput)")
        }
    }
}
