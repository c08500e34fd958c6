import Drivers
import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@Suite struct BuildbotDetectionTests {
    @Test func aDirectoryThatHoldsMasterAndWorkersIsOneComponent() throws {
        try withTemporaryDirectory { directory in
            try makeMaster(directory.appending("master"))
            try makeWorker(directory.appending("w1"), name: "w1")
            try makeWorker(directory.appending("w2"), name: "w2")
            let found = try #require(try BuildbotDriver.detect(directory))
            #expect(found.settings["master"] == .text("\(directory)/master"))
            #expect(found.settings["workers"] == .list(["\(directory)/w1", "\(directory)/w2"]))
            #expect(found.settings["url"] == .text("http://127.0.0.1:8010/"))
            #expect(found.summary == "Buildbot master, no Python environment found, 2 workers")
        }
    }

    @Test func aMasterByItselfIsFound() throws {
        try withTemporaryDirectory { directory in
            try makeMaster(directory)
            #expect(try BuildbotDriver.detect(directory)?.settings["master"] == .text(directory.string))
        }
    }

    @Test func whatIsNoMasterIsNotFound() throws {
        try withTemporaryDirectory { directory in
            #expect(try BuildbotDriver.detect(directory) == nil)
            try makeWorker(directory.appending("w1"), name: "w1")
            #expect(try BuildbotDriver.detect(directory) == nil)
            #expect(try BuildbotDriver.detect(directory.appending("w1")) == nil)
            #expect(try BuildbotDriver.detect(directory.appending("nothing")) == nil)
        }
    }

    @Test func twoMastersAreRefusedByName() throws {
        try withTemporaryDirectory { directory in
            try makeMaster(directory.appending("a"))
            try makeMaster(directory.appending("b"))
            let failure = #expect(throws: DriverFailure.self) { try BuildbotDriver.detect(directory) }
            #expect(failure?.hint.contains("\(directory)/b") == true)
        }
    }

    @Test func aMasterThatIsNotThereIsRefused() throws {
        try withTemporaryDirectory { directory in
            let driver = try makeDriver(master: directory)
            let failure = #expect(throws: DriverFailure.self) { try driver.roots() }
            #expect(failure?.description.contains("not a Buildbot master") == true)
        }
    }

    /// Nothing else says where the state is; other components are captured all the same.
    @Test func aConfigurationThatCannotBeReadIsAFaultOfTheMaster() throws {
        try withTemporaryDirectory { directory in
            try makeMaster(directory)
            try Files.remove(directory.appending("master.cfg"))
            let driver = try makeDriver(master: directory)
            #expect(driver.faults().isEmpty)
            try Files.makeDirectory(directory.appending("master.cfg"))
            #expect(driver.faults().map(\.root) == ["master"])
            #expect(driver.faults().first?.failure.description.contains("\(directory)/master.cfg") == true)
        }
    }

    @Test func rootsInOneAnotherAreRefused() throws {
        let failure = #expect(throws: DriverFailure.self) {
            try makeDriver(master: "/srv/bb/master", ["environment": .text("/srv/bb/master/venv")])
        }
        #expect(failure?.hint.contains("leave 'environment' out") == true)
        #expect(throws: DriverFailure.self) {
            try makeDriver(master: "/srv/bb", ["workers": .list(["/srv/bb/../bb"])])
        }
    }

    @Test func workersOfTheSameNameGetRootsOfTheirOwn() throws {
        try withTemporaryDirectory { directory in
            try makeMaster(directory.appending("master"))
            try makeWorker(directory.appending("a/w"), name: "a")
            try makeWorker(directory.appending("b/w"), name: "b")
            let workers = SettingValue.list(["\(directory)/a/w", "\(directory)/b/w"])
            let driver = try makeDriver(master: directory.appending("master"), ["workers": workers])
            #expect(try driver.roots().map(\.name) == ["master", "workers/w", "workers/w-2"])
        }
    }

    @Test(arguments: [
        ("jobs/builders.py", EntryClass.config), ("buildbot.tac", .config), ("secrets/token", .secret),
        ("state.sqlite", .database), ("state.sqlite-wal", .derived), ("state.sqlite-shm", .derived),
        ("twistd.pid", .derived), ("twistd.log.3", .derived), ("http.log", .derived),
        ("gitpoller-work/x/HEAD", .derived), ("workers/local/build/a", .derived),
        ("a/__pycache__/b", .derived),
        ("ssh_host_keys", .secret), ("master.cfg.sample", .derived), ("certificates/site.key", .secret),
        ("jobs/android/release.jks", .secret), ("jobs/site.pfx", .secret), (".aws/credentials", .secret),
        ("jobs/.docker/config.json", .secret), ("jobs/shadow/builder.py", .config),
        ("unknown", .config), ("old.sqlite", .database), ("jobs/app.db-wal", .database),
        ("old.sqlite-wal", .database),
    ]) func aMastersPathsHaveTheirClass(_ path: String, _ expected: EntryClass) throws {
        let classification = try makeDriver(master: "/nowhere/master").classification(of: "master")
        #expect(classification.entryClass(of: EntryPath(path), isDirectory: false) == expected)
    }

    @Test(arguments: [
        ("buildbot.tac", EntryClass.secret), ("info/admin", .config), ("info", .config),
        ("notes.txt", .config), ("info/.pypirc", .secret), ("signing.p12", .secret),
        ("application", .derived), ("application/build/main.c", .derived), ("twistd.hostname", .derived),
    ]) func aWorkersPathsHaveTheirClass(_ path: String, _ expected: EntryClass) throws {
        let classification = try makeDriver(master: "/nowhere/master").classification(of: "workers/w1")
        let isDirectory = path == "info" || path == "application"
        #expect(classification.entryClass(of: EntryPath(path), isDirectory: isDirectory) == expected)
    }

    @Test(arguments: [
        ("c['db'] = {'db_url': 'postgresql+psycopg2://ci:hunter2@db/ci'}", "postgresql+psycopg2"),
        ("c['db_url'] = \"mysql://x:hunter2@h/d\"", "mysql"),
        ("c['db'] = dict(db_url=compute_hunter2())", "expression"),
    ]) func aDatabaseThatIsNotOursMakesTheSnapshotPartialAndTellsNoPassword(
        _ line: String, _ words: String
    ) async throws {
        try await withTemporaryDirectory { directory in
            let master = directory.appending("master")
            try makeMaster(master, configuration: line)
            let driver = try makeDriver(master: master)
            let frozen = try await driver.freeze(scratch: directory, cache: directory)
            #expect(frozen.unreadable.count == 1)
            #expect(frozen.unreadable.first?.reason.contains(words) == true)
            #expect(frozen.unreadable.first?.reason.contains("hunter2") == false)
            let handled = try makeDriver(master: master, ["database": .text("postgres")])
            let other = try await handled.freeze(scratch: directory, cache: directory)
            #expect(other.unreadable.isEmpty)
            #expect(other.notes.contains { $0.contains("'postgres'") })
        }
    }

    @Test(arguments: ["", "not a database"]) func aDamagedDatabaseIsReportedAndNeverAbsent(_ contents: String)
        async throws
    {
        try await withTemporaryDirectory { directory in
            let master = directory.appending("master")
            try makeMaster(master)
            try Files.replace(master.appending("state.sqlite"), with: Array(contents.utf8))
            let driver = try makeDriver(master: master)
            let frozen = try await driver.freeze(scratch: directory, cache: directory)
            #expect(frozen.unreadable.map(\.path) == ["master/state.sqlite"])
            try Files.remove(master.appending("state.sqlite"))
            let gone = try await driver.freeze(scratch: directory, cache: directory)
            #expect(gone.unreadable.map(\.path) == ["master/state.sqlite"])
        }
    }

    @Test func aConfigurationElsewhereIsTold() async throws {
        try await withTemporaryDirectory { directory in
            let master = directory.appending("master")
            try makeMaster(master, tac: "configfile = '/etc/buildbot/main.cfg'\n")
            let frozen = try await makeDriver(master: master).freeze(scratch: directory, cache: directory)
            #expect(frozen.notes.contains { $0.contains("/etc/buildbot/main.cfg lies outside") })
        }
    }
}

