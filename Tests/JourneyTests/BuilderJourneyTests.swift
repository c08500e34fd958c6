import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Single builders and packages of a real Buildbot.
@Suite struct BuilderJourneyTests {
    private func describe(_ fixture: BuildbotFixture, _ runner: CommandLineRunner) async throws {
        let text = """
            system: acme
            store: acme.git
            recipients: [\(try runner.recipient())]
            components:
            \(fixture.component("ci"))
            """
        try Files.replace(fixture.directory.appending("understudy.yaml"), with: Array(text.utf8))
    }

    /// A running Buildbot with one builder more, which stands in `master.cfg` itself, and a snapshot of it.
    private func withBuildbot(
        _ body: (BuildbotFixture, CommandLineRunner) async throws -> Void
    ) async throws {
        try await BuildbotFixture.with { fixture in
            try await shell(
                """
                sed -i "s/secrets, util, worker/secrets, steps, util, worker/; s/'probe', 'watch'\\]/'probe', 'watch', 'extra']/" master.cfg
                sed -i "/^release = /i c['builders'].append(util.BuilderConfig(\\n    name='extra', workernames=['w1'],\\n    factory=util.BuildFactory([steps.ShellCommand(command=['echo', 'one'])])))" master.cfg
                """, in: fixture.master)
            try await fixture.start()
            let runner = try CommandLineRunner(fixture.directory)
            try Files.makeDirectories(fixture.directory.appending("empty"))
            try await runner.initialize("empty", "--name", "acme", "--output", "unused.yaml")
            try await describe(fixture, runner)
            #expect(try await runner.succeed("snapshot").contains("complete"))
            try await body(fixture, runner)
        }
    }

    private func process(_ fixture: BuildbotFixture) async throws -> String {
        try await shell("cat twistd.pid", in: fixture.master)
    }

