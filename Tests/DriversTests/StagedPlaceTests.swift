import FileTree
import Judge
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// Links in a copy that lead to production: nothing is written through them.
@Suite struct StagedPlaceTests {
    private func copy(_ root: String, _ staged: FilePath, _ driver: String) -> ShadowCopy {
        let captured = CapturedComponent(
            name: "ci", driver: driver, version: nil,
            roots: [.init(name: root, path: "/srv/ci", kind: .directory)])
        return ShadowCopy(
            staged: StagedComponent(
                captured: captured,
                roots: [.init(root: Root(name: root, path: "/srv/ci"), staged: staged, live: nil)],
                artifacts: nil, resumesWork: false, capturedHost: "ci"),
            socketDirectory: staged.removingLastComponent(), workspace: staged.removingLastComponent())
    }

    /// What a home becomes as a shadow of the Jenkins in `/srv/ci`.
    private func harmless(
        _ builder: JenkinsHomeBuilder
    ) async throws -> (driver: any ShadowDriver, copy: ShadowCopy) {
        let driver = try #require(
            try JenkinsDriver(
                Component(name: "ci", driver: "jenkins", settings: ["home": .text("/srv/ci")])
            ).shadow)
        let copy = copy("home", builder.home, "jenkins")
        _ = try await driver.neutralise(copy)
        return (driver, copy)
    }

    @Test func thePlaceOfAPathIsInTheCopyOrNowhere() throws {
        try withTemporaryDirectory { directory in
            let root = copy("master", directory, "buildbot").staged.roots[0]
            try Files.makeDirectories(directory.appending("a/b"))
            try Files.makeLink(directory.appending("a/b/out"), to: Array("/etc".utf8))
            #expect(try root.place(of: "a/b/c") == directory.appending("a/b/c"))
            #expect(throws: DriverFailure.self) { try root.place(of: "a/b/out") }
            #expect(throws: DriverFailure.self) { try root.place(of: "a/b/out/passwd") }
            #expect(throws: DriverFailure.self) { try root.place(of: "../other") }
            #expect(throws: DriverFailure.self) { try root.place(of: "/etc/passwd") }
        }
    }

    @Test(arguments: ["db", "buildbot.tac"]) func aMasterThatLeadsToProductionIsNotMadeHarmless(
        _ name: String
    ) async throws {
        try await withTemporaryDirectory { directory in
            let (live, staged) = (directory.appending("live"), directory.appending("staged"))
            for place in [live, staged, live.appending("db")] { try Files.makeDirectory(place) }
            try Files.replace(live.appending("db/state.sqlite"), with: Array("live".utf8))
            let tac = "basedir = '/old'\napplication = service.Application('buildmaster')\n"
            for place in [live, staged] {
                try Files.replace(place.appending("buildbot.tac"), with: Array(tac.utf8))
            }
            try Files.replace(
                staged.appending("master.cfg"),
                with: Array("c['db_url'] = 'sqlite:///db/state.sqlite'\n".utf8))
            try Files.removeTree(staged.appending(name))
            try Files.makeLink(staged.appending(name), to: live.appending(name).byteArray)
            let driver = try makeDriver(master: "/srv/ci")
            let copy = copy("master", staged, "buildbot")
            let before = try TreeListing(live)
            let failure = await #expect(throws: DriverFailure.self) {
                try await #require(driver.shadow).neutralise(copy)
            }
            #expect(failure?.description.hasPrefix("master/\(name) is a link") == true)
            // A restore puts the link back as it was, and touches nothing behind it.
            var moved = copy.staged
            moved.captured.roots[0].path = "/old"
            let fixes = try await driver.afterRestore(moved)
            #expect(fixes.contains(.leftAlone("master/\(name)")))
            #expect(try TreeListing(live) == before)
        }
    }

    @Test func aHomeWhosePluginsAreElsewhereIsNotMadeHarmless() async throws {
        try await withTemporaryDirectory { directory in
            var builder = JenkinsHomeBuilder(directory.appending("home"))
            try builder.makeSound()
            let live = directory.appending("live")
            try Files.rename(builder.home.appending("plugins"), to: live)
            // Jenkins' own directory beside an archive, which a restore would drop.
            try Files.makeDirectory(live.appending("git"))
            try Files.makeLink(builder.home.appending("plugins"), to: live.byteArray)
            let driver = try JenkinsDriver(
                Component(name: "ci", driver: "jenkins", settings: ["home": .text("/srv/ci")]))
            let copy = copy("home", builder.home, "jenkins")
            let before = try TreeListing(live)
            let failure = await #expect(throws: DriverFailure.self) {
                try await #require(driver.shadow).neutralise(copy)
            }
            #expect(failure?.description.hasPrefix("home/plugins is a link") == true)
            #expect(try await driver.afterRestore(copy.staged).contains(.leftAlone("plugins")))
            #expect(try TreeListing(live) == before)
        }
    }

    /// A change that both arms lose, or have as the shadow's own, is not tried, be the file new, another or gone.
    @Test func aChangeOfWhatAShadowHasNotIsNotRehearsed() async throws {
        try await withTemporaryDirectory { directory in
            var builder = JenkinsHomeBuilder(directory.appending("home"))
            try builder.makeSound()
            try Files.replace(
                builder.home.appending("jenkins.yaml"), with: Array("jenkins: {numExecutors: oops}\n".utf8))
            try Files.makeDirectories(builder.home.appending("nodes/broken"))
            try Files.replace(builder.home.appending("nodes/broken/config.xml"), with: Array("<slave".utf8))
            let (driver, copy) = try await harmless(builder)
            let paths = [
                "jenkins.yaml", "nodes/broken/config.xml", "proxy.xml", "users/users.xml",
                "config.xml", "jobs/app/config.xml",
            ]
            let change = ComponentChange(
                component: "ci", packages: [],
                files: paths.map { .init(root: "home", path: $0, blob: $0 == "proxy.xml" ? nil : "0") })
            let applied = try await driver.apply(change, in: DeadRoom(copy: copy))
            #expect(applied.findings.allSatisfy { $0.kind == "not-rehearsed" && $0.severity == .critical })
            #expect(applied.findings.map(\.object.name) == paths.prefix(4).map { "home/\($0)" })
        }
    }

    /// What no plugin reads is a file like any other.
    @Test func configurationAsCodeOfAPluginIsNotRehearsed() async throws {
        try await withTemporaryDirectory { directory in
            var builder = JenkinsHomeBuilder(directory.appending("home"))
            try builder.makeSound()
            try Files.replace(
                builder.home.appending("casc.yaml"), with: Array("jenkins: {numExecutors: oops}\n".utf8))
            let (driver, copy) = try await harmless(builder)
            let change = ComponentChange(
                component: "ci", files: [.init(root: "home", path: "casc.yaml", blob: "0")])
            #expect(try await driver.apply(change, in: DeadRoom(copy: copy)).findings.isEmpty)
            try builder.makePlugin("configuration-as-code", version: "1.0", file: "configuration-as-code.jpi")
            #expect(
                try await driver.apply(change, in: DeadRoom(copy: copy)).findings.map(\.object.name)
                    == ["home/casc.yaml"])
        }
    }

    /// Only what was compared counts, and the rest is named.
    @Test func aConfigurationBehindALinkIsNamedAsNotCompared() async throws {
        try await withTemporaryDirectory { directory in
            var builder = JenkinsHomeBuilder(directory.appending("home"))
            try builder.makeSound()
            try Files.makeLink(builder.home.appending("jobs/old"), to: Array("job-0".utf8))
            let (driver, copy) = try await harmless(builder)
            let sockets = copy.socketDirectory
            try Files.makeDirectories(sockets)
            for number in 0...1 {
                try Files.replace(
                    sockets.appending("written-\(number).xml"),
                    with: try Files.read(builder.home.appending("jobs/job-0/config.xml")))
            }
            let report = """
                {"version": "2", "failed": [], "unreadable": [], "nodes": [], "views": [], "errors": [], "jobs": [],
                "written": [{"file": "jobs/job-0/config.xml", "copy": "written-0.xml"},
                {"file": "jobs/old/config.xml", "copy": "written-1.xml"}]}
                """
            try Files.replace(sockets.appending("report.json"), with: Array(report.utf8))
            let room = DeadRoom(copy: copy)
            let (compared, losses) = try driver.rewritten(in: room)
            #expect(compared == 1 && losses.isEmpty)
            let named = try driver.notCovered(in: room).filter { $0.reason.hasPrefix("not compared") }
            #expect(named.map(\.object.name) == ["jobs/old/config.xml"])
        }
    }

    @Test func aServerOfAShadowHasItsPartOfTheMemory() async throws {
        try await withTemporaryDirectory { directory in
            let driver = try #require(
                try JenkinsDriver(
                    Component(name: "ci", driver: "jenkins", settings: ["home": .text("/srv/ci")])
                ).shadow)
            var copy = copy("home", directory, "jenkins")
            #expect(try await driver.server(copy).arguments.contains("-Xmx2048m"))
            copy.memory = 12 << 30
            #expect(try await driver.server(copy).arguments.contains("-Xmx6144m"))
            #expect(driver.bootLimit == .seconds(900))
        }
    }

    @Test func aPlanToMakeHarmlessFollowsNoLink() throws {
        try withTemporaryDirectory { directory in
            let (live, home) = (directory.appending("live"), directory.appending("home"))
            for place in [live, home] { try Files.makeDirectory(place) }
            try Files.makeLink(home.appending("users"), to: live.byteArray)
            let plan = NeutralisationPlan(
                edits: [
                    .init(path: EntryPath("users/users.xml"), action: .write([1], mode: 0o600), notes: [])
                ],
                notCovered: [])
            #expect(throws: DriverFailure.self) { try plan.apply(to: home) }
            #expect(try Files.names(live).isEmpty)
        }
    }
}
