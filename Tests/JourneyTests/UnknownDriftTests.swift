import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Whether a line says that something is gone.
private func namesSomethingGone(_ output: String) -> Bool {
    output.split(separator: "\n").contains { $0.hasPrefix("  -") }
}

/// What could not be read is unknown: it is neither gone nor unchanged.
@Suite struct UnknownDriftTests {
    /// A directory, and a register that cannot be captured as long as there is a file `down`.
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        try await shell("mkdir tree; echo 1 > tree/a.conf; echo a=1 > names", in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try runner.describe(
            """
              register:
                driver: command
                capture: test ! -e \(directory)/down && cp \(directory)/names names
                restore: cp names \(directory)/names

            """)
        return runner
    }

    @Test func aToolThatIsDownIsUnknownAndNotUnchanged() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            #expect(try await !runner.succeed("status").contains("unknown"))
            try await shell("touch down", in: directory)
            for command in ["status", "diff"] {
                let outcome = try await runner.run(command)
                #expect(outcome.status == 3, "\(command): \(outcome.output)\(outcome.errorOutput)")
                #expect(outcome.output.contains("unknown: register: database/export could not be read: "))
                #expect(!namesSomethingGone(outcome.output), "\(outcome.output)")
            }
            let partial = try await runner.run("snapshot")
            #expect(partial.status == 3 && partial.output.contains("no change in what could be read"))
            let status = try await runner.run("status")
            #expect(
                status.status == 3 && status.output.contains("none in what could be read")
                    && status.output.contains(
                        "unknown: register: database/export could be read neither time: "),
                "\(status.output)")
            let between = try await runner.run("diff", "latest~1", "latest", "--format", "json")
            #expect(between.status == 3 && between.output.contains("\"unknown\" : ["), "\(between.output)")
            try await shell("rm down", in: directory)
            let later = try await runner.run("diff")
            #expect(later.status == 3 && later.output.contains("could not be read the first time: "))
            try await runner.succeed("snapshot")
            #expect(try await runner.succeed("diff").contains("no change from"))
        }
    }

    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can run as somebody else"))
    func aFileThatNobodyMayReadNowIsNotGone() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                "mkdir -p tree/sub; echo 1 > tree/sub/a.conf; echo 1 > tree/b.conf", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            let binary = try await runner.copyOfBinary()
            try await shell("chown -R 65534:65534 .; chmod 700 tree/sub; chown 0:0 tree/sub", in: directory)
            let status = try await Program(
                "setpriv",
                ["--reuid=65534", "--regid=65534", "--clear-groups", binary.string, "diff", "--raw"],
                directory: directory
            ).run()
            #expect(status.status == 3, "\(status.output)\(status.errorOutput)")
            #expect(
                status.output.contains("unknown: ") && status.output.contains("tree/sub could not be read"))
            #expect(!status.output.contains("removed"), "\(status.output)")
        }
    }

    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can run as somebody else"))
    func aDirectoryThatMayBeListedAndNotEnteredIsNotToldAsBeingChanged() async throws {
        try await withTemporaryDirectory { directory in
            try await shell("mkdir tree; echo 1 > tree/a.conf", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            let binary = try await runner.copyOfBinary()
            try await shell("chown -R 65534:65534 .; chown 0:0 tree; chmod 744 tree", in: directory)
            let taken = try await Program(
                "setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", binary.string, "snapshot"],
                directory: directory
            ).run()
            #expect(taken.status == 3, "\(taken.output)\(taken.errorOutput)")
            #expect(
                taken.output.contains("unreadable: ") && taken.output.contains("a.conf"), "\(taken.output)")
            #expect(!taken.output.contains("being changed"), "\(taken.output)")
        }
    }
}

/// The same of a database whose server is down.
@Suite(.enabled(if: PostgreSQLFixture.availablePrograms != nil, "needs a PostgreSQL server"))
struct UnknownDatabaseDriftTests {
    @Test func aServerThatIsDownIsUnknownAlsoWhenItWasDownAtTheSnapshot() async throws {
        try await PostgreSQLFixture.with { server in
            try await server.sql("CREATE DATABASE buildbot;")
            try await server.sql("CREATE TABLE builds (id int);", in: "buildbot")
            try await withTemporaryDirectory { directory in
                let runner = try CommandLineRunner(directory)
                try Files.makeDirectory(directory.appending("tree"))
                try await runner.initialize("tree")
                try runner.describe(server.component("database", database: "buildbot"))
                try await runner.succeed("snapshot")
                try await server.stop()
                let now = try await runner.run("diff")
                #expect(now.status == 3 && !namesSomethingGone(now.output), "\(now.output)")
                #expect(!now.output.contains("not captured"), "\(now.output)")
                let doctor = try await runner.run("doctor")
                let line = doctor.output.split(separator: "\n").first { $0.contains("database") }
                #expect(
                    doctor.status == 1 && line?.hasPrefix("MISSING") == true
                        && line?.contains("make sure that it runs") == true, "\(doctor.output)")
                #expect(try await runner.run("snapshot").status == 3)
                for (command, words) in [("status", "none in what"), ("diff", "no change in what")] {
                    let outcome = try await runner.run(command)
                    #expect(outcome.status == 3 && outcome.output.contains(words), "\(outcome.output)")
                    #expect(
                        outcome.output.contains(
                            "unknown: database: database/buildbot could be read neither time: "))
                }
                // Nobody knows of which version it was.
                let refused = try await runner.run("restore", "--partial")
                #expect(refused.status == 7, "\(refused.output)\(refused.errorOutput)")
                #expect(
                    refused.errorOutput.contains("a running server: start it; "), "\(refused.errorOutput)")
                try await server.start()
                let found = try await runner.run("doctor")
                #expect(found.output.contains("postgresql, version "), "\(found.output)")
            }
        }
    }
}
