import FileTree
import FoundationEssentials
import Judge
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// What is done to a restored home before Jenkins starts on it.
@Suite struct JenkinsFixesTests {
    private let directory: ScratchDirectory
    private let home: FilePath

    init() throws {
        directory = try ScratchDirectory()
        home = directory.appending("home")
        var builder = JenkinsHomeBuilder(home)
        (builder.plugins, builder.jobs, builder.builds) = (2, 1, 1)
        try builder.make()
    }

    private func write(_ path: String, _ text: String) throws {
        let place = home.pushing(FilePath(path))
        try Files.makeDirectories(place.removingLastComponent())
        try Files.replaceWithoutSync(place, with: Array(text.utf8))
    }

    private func read(_ path: String) throws -> String {
        String(decoding: try Files.read(home.pushing(FilePath(path))), as: UTF8.self)
    }

    private func exists(_ path: String) throws -> Bool { try Files.exists(home.pushing(FilePath(path))) }

    private func fix(resumesWork: Bool = false) throws -> [String: String] {
        let fixes = try JenkinsFixes(staged: home, live: nil, resumesWork: resumesWork).run()
        return Dictionary(uniqueKeysWithValues: fixes.map { ($0.subject, $0.action) })
    }

    @Test func numbersThatJenkinsCannotHaveArePassedOver() throws {
        for name in ["9223372036854775807", "2147483647", "41"] {
            try write("jobs/big/builds/\(name)/build.xml", "<build/>")
        }
        try write("jobs/big/nextBuildNumber", "9223372036854775807\n")
        _ = try fix()
        #expect(try read("jobs/big/nextBuildNumber") == "42\n")
    }

    private static func build(_ more: String, done: Bool = false) -> String {
        """
        <?xml version='1.1' encoding='UTF-8'?>
        <flow-build plugin="workflow-job@1400">
          <actions/>\(more)
          <duration>0</duration>
          <execution class="org.jenkinsci.plugins.workflow.cps.CpsFlowExecution">
            <result>SUCCESS</result>
            <script>echo &apos;a&apos; &#x1b;</script>
            <done>\(done)</done>
          </execution>
        </flow-build>

        """
    }

    private func makeBuild(_ path: String, _ document: String) throws {
        try write("\(path)/build.xml", document)
        try write("\(path)/program.dat", "what it is about to do")
    }

