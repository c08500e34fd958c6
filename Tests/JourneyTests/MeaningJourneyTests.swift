import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// What changed, and the life of one job, in the words of a Jenkins home's users.
@Suite struct MeaningJourneyTests {
    /// A home with jobs that jenkins-job-builder wrote, and a directory of configuration beside it.
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
            mkdir jenkins/jobs/app jenkins/jobs/ship etc; cp \(fixtures)/pipeline.xml jenkins/jobs/app/config.xml
            cp \(fixtures)/deploy.xml jenkins/jobs/ship/config.xml; sed -i s/hunter2// jenkins/jobs/ship/config.xml
            printf 'a\\nb\\nc\\n' > etc/proxy.conf
            """, in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("jenkins", "etc", "--name", "acme")
        try await runner.succeed("snapshot", "-m", "before everything")
        return runner
    }

    @Test func aDifferenceSaysWhatChangedInsideAndMarkdownIsSafe() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try JenkinsHomeBuilder.writePlugin(
                "plugin-2", version: "2.0", to: directory.appending("jenkins/plugins/plugin-2.jpi"))
            try await shell(
                """
                sed -i 's/agent any/agent none/' jenkins/jobs/app/config.xml
                mkdir -p jenkins/jobs/team/jobs; mv jenkins/jobs/ship jenkins/jobs/team/jobs/ship
                sed -i 's/H 2/H 3/' jenkins/jobs/team/jobs/ship/config.xml
                mkdir "jenkins/jobs/<b>\\`x*"; echo '<project/>' > "jenkins/jobs/<b>\\`x*/config.xml"
                printf 'a\\nB\\nc\\n' > etc/proxy.conf
                cat > center.json <<'END'
                {"updateCenterVersion": 1, "plugins": {}, "warnings": [
                  {"id": "SECURITY-1", "type": "plugin", "name": "plugin-2", "message": "old hole", "url": "https://example.org/1",
                   "versions": [{"pattern": "1[.].*"}]},
                  {"id": "SECURITY-2", "type": "plugin", "name": "plugin-2", "message": "new hole", "versions": [{"pattern": "2[.].*"}]}]}
                END
                """, in: directory)
            let text = try await runner.succeed("diff", "--advisories", "center.json")
            for words in [
                "job     team/ship", "ship → team/ship; trigger",
                "trigger TimerTrigger: H 2 * * * → H 3 * * *",
                "-  agent any", "+  agent none", "1.2 → 2.0", "! comes with it: SECURITY-2: new hole",
                "! gone with it: SECURITY-1: old hole (https://example.org/1)", "-b", "+B",
            ] { #expect(text.contains(words), "\(words): \(text)") }
            let page = try await runner.succeed("diff", "--format", "markdown")
            #expect(
                page.contains("- ~ **job** `team/ship` renamed in jenkins: ship → team/ship; trigger"),
                "\(page)")
            #expect(page.contains("    ```diff\n") && page.contains("``<b>`x*``"), "\(page)")
            #expect(page.contains("- ~ **file**") && page.contains("    +B\n"))
            let json = try await runner.succeed("diff", "--format", "json")
            for key in ["\"was\" : \"ship\"", "\"aspect\" : \"script\"", "\"versions\" : ["] {
                #expect(json.contains(key), "\(key)")
            }
            let wrong = try await runner.run("status", "--format", "markdown")
            #expect(wrong.status == 64 && wrong.errorOutput.contains("no output in the format 'markdown'"))
            let none = try await runner.run("diff", "--advisories", "etc/proxy.conf")
            #expect(none.status == 1 && none.errorOutput.contains("is not an index of plugins"))
        }
    }

    @Test func theLifeOfAJobGoesOnAcrossItsNamesWithWhoAndWhy() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell("sed -i 's/H 2/H 3/' jenkins/jobs/ship/config.xml", in: directory)
            try await runner.succeed("snapshot", "-m", "later at night")
            try await shell(
                """
                mkdir -p jenkins/jobs/team/jobs; mv jenkins/jobs/ship jenkins/jobs/team/jobs/deliver
                place=jenkins/config-history/jobs/team/jobs/deliver/2026-11-25_10-00-00; mkdir -p $place
                echo '<h><user>Alice</user><userId>alice</userId><operation>Renamed</operation><timestamp>2026-11-25_10-00-00</timestamp><oldName>ship</oldName><changeReasonComment>one team</changeReasonComment></h>' > $place/history.xml
                """, in: directory)
            try await runner.succeed("snapshot")
            try await shell(
                "echo x > jenkins/userContent/readme.txt; rm -r jenkins/jobs/team/jobs/deliver", in: directory
            )
            try await runner.succeed("snapshot", "-m", "cleaned up")
            let life = try await runner.succeed("log", "job:team/deliver")
            let order = ["removed", "renamed: ship → team/deliver", "changed: trigger", "added: freestyle"]
            let places = order.compactMap { life.firstRange(of: $0)?.lowerBound }
            #expect(places.count == order.count && places == places.sorted(), "\(life)")
            for words in [
                "cleaned up", "later at night", "before everything",
                "trigger TimerTrigger: H 2 * * * → H 3 * * *",
                "Renamed, before ship  (written down by jenkins: Alice (alice))", "    one team",
            ] { #expect(life.contains(words), "\(words): \(life)") }
            let old = try await runner.succeed("log", "job:ship")
            #expect(old.contains("renamed: ship → team/deliver") && !old.contains("removed"), "\(old)")
            let page = try await runner.succeed("log", "job:team/deliver", "--format", "markdown")
            #expect(page.contains("`team/deliver` renamed: ship → team/deliver"), "\(page)")
            let json = try await runner.succeed("log", "job:team/deliver", "--format", "json")
            #expect(
                json.contains("\"deed\" : \"Renamed, before ship\"")
                    && json.contains("\"why\" : \"one team\""))
            let none = try await runner.run("log", "job:never")
            #expect(none.status == 1 && none.errorOutput.contains("the history has no job 'never'"))
            let nothing = try await runner.run("log", "never")
            #expect(
                nothing.status == 1
                    && nothing.errorOutput.contains("the history has nothing at the path 'never'"),
                "\(nothing.output)\(nothing.errorOutput)")
            #expect(try await runner.succeed("log").contains("later at night"))
        }
    }
}
