import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A dump that ends too early, as of a disk that ran full or a connection that broke.
@Suite(.enabled(if: PostgreSQLFixture.availablePrograms != nil, "needs a PostgreSQL server"))
struct CutDumpTests {
    /// PostgreSQL's programs, of which `pg_dump` writes only a part as long as there is a file `cut`, and ends with 0.
    private func programs(_ server: PostgreSQLFixture) throws -> FilePath {
        let directory = server.directory.appending("programs")
        try Files.makeDirectory(directory, mode: 0o755)
        for name in ["psql", "pg_dump", "pg_dumpall"] {
            let program = server.programs.appending(name)
            let cut =
                name == "pg_dump"
                ? "test -e \(server.directory)/cut && { \(program) \"$@\" | head -c 3000; exit 0; }" : ""
            try Files.replace(
                directory.appending(name), with: Array("#!/bin/sh\n\(cut)\nexec \(program) \"$@\"\n".utf8),
                mode: 0o755)
        }
        return directory
    }

    @Test func aNightWhoseDumpIsCutShortIsLoudAndItsSnapshotDrillsRed() async throws {
        try await PostgreSQLFixture.with { server in
            try await server.sql("CREATE DATABASE buildbot;")
            try await server.sql(
                "CREATE TABLE builds (id serial PRIMARY KEY, name text); INSERT INTO builds (name) SELECT 'build ' || i FROM generate_series(1, 500) i;",
                in: "buildbot")
            try await withTemporaryDirectory { directory in
                let runner = try CommandLineRunner(directory)
                try Files.makeDirectory(directory.appending("tree"))
                try await runner.initialize("tree")
                try runner.describe(server.component("database", database: "buildbot"))
                try replaceText(
                    "programs: \(server.programs)", with: "programs: \(try programs(server))",
                    in: directory.appending("understudy.yaml"))
                try Files.replace(
                    directory.appending("policies/notify.yaml"), with: Array("drillEvery: 1s\n".utf8))
                let first = try await runner.run("nightly")
                #expect(first.status == 0 && first.output.contains("drill green"), "\(first.output)")

                try Files.replace(server.directory.appending("cut"), with: [], mode: 0o644)
                let night = try await runner.run("nightly")
                #expect(night.status == 3 && night.output.contains("is cut short"), "\(night.output)")
                let check = try await runner.run("status", "--check")
                #expect(check.status == 7 && check.output.contains("is cut short"), "\(check.output)")
                let drill = try await runner.run("drill")
                #expect(drill.status == 6 && drill.output.contains("is cut short"), "\(drill.output)")
                #expect(
                    try await runner.run("status", "--check").output.contains("is red: database: complete: "))
                try Files.remove(server.directory.appending("cut"))
                #expect(try await runner.run("nightly").status == 0)
                #expect(try await runner.run("status", "--check").status == 0)
            }
        }
    }
}