@Suite struct BuildbotRebaseTests {
    @Test(arguments: ["basedir = '@'", "basedir = r\"@\"  ", "basedir=\t'@'"])
    func anAbsoluteBaseDirectoryFollowsTheMaster(_ line: String) async throws {
        try await withTemporaryDirectory { directory in
            let staged = directory.appending("staged")
            let spelled = line.split(separator: "@", omittingEmptySubsequences: false).joined(
                separator: "/old/master")
            try makeMaster(staged, tac: "\(spelled)\nkept = '/old/master'\n")
            try Files.setMode(staged.appending("buildbot.tac"), 0o640)
            let before = try #require(try Files.status(staged.appending("buildbot.tac")))
            let driver = try makeDriver(master: "/new/it's/master")
            var captured = CapturedComponent(name: "ci", driver: "buildbot", version: nil, roots: [])
            captured.roots = [.init(name: "master", path: "/old/master", kind: .directory)]
            let fixes = try await driver.afterRestore(
                StagedComponent(
                    captured: captured,
                    roots: [
                        .init(root: Root(name: "master", path: "/new/it's/master"), staged: staged, live: nil)
                    ], artifacts: nil, resumesWork: false, capturedHost: "ci"))
            let text = String(decoding: try Files.read(staged.appending("buildbot.tac")), as: UTF8.self)
            #expect(text.contains("basedir = '/new/it\\'s/master'\n"))
            #expect(text.contains("kept = '/old/master'"))
            #expect(fixes.map(\.subject) == ["master/buildbot.tac"])
            let after = try #require(try Files.status(staged.appending("buildbot.tac")))
            #expect(after.mode == before.mode && after.modified == before.modified)
        }
    }
}

func makeDriver(master: FilePath, _ more: [String: SettingValue] = [:]) throws -> BuildbotDriver {
    let settings = more.merging(["master": .text(master.string)]) { given, _ in given }
    return try BuildbotDriver(Component(name: "ci", driver: "buildbot", settings: settings))
}

private func makeMaster(_ path: FilePath, configuration: String = "", tac: String = "basedir = '.'\n") throws
{
    try Files.makeDirectories(path)
    let text = tac + "application = service.Application('buildmaster')\n"
    try Files.replace(path.appending("buildbot.tac"), with: Array(text.utf8))
    let www =
        "# c['www'] = {'port': 99}\nc['www'] = dict(port=\"tcp:8010:interface=127.0.0.1\", plugins={})\n"
    try Files.replace(path.appending("master.cfg"), with: Array("\(www)\(configuration)\n".utf8))
}

private func makeWorker(_ path: FilePath, name: String) throws {
    try Files.makeDirectories(path)
    let text = "application = service.Application('buildbot-worker')\nworkername = '\(name)'\n"
    try Files.replace(path.appending("buildbot.tac"), with: Array(text.utf8))
}
