import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Copies of the store on git remotes: what arrives, in which order, and what is never replaced there.
@Suite struct RemoteTests {
    /// A store with three snapshots, and an empty bare repository `offsite.git` as its remote.
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        _ = try await shell("mkdir tree; seq 100 >tree/a; echo s3cret >tree/b.key", in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        for text in ["one", "two", "three"] {
            try Files.replace(directory.appending("tree/c"), with: Array("\(text)\n".utf8))
            try await runner.succeed("snapshot")
        }
        _ = try await shell("git init --quiet --bare offsite.git", in: directory)
        try await runner.succeed("remote", "add", "offsite", directory.appending("offsite.git").string)
        return runner
    }

    private func references(_ repository: String, in directory: FilePath) async throws -> String {
        try await shell(
            "git -C \(repository) for-each-ref --format='%(objectname) %(refname)'", in: directory)
    }

    /// ssh says why, and git only that ssh failed.
    @Test func whyARemoteCannotBeReachedIsTold() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("remote", "remove", "offsite")
            try await runner.succeed("remote", "add", "far", "git@far.example:x.git")
            let words = "ssh: connect to host far.example port 22: Connection refused"
            let program = directory.appending("ssh")
            try Files.replace(
                program, with: Array("#!/bin/sh\nprintf '\(words)\\r\\n' >&2\nexit 255\n".utf8), mode: 0o755)
            for arguments in [["push"], ["verify", "--all", "--heal"]] {
                let outcome = try await runner.run(under: ["env", "GIT_SSH_COMMAND=\(program)"], arguments)
                let said = outcome.output + outcome.errorOutput
                #expect(outcome.status != 0 && said.contains(words), "\(said)")
                #expect(!said.contains("none of the remotes"), "\(said)")
                _ = try await shell("rm -f tree.git/objects/pack/*", in: directory)
            }
        }
    }

    @Test func aPushBringsEverythingOnceAndStatusSaysWhatIsLacking() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            #expect(try await runner.succeed("status").contains("offsite: never pushed to"))
            #expect(
                try await runner.succeed("push", "--dry-run").contains("offsite  lacks 3 snapshots, history"))
            #expect(try await references("offsite.git", in: directory) == "")
            #expect(try await runner.succeed("push").contains("offsite  got 3 snapshots, history"))
            #expect(
                try await references("offsite.git", in: directory) == references("tree.git", in: directory))
            #expect(try await runner.succeed("push").contains("offsite  has everything"))
            #expect(try await runner.succeed("status").contains("offsite: has all snapshots"))
            _ = try await shell("rm tree/a", in: directory)
            try await runner.succeed("restore")
            #expect(try await runner.succeed("status").contains("offsite: LACKS 1 snapshot (seen"))
            #expect(
                try await runner.succeed("push", "offsite").contains("got 1 snapshot, history, evidence"))
            #expect(
                try await references("offsite.git", in: directory) == references("tree.git", in: directory))
            try await runner.succeed("drill")
            #expect(try await runner.succeed("push").contains("offsite  got evidence\n"))
            try await runner.checkStore(directory.appending("offsite.git"))
            // The copy is a store, and heals the original.
            _ = try await shell("rm -f tree.git/objects/pack/*", in: directory)
            try await runner.succeed("verify", "--all", "--heal")
        }
    }

    /// Takes the one object out of the store that a revision names, and puts it into `lost`.
    private func lose(_ revision: String, _ directory: FilePath) async throws {
        _ = try await shell(
            """
            mkdir -p lost; cd tree.git
            for i in objects/pack/*.pack; do mv $i x; rm -f ${i%pack}*; git unpack-objects -q <x; done; rm -f x
            set -- $(git for-each-ref --format='%(refname)' refs/snapshots)
            id=$(git rev-parse "\(revision)"); mv objects/${id:0:2}/${id:2} ../lost/$id
            """, in: directory)
    }

    private static let findLost =
        "for id in $(ls lost); do mv lost/$id tree.git/objects/${id:0:2}/${id:2}; done"

    /// What is behind the commit that the remote has need not be there.
    @Test(arguments: ["$1", "$1^1", "$2"])
    func whatIsLostAndArrivedLongAgoHindersNoPush(_ revision: String) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("push")
            try Files.replace(directory.appending("tree/c"), with: Array("four\n".utf8))
            try await runner.succeed("snapshot")
            try await lose(revision, directory)
            #expect(try await runner.succeed("push").contains("offsite  got 1 snapshot, history"))
            #expect(try await runner.succeed("push").contains("offsite  has everything"))
            #expect(
                try await references("offsite.git", in: directory) == references("tree.git", in: directory))
            try await runner.checkStore(directory.appending("offsite.git"))
        }
    }

    /// A commit whose bytes have rotted is one snapshot less, and neither the end of the list nor of the push.
    @Test func aRottenCommitIsOneSnapshotLess() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let ids = try await shell("ls tree.git/refs/snapshots/tree", in: directory).split(separator: "\n")
            try await lose("$2", directory)
            try await shell(
                "for id in $(ls lost); do echo rotten >tree.git/objects/${id:0:2}/${id:2}; done",
                in: directory)
            let listed = try await runner.run("snapshots")
            #expect(listed.status == 6, "\(listed.output)\(listed.errorOutput)")
            for (index, id) in ids.enumerated() {
                let line = listed.output.split(separator: "\n").first { $0.hasPrefix(id) } ?? ""
                #expect(line.contains("  lost  ") == (index == 1) && !line.isEmpty, "\(listed.output)")
            }
            let pushed = try await runner.run("push")
            #expect(pushed.status == 6, "\(pushed.output)\(pushed.errorOutput)")
            #expect(pushed.output.contains("offsite  got 2 snapshots"), "\(pushed.output)")
            #expect(pushed.output.contains("NOT SENT: the snapshot \(ids[1]) is lost"), "\(pushed.output)")
        }
    }

    /// History that is lost before it arrived anywhere ends what can be brought; a snapshot that is lost only itself.
    @Test(arguments: [
        ("$2", [0, 2]), ("$2:snapshot.json", [0, 2]), ("$2:tree/manifest", [0, 2]), ("$2^1", [0]),
        ("$2^1^{tree}", [0]),
    ])
    func whatIsLostHereIsNamedAndTheRestIsPushed(_ revision: String, _ sent: [Int]) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let ids = try await shell("ls tree.git/refs/snapshots/tree", in: directory).split(separator: "\n")
            try await lose(revision, directory)
            let pushed = try await runner.run("push")
            #expect(pushed.status == 6, "\(pushed.output)\(pushed.errorOutput)")
            #expect(pushed.output.contains("offsite  got \(sent.count) snapshot"), "\(pushed.output)")
            let there = try await references("offsite.git", in: directory)
            for (index, id) in ids.enumerated() {
                let isSent = sent.contains(index)
                #expect(there.contains(id) == isSent, "\(id): \(there)")
                #expect(pushed.output.contains("NOT SENT: the snapshot \(id)") != isSent, "\(pushed.output)")
            }
            try await runner.checkStore(directory.appending("offsite.git"))
            let again = try await runner.run("push", "--format", "json")
            #expect(again.status == 6 && again.output.contains("\"unsendable\""), "\(again.output)")
            #expect(!again.output.contains("\\n"), "a message is one line: \(again.output)")
            _ = try await shell(Self.findLost, in: directory)
            try await runner.succeed("push")
            #expect(
                try await references("offsite.git", in: directory) == references("tree.git", in: directory))
        }
    }

    @Test func aStoreWithoutASnapshotSaysWhatElseThereIsToKnow() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir tree; touch tree/a", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("remote", "add", "offsite", directory.appending("offsite.git").string)
            _ = try await shell("sed -i '/^recipients:/,/^  - /d' understudy.yaml", in: directory)
            let status = try await runner.succeed("status")
            #expect(status.contains("none: 'understudy snapshot' takes the first one"), "\(status)")
            #expect(status.contains("the store holds secrets in clear"), "\(status)")
            #expect(status.contains("offsite: never pushed to"), "\(status)")
        }
    }

    @Test func sshIsSpokenAsItsUserSetItUp() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            // Takes the place of ssh: the command that git would run over there is its last argument.
            _ = try await shell(
                """
                printf '#!/bin/sh\\necho "$@" >>asked; for last; do :; done; exec sh -c "$last"\\n' >ssh; chmod +x ssh
                """, in: directory)
            try await runner.succeed(
                "remote", "add", "vault", "backup@vault.invalid:\(directory.appending("offsite.git"))")
            let ssh = ["env", "GIT_SSH_COMMAND=\(directory.appending("ssh"))", "GIT_SSH_VARIANT=ssh"]
            let outcome = try await runner.run(under: ssh, ["push", "vault"])
            #expect(outcome.output.contains("vault  got 3 snapshots"), "\(outcome.output)")
            #expect(
                try await shell("cat asked", in: directory).contains("backup@vault.invalid git-receive-pack"))
            #expect(
                try await references("offsite.git", in: directory) == references("tree.git", in: directory))
            let helped = try await runner.run(under: ssh, ["pull", "vault"])
            #expect(helped.status == 0, "\(helped.errorOutput)")
            // The steps of a night find what was set up, as by hand.
            try await runner.succeed("remote", "remove", "offsite")
            let night = try await runner.run(under: ssh, ["nightly"])
            #expect(night.status == 0, "\(night.output)\(night.errorOutput)")
        }
    }

    @Test func aDirectoryIsKeptByItsWholePath() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("remote", "add", "disk", "../copies/./acme.git")
            let list = try await runner.succeed("remote", "list")
            let place = directory.removingLastComponent().appending("copies/acme.git")
            #expect(list.contains("\(place)") && !list.contains(".."), "\(list)")
        }
    }

    /// A store's settings may name programs, so git runs nothing in one that belongs to somebody else.
    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can give a store away"))
    func nothingIsRunThatSomebodyElsesStoreNames() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("remote", "add", "vault", "backup@vault.invalid:offsite.git")
            _ = try await shell(
                "git -C tree.git config core.sshCommand 'touch ran;'; chown -R 12345 tree.git", in: directory)
            for command in ["push", "pull"] {
                let outcome = try await runner.run(command, "vault")
                let words = outcome.output + outcome.errorOutput
                #expect(outcome.status == 7 || outcome.status == 1, "\(command): \(words)")
                #expect(words.contains("belongs to another user"), "\(words)")
            }
            #expect(try await shell("find . -name ran", in: directory) == "")
            try await runner.succeed("verify", "--all")
        }
    }

    /// What had not arrived when the line was cut is on the remote, and not lost.
    @Test func aPullThatWasCutIsNoLoss() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("push")
            // Here the first snapshot alone is left, and there an object of the last one is gone.
            _ = try await shell(
                """
                set -- $(git -C tree.git for-each-ref --format='%(refname)' refs/snapshots)
                git -C tree.git update-ref -d $2; git -C tree.git update-ref -d $3
                git -C tree.git update-ref refs/heads/tree $1^1; rm -r tree.git/understudy/remotes
                lost=$(git -C offsite.git rev-parse $3:snapshot.json)
                rm -f offsite.git/objects/${lost:0:2}/${lost:2}; git -C tree.git gc -q --prune=now
                """, in: directory)
            let cut = try await runner.run("pull")
            #expect(cut.status == 1, "\(cut.output)\(cut.errorOutput)")
            let verified = try await runner.run("verify", "--all")
            #expect(verified.status == 0, "\(verified.output)\(verified.errorOutput)")
        }
    }

    @Test func oneRemoteThatFailsDoesNotStopTheOthers() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("remote", "add", "away", "/nowhere/at/all.git")
            let outcome = try await runner.run("push")
            #expect(outcome.status == 1)
            #expect(outcome.output.contains("away  FAILED: cannot read the remote away"), "\(outcome.output)")
            #expect(outcome.output.contains("offsite  got 3 snapshots"))
            let looked = try await runner.succeed("status", "--look")
            #expect(
                looked.contains("away: cannot be determined") && looked.contains("offsite: has all snapshots")
            )
            try await runner.succeed("remote", "remove", "away")
            #expect(try await runner.succeed("push").contains("has everything"))
            #expect(try await runner.run("push", "away").status == 7)
        }
    }

    @Test func whatSomebodyElsePutThereIsNamedAndStays() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("push")
            // The newest snapshot is replaced by an older one, as somebody would who wants an old state restored.
            let names = try await shell(
                """
                cd offsite.git; set -- $(git for-each-ref --format='%(refname)' refs/snapshots)
                git update-ref $3 $1; echo $3
                """, in: directory)
            let before = try await references("offsite.git", in: directory)
            let id = String(names.split(separator: "/").last?.dropLast() ?? "")
            for arguments in [["push"], ["push", "--dry-run"], ["pull"]] {
                let outcome = try await runner.run(under: ["env"], arguments)
                #expect(outcome.status == 7, "\(arguments)")
                #expect(
                    (outcome.output + outcome.errorOutput).contains("the snapshot \(id) is"), "\(arguments)")
            }
            #expect(try await references("offsite.git", in: directory) == before)
            // History that is not ours is not pushed over either.
            _ = try await shell(
                """
                cd offsite.git; git update-ref -d refs/snapshots/tree/\(id)
                git update-ref refs/heads/tree $(git -c user.name=x -c user.email=x commit-tree -m x $(git mktree </dev/null))
                """, in: directory)
            let outcome = try await runner.run("push")
            #expect(
                outcome.status == 7 && outcome.output.contains("the history refs/heads/tree goes on there"))
            let pulled = try await runner.run("pull")
            #expect(pulled.status == 7, "\(pulled.errorOutput)")
        }
    }

    @Test func whatWasDroppedThereIsSaidAndBroughtAgain() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("push")
            _ = try await shell(
                """
                cd offsite.git; set -- $(git for-each-ref --format='%(refname)' refs/snapshots); git update-ref -d $3
                git update-ref refs/heads/tree $2^
                """, in: directory)
            let outcome = try await runner.succeed("push")
            #expect(outcome.contains("the history does not go to") && outcome.contains("the snapshot"))
            #expect(outcome.contains("is not there any more: it was there when this host looked last"))
            #expect(
                try await references("offsite.git", in: directory) == references("tree.git", in: directory))
        }
    }

    @Test func evidenceThatWasRolledBackThereIsSaid() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            for text in ["four", "five"] {
                try Files.replace(directory.appending("tree/c"), with: Array("\(text)\n".utf8))
                try await runner.succeed("restore")
            }
            try await runner.succeed("push")
            _ = try await shell(
                "git -C offsite.git update-ref refs/evidence/tree/restores refs/evidence/tree/restores^",
                in: directory)
            #expect(try await runner.succeed("push").contains("the evidence of restores does not go to"))
        }
    }

    @Test func aCutPushGoesOnWhereItEndedAndPullBringsItBack() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            // The second time that objects come, the other side breaks down.
            _ = try await shell(
                """
                printf '#!/bin/sh\\nwhile read -r old new name; do case $name in refs/snapshots/*) echo >>count; test $(wc -l <count) -lt 2 || exit 1;; esac; done\\n' >offsite.git/hooks/pre-receive
                chmod +x offsite.git/hooks/pre-receive
                """, in: directory)
            #expect(try await runner.run("push").status == 1)
            let arrived = try await references("offsite.git", in: directory)
            #expect(arrived.contains("refs/heads/tree") && arrived.split(separator: "\n").count == 2)
            #expect(try await runner.succeed("status").contains("offsite: LACKS 2 snapshots"))
            _ = try await shell("rm offsite.git/hooks/pre-receive", in: directory)
            #expect(try await runner.succeed("push").contains("got 2 snapshots"))
            let all = try await references("tree.git", in: directory)
            // An empty store gets everything back.
            _ = try await shell(
                "rm -rf tree.git; git init --quiet --bare tree.git; git -C tree.git config understudy.format 2",
                in: directory)
            try await runner.succeed("remote", "add", "offsite", directory.appending("offsite.git").string)
            let pulled = try await runner.succeed("pull")
            #expect(pulled.contains("got 3 snapshots, history"), "\(pulled)")
            #expect(try await references("tree.git", in: directory) == all)
            #expect(
                try await runner.succeed("pull", "offsite").contains("everything that offsite has is here"))
            try await runner.succeed("verify", "--all")
        }
    }

    @Test func whatAKilledPullLeftGoesWhenNobodyCanBeAtIt() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let packs = directory.appending("tree.git/objects/pack")
            _ = try await shell(
                """
                cd tree.git/objects/pack; touch tmp_pack_young; for name in tmp_pack_old tmp_idx_old tmp_rev_old; do touch -d '2 hours ago' $name; done
                git update-ref refs/understudy-incoming/heads/tree refs/heads/tree
                """, in: directory)
            // Somebody who has it open is at work.
            let held = try await runner.run(
                under: [
                    "/bin/bash", "-c", "exec 9<tree.git/objects/pack/tmp_pack_old; \"$@\"; exit $?", "bash",
                ],
                ["snapshot"])
            #expect(held.status == 0, "\(held.errorOutput)")
            let left = {
                try Files.names(packs).filter { $0.starts(with: "tmp_".utf8) }.map {
                    String(decoding: $0, as: UTF8.self)
                }.sorted()
            }
            #expect(try left() == ["tmp_idx_old", "tmp_pack_old", "tmp_pack_young", "tmp_rev_old"])
            #expect(try await !references("tree.git", in: directory).contains("incoming"))
            try await runner.succeed("snapshot")
            #expect(try left() == ["tmp_pack_young"])
        }
    }

    @Test func historyIsReadWithoutItsWeight() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell(
                "head -c 3000000 /dev/urandom >tree/large.bin; git -C offsite.git config uploadpack.allowFilter true",
                in: directory)
            try await runner.succeed("snapshot")
            try await runner.succeed("push")
            let said = try await shell(
                """
                git clone -q --bare --filter=blob:none --single-branch --branch tree file://$PWD/offsite.git light.git
                git -C light.git log --oneline tree | wc -l; du -sk light.git | cut -f1
                """, in: directory)
            let numbers = said.split(separator: "\n").compactMap {
                Int($0.trimmingPrefix(while: \.isWhitespace))
            }
            #expect(numbers.count == 2 && numbers[0] == 4 && numbers[1] < 1_000, "\(said)")
        }
    }

    @Test func aStoreWithSecretsInClearStaysHere() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let key = try runner.recipient()
            _ = try await shell(
                "cp understudy.yaml sealed.yaml; sed -i '/recipients/,/age1/d' understudy.yaml", in: directory
            )
            let open = try await runner.run("push")
            #expect(open.status == 7 && open.errorOutput.contains("names no recipients"))
            try await runner.succeed("snapshot")
            _ = try await shell("cp sealed.yaml understudy.yaml; echo four >tree/c", in: directory)
            try await runner.succeed("snapshot")
            let mixed = try await runner.run("push")
            #expect(
                mixed.status == 7 && mixed.output.contains("in clear, with every secret"),
                "\(key) \(mixed.output)")
            // Without that snapshot its history still is of that time.
            _ = try await shell(
                "git -C tree.git update-ref -d $(git -C tree.git for-each-ref --format='%(refname)' refs/snapshots | sed -n 4p)",
                in: directory)
            let history = try await runner.run("push")
            #expect(history.status == 7 && history.output.contains("the history commit"), "\(history.output)")
            #expect(try await references("offsite.git", in: directory) == "")
        }
    }

    @Test(arguments: ["https://me:hunter2@host/x.git", "-oProxyCommand=x", "ext::sh -c x", ""])
    func anAddressThatCannotBeOneIsRefusedWithoutRepeatingAPassword(_ url: String) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let outcome = try await runner.run("remote", "add", "other", "--", url)
            #expect(outcome.status == 7 && !outcome.errorOutput.contains("hunter2"))
            #expect(try await runner.run("remote", "add", "../x", "/y").status == 7)
            #expect(try await runner.run("remote", "add", "offsite", "/y").status == 7)
        }
    }
}
