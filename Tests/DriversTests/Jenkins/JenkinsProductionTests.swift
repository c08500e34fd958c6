import FileTree
import Judge
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// What is asked of a production: by its web interface where that answers, else by its home.
@Suite struct JenkinsProductionTests {
    @Test func pluginsAreAskedForAndElsePredicted() async throws {
        try await withTemporaryDirectory { directory in
            var builder = JenkinsHomeBuilder(directory.appending("home"))
            try builder.makeSound()
            let web = directory.appending("web")
            try Files.makeDirectories(web.appending("pluginManager/api"))
            let answer = web.appending("pluginManager/api/json")
            let text = """
                {"plugins": [{"active": true, "shortName": "git", "version": "5.2.1"},
                  {"active": false, "shortName": "git-client", "version": "4.0"}]}
                """
            try Files.replace(answer, with: Array(text.utf8))
            let port = try #require(try await BuildbotFixture.freePorts(1).first)
            let shadow = JenkinsShadow(
                driver: try JenkinsDriver(
                    Component(
                        name: "jenkins", driver: "jenkins",
                        settings: [
                            "home": .text(builder.home.string), "url": .text("http://127.0.0.1:\(port)/"),
                        ])))
            let expected = PluginSet(kind: "plugin", versions: ["git": "5.2.1", "git-client": "4.0"])
            try await serve(web, port) {
                let asked = try await shadow.production(beside: expected, pages: [])
                let seen = try #require(asked.plugins)
                #expect(seen.versions == ["git": "5.2.1"])
                #expect(
                    expected.lacks(in: seen).map(\.detail) == [
                        "4.0 was to be at work, and it is not: 4.0 is switched off"
                    ])
                try Files.remove(answer)
                let predicted = try await shadow.production(beside: expected, pages: [])
                #expect(predicted.place.contains("answers 404 when asked for them"), "\(predicted.place)")
                #expect(expected.lacks(in: try #require(predicted.plugins)).isEmpty)
                // Nobody may ask for builds without a name.
                let obstacle = try await shadow.obstacle(toBuilding: "deploy")
                #expect(obstacle?.contains("'url', 'user' and 'token'") == true)
            }
        }
    }

    /// Keys at the top of `secrets/` are Jenkins' own, but for those that open what is already there.
    @Test func keysAreMadeAtNeed() throws {
        let shadow = JenkinsShadow(
            driver: try JenkinsDriver(
                Component(name: "j", driver: "jenkins", settings: ["home": .text("/j")])))
        func isMade(_ path: String, _ root: String = "home") -> Bool {
            shadow.isMadeAtNeed(EntryPath(path), in: root)
        }
        #expect(isMade("secrets/org.jenkinsci.main.modules.instance_identity.InstanceIdentity.KEY"))
        #expect(!isMade("secrets/master.key"))
        #expect(!isMade("secrets/hudson.util.Secret"))
        #expect(!isMade("secrets/filepath-filters.d/99.conf"))
        #expect(!isMade("secret.key"))
        #expect(!isMade("secrets/x", "war"))
    }

    private func serve(
        _ directory: FilePath, _ port: UInt16, _ body: () async throws -> Void
    ) async throws {
        let start = """
            cd '\(directory)'; setsid /usr/bin/python3 -m http.server --bind 127.0.0.1 \(port) </dev/null >../log 2>&1 &
            echo $!
            """
        let number = try await Program("/bin/sh", ["-c", start]).runSuccessfully().output.filter(\.isNumber)
        let stop = Program("/bin/sh", ["-c", "kill \(number)"])
        do {
            for _ in 0..<300 where try await !HTTPProbe("http://127.0.0.1:\(port)").isAnswered() {
                try await Task.sleep(for: .milliseconds(50))
            }
            try await body()
        } catch {
            try await stop.runSuccessfully()
            throw error
        }
        try await stop.runSuccessfully()
    }
}
