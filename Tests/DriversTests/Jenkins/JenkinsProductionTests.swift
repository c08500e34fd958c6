import FileTree
import Foundation
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
            let expected = PluginSet(kind: "plugin", versions: ["git": "5.2.1", "git-client": "4.0"])
            try await WebServer.with(.files(web)) { server in
                let shadow = JenkinsShadow(
                    driver: try JenkinsDriver(
                        Component(
                            name: "jenkins", driver: "jenkins",
                            settings: ["home": .text(builder.home.string), "url": .text(server.url)])))
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

    private static let war = ProcessInfo.processInfo.environment["UNDERSTUDY_TEST_JENKINS_WAR"]

    /// A real Jenkins is asked for its plugins, and for builds that pass, fail and take too long.
    @Test(.enabled(if: war != nil, "SKIPPED: point UNDERSTUDY_TEST_JENKINS_WAR to a jenkins.war"))
    func aRunningJenkinsBuildsWhatItIsAskedFor() async throws {
        try await withTemporaryDirectory { directory in
            let war = try #require(Self.war)
            let home = directory.appending("home")
            for (job, script) in [("good", "true"), ("bad", "false"), ("slow", "sleep 300")] {
                try Files.makeDirectories(home.pushing(FilePath("jobs/\(job)")))
                let text =
                    "<project><builders><hudson.tasks.Shell><command>\(script)</command></hudson.tasks.Shell></builders></project>"
                try Files.replace(home.pushing(FilePath("jobs/\(job)/config.xml")), with: Array(text.utf8))
            }
            try Files.makeDirectory(home.appending("init.groovy.d"))
            try Files.replace(
                home.appending("init.groovy.d/user.groovy"), with: Array(Self.user.utf8))
            let port = try #require(try await BuildbotFixture.freePorts(1).first)
            let start = """
                JENKINS_HOME='\(home)' setsid java -Djenkins.install.runSetupWizard=false -jar '\(war)' \
                    --httpListenAddress=127.0.0.1 --httpPort=\(port) </dev/null >'\(directory)/log' 2>&1 &
                echo $!
                """
            let shadow = JenkinsShadow(
                driver: try JenkinsDriver(
                    Component(
                        name: "jenkins", driver: "jenkins",
                        settings: [
                            "home": .text(home.string), "url": .text("http://127.0.0.1:\(port)/"),
                            "user": .text("kim"), "token": .text(home.appending("token").string),
                        ])))
            try await run(start, port, until: home.appending("token")) {
                try await wait("the login page", limit: .seconds(120)) {
                    try await HTTPProbe("http://127.0.0.1:\(port)").get("/login").status == 200
                }
                let none = PluginSet(kind: "plugin", versions: [:])
                let view = try await shadow.production(beside: none, pages: [])
                #expect(view.plugins != nil && view.place.contains("active plugins, as"), "\(view.place)")
                #expect(try await shadow.obstacle(toBuilding: "good") == nil)
                #expect(try await shadow.obstacle(toBuilding: "none")?.contains("answers 404") == true)
                #expect(try await shadow.build("good", limit: .seconds(120)).outcome == .passed)
                let bad = try await shadow.build("bad", limit: .seconds(120))
                #expect(bad.outcome == .failed && bad.signature?.hasPrefix("FAILURE: ") == true)
                let slow = try await shadow.build("slow", limit: .seconds(20))
                #expect(slow.outcome == .errored)
                #expect(slow.signature?.contains("was cancelled") == true, "\(slow)")
            }
        }
    }

    /// Makes a user with a token, which is written into the home.
    private static let user = """
        import hudson.security.FullControlOnceLoggedInAuthorizationStrategy
        import hudson.security.HudsonPrivateSecurityRealm
        import jenkins.model.Jenkins
        import jenkins.security.ApiTokenProperty

        def jenkins = Jenkins.get()
        def realm = new HudsonPrivateSecurityRealm(false)
        jenkins.securityRealm = realm
        jenkins.authorizationStrategy = new FullControlOnceLoggedInAuthorizationStrategy()
        def user = realm.createAccount('kim', 'kim')
        def token = user.getProperty(ApiTokenProperty).tokenStore.generateNewToken('test').plainValue
        user.save()
        jenkins.save()
        def file = new File(jenkins.rootDir, 'token.new')
        file.text = token
        file.renameTo(new File(jenkins.rootDir, 'token'))

        """

    /// Starts a server by a script that prints its number, waits until it listens and a file is there, and ends it afterwards.
    private func run(
        _ script: String, _ port: UInt16, until file: FilePath, _ body: () async throws -> Void
    ) async throws {
        let number = try await Program("/bin/sh", ["-c", script]).runSuccessfully().output.filter(\.isNumber)
        let stop = Program("/bin/sh", ["-c", "kill \(number) && tail --pid=\(number) -f /dev/null"])
        do {
            try await wait("the server to listen and \(file)", limit: .seconds(120)) {
                try await HTTPProbe("http://127.0.0.1:\(port)").isAnswered() && Files.exists(file)
            }
            try await body()
        } catch {
            try await stop.runSuccessfully()
            throw error
        }
        try await stop.runSuccessfully()
    }
}