    private static let requires = ConditionTrait.enabled(
        if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped))

    @Test(requires) func oneBuilderComesBackIntoARunningMasterWithoutARestart() async throws {
        try await withBuildbot { fixture, runner in
            try await shell(
                "sed -i \"s/'one'/'two'/\" master.cfg; echo '# a note' >> jobs/builders.py; rsync -a --exclude 'state.sqlite*' . ../bad",
                in: fixture.master)
            let before = try await process(fixture)
            let plan = try await runner.succeed("restore", "--only", "builder:extra", "--dry-run")
            #expect(plan.contains("keeps running and reloads: ci, its configuration"), "\(plan)")
            #expect(plan.contains("\(fixture.master)/master.cfg") && !plan.contains("builders.py"))
            try await runner.succeed("restore", "--only", "builder:extra")
            #expect(try await process(fixture) == before)
            #expect(try await shell("grep -c \"'one'\" master.cfg", in: fixture.master) == "1\n")
            let others = try await shell(
                "rsync -nrc --itemize-changes --delete bad/ master/ | grep -vE 'twistd.log|http.log' | grep -v state.sqlite || true",
                in: fixture.directory)
            #expect(
                others.contains("master.cfg")
                    && others.split(separator: "\n").allSatisfy {
                        $0.contains("master.cfg") || $0.contains("gitpoller")
                    },
                "\(others)")
            #expect(try await fixture.build("extra") == 0)
            let undone = try await runner.succeed("undo")
            #expect(undone.contains("reloaded ci"), "\(undone)")
            #expect(
                try await shell(
                    "grep -c \"'two'\" master.cfg; grep -c 'configuration update complete' twistd.log",
                    in: fixture.master)
                    == "1\n2\n")
            #expect(try await process(fixture) == before)
            let twice = try await shell(
                "cp ../bad/master.cfg . ; sed -i \"s/'two'/'one'/\" master.cfg; echo ok", in: fixture.master)
            #expect(twice == "ok\n")
            let same = try await runner.run("restore", "--only", "builder:extra")
            #expect(same.status == 7 && same.errorOutput.contains("is defined now as it is in the snapshot"))
            try await aBuilderInAModuleNeedsARestart(fixture, runner)
        }
    }

    /// What a module says is not loaded by a reconfiguration; and what another builder lost meanwhile does not go back with it.
    private func aBuilderInAModuleNeedsARestart(
        _ fixture: BuildbotFixture, _ runner: CommandLineRunner
    ) async throws {
        #expect(try await fixture.build("probe") == 0)
        try await shell("sed -i \"s/'alive'/'dead'/\" jobs/builders.py", in: fixture.master)
        let plan = try await runner.succeed("restore", "--only", "builder:probe", "--dry-run")
        #expect(plan.contains("stops for the exchange and starts again: ci"), "\(plan)")
        #expect(plan.contains("a running master keeps what it has of jobs/builders.py"), "\(plan)")
        let report = try await runner.succeed("restore", "--only", "builder:probe")
        #expect(report.contains("started and healthy: ci"), "\(report)")
        #expect(try await fixture.build("probe") == 0)
        try await runner.succeed("undo")
        try await shell(
            "grep -q \"'dead'\" jobs/builders.py; sed -i \"s/'uptime'/'date'/\" jobs/builders.py",
            in: fixture.master)
        let refused = try await runner.run("restore", "--only", "builder:probe")
        #expect(refused.status == 7, "\(refused.output)")
        #expect(refused.errorOutput.contains("change with it: builder watch"), "\(refused.errorOutput)")
        #expect(refused.errorOutput.contains("--only file:\(fixture.master)/jobs/builders.py"))
        try await shell("grep -q \"'dead'\" jobs/builders.py", in: fixture.master)
    }

    @Test(requires) func aConfigurationThatIsNotTakenOrTakenInPartIsAFailureAndTheFileIsBack() async throws {
        try await withBuildbot { fixture, runner in
            let file = "file:\(fixture.master)/master.cfg"
            try await shell(
                "cp -a master.cfg good; echo 'this is no Python' >> master.cfg", in: fixture.master)
            try await runner.succeed("snapshot", "--tag", "broken")
            // Everything but this can be changed while it runs; the master finds out when it has begun.
            try await shell(
                "cp -a good master.cfg; echo \"c['mq'] = {'type': 'wamp', 'router_url': 'ws://127.0.0.1:1/'}\" >> master.cfg",
                in: fixture.master)
            try await runner.succeed("snapshot", "--tag", "partial")
            try await shell("cp -a good master.cfg", in: fixture.master)
            let aborted = try await runner.run("restore", "latest~1", "--only", file)
            #expect(aborted.status == 1, "\(aborted.output)")
            #expect(aborted.errorOutput.contains("goes on with the one before"), "\(aborted.errorOutput)")
            #expect(aborted.errorOutput.contains("the old system is back as it was"))
            try await shell("cmp good master.cfg", in: fixture.master)
            #expect(try await fixture.build("probe") == 0)

            let partial = try await runner.run("restore", "latest", "--only", file)
            #expect(partial.status == 1, "\(partial.output)")
            #expect(partial.errorOutput.contains("took the configuration in part"), "\(partial.errorOutput)")
            #expect(partial.errorOutput.contains("buildbot restart \(fixture.master)"))
            try await shell("cmp good master.cfg", in: fixture.master)
        }
    }

    @Test func onePackageComesBackAndNoByteOfTheOthersChanges() async throws {
        try await withTemporaryDirectory { directory in
            // A master that does not run, and an environment with two packages, one of them with a program.
            try await shell(
                """
                mkdir master; echo "application = service.Application('buildmaster')" > master/buildbot.tac
                echo "c = BuildmasterConfig = {}" > master/master.cfg
                /usr/bin/python3 -m venv --without-pip venv
                cd venv/lib/python3*/site-packages
                package() {
                    echo "print('$1 $2')" > $1.py; mkdir $1-$2.dist-info; cd $1-$2.dist-info
                    printf 'Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n' $1 $2 > METADATA
                    test -z "${3-}" || echo "Requires-Dist: $3" >> METADATA
                    printf 'Wheel-Version: 1.0\\nTag: py3-none-any\\n' > WHEEL
                    printf '[console_scripts]\\n%s-run = %s:main\\n' $1 $1 > entry_points.txt
                    printf '%s.py,,\\n%s-%s.dist-info/METADATA,,\\n%s-%s.dist-info/WHEEL,,\\n%s-%s.dist-info/entry_points.txt,,\\n' \\
                        $1 $1 $2 $1 $2 $1 $2 > RECORD; cd ..
                }
                declare -f package > ../../../../package.sh
                package fine 1.0; package other 1.0
                """, in: directory)
            let runner = try CommandLineRunner(directory)
            try Files.makeDirectories(directory.appending("empty"))
            try await runner.initialize("empty", "--name", "acme", "--output", "unused.yaml")
            try Files.replace(
                directory.appending("understudy.yaml"),
                with: Array(
                    """
                    system: acme
                    store: acme.git
                    recipients: [\(try runner.recipient())]
                    components:
                      ci: {driver: buildbot, master: \(directory)/master, environment: \(directory)/venv}

                    """.utf8))
            #expect(try await runner.run("snapshot").status == 3, "it has no database")
            try await shell(
                """
                . ./package.sh; cd venv/lib/python3*/site-packages; rm -r fine* other*
                package fine 2.0; package other 2.0
                cd ../../../..; cp -a venv bad
                """, in: directory)
            let plan = try await runner.succeed("restore", "--only", "plugin:Fine", "--dry-run")
            #expect(
                plan.contains("as it is now, except for fine") && plan.contains("fine: 2.0 → 1.0"), "\(plan)")
            try await runner.succeed("restore", "--only", "plugin:fine")
            #expect(
                try await shell(
                    "venv/bin/python -c 'import fine, other'; head -1 venv/bin/fine-run; ls -d venv/lib/python3*/site-packages/fine-*",
                    in: directory
                ).contains("fine 1.0\nother 2.0\n#!\(directory)/venv/bin/python"))
            let others = try await shell(
                "rsync -nac --itemize-changes --delete --exclude __pycache__ bad/ venv/ | grep -v '/$' || true",
                in: directory)
            #expect(
                !others.isEmpty
                    && others.split(separator: "\n").allSatisfy {
                        $0.contains("fine") && !$0.contains("direct_url")
                    },
                "\(others)")
            try await runner.succeed("undo")
            #expect(try await shell("rsync -nac --itemize-changes --delete bad/ venv/", in: directory) == "")

            // What would leave the environment inconsistent is not put in place.
            try await shell(
                ". ./package.sh; cd venv/lib/python3*/site-packages; rm -r other*; package other 3.0 'fine>=2.0'",
                in: directory)
            let refused = try await runner.run("restore", "--only", "plugin:fine")
            #expect(refused.status == 1, "\(refused.output)")
            #expect(refused.errorOutput.contains("fine>=2.0"), "\(refused.errorOutput)")
            #expect(try await shell("venv/bin/python -c 'import fine'", in: directory) == "fine 2.0\n")
            let none = try await runner.run("restore", "--only", "plugin:none")
            #expect(none.status == 7 && none.errorOutput.contains("has no plugin:none"))
        }
    }

    @Test(requires) func aDatabaseIsNotExchangedUnderARunningMaster() async throws {
        try await withBuildbot { fixture, runner in
            let file = "file:\(fixture.master)/state.sqlite"
            _ = try await fixture.force("deploy", seconds: 600)
            try await wait("the deployment") { try fixture.deploymentCount() == 1 }
            try await runner.succeed("snapshot")
            let plan = try await runner.succeed("restore", "--only", file, "--dry-run")
            #expect(plan.contains("stops for the exchange and starts again: ci"), "\(plan)")
            #expect(plan.contains("a running master keeps what it has of state.sqlite"), "\(plan)")
            let before = try await process(fixture)
            let report = try await runner.succeed("restore", "--only", file)
            #expect(report.contains("started and healthy: ci"), "\(report)")
            #expect(report.contains("fixed: build deploy #1"), "\(report)")
            #expect(try await process(fixture) != before)
            #expect(try await fixture.build("probe") == 0)
            try await runner.succeed("undo")
        }
    }
}
