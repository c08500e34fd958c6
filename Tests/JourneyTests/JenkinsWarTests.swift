import FileTree
import FoundationEssentials
import Programs
import SystemPackage
import TestSupport
import Testing

private let jenkinsWar = ProcessInfo.processInfo.environment["UNDERSTUDY_TEST_JENKINS_WAR"]

/// What only a real Jenkins can show; `UNDERSTUDY_TEST_JENKINS_WAR` names its war, which no registry here has.
@Suite(
    .enabled(
        if: jenkinsWar != nil,
        "SKIPPED: no Jenkins to test with; point UNDERSTUDY_TEST_JENKINS_WAR to a jenkins.war"))
struct JenkinsWarTests {
    /// Boots Jenkins on a home, asks for its login page, and stops it.
    private func boot(_ home: FilePath, in directory: FilePath) async throws -> String {
        let war = try #require(jenkinsWar)
        return try await shell(
            """
            ask='import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
            port=$(/usr/bin/python3 -c "$ask")
            JENKINS_HOME='\(home)' java -Djenkins.install.runSetupWizard=false -jar '\(war)' \
                --httpListenAddress=127.0.0.1 --httpPort=$port >boot.log 2>&1 &
            trap "kill $! 2>/dev/null || true; wait $! 2>/dev/null || true" EXIT
            for _ in $(seq 240); do
                status=$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:$port/login || true)
                if [ "$status" = 200 ]; then break; fi
                sleep 0.5
            done
            echo $status
            curl -s "http://127.0.0.1:$port/api/json?tree=jobs%5Bname%5D" || true
            """, in: directory, limit: .seconds(300))
    }

    /// Both arms boot in isolation, every configuration is written again, and the site's job runs in a drill.
    @Test func aShadowBootsAndBuilds() async throws {
        try await withTemporaryDirectory { directory in
            let war = try #require(jenkinsWar)
            let home = directory.appending("jenkins")
            try Files.makeDirectories(home.appending("jobs/hello"))
            let job =
                "<project><builders><hudson.tasks.Shell><command>echo hello</command></hudson.tasks.Shell></builders></project>"
            try Files.replace(home.appending("jobs/hello/config.xml"), with: Array(job.utf8))
            #expect(try await boot(home, in: directory).hasPrefix("200"))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins")
            try replaceText(
                "driver: jenkins\n", with: "driver: jenkins\n    war: \(war)\n",
                in: directory.appending("understudy.yaml"))
            try await runner.succeed("snapshot")
            let drill = try await runner.run(["drill", "--build", "hello"], limit: .seconds(600))
            #expect(drill.status == 0, "\(drill.output)\(drill.errorOutput)")
            let canary = try await runner.run(["canary", "--offline"], limit: .seconds(1800))
            let stages = canary.output.split(separator: "\n").filter {
                $0.hasPrefix("S1") || $0.hasPrefix("S2")
            }
            #expect(stages.count == 2 && stages.allSatisfy { $0.contains(" pass ") }, "\(canary.output)")
        }
    }

    /// A plugin comes out of the war, passes its canary and is promoted; what runs afterwards has it, and after 'undo' has not.
    @Test func aPromotedPluginIsInTheJenkinsThatRuns() async throws {
        try await withTemporaryDirectory { directory in
            let war = try #require(jenkinsWar)
            let home = directory.appending("jenkins")
            try Files.makeDirectories(home.appending("jobs/hello"))
            try Files.replace(
                home.appending("jobs/hello/config.xml"),
                with: Array(JenkinsHomeBuilder.freestyle("true").utf8))
            #expect(try await boot(home, in: directory).hasPrefix("200"))
            _ = try await shell(
                "unzip -p '\(war)' WEB-INF/detached-plugins/structs.hpi >structs.hpi", in: directory)
            let port = try #require(try await BuildbotFixture.freePorts(1).first)
            let start = """
                JENKINS_HOME='\(home)' setsid java -Djenkins.install.runSetupWizard=false -jar '\(war)' \
                    --httpListenAddress=127.0.0.1 --httpPort=\(port) </dev/null >>'\(directory)/production.log' 2>&1 &
                echo $! >'\(directory)/pid'
                """
            let stop = "kill $(cat '\(directory)/pid') && tail --pid=$(cat '\(directory)/pid') -f /dev/null"
            try Files.replace(directory.appending("start"), with: Array(start.utf8))
            try Files.replace(directory.appending("stop"), with: Array(stop.utf8))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins")
            let file = directory.appending("understudy.yaml")
            var text = String(decoding: try Files.read(file), as: UTF8.self)
            text.replace(
                "driver: jenkins\n",
                with: """
                    driver: jenkins
                        war: \(war)
                        url: http://127.0.0.1:\(port)/
                        service: {start: sh \(directory)/start, stop: sh \(directory)/stop}

                    """)
            try Files.replace(file, with: Array(text.utf8))
            let policies = directory.appending("policies/canary.yaml")
            let rules = String(decoding: try Files.read(policies), as: UTF8.self)
            try Files.replace(policies, with: Array(rules.replacing(/bake: \w+/, with: "bake: 4s").utf8))
            func plugins() async throws -> String {
                try await shell(
                    "curl -s 'http://127.0.0.1:\(port)/pluginManager/api/json?tree=plugins%5BshortName%5D'",
                    in: directory)
            }
            _ = try await shell("sh start", in: directory)
            do {
                try await runner.succeed("snapshot")
                let canary = try await runner.run(
                    ["canary", "--offline", "--plugin", directory.appending("structs.hpi").string],
                    limit: .seconds(1800))
                #expect(canary.status == 0, "\(canary.output)\(canary.errorOutput)")
                #expect(try await !plugins().contains("structs"))
                let promotion = try await runner.run(
                    ["promote", "latest", "--approved-by", "kim"], limit: .seconds(600))
                #expect(promotion.status == 0, "\(promotion.output)\(promotion.errorOutput)")
                #expect(try await plugins().contains("structs"))
                try await runner.succeed("undo")
                #expect(try await !plugins().contains("structs"))
            } catch {
                _ = try await shell("sh stop", in: directory, limit: .seconds(300))
                throw error
            }
            _ = try await shell("sh stop", in: directory, limit: .seconds(300))
        }
    }

    @Test func aRestoredHomeBootsWithItsJobs() async throws {
        try await withTemporaryDirectory { directory in
            let home = directory.appending("jenkins")
            try Files.makeDirectories(home.appending("jobs/hello"))
            let job = JenkinsHomeBuilder.freestyle("echo hello")
            try Files.replace(home.appending("jobs/hello/config.xml"), with: Array(job.utf8))
            #expect(try await boot(home, in: directory).hasPrefix("200"))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins")
            try await runner.succeed("snapshot")
            try Files.removeTree(home)
            try await runner.succeed("restore")
            let answer = try await boot(home, in: directory)
            #expect(answer.hasPrefix("200"))
            #expect(answer.contains("\"hello\""), "\(answer)")
        }
    }
}