    @Test func aPipelineThatRanIsAbortedAndEveryOtherByteOfItsBuildStays() throws {
        let deploy = "jobs/team/jobs/deploy/builds/7"
        try makeBuild(deploy, Self.build("\n  <result>UNSTABLE</result>\n  <completed>false</completed>"))
        let branch = "jobs/service/branches/feature-x.abc123/builds/2"
        try makeBuild(branch, Self.build(""))
        try Files.setMode(home.pushing(FilePath(deploy)).appending("build.xml"), 0o640)
        let fixes = try fix()
        #expect(fixes[deploy]?.hasPrefix("aborted: it was running, and would go on") == true)
        #expect(fixes[branch]?.hasPrefix("aborted:") == true)
        #expect(
            try read("\(deploy)/build.xml")
                == Self.build("\n  <result>ABORTED</result>\n  <completed>true</completed>", done: true))
        #expect(try Files.status(home.pushing(FilePath(deploy)).appending("build.xml"))?.mode == 0o640)
        let changed = try read("\(branch)/build.xml")
        #expect(
            changed.contains("<completed>true</completed>") && changed.contains("<result>ABORTED</result>"))
        #expect(try !exists("\(deploy)/program.dat") && !exists("\(branch)/program.dat"))
    }

    @Test func whatHadEndedAndWhatShallGoOnIsLeft() throws {
        let ended = Self.build("\n  <result>SUCCESS</result>\n  <completed>true</completed>", done: true)
        try makeBuild("jobs/team/jobs/deploy/builds/6", ended)
        let running = Self.build("\n  <completed>false</completed>")
        try makeBuild("jobs/team/jobs/deploy/builds/7", running)
        #expect(try fix(resumesWork: true).keys.allSatisfy { !$0.contains("/builds/") })
        #expect(try read("jobs/team/jobs/deploy/builds/7/build.xml") == running)
        #expect(try exists("jobs/team/jobs/deploy/builds/7/program.dat") && exists("queue.xml"))
        #expect(try fix().keys.filter { $0.contains("/builds/") } == ["jobs/team/jobs/deploy/builds/7"])
        #expect(try read("jobs/team/jobs/deploy/builds/6/build.xml") == ended)
    }

    @Test func aPipelineWhoseBuildCannotBeReadDoesNotGoOnEither() throws {
        let build = "jobs/team/jobs/deploy/builds/7"
        try makeBuild(build, "<flow-build><unclosed>")
        #expect(try fix()[build]?.contains("its build.xml cannot be read") == true)
        #expect(try read("\(build)/build.xml") == "<flow-build><unclosed>")
        #expect(try !exists("\(build)/program.dat"))
    }

    @Test func nothingIsChangedThroughALink() throws {
        let running = Self.build("")
        for name in ["build", "builds/9", "item/builds/9", "jobs/item/builds/9"] {
            let outside = directory.appending("outside").pushing(FilePath(name))
            try Files.makeDirectories(outside)
            try Files.replace(outside.appending("build.xml"), with: Array(running.utf8))
            try Files.replace(outside.appending("program.dat"), with: [])
        }
        func link(_ path: String, _ target: String) throws {
            let place = home.pushing(FilePath(path))
            try Files.removeTree(place)
            try Files.makeLink(place, to: directory.appending("outside").pushing(FilePath(target)).byteArray)
        }
        try link("jobs/job-0/builds/9", "build")
        try link("jobs/target/builds", "builds")
        try link("jobs/linked", "item")
        try link("jobs/team/jobs/inner/jobs", "jobs")
        #expect(try fix().keys.allSatisfy { !$0.hasSuffix("/9") })
        for name in ["build", "builds/9", "item/builds/9", "jobs/item/builds/9"] {
            let outside = directory.appending("outside").pushing(FilePath(name))
            #expect(try Files.exists(outside.appending("program.dat")))
            #expect(try Files.read(outside.appending("build.xml")) == Array(running.utf8))
        }
    }

    @Test func whatWaitedIsCountedAsJenkinsWritesIt() throws {
        let pipelines = "org.jenkinsci.plugins.workflow.flow.FlowExecutionList.xml"
        var fixes = try fix()
        #expect(fixes["queue.xml"]?.hasPrefix("removed, with 1 queued request:") == true)
        #expect(fixes[pipelines]?.hasPrefix("removed, with 1 unfinished pipeline:") == true)
        try write(
            "queue.xml",
            "<hudson.model.Queue_-State>\n  <counter>4</counter>\n  <items/>\n</hudson.model.Queue_-State>\n")
        try write(
            pipelines,
            "<list>\n  <flow-owner/>\n  <flow-owner plugin=\"x\"><id>2</id></flow-owner>\n</list>\n")
        fixes = try fix()
        #expect(fixes["queue.xml"] == "removed: it names no queued request")
        #expect(fixes[pipelines]?.hasPrefix("removed, with 2 unfinished pipelines:") == true)
        #expect(try !exists("queue.xml") && !exists(pipelines))
    }
}

/// The chain of keys of a home.
@Suite struct KeyChainTests {
    private let directory: ScratchDirectory
    private let home: FilePath

    init() throws {
        directory = try ScratchDirectory()
        home = directory.appending("home")
        var builder = JenkinsHomeBuilder(home)
        (builder.plugins, builder.jobs, builder.builds) = (1, 1, 1)
        try builder.make()
    }

