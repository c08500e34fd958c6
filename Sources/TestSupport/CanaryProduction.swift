internal import Archive
internal import FileTree
internal import Programs
package import SystemPackage

/// A Buildbot with a step plugin of its own, snapshotted and stopped: what canaries are tried on.
package struct CanaryProduction: Sendable {
    /// The installation.
    package let fixture: BuildbotFixture
    /// Runs the binary in the directory of the system file.
    package let runner: CommandLineRunner
    /// Where the wheels are.
    package var wheels: FilePath { fixture.directory.appending("wheels") }

    /// Runs `body` with a production of which there is a snapshot.
    package static func with<Result>(_ body: (CanaryProduction) async throws -> Result) async throws -> Result
    {
        try await BuildbotFixture.with { fixture in
            var fixture = fixture
            let environment = fixture.directory.appending("environment")
            try await Program("cp", ["--archive", fixture.environment.string, environment.string])
                .runSuccessfully()
            fixture.environment = environment
            let production = CanaryProduction(
                fixture: fixture, runner: try CommandLineRunner(fixture.directory))
            try Files.makeDirectory(production.wheels)
            for plugin in StepPlugin.allCases { try plugin.write(to: production.wheels) }
            try await production.install(.first)
            try production.addBuilder()
            try Files.makeDirectory(fixture.directory.appending("empty"))
            try await production.runner.initialize("empty", "--name", "acme", "--output", "unused.yaml")
            try production.describe()
            try await production.runner.succeed("snapshot")
            return try await body(production)
        }
    }

    /// Unpacks a wheel into the environment, as pip would.
    private func install(_ plugin: StepPlugin) async throws {
        let packages = fixture.environment.appending("lib/python3.11/site-packages")
        try await Program(
            "/usr/bin/python3",
            ["-m", "zipfile", "--extract", wheels.appending(plugin.file).string, packages.string]
        ).runSuccessfully()
    }

    private func describe() throws {
        let text = """
            system: acme
            store: acme.git
            recipients: [\(try runner.recipient())]
            policies: policies
            components:
              ci:
                driver: buildbot
                master: \(fixture.master)
                environment: \(fixture.environment)
                url: \(fixture.url)
              sources: {driver: files, paths: [\(fixture.repository)]}

            """
        try Files.replace(fixture.directory.appending("understudy.yaml"), with: Array(text.utf8))
    }

    private func addBuilder() throws {
        let file = fixture.master.appending("jobs/builders.py")
        var text = String(decoding: try Files.read(file), as: UTF8.self)
        text.replace(
            "    return [\n",
            with: """
                    verify = util.BuildFactory([steps.AcmeVerify()])
                    return [
                        util.BuilderConfig(name='verify', workernames=workers, factory=verify),

                """)
        try Files.replace(file, with: Array(text.utf8))
    }

    /// What a canary came to.
    package struct Outcome: Sendable {
        /// The exit status.
        package var status: Int32
        /// The JSON document.
        package var document: String
        /// Progress and failures.
        package var errors: String
    }

    /// Runs a canary with JSON output, whatever it comes to.
    package func canary(_ arguments: [String]) async throws -> Outcome {
        let outcome = try await runner.run(
            ["--format", "json", "canary", "--offline", "--seed", "7"] + arguments, limit: .seconds(600))
        return Outcome(status: outcome.status, document: outcome.output, errors: outcome.errorOutput)
    }
}

/// Versions of a tiny plugin with one build step, each with another fault.
package enum StepPlugin: String, CaseIterable, Sendable {
    /// Good, and what production has.
    case first = "1.0"
    /// As good.
    case second = "2.0"
    /// Imports a name that does not exist.
    case crashes = "3.0"
    /// Its builds fail.
    case fails = "4.0"
    /// 60 % slower.
    case isSlow = "5.0"
    /// Needs an argument that no configuration gives.
    case needsArgument = "6.0"
    /// 3 % slower.
    case isHardlySlower = "7.0"

    /// The wheel's file name.
    package var file: String { "acme_buildbot_steps-\(rawValue)-py3-none-any.whl" }

    private var module: String {
        let duration =
            switch self {
            case .isSlow: "1.28"
            case .isHardlySlower: "0.824"
            default: "0.8"
            }
        return """
            from buildbot.process.buildstep import BuildStep
            from buildbot.process.results import FAILURE, SUCCESS
            from twisted.internet import defer, reactor, task
            \(self == .crashes ? "from buildbot.process.buildstep import NoSuchThing" : "")

            class AcmeVerify(BuildStep):
                name = 'verify'

                def __init__(self, \(self == .needsArgument ? "profile, " : "")**kwargs):
                    super().__init__(**kwargs)

                @defer.inlineCallbacks
                def run(self):
                    yield task.deferLater(reactor, \(duration), lambda: None)
                    return \(self == .fails ? "FAILURE" : "SUCCESS")

            """
    }

    /// Writes the wheel into a directory; the same bytes each time.
    package func write(to directory: FilePath) throws {
        let information = "acme_buildbot_steps-\(rawValue).dist-info"
        var archive = try ZipWriter(directory.appending(file))
        let members = [
            ("acme_buildbot_steps.py", module),
            (
                "\(information)/METADATA",
                "Metadata-Version: 2.1\nName: acme-buildbot-steps\nVersion: \(rawValue)\n"
            ),
            (
                "\(information)/WHEEL",
                "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            ),
            (
                "\(information)/entry_points.txt",
                "[buildbot.steps]\nAcmeVerify = acme_buildbot_steps:AcmeVerify\n"
            ),
        ]
        for (name, text) in members { try archive.add(name: name, contents: Array(text.utf8)) }
        let record = members.map { "\($0.0),,\n" }.joined() + "\(information)/RECORD,,\n"
        try archive.add(name: "\(information)/RECORD", contents: Array(record.utf8))
        try archive.finish()
    }
}
