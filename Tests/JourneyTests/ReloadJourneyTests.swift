import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Jobs and plugins restored into a Jenkins home beside a server that answers as Jenkins does and records what it is asked.
@Suite struct ReloadJourneyTests {
    /// Answers 200 for the items in `known`, 404 for others, 403 without the token, and `status` to a reload, of which one kills
    /// the process in `kill` instead.
    private static let jenkins = """
        import base64, signal
        class Handler(Base):
            def reply(self):
                right = base64.b64encode(b'ops:11feed').decode()
                if self.path != '/login' and self.headers.get('Authorization') != 'Basic ' + right:
                    return self.answer(403)
                if self.command == 'POST':
                    self.posted()
                    with open('requests', 'a') as f: f.write(self.command + ' ' + self.path + '\\n')
                    if os.path.exists('kill'):
                        os.rename('kill', 'killed')
                        os.kill(int(open('killed').read()), signal.SIGKILL)
                    return self.answer(int(open('status').read()))
                known = open('known').read().split()
                self.answer(200 if self.path == '/login' or self.path.split('/api/')[0] in known else 404)
            do_GET = do_POST = reply
        """

    private func withJenkins(
        _ body: (FilePath, CommandLineRunner) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            do {
                var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
                builder.jobs = 2
                builder.builds = 2
                try builder.make()
                try await shell(
                    """
                    echo '/job/team/job/deploy /job/Somebody%27s%20stuff' > known; echo 200 > status; touch requests
                    echo 11feed > token; chmod 600 token
                    """, in: directory)
                try await WebServer.with(.handler(Self.jenkins, in: directory)) { server in
                    let runner = try CommandLineRunner(directory)
                    try await runner.initialize("jenkins", "--name", "acme")
                    try await shell(
                        """
                        sed -i 's|^    driver: jenkins|    driver: jenkins\\n    url: \(server.url)\\n    user: ops\\n    token: '"$PWD"'/token|' understudy.yaml
                        """, in: directory)
                    try await runner.succeed("snapshot")
                    try await body(directory, runner)
                }
                try await BuildbotFixture.endProcesses(in: directory)
            } catch {
                try await BuildbotFixture.endProcesses(in: directory)
                throw error
            }
        }
    }

    @Test func aJobIsReloadedWithoutARestartAndSoIsItsUndoing() async throws {
        try await withJenkins { directory, runner in
            try await shell(
                "echo '<broken/>' > jenkins/jobs/team/jobs/deploy/config.xml; echo x > jenkins/jobs/job-1/new; cp -a jenkins bad",
                in: directory)
            let plan = try await runner.succeed("restore", "--only", "job:team/deploy", "--dry-run")
            #expect(
                plan.contains("keeps running and reloads: jenkins, /job/team/job/deploy"), "\(plan)")
            #expect(
                try await shell("cat requests", in: directory) == "", "a plan asks for nothing to be done")
            let report = try await runner.succeed(
                "restore", "--only", "job:team/deploy", "--only", "job:Somebody's stuff")
            #expect(report.contains("reload  "), "\(report)")
            #expect(
                try await shell("cat requests", in: directory)
                    == "POST /job/team/job/deploy/reload\nPOST /job/Somebody%27s%20stuff/reload\n")
            let others = try await runner.differences(
                directory.appending("bad"), directory.appending("jenkins"))
            #expect(
                others.contains("jobs/team/jobs/deploy/config.xml\n")
                    && others.split(separator: "\n").allSatisfy {
                        $0.contains("jobs/team/jobs/deploy/") || $0.hasPrefix(".d..t")
                    }, "\(others)")
            #expect(try await runner.succeed("undo").contains("reloaded jenkins"))
            #expect(try await shell("wc -l < requests", in: directory) == "4\n")
            let back = try await runner.differences(
                directory.appending("bad"), directory.appending("jenkins"))
            #expect(back.split(separator: "\n").allSatisfy { $0.hasPrefix(".d..t") }, "\(back)")
        }
    }

    @Test func aJobThatIsNotTakenUpIsPutBackAndTheReasonSaid() async throws {
        try await withJenkins { directory, runner in
            try await shell(
                "echo '<broken/>' > jenkins/jobs/team/jobs/deploy/config.xml; cp -a jenkins bad; echo 500 > status",
                in: directory)
            let failed = try await runner.run("restore", "--only", "job:team/deploy")
            #expect(failed.status == 1, "\(failed.output)")
            #expect(failed.errorOutput.contains("did not reload /job/team/job/deploy: it answers 500"))
            let back = try await runner.differences(
                directory.appending("bad"), directory.appending("jenkins"))
            #expect(back.split(separator: "\n").allSatisfy { $0.hasPrefix(".d..t") }, "\(back)")
            #expect(!failed.errorOutput.contains("11feed") && !failed.errorOutput.contains("b3BzOjExZmVlZA"))
        }
    }

    /// It goes on with what was restored, and writes that over the old files with its next save.
    @Test func anUndoingThatIsNotTakenUpIsAFailure() async throws {
        try await withJenkins { directory, runner in
            try await shell(
                "echo '<broken/>' > jenkins/jobs/team/jobs/deploy/config.xml; cp -a jenkins bad",
                in: directory)
            for isInterrupted in [false, true] {
                try await shell("echo 200 > status", in: directory)
                try await runner.succeed("restore", "--only", "job:team/deploy")
                if isInterrupted {
                    try replaceText(
                        "\"phase\" : \"done\"", with: "\"phase\" : \"exchanging\"",
                        in: directory.appending("acme.git/understudy/restore.json"))
                }
                try await shell("echo 500 > status", in: directory)
                let undone = try await runner.run("undo")
                #expect(undone.status == 1, "\(undone.output)")
                #expect(
                    undone.errorOutput.contains("did not reload /job/team/job/deploy: it answers 500"),
                    "\(undone.errorOutput)")
                let back = try await runner.differences(
                    directory.appending("bad"), directory.appending("jenkins"))
                #expect(back.split(separator: "\n").allSatisfy { $0.hasPrefix(".d..t") }, "\(back)")
                #expect(try await runner.run("undo").status == 7)
            }
        }
    }

    @Test func afterAKillTheOldJobIsThereAndJenkinsReadsItAgain() async throws {
        try await withJenkins { directory, runner in
            try await shell("echo '<bad/>' > jenkins/jobs/team/jobs/deploy/config.xml", in: directory)
            let arguments = ["restore", "latest", "--only", "job:team/deploy"]
            func expectTakenBack(_ instant: String) async throws {
                let before = try await shell("wc -l < requests", in: directory)
                let isExchanged =
                    try await shell(
                        "grep -c bad jenkins/jobs/team/jobs/deploy/config.xml || true", in: directory)
                    == "0\n"
                let undone = try await runner.run("undo")
                // Before it began there may be nothing to take back.
                #expect(
                    undone.status == 0 || undone.status == 7 && !isExchanged,
                    "\(instant): \(undone.status) \(undone.errorOutput)")
                #expect(
                    try await shell(
                        "cat jenkins/jobs/team/jobs/deploy/config.xml; ls -A jenkins/jobs/team/jobs",
                        in: directory)
                        == "<bad/>\ndeploy\ninner\n", "\(instant)")
                if isExchanged {
                    #expect(try await shell("wc -l < requests", in: directory) != before, "\(instant)")
                }
            }
            let killed = try await runner.run(
                under: ["/bin/sh", "-c", "echo $$ > kill; exec \"$@\"", "sh"], arguments)
            #expect(killed.status == 128 + 9, "\(killed.output)\(killed.errorOutput)")
            let configuration = try await shell("cat jenkins/jobs/team/jobs/deploy/config.xml", in: directory)
            #expect(!configuration.contains("bad"))
            try await expectTakenBack("when it asks for the reload")

            let loop = CrashLoop(runner, seed: 5)
            let steps = try await loop.calls(["rename", "renameat2"], of: arguments)
            try await runner.succeed("undo")
            #expect(!steps.isEmpty)
            var random = SplitMix(state: 5)
            var hits = 0
            for instant in steps.shuffled(using: &random).prefix(4) + [.delay(40), .delay(200), .delay(400)] {
                if try await loop.kill(arguments, at: instant) { hits += 1 }
                try await expectTakenBack("\(instant)")
            }
            #expect(hits > 0)
        }
    }

    @Test func whatJenkinsDoesNotKnowOrRefusesNeedsARestartAndThePlanSaysSo() async throws {
        try await withJenkins { directory, runner in
            let unknown = try await runner.succeed("restore", "--only", "job:job-0", "--dry-run")
            #expect(unknown.contains("the running Jenkins has no item at /job/job-0"), "\(unknown)")
            let branch = try await runner.succeed("restore", "--only", "job:service/feature/x", "--dry-run")
            #expect(
                branch.contains("Jenkins reads jobs/service/branches/feature-x.abc123 at its start alone"))
            try await shell("echo wrong > token", in: directory)
            let refused = try await runner.succeed("restore", "--only", "job:team/deploy", "--dry-run")
            #expect(refused.contains("Jenkins answers 403 to ops"), "\(refused)")
            try await shell("rm token", in: directory)
            let missing = try await runner.run("restore", "--only", "job:team/deploy", "--dry-run")
            #expect(missing.status == 1 && missing.errorOutput.contains("holds no API token of ops"))
        }
    }

    @Test func onePluginComesBackWithItsMarksAndWhatWasMadeOfTheOtherGoes() async throws {
        try await withTemporaryDirectory { directory in
            var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
            builder.jobs = 1
            builder.builds = 1
            try builder.make()
            try builder.makePlugin("plugin-4", version: "1.4", file: "plugin-4.jpi", needs: "plugin-3:1.3")
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins")
            try await runner.succeed("snapshot")
            // Upgraded, under another ending and unpinned; another plugin now needs the newer one.
            try await shell("cp -a jenkins good; rm jenkins/plugins/plugin-2.jpi*", in: directory)
            try builder.makePlugin("plugin-2", version: "9.0", file: "plugin-2.hpi")
            try builder.makePlugin("plugin-5", version: "7.0", file: "plugin-5.jpi", needs: "plugin-2:9.0")
            try await shell(
                "echo 9.0 > jenkins/plugins/plugin-2/META-INF/MANIFEST.MF; cp -a jenkins bad",
                in: directory)
            let plan = try await runner.succeed("restore", "--only", "plugin:plugin-2", "--dry-run")
            for words in [
                "plugins/plugin-2.jpi ", "plugins/plugin-2.jpi.pinned", "plugins/plugin-2.hpi",
                "rebuilt by jenkins itself: \(directory)/jenkins/plugins/plugin-2",
                "afterwards plugin-5 7.0 would not load: it fails: needs plugin-2 9.0 or newer",
            ] { #expect(plan.contains(words), "\(words): \(plan)") }
            try await runner.succeed("restore", "--only", "plugin:plugin-2")
            #expect(
                try await shell("ls -d jenkins/plugins/plugin-2*", in: directory)
                    == "jenkins/plugins/plugin-2.jpi\njenkins/plugins/plugin-2.jpi.pinned\n")
            try await shell(
                "cmp good/plugins/plugin-2.jpi jenkins/plugins/plugin-2.jpi; mkdir jenkins/plugins/plugin-2",
                in: directory)
            let others = try await runner.differences(
                directory.appending("bad"), directory.appending("jenkins"))
            #expect(
                others.split(separator: "\n").allSatisfy {
                    $0.contains("plugins/plugin-2") || $0.hasPrefix(".d..t")
                }, "\(others)")
            try await runner.succeed("undo")
            // What Jenkins makes of an archive is gone either way: an exploded folder of the other version would win.
            let back = try await runner.differences(
                directory.appending("bad"), directory.appending("jenkins"))
            #expect(
                back.split(separator: "\n").allSatisfy {
                    $0.hasPrefix(".d..t") || $0.hasPrefix("cd+++++++++ plugins/plugin-2/")
                        || $0.contains(" plugins/plugin-2/")
                }, "\(back)")
            // Switched off too: no mark of another ending stays to switch off the next.
            try await shell("touch jenkins/plugins/plugin-2.hpi.disabled", in: directory)
            try await runner.succeed("restore", "--only", "plugin:plugin-2")
            #expect(
                try await shell("ls -d jenkins/plugins/plugin-2*", in: directory)
                    == "jenkins/plugins/plugin-2.jpi\njenkins/plugins/plugin-2.jpi.pinned\n")
            let none = try await runner.run("restore", "--only", "plugin:none")
            #expect(none.status == 7 && none.errorOutput.contains("has no plugin:none"))
        }
    }
}
