internal import Archive
internal import Cryptography
internal import FileTree
internal import Glibc
internal import Programs
package import SystemPackage

/// A Buildbot with a step plugin of its own, snapshotted and stopped: what canaries are tried on.
package struct CanaryProduction: Sendable {
    /// Whether every canary is tried: `make canaries`; otherwise a few of each kind are.
    package static var triesAll: Bool {
        unsafe getenv("UNDERSTUDY_TEST_CANARIES").map { unsafe String(cString: $0) } == "all"
    }
    /// What a test that was left out says.
    package static let whyFew = "SKIPPED: takes minutes; run make canaries"

    /// The installation.
    package let fixture: BuildbotFixture
    /// Runs the binary in the directory of the system file.
    package let runner: CommandLineRunner
    /// Where the wheels are.
    package var wheels: FilePath { fixture.directory.appending("wheels") }

    /// Runs `body` with a production of which there is a snapshot; `prepare` may change it before that is taken.
    ///
    /// Its state is in the database `buildbot` of `server`, owned by the role `ci`, or in SQLite.
    package static func with<Result>(
        server: PostgreSQLFixture? = nil, prepare: (BuildbotFixture) async throws -> Void = { _ in },
        _ body: (CanaryProduction) async throws -> Result
    ) async throws -> Result {
        let address = server.map { "postgresql+psycopg2://ci:parole-5@/buildbot?host=\($0.directory)" }
        return try await BuildbotFixture.with(database: address ?? "sqlite:///state.sqlite") { fixture in
            var fixture = fixture
            let environment = fixture.directory.appending("environment")
            try await Program("cp", ["--archive", fixture.environment.string, environment.string])
                .runSuccessfully()
            fixture.environment = environment
            let production = CanaryProduction(
                fixture: fixture, runner: try CommandLineRunner(fixture.directory))
            try Files.makeDirectory(production.wheels)
            for plugin in StepPlugin.allCases { try plugin.write(to: production.wheels) }
            try await production.install(StepPlugin.first.file)
            for number in 1...CompanionPlugin.count {
                for version in ["1.0", "2.0"] {
                    try CompanionPlugin(number: number, version: version).write(to: production.wheels)
                }
                try await production.install(CompanionPlugin(number: number, version: "1.0").file)
            }
            try production.addBuilder()
            try await prepare(fixture)
            try Files.makeDirectory(fixture.directory.appending("empty"))
            try await production.runner.initialize("empty", "--name", "acme", "--output", "unused.yaml")
            try production.describe(server)
            try await production.runner.succeed("snapshot")
            return try await body(production)
        }
    }

    /// Unpacks a wheel into the environment, as pip would.
    private func install(_ wheel: String) async throws {
        let packages = try fixture.packages
        try await Program(
            "/usr/bin/python3",
            ["-m", "zipfile", "--extract", wheels.appending(wheel).string, packages.string]
        ).runSuccessfully()
    }

    private func describe(_ server: PostgreSQLFixture?) throws {
        var text = """
            system: acme
            store: acme.git
            recipients: [\(try runner.recipient())]
            policies: policies
            \(fixture.components)
            """
        if let server {
            text.replace("    url:", with: "    database: database\n    url:")
            text += server.component("database", database: "buildbot")
        }
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
                        util.BuilderConfig(name='spare', workernames=workers, factory=verify),

                """)
        try Files.replace(file, with: Array(text.utf8))
        // Whichever of them are there: a builder that nothing can start is a mistake.
        let master = fixture.master.appending("master.cfg")
        let scheduler = """
            c['schedulers'].append(schedulers.ForceScheduler(
                name='acme', builderNames=[b.name for b in c['builders'] if b.name in ('verify', 'spare')]))

            """
        try Files.replace(master, with: try Files.read(master) + Array(scheduler.utf8))
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

    /// Runs a canary with JSON output under a policy with these rules for every class, whatever it comes to.
    package func canary(
        rules: String, shadows: String? = nil, _ arguments: [String]
    ) async throws -> Outcome {
        let policy = try policy(rules, shadows: shadows).string
        let outcome = try await runner.run(
            ["--format", "json", "canary", "--offline", "--seed", "7", "--policy", policy] + arguments,
            limit: .seconds(600))
        return Outcome(status: outcome.status, document: outcome.output, errors: outcome.errorOutput)
    }

    /// A policy in a file, with the same rules for every class of risk; `rules` are the lines of a mapping, and `shadows` is what a
    /// shadow may use.
    package func policy(_ rules: String, shadows: String? = nil) throws -> FilePath {
        let lines = rules.split(separator: "\n").map { "    \($0)\n" }.joined()
        let classes = ["job-definition", "plugin-patch", "plugin-major", "core", "everything"]
        let text =
            "classes:\n" + classes.map { "  \($0):\n\(lines)" }.joined()
            + (shadows.map { "shadows: \($0)\n" } ?? "")
        let name = hex(SHA256.digest(Array(text.utf8)).prefix(8))
        let file = fixture.directory.appending("policy-\(name).yaml")
        try Files.replace(file, with: Array(text.utf8))
        return file
    }

    /// A file of the master as production has it.
    package func masterFile(_ name: String) throws -> String {
        String(decoding: try Files.read(fixture.master.appending(name)), as: UTF8.self)
    }

    /// A directory for `--files` with changed files of the master, by name.
    package func changed(_ files: [String: String]) throws -> FilePath {
        let names = files.keys.sorted().joined() + files.values.sorted().joined()
        let directory = fixture.directory.appending(
            "changed-\(hex(SHA256.digest(Array(names.utf8)).prefix(4)))")
        for (name, text) in files {
            let file = directory.appending("master").appending(name)
            try Files.makeDirectories(file.removingLastComponent())
            try Files.replace(file, with: Array(text.utf8))
        }
        return directory
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
    /// Half as long and half as long again, by turns.
    case isUneven = "8.0"
    /// Takes 600 MiB of memory in each build.
    case isGreedy = "9.0"

    /// The wheel's file name.
    package var file: String { PlainWheel.file("acme_buildbot_steps", rawValue) }

    /// Python that gives how long the step takes, in seconds: long against what a loaded host adds.
    private var duration: String {
        switch self {
        case .isSlow: "2.4"
        case .isHardlySlower: "1.545"
        case .isUneven: "2.25 if self.build.number % 2 else 0.75"
        default: "1.5"
        }
    }

    private var module: String {
        """
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
                \(self == .isGreedy ? "kept = b'x' * (600 << 20)" : "pass")
                yield task.deferLater(reactor, \(duration), lambda: None)
                return \(self == .fails ? "FAILURE" : "SUCCESS")

        """
    }

    /// Writes the wheel into a directory; the same bytes each time.
    package func write(to directory: FilePath) throws {
        try PlainWheel(
            name: "acme_buildbot_steps", version: rawValue, module: module,
            entryPoints: "[buildbot.steps]\nAcmeVerify = acme_buildbot_steps:AcmeVerify\n"
        ).write(to: directory)
    }
}

/// Packages that are upgraded together with others, and do no harm.
package struct CompanionPlugin: Sendable {
    /// How many there are.
    package static let count = 4
    /// Which one, counted from 1.
    package var number: Int
    /// Its version.
    package var version: String

    /// The wheel's file name.
    package var file: String { PlainWheel.file("acme_companion_\(number)", version) }

    /// One of them.
    package init(number: Int, version: String) {
        self.number = number
        self.version = version
    }

    fileprivate func write(to directory: FilePath) throws {
        try PlainWheel(
            name: "acme_companion_\(number)", version: version, module: "version = '\(version)'\n",
            entryPoints: ""
        ).write(to: directory)
    }
}

/// A package that brings the database's schema to a version that Buildbot does not know, as a new core does.
package enum SchemaPackage {
    /// The file name of the wheel.
    package static let file = PlainWheel.file("acme_schema", "1.0")

    /// Writes the wheel into a directory, for a Buildbot whose newest migration is `head`: `067`.
    package static func write(to directory: FilePath, after head: String) throws {
        let migration = """
            import sqlalchemy
            from alembic import op

            revision = 'acme'
            down_revision = '\(head)'
            branch_labels = None
            depends_on = None


            def upgrade():
                op.add_column('builders', sqlalchemy.Column('acme', sqlalchemy.Text))


            def downgrade():
                pass

            """
        try PlainWheel(
            name: "acme_schema", version: "1.0", module: "", entryPoints: "",
            files: ["buildbot/db/migrations/versions/acme_schema.py": migration]
        ).write(to: directory)
    }
}

/// A wheel of one module.
private struct PlainWheel {
    var name: String
    var version: String
    var module: String
    var entryPoints: String
    /// More files of it, by their paths.
    var files: [String: String] = [:]

    static func file(_ name: String, _ version: String) -> String { "\(name)-\(version)-py3-none-any.whl" }

    func write(to directory: FilePath) throws {
        let information = "\(name)-\(version).dist-info"
        var archive = try ZipWriter(directory.appending(Self.file(name, version)))
        let members =
            [
                ("\(name).py", module),
                (
                    "\(information)/METADATA",
                    "Metadata-Version: 2.1\nName: \(name.replacing("_", with: "-"))\nVersion: \(version)\n"
                ),
                (
                    "\(information)/WHEEL",
                    "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
                ),
                ("\(information)/entry_points.txt", entryPoints),
            ] + files.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        for (name, text) in members { try archive.add(name: name, contents: Array(text.utf8)) }
        let record = members.map { "\($0.0),,\n" }.joined() + "\(information)/RECORD,,\n"
        try archive.add(name: "\(information)/RECORD", contents: Array(record.utf8))
        try archive.finish()
    }
}
