import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Who can open what is sealed, and how that changes.
@Suite struct KeyJourneyTests {
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        _ = try await shell("mkdir tree; printf 1234 >tree/pin.key; echo a >tree/site.conf", in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        return runner
    }

    /// Which of the keys open the newest snapshot.
    private func opening(_ keys: [String], _ runner: CommandLineRunner) async throws -> [String] {
        var opening: [String] = []
        for key in keys {
            let outcome = try await runner.run("key", "check", "--identity", key)
            #expect([0, 12].contains(outcome.status), "\(outcome.errorOutput)")
            if outcome.status == 0 { opening.append(key) }
        }
        return opening
    }

    @Test func recipientsComeAndGoFromTheNextSnapshotOn() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            let first = try runner.recipient()
            _ = try await shell("sed -i '1i # ours\\n' understudy.yaml", in: directory)
            let before = try await shell("cat understudy.yaml", in: directory)
            let rehearsed = try await runner.succeed("key", "add", "--generate", "second.key", "--dry-run")
            #expect(rehearsed.contains("would write"))
            #expect(try await shell("cat understudy.yaml; ls", in: directory).hasPrefix(before))
            #expect(try !Files.exists(directory.appending("second.key")))
            try await runner.succeed("key", "add", "--generate", "second.key")
            #expect(
                try await shell("head -n 1 understudy.yaml; stat -c %a second.key", in: directory)
                    == "# ours\n600\n")
            let keys = ["recovery.key", "second.key"]
            #expect(try await opening(keys, runner) == ["recovery.key"])
            let added = try await runner.succeed("snapshot")
            #expect(added.contains("no change"), "that it is sealed anew changes nothing: \(added)")
            #expect(try await opening(keys, runner) == keys)
            let removed = try await runner.succeed("key", "remove", first)
            #expect(removed.contains("can still be opened"))
            try await runner.succeed("snapshot")
            #expect(try await opening(keys, runner) == ["second.key"])
            #expect(try await runner.succeed("key", "list").contains(first) == false)
            try await runner.succeed("key", "rotate", "--generate", "third.key")
            let last = try await runner.succeed("snapshot")
            #expect(last.contains("no change"))
            #expect(try await opening(keys + ["third.key"], runner) == ["third.key"])
            // Each snapshot opens with the keys of its night.
            try await runner.succeed("restore", "latest~3", "--identity", "recovery.key")
            try await runner.succeed("restore", "latest", "--identity", "third.key")
            #expect(try await runner.succeed("verify", "--all").contains("ok"))
        }
    }

    /// What is not damaged must not hide what is.
    @Test func whatAnOldKeyOpensIsOneLineOfEachSnapshot() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir tree other; echo a >tree/a; echo a >other/a", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree", "other")
            try await runner.succeed("snapshot")
            try await runner.succeed("key", "rotate", "--generate", "new.key")
            try await runner.succeed("snapshot")
            let report = try await runner.succeed("verify", "--all", "--identity", "new.key")
            #expect(
                report.contains("\n  other, tree are sealed, and the identity does not open them: "),
                "\(report)")
            #expect(report.ranges(of: "the identity does not open").count == 1, "\(report)")
        }
    }

    @Test func aKeyThatIsNotWrittenIsNeverNamed() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let own = try runner.recipient()
            let commands = [["key", "add"], ["key", "rotate"]].map { $0 + ["--generate", "new.key"] }
            func namesNoOther(_ outcome: Program.Outcome) throws {
                let words = (outcome.output + outcome.errorOutput).replacing(own, with: "")
                #expect(words.replacing("age1…", with: "").contains("age1") == false, "\(words)")
                #expect(try !Files.exists(directory.appending("new.key")))
            }
            for command in commands {
                for format in ["text", "json"] {
                    let rehearsed = try await runner.run(
                        ["--format", format] + command + ["--dry-run"], limit: .seconds(120))
                    #expect(rehearsed.status == 0, "\(rehearsed.errorOutput)")
                    try namesNoOther(rehearsed)
                }
            }
            // Lists that are understood, and not in a way that leaves other lines alone.
            let text = try await shell(
                "grep -v -e '^recipients:' -e '^  - age1' understudy.yaml", in: directory)
            let system = directory.appending("understudy.yaml")
            for list in [
                "recipients: [\n\(own)\n]\n", "\"recipients\": [\(own)]\n", "recipients : [\(own)]\n",
            ] {
                try Files.replace(system, with: Array((list + text).utf8))
                for command in commands {
                    let outcome = try await runner.run(command, limit: .seconds(120))
                    #expect(outcome.status == 7, "\(list): \(outcome.errorOutput)")
                    #expect(outcome.errorOutput.contains("no key was made"), "\(outcome.errorOutput)")
                    try namesNoOther(outcome)
                }
                #expect(try Files.read(system) == Array((list + text).utf8))
            }
            // A key of one's own is named: whoever gave it has it.
            let other = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
            let told = try await runner.run("key", "add", other)
            #expect(told.status == 7)
            #expect(told.errorOutput.contains("[\(own), \(other)]"), "\(told.errorOutput)")
        }
    }

    @Test func aSystemFileThatCannotBeWrittenLeavesNoKeyBehind() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let text = try await shell("cat understudy.yaml", in: directory)
            for command in ["add", "rotate"] {
                // The key is on another medium; beside the system file nothing can be made.
                let outcome = try await runner.run(
                    under: [
                        "bwrap", "--dev-bind", "/", "/", "--ro-bind", "\(directory)", "\(directory)",
                        "--tmpfs",
                        "/mnt", "/bin/bash", "-uc", "\"$@\"; status=$?; ls /mnt; exit $status", "bash",
                    ], ["key", command, "--generate", "/mnt/new.key"])
                #expect(outcome.status == 1, "\(outcome.output)\(outcome.errorOutput)")
                #expect(outcome.output == "" && outcome.errorOutput.contains("no key was made"), "\(outcome)")
            }
            #expect(try await shell("cat understudy.yaml", in: directory) == text)
            let own = try runner.recipient()
            let known = try await runner.succeed("key", "add", own)
            #expect(known.contains("names it already: nothing was written"), "\(known)")
            let nowhere = try await runner.run("key", "add", "--generate", "nowhere/new.key")
            #expect(
                nowhere.status == 1 && nowhere.errorOutput.contains(" nowhere/new.key: No such file"),
                "\(nowhere.errorOutput)")
            try await shell("chmod 640 recovery.key", in: directory)
            let doctor = try await runner.run("doctor").output
            #expect(doctor.contains("recovery.key, and it opens everything: chmod 600"), "\(doctor)")
        }
    }

    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can write what is another user's"))
    func aSystemFileStaysWhoseItWas() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell("chown 65534:65533 understudy.yaml; chmod 640 understudy.yaml", in: directory)
            try await runner.succeed("key", "add", "--generate", "more.key")
            let owner = try await shell("stat -c %u:%g:%a understudy.yaml more.key", in: directory)
            #expect(owner == "65534:65533:640\n0:0:600\n")
        }
    }

    @Test func theLastRecipientAndWhatIsNoneAreRefused() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let own = try runner.recipient()
            let text = try await shell("cat understudy.yaml", in: directory)
            #expect(try await runner.run("key", "remove", own).status == 7)
            #expect(try await runner.run("key", "add", "age1nonsense").status == 64)
            #expect(try await runner.run("key", "add").status == 64)
            #expect(try await runner.run("key", "add", "--generate", "recovery.key").status == 1)
            let secret = try await shell("tail -n 1 recovery.key | tr -d '\\n'", in: directory)
            let outcome = try await runner.run("key", "add", secret)
            #expect(outcome.status == 64 && !outcome.errorOutput.contains(secret))
            #expect(try await shell("cat understudy.yaml", in: directory) == text)
            _ = try await shell("sed -i 's/^recipients:.*/recipients: &a/' understudy.yaml", in: directory)
            #expect(try await runner.run("key", "list").status == 64)
        }
    }

    @Test func aKeyInPlaceOfItsFileIsRefusedAndNotRepeated() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            let secret = try await shell("tail -n 1 recovery.key | tr -d '\\n'", in: directory)
            func refuses(_ outcome: Program.Outcome) {
                #expect(outcome.status == 64, "\(outcome.errorOutput)")
                #expect(outcome.errorOutput.contains("a secret key was given"), "\(outcome.errorOutput)")
                #expect(!(outcome.output + outcome.errorOutput).uppercased().contains(secret))
            }
            for key in [secret, secret.lowercased(), "# created: today\n\(secret)"] {
                refuses(try await runner.run("restore", "--identity", key))
                let variable = ["/usr/bin/env", "UNDERSTUDY_IDENTITY=\(key)"]
                refuses(try await runner.run(under: variable, ["key", "check"]))
            }

            // Nor does a night, in what it says, keeps and hands to its drill.
            let policy = directory.appending("policies/notify.yaml")
            try Files.replace(policy, with: Array("drillEvery: 1d\n".utf8))
            let night = try await runner.run(
                under: ["/usr/bin/env", "UNDERSTUDY_IDENTITY=\(secret)"], ["nightly"])
            #expect(night.status == 1 && night.output.contains("a secret key was given"), "\(night.output)")
            #expect(!(night.output + night.errorOutput).contains(secret))
            let kept = try Files.read(directory.appending("tree.git/understudy/nightly.json"))
            #expect(!String(decoding: kept, as: UTF8.self).contains(secret))
            try Files.replace(policy, with: Array("drillEvery: 1d\nidentityFile: \(secret)\n".utf8))
            let mistaken = try await runner.run("nightly")
            #expect(mistaken.status == 64, "\(mistaken.errorOutput)")
            #expect(!(mistaken.output + mistaken.errorOutput).contains(secret))
        }
    }

    @Test func aKeyThatCannotBeReadIsNoIdentityEverywhere() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            for command in [["restore"], ["key", "check"], ["drill"], ["verify"], ["diff"]] {
                for path in ["nowhere.key", "tree", "/dev/null"] {
                    let outcome = try await runner.run(
                        command + ["--identity", path], limit: .seconds(120))
                    #expect(outcome.status == 12, "\(command) \(path): \(outcome.errorOutput)")
                    #expect(outcome.errorOutput.contains(path))
                    #expect(!outcome.errorOutput.contains("Invalid argument"), "\(outcome.errorOutput)")
                    #expect(outcome.errorOutput.contains("--identity -"), "\(outcome.errorOutput)")
                }
                let closed = try await runner.run(
                    under: ["/bin/sh", "-c", "exec \"$@\" <&-", "sh"], command + ["--identity", "-"])
                #expect(closed.status == 12, "\(command): \(closed.errorOutput)")
                #expect(closed.errorOutput.contains("standard input cannot be read"))
            }
        }
    }

    @Test func statusAsksForACheckUntilItWasDone() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            #expect(try await runner.succeed("status").contains("never checked  DUE"))
            try await runner.succeed("key", "check")
            let status = try await runner.succeed("status")
            #expect(status.contains("checked 20") && !status.contains("DUE"))
            // Where it cannot be noted the key is good all the same: a directory is in the way of its note.
            _ = try await shell(
                "cd tree.git/understudy; rm key-check.json; mkdir key-check.json; touch key-check.json/a",
                in: directory)
            let unnoted = try await runner.succeed("key", "check")
            #expect(unnoted.contains("the key is good") && unnoted.contains("could not be noted"))
            _ = try await shell("rm -r tree.git/understudy/key-check.json", in: directory)
            // A key that is not of today proves nothing for today.
            try await runner.succeed("key", "rotate", "--generate", "second.key")
            #expect(try await runner.succeed("status").contains("DUE"))
            // A restore opens what was sealed: that is a check too.
            try await runner.succeed("snapshot")
            try await runner.succeed("restore", "--to", "out", "--identity", "second.key")
            #expect(!(try await runner.succeed("status").contains("DUE")))
        }
    }

    @Test func aStoreWithoutRecipientsSaysSoAndIsSealedOnceItHasSome() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell(
                "sed -i '/^recipients:/,/^  - /d' understudy.yaml; touch -d '2 days ago' tree/*",
                in: directory)
            let open = try await runner.succeed("snapshot")
            #expect(open.contains("1 secret or database is in the store in clear"))
            #expect(try await runner.succeed("status").contains("the store holds secrets in clear"))
            #expect(try await runner.run("doctor").status == 1)
            #expect(try await runner.run("key", "check").status == 1)
            let recipient = try runner.recipient()
            try await runner.succeed("key", "add", recipient)
            let sealed = try await runner.succeed("snapshot")
            #expect(!sealed.contains("in clear") && sealed.contains("no change"), "\(sealed)")
            #expect(try await runner.succeed("diff", "latest~1", "latest").contains("no change"))
            try await runner.succeed("restore", "latest~1")
            try await runner.succeed("restore", "latest")
            #expect(try Files.read(directory.appending("tree/pin.key")) == Array("1234".utf8))
        }
    }

    @Test func aRecoveryKeyIsShownOnceAndOpensFromStandardInput() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir tree; printf 1234 >tree/pin.key", in: directory)
            let runner = try CommandLineRunner(directory)
            let shown = try await runner.succeed("init", "tree")
            let key = try #require(
                shown.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("AGE-SECRET-KEY-1") })
            #expect(try await shell("grep -rl \(key) . || echo nowhere", in: directory) == "nowhere\n")
            try await runner.succeed("snapshot")
            let outcome = try await Program(
                "/bin/bash",
                [
                    "-c", "echo '\(key)' | \"$1\" restore --identity -", "sh",
                    try await runner.copyOfBinary().string,
                ],
                directory: directory
            ).run()
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
        }
    }

    @Test func aRecoveryKeyIsNotWrittenIntoWhatIsCaptured() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir -p tree/sub; ln -s tree link", in: directory)
            let runner = try CommandLineRunner(directory)
            for place in ["tree/k", "tree/sub/k", "link/k", "tree/../tree/k"] {
                let outcome = try await runner.run("init", "tree", "--recovery-key", place)
                #expect(outcome.status == 64, "\(outcome.errorOutput)")
                #expect(outcome.errorOutput.contains("component 'tree' captures"), "\(outcome.errorOutput)")
            }
            // Also where the link is on the way to what is captured.
            #expect(try await runner.run("init", "link/sub", "--recovery-key", "tree/sub/k").status == 64)
            #expect(try await shell("ls; find tree -type f", in: directory) == "link\ntree\n")
            try await runner.initialize("tree")
            for command in ["add", "rotate"] {
                let outcome = try await runner.run("key", command, "--generate", "tree/k")
                #expect(outcome.status == 64, "\(outcome.errorOutput)")
            }
            #expect(try await shell("find tree -type f", in: directory) == "")
        }
    }

    @Test func aStoreThatCannotBeMadeLeavesNoRecoveryKeyBehind() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir tree", in: directory)
            let runner = try CommandLineRunner(directory)
            let outcome = try await runner.run(
                "init", "tree", "--recovery-key", "recovery.key", "--store", "/proc/x.git")
            #expect(outcome.status == 1, "\(outcome.errorOutput)")
            #expect(try await shell("ls", in: directory) == "tree\n")
            try await runner.initialize("tree")
        }
    }

    @Test func aRecoveryKeyThatNobodyHasSeenIsTold() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir tree; printf 1234 >tree/pin.key", in: directory)
            let runner = try CommandLineRunner(directory)
            for place in ["/dev/full", "&-"] {
                _ = try await shell("rm -rf tree.git understudy.yaml policies", in: directory)
                let outcome = try await runner.run(
                    under: ["/bin/sh", "-c", "exec \"$@\" >\(place)", "sh"], ["init", "tree"])
                #expect(outcome.status == 1, "\(outcome.errorOutput)")
                #expect(outcome.errorOutput.contains("the recovery key was made and not shown"))
                #expect(outcome.errorOutput.contains("key rotate --generate FILE"), "\(outcome.errorOutput)")
                #expect(!outcome.errorOutput.contains("AGE-SECRET-KEY-"))
            }
            try await runner.succeed("key", "rotate", "--generate", CommandLineRunner.recoveryKey)
            try await runner.succeed("snapshot")
            try await runner.succeed("key", "check")
        }
    }

    @Test func aKeyUnderAPassphraseOpensForWhoeverKnowsIt() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            let terminal = PassphraseTerminal(passphrase: "correct horse")
            let sealed = try await terminal.run(
                ["age", "-p", "-o", "sealed.key", CommandLineRunner.recoveryKey], in: directory)
            #expect(sealed.status == 0, "\(sealed.output)")
            let restore = [
                try await runner.copyOfBinary().string, "restore", "--identity", "sealed.key",
            ]
            let right = try await terminal.run(restore, in: directory)
            #expect(right.status == 0 && !right.output.contains("correct horse"), "\(right.output)")
            let wrong = try await PassphraseTerminal(passphrase: "horse").run(restore, in: directory)
            #expect(wrong.status == 12, "\(wrong.output)")
            #expect(wrong.output.contains("the passphrase does not open it"), "\(wrong.output)")
            #expect(wrong.output.contains("sealed.key cannot be had") && !wrong.output.contains("recipients"))
            // A file that rotted is no damage of the store.
            _ = try await shell(
                "cp sealed.key whole.key; truncate -s -1 sealed.key; printf x >>sealed.key", in: directory)
            let damaged = try await terminal.run(restore, in: directory)
            #expect(damaged.status == 12 && damaged.output.contains("is damaged"), "\(damaged.output)")
            #expect(damaged.output.contains("another copy of the identity"), "\(damaged.output)")
            #expect(!damaged.output.contains("verify --all"), "\(damaged.output)")
            _ = try await shell("mv whole.key sealed.key", in: directory)
            // Without a terminal there is nobody to ask.
            let none = try await Program("setsid", ["--wait"] + restore, directory: directory).run()
            #expect(none.status == 12, "\(none.errorOutput)")
            #expect(none.errorOutput.contains("there is no terminal"), "\(none.errorOutput)")
        }
    }
}
