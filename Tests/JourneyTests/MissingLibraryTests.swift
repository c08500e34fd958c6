import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A host that lacks a library which is loaded when something is first needed of it.
@Suite struct MissingLibraryTests {
    private static let libgit2 = "libgit2"
    private static let libarchive = "libarchive"

    /// The file that the binary loads for a library, by the name that is in it.
    private func file(of library: String) async throws -> String {
        let names = try await Program(
            "grep",
            ["-aoE", "\(library)\\.so\\.[0-9]+(\\.[0-9]+)*", CommandLineRunner.builtBinary().string]
        ).runSuccessfully().output.split(separator: "\n")
        #expect(Set(names).count == 1, "\(names)")
        return String(try #require(names.first))
    }

    /// Runs a command; what stands where the libraries are looked for first is none.
    private func run(
        _ runner: CommandLineRunner, without libraries: [String], _ arguments: [String]
    ) async throws -> Program.Outcome {
        let directory = runner.directory.appending("no libraries")
        if try Files.exists(directory) { try Files.removeTree(directory) }
        try Files.makeDirectory(directory)
        for library in libraries {
            try Files.replace(
                directory.appending(try await file(of: library)), with: Array("none\n".utf8))
        }
        return try await runner.run(under: ["env", "LD_LIBRARY_PATH=\(directory)"], arguments)
    }

    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        try Files.makeDirectories(directory.appending("tree/sub"))
        try Files.replace(directory.appending("tree/sub/file"), with: Array("one\n".utf8))
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try await runner.succeed("snapshot")
        return runner
    }

    @Test func snapshotsAndRestoresNeedNeither() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let none = [Self.libgit2, Self.libarchive]
            try Files.replace(directory.appending("tree/sub/file"), with: Array("two\n".utf8))
            for arguments in [["snapshot"], ["verify"], ["snapshots"], ["restore", "latest~1"], ["undo"]] {
                let outcome = try await run(runner, without: none, arguments)
                #expect(outcome.status == 0, "\(arguments): \(outcome.errorOutput)")
            }
            #expect(try Files.read(directory.appending("tree/sub/file")) == Array("two\n".utf8))
            // Nor do they when git made deltas of what they wrote.
            try await Program("git", ["-C", "tree.git", "gc", "-q", "--prune=now"], directory: directory)
                .runSuccessfully()
            #expect(try await run(runner, without: none, ["verify", "--all"]).status == 0)
        }
    }

    /// Stock git brought the objects into a pack that is newer than the first look at the store.
    @Test func newCommitsAndTagsOfRepositoriesNeedNeither() async throws {
        try await withTemporaryDirectory { directory in
            let prologue =
                "export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; "
            func shell(_ script: String) async throws {
                try await TestSupport.shell(prologue + script, in: directory)
            }
            try await shell(
                "mkdir git; git init -q --bare -b main git/app.git; git clone -q git/app.git clone 2>/dev/null; cd clone; git checkout -q -b main; echo 1 >f; git add f; git commit -qm 1; git push -q origin main"
            )
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("git")
            try await runner.succeed("snapshot")
            try await shell(
                "cd clone; echo 2 >f; git commit -qam 2; git tag -a v1 -m v1; git tag -a again -m again v1 2>/dev/null; git tag text HEAD:f; git push -q --tags origin main"
            )
            let outcome = try await run(runner, without: [Self.libgit2], ["snapshot"])
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
            try await runner.succeed("verify", "--all")
        }
    }

    @Test func whatNeedsOneSaysSoAndChangesNothing() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let before = try TreeListing(directory.appending("tree.git/refs"))
            let export = try await run(runner, without: [Self.libarchive], ["export", "store.tar.zst"])
            #expect(export.status == 1)
            #expect(
                export.errorOutput.contains("error: libarchive cannot be loaded: "), "\(export.errorOutput)")
            #expect(export.errorOutput.contains("hint: apt install libarchive13"))
            #expect(try !Files.exists(directory.appending("store.tar.zst")))
            let other = [
                "init", "tree/sub", "--store", "other.git", "--output", "other.yaml", "--recovery-key", "k",
            ]
            let initialized = try await run(runner, without: [Self.libgit2], other)
            #expect(initialized.status == 1, "\(initialized.output)\(initialized.errorOutput)")
            #expect(initialized.errorOutput.contains("error: libgit2 cannot be loaded: "))
            let next = try await runner.run(under: ["env"], other)
            #expect(next.status == 0, "\(next.errorOutput)")
            #expect(try TreeListing(directory.appending("tree.git/refs")) == before)
            try await runner.succeed("export", "store.tar.zst")
            let arrivals = [
                ["import", "store.tar.zst", "new.git"],
                ["restore", "--from", "store.tar.zst", "--store", "new.git"],
            ]
            for arguments in arrivals {
                let outcome = try await run(runner, without: [Self.libgit2], arguments)
                #expect(outcome.status == 1, "\(arguments): \(outcome.output)\(outcome.errorOutput)")
                #expect(outcome.errorOutput.contains("error: libgit2 cannot be loaded: "))
                #expect(try !Files.exists(directory.appending("new.git")), "\(arguments)")
            }
            try await runner.checkStore(directory.appending("tree.git"))
        }
    }

    /// Plugins whose versions cannot be read are damaged; those that nothing was there to read are not.
    @Test func aSnapshotOfPluginsIsNotTakenWithoutALibraryForThem() async throws {
        try await withTemporaryDirectory { directory in
            var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
            builder.plugins = 2
            builder.jobs = 1
            builder.builds = 1
            try builder.make()
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins")
            let outcome = try await run(runner, without: [Self.libarchive], ["snapshot"])
            #expect(outcome.status == 1, "\(outcome.output)")
            #expect(
                outcome.errorOutput.contains("error: libarchive cannot be loaded: "), "\(outcome.errorOutput)"
            )
            #expect(try await !runner.succeed("snapshots").contains("complete"))
            #expect(try await runner.succeed("snapshot").contains("complete"))
        }
    }

    @Test func theDoctorFindsOut() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let outcome = try await run(runner, without: [Self.libgit2, Self.libarchive], ["doctor"])
            #expect(outcome.status == 1)
            for name in ["libgit2", "libarchive"] {
                let line = outcome.output.split(separator: "\n").first { $0.contains(name) }
                #expect(
                    line?.contains("MISSING") == true && line?.contains("apt install") == true,
                    "\(outcome.output)")
            }
            let whole = try await runner.run("doctor")
            #expect(whole.output.split(separator: "\n").filter { $0.contains("is there") }.count == 2)
            let file = directory.appending("understudy.yaml")
            try Files.replace(
                file, with: try Files.read(file) + Array("    service: {systemd: understudy-nobody}\n".utf8))
            let unable = try await runner.run("doctor")
            #expect(unable.status == 1)
            let line = unable.output.split(separator: "\n").first { $0.contains("'understudy-nobody'") }
            #expect(line?.hasPrefix("MISSING") == true, "\(unable.output)")
        }
    }
}