    private func findings(listsJobs: Bool = true) throws -> KeyChain.Findings {
        try KeyChain.findings(HomeOnDisk(home: home, listsJobs: listsJobs))
    }

    @Test func aValueOfAnotherJenkinsIsToldAndRefusesNothing() throws {
        #expect(try findings().refusals.isEmpty && findings().foreign.isEmpty)
        let key = [UInt8](repeating: 9, count: 16)
        let closed = KeyChain.closed(Array("x".utf8), key, vector: key)
        let value = "{\(Data(closed).base64EncodedString())}"
        for name in ["job-0", "target"] {
            try Files.replace(
                home.appending("jobs").appending(name).appending("config.xml"),
                with: Array("<project><a>\(value)</a><b>\(value)</b></project>".utf8))
        }
        #expect(try findings().refusals.isEmpty)
        #expect(try findings().foreign == ["jobs/job-0/config.xml", "jobs/target/config.xml"])
        #expect(try findings(listsJobs: false).foreign.isEmpty)
        try Files.replace(home.appending("credentials.xml"), with: Array("<a>\(value)</a>".utf8))
        #expect(try findings().refusals.count == 1 && findings().foreign.isEmpty)
    }

    @Test func aMasterKeyFromOutsideIsTriedWhereItIsAndAskedForWhereItIsNot() throws {
        func findings(_ outside: FilePath?) throws -> KeyChain.Findings {
            try KeyChain.findings(HomeOnDisk(home: home, listsJobs: true), outside: outside)
        }
        let inside = home.appending("secrets/master.key")
        let outside = directory.appending("master.key")
        try Files.rename(inside, to: outside)
        let refusal = try #require(try findings(nil).refusals.first)
        #expect(refusal.reason.hasPrefix("secrets/master.key is not in the snapshot, and"))
        #expect(refusal.hint.contains("masterKey: /PATH"))
        #expect(try findings(outside).refusals.isEmpty)
        // What Jenkins is told to take decides, and not what lies in the home.
        try Files.replace(inside, with: Array("another".utf8))
        #expect(try findings(outside).refusals.isEmpty)
        try Files.replace(outside, with: Array("another".utf8))
        let other = try #require(try findings(outside).refusals.first)
        #expect(other.reason.hasPrefix("\(outside) does not open secrets/"))
        try Files.remove(outside)
        let missing = try #require(try findings(outside).refusals.first)
        #expect(missing.reason.hasPrefix("\(outside), which is Jenkins' master key (masterKey), is not on"))
        #expect(missing.liftedBy == [outside])
    }

    @Test func aMasterKeyInTheHomeIsNoneFromOutside() throws {
        func masterKey(_ named: String) throws -> FilePath? {
            let component = Component(
                name: "ci", driver: "jenkins", settings: ["home": .text("/h"), "masterKey": .text(named)])
            return try JenkinsDriver(component).masterKey
        }
        #expect(try masterKey("/h/secrets/../secrets/master.key") == nil)
        #expect(try masterKey("/etc/./ci.key") == "/etc/ci.key")
    }

    @Test func usersWhoseNamesNoKeyMakesAreRefused() throws {
        try Files.remove(home.appending("secrets/hudson.model.User.DIRNAMES"))
        let refusal = try #require(try findings().refusals.first)
        #expect(refusal.reason.hasPrefix("secrets/hudson.model.User.DIRNAMES is not in the snapshot, and"))
        #expect(refusal.hint.contains("2 users"))
        // Names of before Jenkins 2.524 need no key.
        for name in try Files.names(home.appending("users")) where name.count > 64 {
            try Files.removeTree(FilePath(bytes: home.appending("users").byteArray + [0x2f] + name))
        }
        try Files.makeDirectory(home.appending("users/admin_8211111111111"))
        #expect(try findings().refusals.isEmpty)
    }

