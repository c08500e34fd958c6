import Testing

@testable import Drivers

/// Which files bring one builder back, and what else they would change; a configuration is only parsed.
@Suite struct BuilderSourceTests {
    private static let master = """
        from buildbot.plugins import steps, util
        from jobs.builders import builders
        c = BuildmasterConfig = {}
        c['builders'] = builders(['w1'])
        """

    private static func builders(deploy: String = "make", probe: String = "echo", shared: String = "5")
        -> String
    {
        """
        from buildbot.plugins import steps, util
        TIMEOUT = \(shared)
        def builders(workers):
            deploy = util.BuildFactory([steps.ShellCommand(command=['\(deploy)'], timeout=TIMEOUT)])
            probe = util.BuildFactory([steps.ShellCommand(command=['\(probe)'], timeout=TIMEOUT)])
            return [
                util.BuilderConfig(name='deploy', workernames=workers, factory=deploy),
                util.BuilderConfig(name='probe', workernames=workers, factory=probe),
            ]
        """
    }

    private func compare(
        _ before: [String: String], _ now: [String: String], builder: String = "deploy"
    ) async throws -> BuilderSource {
        try await BuilderSource.compare(builder, before: before, now: now, interpreter: "python3")
    }

    private func compare(_ before: String, _ now: String) async throws -> BuilderSource {
        try await compare(
            ["master.cfg": Self.master, "jobs/builders.py": before],
            ["master.cfg": Self.master, "jobs/builders.py": now])
    }

    @Test func aBuilderWhoseFactoryChangedComesBackWithItsFileAlone() async throws {
        let found = try await compare(Self.builders(), Self.builders(deploy: "rm -rf /"))
        #expect(found.files == ["jobs/builders.py"] && found.others.isEmpty && found.isDefined)
        #expect(found.unreadable.isEmpty && found.mentions.isEmpty)
    }

    @Test func anotherBuilderThatChangedTooIsNamed() async throws {
        let found = try await compare(Self.builders(), Self.builders(deploy: "x", probe: "y"))
        #expect(found.files == ["jobs/builders.py"] && found.others == ["builder probe"])
    }

    @Test func whatBothUseIsNamedForBoth() async throws {
        let found = try await compare(Self.builders(), Self.builders(shared: "6"))
        #expect(found.files == ["jobs/builders.py"] && found.others == ["builder probe"])
    }

    @Test func commentsAndOrderAndSpaceAreNoChange() async throws {
        // The factories among themselves, and the builders.
        var lines = Self.builders().split(separator: "\n")
        lines.swapAt(3, 4)
        lines.swapAt(6, 7)
        let found = try await compare(
            Self.builders(), "# a note\n" + lines.joined(separator: "\n").replacing("    ", with: "\t"))
        #expect(found.files.isEmpty && found.others.isEmpty && found.isDefined)
    }

    @Test func aBuilderThatIsGoneOrNewOrRenamedIsAChangeOfItself() async throws {
        let without = Self.builders().split(separator: "\n").filter { !$0.contains("'deploy', workernames") }
            .joined(separator: "\n")
        let gone = try await compare(Self.builders(), without)
        #expect(gone.files == ["jobs/builders.py"] && gone.others.isEmpty)
        let renamed = try await compare(
            Self.builders(), Self.builders().replacing("name='deploy'", with: "name='ship'"))
        // The new name would go, which is another builder's loss.
        #expect(renamed.files == ["jobs/builders.py"] && renamed.others == ["builder ship"])
    }

    @Test func aFileThatIsGoneTakesAllItsBuildersWithIt() async throws {
        let found = try await compare(
            ["master.cfg": Self.master, "jobs/builders.py": Self.builders()], ["master.cfg": Self.master])
        #expect(found.files == ["jobs/builders.py"] && found.others.contains("builder probe"))
    }

    @Test func aDefinitionInSeveralFilesComesBackWhole() async throws {
        let factories = "def deploy_steps():\n    return [1]\ndef probe_steps():\n    return [2]\n"
        let config = """
            import factories
            c = BuildmasterConfig = {'builders': []}
            c['builders'].append(util.BuilderConfig('deploy', factory=factories.deploy_steps()))
            c['builders'].append(util.BuilderConfig(name='probe', factory=factories.probe_steps()))
            """
        let found = try await compare(
            ["master.cfg": config, "factories.py": factories],
            ["master.cfg": config, "factories.py": factories.replacing("[1]", with: "[3]")])
        #expect(found.files == ["factories.py"] && found.others.isEmpty)
        let other = try await compare(
            ["master.cfg": config, "factories.py": factories],
            ["master.cfg": config, "factories.py": factories.replacing("[2]", with: "[3]")])
        #expect(other.files.isEmpty, "what only the other one uses is not this one's change")
    }

    @Test func whatIsForAllIsNamed() async throws {
        let config =
            "c = {}\nc['title'] = 'one'\nc['builders'] = [util.BuilderConfig(name='deploy', factory=1)]\n"
        let found = try await compare(
            ["master.cfg": config],
            ["master.cfg": config.replacing("one", with: "two").replacing("factory=1", with: "factory=2")])
        #expect(found.files == ["master.cfg"] && found.others == ["what all builders use"])
    }

    @Test func namesMadeByAProgramAndBrokenFilesAreToldAndNothingIsRun() async throws {
        let made = try await compare(
            ["master.cfg": "c['builders'] = [util.BuilderConfig(name='de' + 'ploy') for _ in (1,)]\n"], [:])
        #expect(!made.isDefined)
        let broken = try await compare(["master.cfg": "this is no Python\n"], ["master.cfg": Self.master])
        #expect(broken.unreadable.count == 1 && broken.unreadable[0].hasPrefix("master.cfg, in the snapshot"))
        let hostile =
            "import os\nos.abort()\nc['builders'] = [util.BuilderConfig(name='deploy', factory=1)]\n"
        #expect(try await compare(["master.cfg": hostile], ["master.cfg": hostile]).isDefined)
    }

    @Test func aSchedulerElsewhereThatNamesItIsMentioned() async throws {
        let found = try await compare(
            [
                "master.cfg": Self.master + "\nc['schedulers'] = ['deploy']\n",
                "jobs/builders.py": Self.builders(),
            ],
            ["master.cfg": Self.master, "jobs/builders.py": Self.builders(deploy: "x")])
        #expect(found.files == ["jobs/builders.py"] && found.mentions == ["master.cfg"])
    }
}
