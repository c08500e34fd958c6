import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A JENKINS_HOME in every shape, lost and restored.
@Suite struct JenkinsJourneyTests {
    private func start(
        _ directory: FilePath, plugins: Int = 6, jobs: Int = 4, builds: Int = 3
    ) async throws -> (JenkinsHomeBuilder, CommandLineRunner) {
        var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
        builder.plugins = plugins
        builder.jobs = jobs
        builder.builds = builds
        try builder.make()
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("jenkins")
        return (builder, runner)
    }

    /// What is derived, in rsync's words: it need not come back.
    private static let derived = [
        "/war", "/updates", "/logs", "/plugins/*/", "/atomic*tmp", "/jobs/job-0/workspace",
        "/jobs/service/indexing",
    ]

    @Test func aHomeOfFiveThousandFilesComesBack() async throws {
        try await withTemporaryDirectory { directory in
            let (_, runner) = try await start(directory, plugins: 60, jobs: 80, builds: 20)
            let output = try await runner.succeed("snapshot")
            #expect(output.contains("complete"))
            try await runner.checkStore(directory.appending("jenkins.git"))
            try await shell("cp -a jenkins reference; rm -rf jenkins", in: directory)
            let report = try await runner.succeed("restore", "--resume-work")
            #expect(report.contains("captured again, it has the snapshot's own tree"))
            let excluded = Self.derived.map { "--exclude=\($0)" }
            let found = try await Program(
                "rsync",
                ["-naHAXc", "--delete", "--itemize-changes"] + excluded + ["reference/", "jenkins/"],
                directory: directory
            ).runSuccessfully().output
            // Directories that held something derived, and the twin that Jenkins passes over.
            let unexpected = found.split(separator: "\n").filter { line in
                !line.hasPrefix(".d..t") && !line.contains("plugins/plugin-0.hpi")
            }
            #expect(unexpected.isEmpty, "\(unexpected)")
            let count = try await shell("find reference -type f | wc -l", in: directory)
            #expect((Int(count.filter(\.isNumber)) ?? 0) > 5000)
        }
    }

    @Test func theInventoryNamesWhatPeopleName() async throws {
        try await withTemporaryDirectory { directory in
            let (_, runner) = try await start(directory)
            try await runner.succeed("snapshot")
            let shown = try await runner.succeed("--verbose", "show", "latest")
            for name in [
                "team/inner/deep", "service/feature/x", "org/repo/main", "Somebody's stuff", "проба é",
                "plugin-3 1.3",
                "system/deploy", "agent1", "admin", "workspace",
            ] {
                #expect(shown.contains(name), "\(name)")
            }
            #expect(!shown.contains("hunter2"))
        }
    }

    @Test func aSaveThatOnlyRewritesVersionsIsNoChangeOfAJob() async throws {
        try await withTemporaryDirectory { directory in
            let (builder, runner) = try await start(directory)
            try await runner.succeed("snapshot")
            let file = builder.home.appending("jobs/job-1/config.xml")
            try Files.replace(file, with: Array(JenkinsHomeBuilder.freestyle("make 1", git: "5.5.2").utf8))
            #expect(!(try await runner.succeed("diff")).contains("job-1"))
            try Files.replace(
                file, with: Array(JenkinsHomeBuilder.freestyle("make clean", git: "5.5.2").utf8))
            try builder.makePlugin("plugin-3", version: "1.12", file: "plugin-3.jpi")
            try Files.removeTree(builder.home.appending("jobs/job-2"))
            let differences = try await runner.succeed("diff")
            #expect(differences.contains("job-1"))
            #expect(differences.contains("1.3 → 1.12") && differences.contains("↑"))
            #expect(differences.contains("-  jenkins  job") && differences.contains("job-2"))
        }
    }