    /// What refuses a restore is an obstacle of the night, whatever else is wrong with the home.
    @Test(arguments: [false, true]) func usersWhoseNamesNoKeyMakesAreObstaclesOfANight(
        _ lacksConfiguration: Bool
    )
        async throws
    {
        let driver = try JenkinsDriver(
            Component(name: "jenkins", driver: "jenkins", settings: ["home": .text(home.string)]))
        func obstacles() async throws -> [String] {
            try await driver.freeze(scratch: directory.path, cache: directory.path).obstacles
        }
        if lacksConfiguration { try Files.remove(home.appending("config.xml")) }
        #expect(try await obstacles().isEmpty)
        try Files.remove(home.appending("secrets/hudson.model.User.DIRNAMES"))
        let reason = try #require(try await obstacles().first)
        #expect(reason.hasPrefix("secrets/hudson.model.User.DIRNAMES is not in the snapshot, and"))
    }

    @Test(arguments: [
        (".gradle/gradle.properties", EntryClass.secret), (".pgpass", .secret), (".my.cnf", .secret),
        (".vault-token", .secret), (".subversion/auth/svn.simple/0a1b", .secret),
        (".gradle/init.gradle", .state), (".gradle/init.d/mirror.gradle", .state),
        (".gradle/caches/modules-2/files", .derived), (".gradle/wrapper/dists/a.zip", .derived),
        (".gradle/jdks/eclipse_adoptium-21/bin/java", .derived),
        (".groovy/grapeConfig.xml", .config), (".groovy/grapes/a.jar", .derived),
        (".java/.userPrefs/prefs.xml", .state), (".java/fonts/17/fcinfo", .derived),
        (".cvspass", .secret), (".config/gcloud/credentials.db", .secret), (".curlrc", .secret),
        ("userContent/app/release.jks", .secret), ("certificates/site.pfx", .secret), ("ci.kdbx", .secret),
        ("jobs/app/builds/7/archive/out/site.key", .secret), ("init.groovy.d/.netrc", .secret),
        ("jobs/site.key/config.xml", .config), ("nodes/mac.key/config.xml", .config),
        ("jobs/site.key/builds/1/build.xml", .state), ("jobs/site.key/builds/1/log", .bulk),
        ("jobs/site.key/builds/1/ca.pem", .secret), ("jobs/app/builds/7/archive/app.war", .bulk),
        ("plugins/git/WEB-INF/test.jks", .derived), ("war/WEB-INF/test.key", .derived),
        ("jobs/shadow/config.xml", .config), ("jobs/shadow/builds/1/build.xml", .state),
    ]) func whatPeopleWroteInTheHomeOfTheUserIsCaptured(_ path: String, _ expected: EntryClass) {
        #expect(JenkinsClasses.home.entryClass(of: EntryPath(path), isDirectory: false) == expected)
    }

    @Test func anAgentOfACloudIsNotExpectedInAShadow() throws {
        let cloud = home.appending("nodes/ec2-i-1")
        try Files.makeDirectories(cloud)
        try Files.replace(
            cloud.appending("config.xml"),
            with: Array(
                "<hudson.plugins.ec2.EC2OndemandSlave><name>ec2-i-1</name></hudson.plugins.ec2.EC2OndemandSlave>"
                    .utf8))
        let driver = try JenkinsDriver(
            Component(name: "jenkins", driver: "jenkins", settings: ["home": .text(home.string)]))
        let captured = CapturedComponent(name: "jenkins", driver: "jenkins", version: nil, roots: [])
        let source = HomeOnDisk(home: home, listsJobs: true)
        let nodes = try #require(try JenkinsShadow(driver: driver).expected(captured, in: source))
            .filter { $0.kind == "node" }
        #expect(nodes.map(\.name) == ["agent1"])
        let seen = try driver.inventory(of: source).items.first { $0.name == "ec2-i-1" }
        #expect(seen?.detail == "made by a cloud")
    }
}
