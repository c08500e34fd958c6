import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A directory of several that is not there costs itself and nothing else, and is never taken for an empty one.
@Suite struct MissingRootTests {
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        try await shell(
            "mkdir tree one two; echo 1 >tree/a; echo 1 >one/b; echo 1 >two/c", in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try runner.describe("  other: {driver: files, paths: [\(directory)/one, \(directory)/two]}\n")
        return runner
    }

    @Test(arguments: ["mv two away", "mv two away; ln -s away two"])
    func theOthersAreCapturedAndItsPlaceIsLeftAlone(_ script: String) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            try await shell("echo 2 >one/b; \(script)", in: directory)
            for arguments in [["diff"], ["status"], ["snapshot"], ["diff", "latest~1", "latest"]] {
                let outcome = try await runner.run(arguments, limit: .seconds(60))
                #expect(outcome.status == 3, "\(arguments): \(outcome.output)\(outcome.errorOutput)")
                #expect(outcome.output.contains("\(directory)/two is not"), "\(outcome.output)")
                let isGone = outcome.output.split(separator: "\n").contains { $0.hasPrefix("  -") }
                #expect(!isGone, "\(arguments): \(outcome.output)")
            }
            #expect(try await runner.succeed("show", "latest", "other/files\(directory)/one/b") == "2\n")
            let refused = try await runner.run("restore")
            #expect(refused.status == 7, "\(refused.output)\(refused.errorOutput)")
            #expect(refused.errorOutput.contains("--partial"), "\(refused.errorOutput)")
            let list = "ls -l two 2>&1 || :"
            let before = try await shell("echo 3 >one/b; \(list)", in: directory)
            try await runner.succeed("restore", "--partial")
            #expect(try await shell(list, in: directory) == before)
            #expect(try await shell("cat one/b away/c", in: directory) == "2\n1\n")
        }
    }

    @Test func whatComesBackIsReadWhole() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            try await shell("mv two away", in: directory)
            let night = try await runner.run("nightly")
            #expect(night.status == 3, "\(night.output)\(night.errorOutput)")
            #expect(night.output.contains("\(directory)/two is not there"), "\(night.output)")
            try await shell("mv away two", in: directory)
            #expect(try await runner.succeed("snapshot").contains("complete"))
            try await runner.succeed("verify", "--all")
            try await shell("rm -r one two", in: directory)
            try await runner.succeed("restore")
            try await shell("cmp one/b two/c", in: directory)
        }
    }

    /// The store has their objects, as an earlier snapshot says.
    @Test func repositoriesThatComeBackAreNotStoredTwice() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                """
                mkdir tree one two; echo 1 >tree/a; git init -q --bare one/empty.git; git init -q work
                head -c 1000000 /dev/urandom >work/file; git -C work add file
                git -C work -c user.name=a -c user.email=a@b commit -qm c; git clone -q --bare work two/app.git
                """, in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try runner.describe(
                "  other: {driver: git-repositories, paths: [\(directory)/one, \(directory)/two]}\n")
            try await runner.succeed("snapshot")
            let size = "du -sk tree.git/objects/pack | cut -f1"
            let before = Int(try await shell(size, in: directory).dropLast()) ?? 0
            try await shell("mv two away", in: directory)
            for _ in 1...2 {
                let night = try await runner.run("snapshot")
                #expect(night.status == 3, "\(night.output)\(night.errorOutput)")
            }
            try await shell("mv away two", in: directory)
            #expect(try await runner.succeed("snapshot").contains("complete"))
            let after = Int(try await shell(size, in: directory).dropLast()) ?? 0
            #expect(before > 900 && after < before + 500, "\(before) \(after)")
            try await runner.succeed("verify", "--all")
            try await shell("rm -r two", in: directory)
            try await runner.succeed("restore")
            try await shell("git -C two/app.git show HEAD:file | cmp - work/file", in: directory)
        }
    }

    /// Whoever takes snapshots may not read it.
    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can run as somebody else"))
    func oneThatCannotBeOpenedIsTold() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let binary = try await runner.copyOfBinary()
            try await shell(
                "mkdir one/priv; chown -R 65534:65534 .; chmod 700 two one/priv; chown 0:0 two one/priv",
                in: directory)
            let taken = try await Program(
                "setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", binary.string, "snapshot"],
                directory: directory
            ).run()
            #expect(taken.status == 3, "\(taken.output)\(taken.errorOutput)")
            let lines = taken.output.split(separator: "\n").filter { $0.contains("unreadable: ") }
            #expect(lines.count == 2, "\(taken.output)")
            for place in ["/two/.: ", "one/priv: "] {
                #expect(lines.contains { $0.contains(place) }, "\(taken.output)")
            }
        }
    }

    @Test func aServiceOfWhichTheSnapshotHasNothingRunsOn() async throws {
        try await withTemporaryDirectory { directory in
            try await WebServer.with(.always(200, "")) { server in
                try await shell("mkdir tree; echo 1 >tree/a", in: directory)
                let runner = try CommandLineRunner(directory)
                try await runner.initialize("tree")
                let log = directory.appending("log")
                try runner.describe(
                    """
                      proxy:
                        driver: files
                        paths: [\(directory)/proxy]
                        url: \(server.url)
                        service: {start: echo start >>\(log), stop: echo stop >>\(log)}

                    """)
                let taken = try await runner.run("snapshot")
                #expect(taken.status == 3, "\(taken.output)\(taken.errorOutput)")
                try await shell("echo 2 >tree/a", in: directory)
                let report = try await runner.succeed("restore", "--partial")
                #expect(report.contains("\(directory)/proxy of proxy is not in the snapshot"), "\(report)")
                #expect(try await shell("cat tree/a", in: directory) == "1\n")
                let alone = try await runner.run("restore", "--partial", "--component", "proxy")
                #expect(
                    alone.status == 7 && alone.errorOutput.contains("holds nothing of proxy"),
                    "\(alone.errorOutput)")
                #expect(try !Files.exists(log))
            }
        }
    }

    @Test func whereNothingIsThereIsNoSnapshot() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell("mkdir away; mv tree one two away", in: directory)
            let outcome = try await runner.run("snapshot")
            #expect(outcome.status == 1, "\(outcome.output)\(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains("is not there") && outcome.errorOutput.contains("hint: "))
            let one = try await runner.run("snapshot", "--component", "other")
            #expect(one.status == 1, "\(one.output)\(one.errorOutput)")
        }
    }
}
