import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// What stands in a sealed file is told to nobody, also where the recovery key is at hand.
@Suite struct SealedContentsTests {
    /// A home with a job that holds a password, and is sealed therefore, and a file beside it that does too.
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
        builder.jobs = 1
        builder.builds = 1
        try builder.make()
        var fixtures = FilePath(#filePath)
        for _ in 0..<2 { fixtures.removeLastComponent() }
        fixtures.append("Fixtures/jenkins-jobs")
        try await shell(
            """
            mkdir jenkins/jobs/ship etc; cp \(fixtures)/deploy.xml jenkins/jobs/ship/config.xml
            printf 'listen 80;\\npassword = "hunter2-leak"\\n' > etc/proxy.conf
            """, in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("jenkins", "etc", "--name", "acme")
        try await runner.succeed("snapshot")
        return runner
    }

    @Test func aDifferenceSaysWhichPartsChangedAndNotHow() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell(
                """
                sed -i 's/hunter2/hunter3/; s/>staging</>pepper-7</; s/make deploy/make deploy TO=pepper-7/' jenkins/jobs/ship/config.xml
                sed -i 's/hunter2-leak/hunter3-leak/; s/80/8443/' etc/proxy.conf
                """, in: directory)
            var said = ""
            for format in ["text", "markdown", "json"] {
                let output = try await runner.succeed(
                    "--verbose", "diff", "--identity", "recovery.key", "--format", format)
                #expect(output.contains("ship") && output.contains("sealed"), "\(output)")
                #expect(output.contains("TARGET defaultValue"), "which part it is: \(output)")
                #expect(output.contains("proxy.conf"), "\(output)")
                said += output
            }
            try await runner.succeed("snapshot")
            said += try await runner.succeed("--verbose", "diff", "latest~1", "latest")
            said += try await runner.succeed("--verbose", "log", "job:ship", "--identity", "recovery.key")
            for words in ["hunter", "pepper", "staging", "8443"] {
                #expect(!said.contains(words), "\(words): \(said)")
            }
        }
    }

    @Test func whatNobodyCanTellWithoutTheKeyIsSaid() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            func run(_ arguments: String...) async throws -> Program.Outcome {
                try await runner.run(under: ["/usr/bin/env", "-u", "UNDERSTUDY_IDENTITY"], arguments)
            }
            let shown = try await run("show", "latest")
            #expect(shown.status == 0 && shown.output.contains("would tell of more items"), "\(shown.output)")
            let hidden = try await run("log", "job:ship")
            #expect(hidden.status == 12, "\(hidden.output)")
            #expect(hidden.errorOutput.contains("in clear") && hidden.errorOutput.contains("--identity"))
            let told = try await run("log", "job:ship", "--identity", "recovery.key")
            #expect(told.status == 0 && told.output.contains("ship"), "\(told.errorOutput)")
            // A job that was in clear and is sealed since.
            try await shell(
                """
                mkdir jenkins/jobs/late
                echo '<project><description>x</description></project>' > jenkins/jobs/late/config.xml
                """, in: directory)
            try await runner.succeed("snapshot")
            let clear = try await run("log", "job:late")
            #expect(clear.status == 0 && !clear.output.contains("sealed"), "\(clear.output)")
            try await shell(
                "echo '<project><password>hunter22</password></project>' > jenkins/jobs/late/config.xml",
                in: directory)
            try await runner.succeed("snapshot")
            let since = try await run("log", "job:late")
            #expect(since.status == 0, "\(since.errorOutput)")
            #expect(since.output.contains("what was sealed is missing"), "\(since.output)")
        }
    }

    @Test func aNightThatSealsJobsMissesNone() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell(
                """
                for job in 1 2 3 4 5 6; do
                    mkdir jenkins/jobs/more-$job
                    echo "<project><description>$job</description></project>" > jenkins/jobs/more-$job/config.xml
                done
                """, in: directory)
            try await runner.succeed("nightly")
            try await shell(
                """
                for job in 1 2 3 4 5 6; do
                    echo "<project><password>hunter2$job</password></project>" > jenkins/jobs/more-$job/config.xml
                done
                """, in: directory)
            try await runner.succeed("nightly")
            try await shell("rm -r jenkins/jobs/more-[1-5]", in: directory)
            let night = try await runner.run("nightly")
            #expect(night.status != 0 && night.output.contains("jobs →"), "\(night.output)")
        }
    }
}
