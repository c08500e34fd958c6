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
}
