import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Nights whose drill turns red the same night, each for something that is really broken.
@Suite struct RedNightTests {
    /// Runs a night that holds a drill, which must be red with these words and be so for a monitor too.
    private func expectRed(_ runner: CommandLineRunner, _ words: String) async throws {
        let night = try await runner.run(["nightly"], limit: .seconds(600))
        #expect(night.status == 1, "\(night.output)\(night.errorOutput)")
        #expect(night.output.contains("is red: ") && night.output.contains(words), "\(night.output)")
        #expect(night.output.contains("nothing is pruned until then") && !night.output.contains("forgot"))
        let check = try await runner.run("status", "--check")
        #expect(check.status == 7 && check.output.contains(words), "\(check.output)")
    }

    private func drillEveryNight(_ directory: FilePath) throws {
        // Things go by purpose here, and the alarm for that is not what is looked at.
        let policy = "drillEvery: 1s\nshrink: {entries: 100, bytes: 100, items: 100}\n"
        try Files.replace(directory.appending("policies/notify.yaml"), with: Array(policy.utf8))
    }

    @Test func aJenkinsWithoutAKeyAPluginOrAJobIsRedTheSameNight() async throws {
        try await withTemporaryDirectory { directory in
            var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
            try builder.makeSound()
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins", "--name", "acme")
            try drillEveryNight(directory)
            let well = try await runner.run("nightly")
            #expect(well.status == 0, "\(well.output)\(well.errorOutput)")
            #expect(well.output.contains("drilled: checked, not started: jenkins"), "\(well.output)")
            // Until the next drill is due: times count whole seconds. After a red one it is every night.
            try await Task.sleep(for: .seconds(2))

            let archive = builder.home.appending("plugins/git-client.jpi")
            let away = directory.appending("away")
            try Files.rename(archive, to: away)
            try await expectRed(runner, "git-client")
            try Files.rename(away, to: archive)

            let job = builder.home.appending("jobs/job-0/config.xml")
            let text = try Files.read(job)
            try Files.replace(job, with: Array("<project><open>".utf8))
            try await expectRed(runner, "jobs/job-0/config.xml")
            try Files.replace(job, with: text)

            let key = builder.home.appending("secrets/master.key")
            try Files.rename(key, to: away)
            try await expectRed(runner, "secrets/master.key")
            try Files.rename(away, to: key)
            #expect(try await runner.run("nightly").status == 0)
            #expect(try await runner.run("status", "--check").status == 0)
        }
    }

    @Test(.enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
    func aBuilderThatNoLongerLoadsAndAPluginThatIsGoneAreRedTheSameNight() async throws {
        try await CanaryProduction.with { production in
            try drillEveryNight(production.fixture.directory)
            let builders = production.fixture.master.appending("jobs/builders.py")
            let text = try Files.read(builders)
            try Files.replace(builders, with: Array("from buildbot.plugins import nonsuch\n".utf8) + text)
            try await expectRed(production.runner, "ci: boot: ")
            try Files.replace(builders, with: text)

            // The step that the plugin brings is what a builder is made of.
            let packages = try production.fixture.packages
            let names = try Files.names(packages).map { String(decoding: $0, as: UTF8.self) }
            for name in names where name.hasPrefix("acme_buildbot_steps") {
                try Files.removeTree(packages.appending(name))
            }
            try await expectRed(production.runner, "ci: boot: ")
        }
    }
}