    @Test func aRestoreFixesWhatAStartWouldTripOver() async throws {
        try await withTemporaryDirectory { directory in
            let (builder, runner) = try await start(directory)
            try await runner.succeed("snapshot")
            try Files.replace(builder.home.appending("jobs/job-1/nextBuildNumber"), with: Array("41\n".utf8))
            let report = try await runner.succeed("restore")
            #expect(report.contains("jobs/job-1/nextBuildNumber: 4 → 41"))
            #expect(
                try Files.read(builder.home.appending("jobs/job-1/nextBuildNumber")) == Array("41\n".utf8))
            #expect(try !Files.exists(builder.home.appending("queue.xml")))
            #expect(try !Files.exists(builder.home.appending("plugins/plugin-0.hpi")))
            #expect(try !Files.exists(builder.home.appending("plugins/plugin-3")))
            #expect(report.contains("queue.xml"))
        }
    }

    @Test(arguments: [
        (
            "printf wrong > jenkins/secrets/master.key",
            "would be refused: secrets/master.key does not open", "master.key does not open"
        ),
        (
            "rm jenkins/secrets/master.key", "master.key is not in the home",
            "master.key is not in the snapshot"
        ),
        (
            "rm jenkins/secrets/hudson.util.Secret", "would be refused: secrets/hudson.util.Secret is not",
            "hudson.util.Secret is not in the snapshot"
        ),
        (
            "mv jenkins/users/admin_* jenkins/users/admin_$(printf '0%.0s' {1..64})",
            "would be refused: secrets/hudson.model.User.DIRNAMES does not make", "DIRNAMES"
        ),
        ("sed -i 's/AQAAABAAAA/AQAAABBBBB/' jenkins/credentials.xml", "does not decrypt", "does not decrypt"),
    ]) func aHomeWhoseKeyChainDoesNotOpenIsToldAtTheSnapshotAndRefused(
        _ script: String, _ note: String, _ words: String
    ) async throws {
        try await withTemporaryDirectory { directory in
            let (_, runner) = try await start(directory)
            try await shell(script, in: directory)
            let output = try await runner.succeed("snapshot")
            #expect(output.contains(note), "\(output)")
            try await shell("echo untouched > jenkins/marker", in: directory)
            let outcome = try await runner.run("restore")
            #expect(outcome.status == 7, "\(outcome.output)\(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains(words), "\(outcome.errorOutput)")
            #expect(try Files.exists(directory.appending("jenkins/marker")))
        }
    }

    @Test func aHomeWhoseMasterKeyIsOutsideComesBackWhereTheSystemFileNamesIt() async throws {
        try await withTemporaryDirectory { directory in
            let (builder, runner) = try await start(directory)
            try await shell(
                "mv jenkins/secrets/master.key outside.key; cp -a jenkins reference", in: directory)
            try await runner.succeed("snapshot")
            let refused = try await runner.run("restore")
            #expect(refused.status == 7 && refused.errorOutput.contains("masterKey: /PATH"))
            let file = directory.appending("understudy.yaml")
            let text = String(decoding: try Files.read(file), as: UTF8.self)
            let line = text.split(separator: "\n").first { $0.hasPrefix("    home:") }
            let home = String(try #require(line))
            try replaceText(
                home, with: "\(home)\n    masterKey: \(directory)/outside.key", in: file)
            let taken = try await runner.succeed("snapshot")
            #expect(taken.contains("outside.key, is not captured") && !taken.contains("would be refused"))
            try await shell("rm -r jenkins", in: directory)
            try await runner.succeed("restore")
            #expect(try Files.exists(builder.home.appending("credentials.xml")))
            try await shell("rm outside.key", in: directory)
            let missing = try await runner.run("restore")
            #expect(missing.status == 7 && missing.errorOutput.contains("outside.key, which is Jenkins'"))
            #expect(try await runner.run("doctor").output.contains("outside.key, a key that the system file"))
            for other in ["mkdir outside.key", "rmdir outside.key; mkfifo outside.key"] {
                try await shell(other, in: directory)
                let night = try await runner.succeed("snapshot")
                #expect(night.contains("would be refused"), "\(night)")
                let refused = try await runner.run("restore")
                #expect(refused.status == 7, "\(refused.errorOutput)")
                #expect(refused.errorOutput.contains("is no file"), "\(refused.errorOutput)")
            }
        }
    }

    @Test func aSnapshotThatCannotBeRestoredIsAProblemOfTheNightAndOfTheMonitor() async throws {
        try await withTemporaryDirectory { directory in
            let (_, runner) = try await start(directory)
            try await runner.succeed("nightly")
            try await shell("printf wrong > jenkins/secrets/master.key", in: directory)
            let night = try await runner.run("nightly")
            #expect(night.status == 1, "\(night.output)\(night.errorOutput)")
            #expect(night.output.contains("would be refused: jenkins: secrets/master.key does not open"))
            #expect(!night.output.contains("forgot"), "nothing is pruned")
            let check = try await runner.run("status", "--check")
            #expect(check.status == 7 && check.output.contains("would be refused"), "\(check.output)")
            #expect(try await runner.succeed("status").contains("WOULD BE REFUSED: jenkins: "))
            #expect(try await runner.succeed("show", "latest").contains("would be refused"))
        }
    }

    @Test func buildsThatAreGoneAreNoChangeInConfigurationAndAreTold() async throws {
        try await withTemporaryDirectory { directory in
            let (_, runner) = try await start(directory)
            try await runner.succeed("snapshot")
            let same = try await runner.succeed("status")
            #expect(same.split(separator: "\n").contains { $0.split(separator: " ") == ["drift", "none"] })
            try await shell("rm -r jenkins/jobs/*/builds", in: directory)
            let status = try await runner.succeed("status")
            #expect(status.contains("none in configuration; other files: "), "\(status)")
            let taken = try await runner.succeed("snapshot")
            #expect(taken.contains("no change in configuration; other files: "), "\(taken)")
            #expect(try await runner.succeed("snapshots").contains("no change in configuration, other files"))
            let page = try await runner.succeed("diff", "latest~1", "latest", "--format", "markdown")
            #expect(page.contains("no change in configuration; other files: "), "\(page)")
            #expect(try await runner.succeed("snapshot").contains("no change\n"))
        }
    }

    /// Gives a test a home of an ordinary user, in which `closing` made something unreadable for that user, a snapshot of it
    /// that lacks `missing`, another configuration, and a way to restore as that user.
    private func withPartialSnapshot(
        _ closing: String, missing: String,
        _ test: (_ restore: ([String]) async throws -> Program.Outcome) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let builder = JenkinsHomeBuilder(directory.appending("jenkins"))
            try builder.make()
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins")
            try await shell(closing, in: directory)
            let binary = try await runner.copyOfBinary()
            let asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", binary.string]
            let configuration = builder.home.appending("config.xml")
            let wanted = try Files.read(configuration)
            let snapshot = try await Program("setpriv", asNobody + ["snapshot"], directory: directory).run()
            #expect(snapshot.status == 3, "\(snapshot.errorOutput)")
            #expect(
                snapshot.output.contains("unreadable: jenkins/home/\(missing)"), "\(snapshot.output)")
            try await shell("echo '<hudson/>' > jenkins/config.xml", in: directory)
            try await test { more in
                try await Program(
                    "setpriv",
                    asNobody + ["restore", "--identity", CommandLineRunner.recoveryKey] + more,
                    directory: directory
                ).run()
            }
            #expect(try Files.read(configuration) == wanted)
        }
    }

    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can run as somebody else"))
    func aPartialSnapshotIsOnlyRestoredWhenItsLossIsAccepted() async throws {
        try await withPartialSnapshot(
            "mkdir -p jenkins/userContent; cd jenkins/userContent; echo 1 > page; chown -R 65534:65534 ../..; chmod 000 page; chown 0:0 page",
            missing: "userContent/page"
        ) { restore in
            let refused = try await restore([])
            #expect(refused.status == 7, "\(refused.errorOutput)")
            #expect(refused.errorOutput.contains("--partial"))
            let accepted = try await restore(["--partial"])
            #expect(accepted.status == 0, "\(accepted.output)\(accepted.errorOutput)")
        }
    }

    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can run as somebody else"))
    func aJobThatMayNotBeReadKeepsNothingElseFromComingBack() async throws {
        try await withPartialSnapshot(
            "chown -R 65534:65534 .; chown 0:0 jenkins/jobs/job-0; chmod 700 jenkins/jobs/job-0",
            missing: "jobs/job-0"
        ) { restore in
            let restored = try await restore(["--partial"])
            #expect(restored.status == 0, "\(restored.output)\(restored.errorOutput)")
            #expect(
                restored.output.contains("fixed: jobs/job-0/nextBuildNumber: not compared"),
                "\(restored.output)")
        }
    }

    @Test func aPathThatIsNoHomeIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            let (builder, runner) = try await start(directory)
            try Files.remove(builder.home.appending("config.xml"))
            let outcome = try await runner.run("snapshot")
            #expect(outcome.status == 1)
            #expect(outcome.errorOutput.contains("is not a JENKINS_HOME"))
        }
    }
}
