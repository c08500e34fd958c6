import FileTree
import Judge
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// What a home holds, as snapshots and shadows take it.
@Suite struct JenkinsHomeTests {
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
        ("userContent/ci.keytab", .secret), ("jobs/ci.keytab/config.xml", .config),
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
        try withTemporaryDirectory { directory in
            let home = directory.appending("home")
            var builder = JenkinsHomeBuilder(home)
            (builder.plugins, builder.jobs, builder.builds) = (1, 1, 1)
            try builder.make()
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

    /// Half of a download is captured as it is.
    @Test func aWarThatIsNoArchiveIsSaidInTheLock() throws {
        try withTemporaryDirectory { directory in
            let war = directory.appending("jenkins.war")
            try Files.replace(war, with: [0x50, 0x4b])
            let driver = try JenkinsDriver(
                Component(
                    name: "jenkins", driver: "jenkins",
                    settings: ["home": .text("\(directory)/home"), "war": .text(war.string)]))
            let entry = Entry(
                path: EntryPath("jenkins.war"), kind: .file, mode: 0o644, owner: 0, group: 0,
                ownerName: "root", groupName: "root", modified: .init(seconds: 0, nanoseconds: 0), size: 2,
                digest: [0xab], entryClass: .plugin)
            let locks = try driver.locks(archives: ["war": [entry]], previous: [:])
            #expect(
                locks.map { String(decoding: $0.contents, as: UTF8.self) }
                    == ["jenkins-core ??? ab war unreadable\n"])
        }
    }

    /// A war that a package moved costs itself, and not the home.
    @Test func aWarThatIsNotThereIsNoFaultOfTheHome() throws {
        try withTemporaryDirectory { directory in
            let home = directory.appending("home")
            var builder = JenkinsHomeBuilder(home)
            (builder.plugins, builder.jobs, builder.builds) = (1, 1, 1)
            try builder.make()
            let driver = try JenkinsDriver(
                Component(
                    name: "jenkins", driver: "jenkins",
                    settings: ["home": .text(home.string), "war": .text("\(directory)/jenkins.war")]))
            #expect(driver.faults().map(\.root) == ["war"])
            let failure = #expect(throws: DriverFailure.self) { try driver.roots() }
            #expect(failure?.description == "\(directory)/jenkins.war is not a regular file")
            try Files.replace(directory.appending("jenkins.war"), with: [])
            #expect(driver.faults().isEmpty)
            try Files.remove(home.appending("config.xml"))
            #expect(driver.faults().map(\.root) == ["home", "war"])
            #expect(
                driver.faults().allSatisfy { $0.failure.description.contains("is not a JENKINS_HOME") })
        }
    }
}
