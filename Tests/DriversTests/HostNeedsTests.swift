import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// What a host lacks to start what was restored.
@Suite struct HostNeedsTests {
    private func service(_ unit: String) throws -> ServiceCommands {
        try #require(
            try ServiceCommands(
                Component(name: "ci", driver: "jenkins", settings: ["service": .map(["systemd": unit])])))
    }

    @Test func aUnitIsLookedForWhereSystemdLooks() throws {
        try withTemporaryDirectory { root in
            let jenkins = try service("jenkins")
            #expect(
                try jenkins.missing(below: root).first?.reason.contains("does not run on this host") == true)
            try Files.makeDirectories(root.appending("run/systemd/system"))
            let missing = try jenkins.missing(below: root)
            #expect(
                missing.first?.reason
                    == "the service 'jenkins' is a systemd unit that does not exist on this host")
            let place = root.appending("etc/systemd/system/jenkins.service")
            #expect(missing.first?.liftedBy.contains(place) == true)
            try Files.makeDirectories(place.removingLastComponent())
            try Files.replace(place, with: [])
            #expect(try jenkins.missing(below: root).isEmpty)
            // A script of SysV has a unit that systemd made of it; a unit of a template has the template's.
            try Files.makeDirectories(root.appending("run/systemd/generator.late"))
            try Files.replace(root.appending("run/systemd/generator.late/old.service"), with: [])
            #expect(try service("old.service").missing(below: root).isEmpty)
            #expect(try service("agent@3").missing(below: root).count == 1)
            try Files.replace(root.appending("etc/systemd/system/agent@.service"), with: [])
            #expect(try service("agent@3").missing(below: root).isEmpty)
        }
    }

    /// Whether systemd runs here or not, it has no such unit.
    @Test func eachComponentSaysThatThisHostCannotStartIt() throws {
        let unit = SettingValue.map(["systemd": "understudy-nobody"])
        let proxy = Component(
            name: "proxy", driver: "files", settings: ["paths": .list(["/nowhere"]), "service": unit])
        let jenkins = Component(
            name: "ci", driver: "jenkins", settings: ["home": .text("/nowhere"), "service": unit])
        let buildbot = Component(
            name: "bb", driver: "buildbot", settings: ["master": .text("/nowhere"), "service": unit])
        let lifecycles = [
            try FilesDriver(proxy).lifecycle, try JenkinsDriver(jenkins).lifecycle,
            try BuildbotDriver(buildbot).lifecycle,
        ]
        for lifecycle in lifecycles {
            #expect(try lifecycle?.missing().first?.reason.contains("'understudy-nobody'") == true)
        }
    }

    @Test(arguments: [("inactive\n", "inactive"), ("active\n", "active"), ("", ""), ("a\r\nb\n", "a")])
    func aStateOfSystemdIsOneWord(_ output: String, _ word: String) {
        #expect(ServiceCommands.firstLine(output) == word)
    }

    @Test func commandsOfASiteNeedNoUnit() throws {
        let component = Component(
            name: "ci", driver: "jenkins", settings: ["service": .map(["start": "true", "stop": "true"])])
        #expect(try ServiceCommands(component)?.missing(below: "/nowhere").isEmpty == true)
    }

    @Test(arguments: ["", "/"]) func aJenkinsIsAskedAtItsLogin(_ end: String) async throws {
        try await withTemporaryDirectory { directory in
            try Files.replace(directory.appending("login"), with: Array("welcome".utf8))
            try await WebServer.with(.files(directory)) { server in
                let jenkins = JenkinsLifecycle(
                    service: try #require(
                        try ServiceCommands(
                            Component(
                                name: "ci", driver: "jenkins",
                                settings: ["service": .map(["start": "true", "stop": "true"])]))),
                    home: directory, url: "http://127.0.0.1:\(server.port)\(end)", hasWar: false)
                #expect(try await jenkins.isRunning())
                #expect(try await jenkins.problems() == [])
                try await server.end()
                #expect(try await !jenkins.isRunning())
            }
        }
    }

    @Test(arguments: [
        ("2.346.3", 8), ("2.357", 11), ("2.361.1", 11), ("2.462.3", 11), ("2.463", 17), ("2.479.1", 17),
        ("2.528.3", 17), ("2.541.3", 17), ("2.545", 21), ("2.555.1", 21),
    ])
    func aVersionOfJenkinsNeedsTheJavaThatItsProjectSays(_ version: String, _ java: Int) {
        #expect(JavaRuntime.needed(by: version) == java)
        // The first that listens on a Unix socket is 16.
        #expect(JenkinsShadow.leastJava(for: version) == max(16, java))
    }

    @Test func aJavaThatCannotBeStartedHidesNoOther() async throws {
        try await withTemporaryDirectory { directory in
            try Files.replace(directory.appending("broken"), with: [0x7f, 0x45, 0x4c, 0x46, 0], mode: 0o755)
            try Files.makeDirectory(directory.appending("directory"))
            let broken = ["broken", "directory"].map { JavaRuntime(path: directory.appending($0)) }
            let good = try java(21, at: directory.appending("good"))
            let found = try await JavaRuntime.find(atLeast: 17, among: broken + [good])
            #expect(found.runtime?.path == good.path)
            let none = try await JavaRuntime.find(atLeast: 17, among: [broken[0]])
            #expect(none.runtime == nil && none.lack.contains("broken"))
        }
    }

    @Test(.enabled(if: Accounts.ownNumbers.user == 0, "SKIPPED: only root can run as somebody else"))
    func aJavaThatAUserCannotReachIsNotUsable() async throws {
        try await withTemporaryDirectory { directory in
            let all = [
                try java(21, at: directory.appending("hidden/java")),
                try java(21, at: directory.appending("java")),
            ]
            try Files.setMode(directory, 0o755)
            try Files.setMode(directory.appending("hidden"), 0o700)
            let usable = try await JavaRuntime.usable(among: all, as: (65534, 65534))
            #expect(usable.map(\.path) == [all[1].path])
        }
    }

    @Test func theFirstJavaThatFitsIsTakenAndNoOther() async throws {
        try await withTemporaryDirectory { directory in
            let all = try [11, 17, 21].map { try java($0, at: directory.appending("java-\($0)")) }
            for (least, expected) in [(0, all[0]), (11, all[0]), (12, all[1]), (17, all[1]), (18, all[2])] {
                let found = try await JavaRuntime.find(atLeast: least, among: all)
                #expect(found.runtime?.path == expected.path && found.lack.isEmpty, "\(least)")
            }
            let (none, lack) = try await JavaRuntime.find(atLeast: 22, among: all)
            #expect(none == nil && lack == "\(all[0].path) is Java 11")
        }
        // Whatever Java this host has is older.
        let (none, lack) = try await JavaRuntime.find(atLeast: 999)
        #expect(none == nil && !lack.isEmpty)
    }

    /// A program that says that it is a Java of a version.
    private func java(_ version: Int, at path: FilePath) throws -> JavaRuntime {
        let script = "#!/bin/sh\necho 'openjdk version \"\(version)\" 2023-09-19' >&2\n"
        try Files.makeDirectories(path.removingLastComponent())
        try Files.replace(path, with: Array(script.utf8), mode: 0o755)
        return JavaRuntime(path: path)
    }
}
