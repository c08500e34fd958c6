import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// What root does in the store of another user does not keep that user from the store.
@Suite(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can run as somebody else"))
struct StoreOwnerTests {
    /// A store with a snapshot, all of it another user's; `asOwner` runs a command as that user.
    private func withStore(
        _ body: (
            _ directory: FilePath, _ runner: CommandLineRunner,
            _ asOwner: (String...) async throws -> Program.Outcome
        ) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            try await shell("mkdir tree; seq 100 >tree/a; seq 200 >tree/b", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            let binary = try await runner.copyOfBinary()
            try await shell("chown -R 65534:65534 .", in: directory)
            func asOwner(_ arguments: String...) async throws -> Program.Outcome {
                try await Program(
                    "setpriv",
                    ["--reuid=65534", "--regid=65534", "--clear-groups", binary.string] + arguments,
                    directory: directory
                ).run()
            }
            let first = try await asOwner("snapshot")
            #expect(first.status == 0, "\(first.output)\(first.errorOutput)")
            try await body(directory, runner, asOwner)
        }
    }

    @Test func whatRootWritesBecomesTheOwners() async throws {
        try await withStore { directory, runner, asOwner in
            // What root did not write there stays root's: the owner may have put it there.
            try await shell(
                "echo 1 >secret; ln secret tree.git/linked; echo 1 >tree.git/old; touch -d '5 minutes ago' tree.git/old",
                in: directory)
            try await shell("seq 300 >tree/c; chown 65534:65534 tree/c", in: directory)
            try await runner.succeed("snapshot")
            try await runner.succeed("verify", "--all")
            try await runner.succeed("prune")
            try await shell("rm tree/a", in: directory)
            try await runner.succeed("restore")
            let roots = try await shell("find tree.git ! -user 65534 | sort", in: directory)
            #expect(
                roots.split(separator: "\n") == [
                    "tree.git/linked", "tree.git/old", "tree.git/understudy/restore.json",
                ], "\(roots)")
            try await shell("rm tree.git/linked tree.git/old", in: directory)
            let night = try await asOwner("snapshot")
            #expect(night.status == 0, "\(night.output)\(night.errorOutput)")
            try await shell("mkdir -m 700 tree.git/understudy/applied-x", in: directory)
            let doctor = try await asOwner("doctor")
            #expect(!doctor.output.contains("cannot read or write"), "\(doctor.output)")
        }
    }

    /// What a mistaken system file calls the store stays as it is.
    @Test func nothingIsGivenAwayWhereNoStoreIs() async throws {
        try await withStore { directory, runner, _ in
            try await shell(
                """
                mkdir other; chown 65534 other; echo 1 >other/mine
                sed -i 's,^store: .*,store: '$PWD/other, understudy.yaml
                """, in: directory)
            #expect(try await runner.run("snapshots").status == 10)
            #expect(try await shell("stat -c %u other/mine", in: directory) == "0\n")
        }
    }

    /// Whoever owns the store could name any path in the journal, and root exchanges and removes what it names.
    @Test func rootFollowsNoJournalOfSomebodyElse() async throws {
        try await withStore { directory, runner, _ in
            try await shell("echo 1 >tree/a", in: directory)
            try await runner.succeed("restore")
            let phase =
                "cd tree.git/understudy; sed -i 's/\"phase\" : .*/\"phase\" : \"%\",/' restore.json; chown 65534 restore.json"
            for (command, word) in [("undo", "done"), ("undo", "exchanging"), ("restore", "exchanging")] {
                try await shell(phase.replacing("%", with: word), in: directory)
                let outcome = try await runner.run(command)
                #expect(outcome.status == 7, "\(outcome.output)\(outcome.errorOutput)")
                #expect(
                    outcome.errorOutput.contains("belongs to \(Accounts.shown(user: 65534))"),
                    "\(outcome.errorOutput)")
            }
            try await shell(
                "seq 100 | cmp - tree/a; cd tree.git/understudy; mv restore.json x; ln -s x restore.json",
                in: directory)
            #expect(try await runner.run("undo").status == 1)
            try await shell(
                "mv tree.git/understudy/x tree.git/understudy/restore.json; \(phase.replacing("%", with: "done")); chown 0 restore.json",
                in: directory)
            try await runner.succeed("undo")
            #expect(try await shell("cat tree/a", in: directory) == "1\n")
        }
    }

    /// Root is called in at night, and the last restore or promotion was the owner's.
    @Test func aFinishedRestoreOfSomebodyElseKeepsRootFromNone() async throws {
        try await withStore { directory, runner, _ in
            try await shell("echo 1 >tree/a", in: directory)
            try await runner.succeed("restore")
            try await shell(
                "chown 65534 tree.git/understudy/restore.json; echo 2 >tree/a; ls -d .understudy-* >kept",
                in: directory)
            let outcome = try await runner.run("restore")
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
            #expect(outcome.output.contains("its journal is another user's"), "\(outcome.output)")
            try await shell("seq 100 | cmp - tree/a; test -s kept; ls -d $(cat kept)", in: directory)
            // What is undone is root's own.
            try await runner.succeed("undo")
            #expect(try await shell("cat tree/a", in: directory) == "2\n")
        }
    }

    /// What root keeps for its own 'undo' the owner cannot enter.
    @Test func theOwnerRestoresAfterRoot() async throws {
        try await withStore { directory, runner, asOwner in
            try await shell("echo 1 >tree/a", in: directory)
            try await runner.succeed("restore")
            try await shell("echo 2 >tree/a", in: directory)
            let key = directory.appending(CommandLineRunner.recoveryKey)
            let outcome = try await asOwner("restore", "--identity", key.string)
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
            #expect(outcome.output.contains("could not be removed"), "\(outcome.output)")
            try await shell("seq 100 | cmp - tree/a", in: directory)
        }
    }

    @Test func whatItsUserCannotReadIsNamedWithWhatToDo() async throws {
        try await withStore { directory, _, asOwner in
            try await shell("chown 0:0 tree.git/understudy/packs", in: directory)
            let store = directory.appending("tree.git")
            let advice = "'chown -R \(Accounts.shown(user: 65534)) \(store)'"
            let night = try await asOwner("snapshot")
            #expect(night.status == 1, "\(night.output)")
            #expect(
                night.errorOutput.contains("understudy/packs belongs to \(Accounts.shown(user: 0))")
                    && night.errorOutput.contains(advice), "\(night.errorOutput)")
            let doctor = try await asOwner("doctor")
            let line = doctor.output.split(separator: "\n").first { $0.contains("understudy/packs") }
            #expect(doctor.status == 1, "\(doctor.output)")
            #expect(
                line?.hasPrefix("MISSING") == true && line?.contains(advice) == true, "\(doctor.output)")
        }
    }
}
