import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Mistakes in what is told to the tool.
@Suite struct PlacesJourneyTests {
    @Test func pathsThatCannotBeCapturedAreAMistakeInTheSystemFile() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell("mkdir -p tree/sub; echo a > tree/a", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            let file = directory.appending("understudy.yaml")
            let text = try Files.read(file)
            for (paths, words) in [
                ("/", "is not an absolute path below /"),
                ("\(directory)/tree, \(directory)/tree/sub", "lie in one another"),
            ] {
                let system = """
                    system: tree
                    store: tree.git
                    components:
                      tree: {driver: files, paths: [\(paths)]}
                    """
                try Files.replace(file, with: Array(system.utf8))
                for command in ["snapshot", "status", "doctor"] {
                    let outcome = try await runner.run(command)
                    #expect(outcome.status == 64, "\(command): \(outcome.errorOutput)")
                    #expect(outcome.errorOutput.contains(words), "\(outcome.errorOutput)")
                }
            }
            try Files.replace(file, with: text)

            // What an argument cannot say is told.
            try await runner.succeed("snapshot")
            let binary = try await runner.copyOfBinary()
            for (arguments, status) in [
                ("init $'no\\xff' --output other.yaml", "64"),
                ("restore --identity recovery.key --only $'file:\(directory)/tree/no\\xff'", "7"),
            ] {
                let said = try await shell(
                    "'\(binary)' \(arguments) 2>&1 && echo 0 || echo $?", in: directory)
                #expect(said.contains("not UTF-8") && said.hasSuffix("\n\(status)\n"), "\(said)")
            }
        }
    }

    @Test func aStoreInsideWhatItCapturesIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("tree"))
            let runner = try CommandLineRunner(directory)
            let early = try await runner.run(
                "init", "tree", "--store", "tree/store.git", "--recovery-key", "k", "--signing-key", "s")
            #expect(early.status == 64, "\(early.errorOutput)")
            #expect(early.errorOutput.contains("lies in") && early.errorOutput.contains("--store DIR"))
            #expect(try Files.names(directory) == [Array("tree".utf8)])
            #expect(try Files.names(directory.appending("tree")).isEmpty)
            try await runner.initialize("tree")
            try replaceText(
                "/tree.git", with: "/tree/store.git", in: directory.appending("understudy.yaml"))
            let outcome = try await runner.run("snapshot")
            #expect(outcome.status == 64)
            #expect(outcome.errorOutput.contains("lies in"))
        }
    }

    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can run as somebody else"))
    func aDirectoryThatIsClosedToWhoeverLooksIsPassedOver() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try CommandLineRunner(directory)
            let binary = try await runner.copyOfBinary()
            let script = """
                mkdir -p srv/jenkins/jobs srv/entered srv/private
                echo '<hudson><version>2.462.3</version></hudson>' >srv/jenkins/config.xml
                chown -R 65534:65534 .; chown 0:0 srv/entered srv/private; chmod 711 srv/entered; chmod 700 srv/private
                """
            try await shell(script, in: directory)
            let asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", binary.string]
            let outcome = try await Program(
                "setpriv", asNobody + ["init", "srv", "--recovery-key", "k"], directory: directory
            ).run()
            #expect(outcome.status == 0, "\(outcome.errorOutput)")
            #expect(outcome.output.contains("Jenkins 2.462.3"), "\(outcome.output)")
            for name in ["entered", "private"] {
                let parts = outcome.output.split(separator: "\n").filter {
                    $0.contains("\(directory)/srv/\(name) was not looked into: ")
                }
                #expect(parts.count == 1, "\(outcome.output)")
            }
        }
    }

    @Test func aStoreOfAnotherSystemIsNotTakenForAnEmptyOne() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("tree"))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree", "--name", "acme")
            #expect(try await !runner.succeed("status").contains("of 'acme'"))
            #expect(try await !runner.succeed("snapshot").contains("of 'acme'"))
            try await runner.succeed("snapshot")
            try replaceText(
                "system: acme", with: "system: acne", in: directory.appending("understudy.yaml"))
            let words = "the store holds 2 snapshots of 'acme', and none of 'acne': is 'system' in"
            let status = try await runner.succeed("status")
            #expect(status.contains(words), "\(status)")
            for options in [["--dry-run"], []] {
                let taken = try await runner.run(["snapshot"] + options, limit: .seconds(120))
                #expect(taken.status == 0 && taken.output.contains(words), "\(taken.output)")
            }
            // From then on it is one of two, as it may have been meant.
            #expect(try await !runner.succeed("status").contains(words))
            #expect(try await !runner.succeed("snapshot").contains(words))
        }
    }

    @Test func aStoreThatIsLostIsMadeAnewForTheSystemFileThatIsThere() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("tree"))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            let file = try Files.read(directory.appending("understudy.yaml"))
            try Files.removeTree(directory.appending("tree.git"))
            let lost = try await runner.run("snapshot")
            #expect(lost.status == 10 && lost.errorOutput.contains("'understudy init' without a path"))
            #expect(lost.errorOutput.contains("restore --from COPY"), "\(lost.errorOutput)")
            try await runner.succeed("init")
            #expect(try await runner.succeed("snapshot").contains("first snapshot"))
            #expect(try Files.read(directory.appending("understudy.yaml")) == file)
            let again = try await runner.run("init")
            #expect(again.status == 10 && again.errorOutput.contains("something is there already"))
            #expect(try await runner.run("init", "--name", "other").status == 64)
            try Files.remove(directory.appending("understudy.yaml"))
            let none = try await runner.run("--system", "understudy.yaml", "init")
            #expect(none.status == 64 && none.errorOutput.contains("init PATH"), "\(none.errorOutput)")
        }
    }

    @Test func aPolicyThatIsThereIsNotSaidToBeWritten() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell(
                "mkdir tree other policies; echo 'keep: {last: 3}' >policies/retention.yaml", in: directory)
            let runner = try CommandLineRunner(directory)
            let said = try await runner.initialize("tree")
            #expect(
                said.contains(
                    "understudy.yaml, policies/snapshot.yaml, notify.yaml and canary.yaml\n"), "\(said)")
            #expect(said.contains("policies/retention.yaml was there already"), "\(said)")
            let kept = try await shell("cat policies/retention.yaml", in: directory)
            #expect(kept == "keep: {last: 3}\n")
        }
    }

    /// Its code of the key sets colours, and nothing that somebody called a directory does.
    @Test func aNameDoesNothingToTheTerminalOfWhoeverBegins() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("a\u{1b}[31m\nb"))
            let runner = try CommandLineRunner(directory)
            let said = try await runner.initialize("a\u{1b}[31m\nb", "--name", "acme")
            #expect(said.contains("/a\\x1b[31m\\x0ab  "), "\(said)")
            #expect(!said.contains("\u{1b}"), "\(said)")
        }
    }

    @Test func policiesThatAreLostComeBackFromTheSnapshot() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("tree"))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            let policies = directory.appending("policies")
            try Files.removeTree(policies)
            let lost = try await runner.run("restore")
            #expect(
                lost.status == 64
                    && lost.errorOutput.contains("'understudy show latest understudy.policies' lists")
                    && lost.errorOutput.contains("restore --from \(directory)/tree.git' brings them"),
                "\(lost.errorOutput)")
            try await runner.succeed("restore", "--from", "\(directory)/tree.git")
            #expect(try Files.exists(policies.appending("retention.yaml")))
            try Files.removeTree(policies)
            try Files.makeDirectory(policies)
            #expect(
                try await runner.succeed("show", "latest", "understudy.policies").contains("retention.yaml"))
            try await runner.succeed("restore")
        }
    }

    @Test func aStoreThatIsInTheWayLeavesNoRecoveryKeyBehind() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectories(directory.appending("tree"))
            try Files.makeDirectories(directory.appending("taken/by-others"))
            let runner = try CommandLineRunner(directory)
            let outcome = try await runner.run("init", "tree", "--store", "taken", "--recovery-key", "k")
            #expect(outcome.status == 10 && outcome.errorOutput.contains("something is there already"))
            #expect(try !Files.exists(directory.appending("k")))
            #expect(try await runner.run("init", "tree", "--recovery-key", "k").status == 0)
        }
    }

    @Test func restoringBesideNeverTouchesWhatIsThere() async throws {
        try await withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("tree"))
            try Files.replace(directory.appending("tree/a"), with: Array("a".utf8))
            try Files.makeDirectory(directory.appending("other"))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree", "other")
            try await runner.succeed("snapshot")
            try await runner.succeed("restore", "--to", "out")
            let place = directory.appending("out/tree").pushing(
                FilePath(String("\(directory)/tree/mine".dropFirst())))
            try Files.replace(place, with: Array("precious".utf8))
            let again = try await runner.run("restore", "--to", "out")
            #expect(again.status == 7)
            // Two reasons, and what to do once.
            let said = again.errorOutput
            #expect(said.ranges(of: "exists already").count == 2, "\(said)")
            #expect(said.ranges(of: "name another").count == 1, "\(said)")
            #expect(try Files.read(place) == Array("precious".utf8))
        }
    }
}
