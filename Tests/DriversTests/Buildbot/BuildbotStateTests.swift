import FileTree
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// Where a master keeps its state, and what is asked of one that does not answer yet.
@Suite struct BuildbotStateTests {
    private let directory: ScratchDirectory
    private let master: FilePath

    init() throws {
        directory = try ScratchDirectory()
        master = directory.appending("master")
    }

    private func make(_ configuration: String, in place: FilePath) throws {
        try Files.makeDirectories(place)
        try Files.replace(
            place.appending("buildbot.tac"),
            with: Array("basedir = '.'\napplication = service.Application('buildmaster')\n".utf8))
        try Files.replace(place.appending("master.cfg"), with: Array("\(configuration)\n".utf8))
        for name in ["state.sqlite", "bot.sqlite"] { try Files.replace(place.appending(name), with: []) }
    }

    /// Elsewhere is staged what the configuration names by its place in production.
    @Test func anAbsolutePathIsHeldAgainstThePlaceInProduction() throws {
        let staged = directory.appending("staged")
        try make("c['db'] = {'db_url': 'sqlite:///\(master)/./bot.sqlite'}", in: staged)
        let driver = try makeDriver(master: master)
        let here = driver.relocated(to: ["master": staged])
        #expect(try here.databaseFile() == "bot.sqlite")
        #expect(
            here.classification(of: "master").entryClass(of: EntryPath("bot.sqlite"), isDirectory: false)
                == .database)
        let moved = try makeDriver(master: "/srv/new").relocated(to: ["master": staged])
        #expect(try moved.databaseFile() == nil)
        #expect(try moved.databaseFile(capturedAt: master.string) == "bot.sqlite")
        try make("c['db'] = {'db_url': 'sqlite:////elsewhere/bot.sqlite'}", in: staged)
        #expect(try here.databaseFile() == nil)
    }

    @Test func theStateOfAShadowIsFoundByTheSamePath() throws {
        let staged = directory.appending("staged")
        try make("c['db_url'] = 'sqlite:///\(master)/bot.sqlite'", in: staged)
        let shadow = BuildbotShadow(driver: try makeDriver(master: master))
        let root = StagedComponent.StagedRoot(
            root: Root(name: "master", path: master.string), staged: staged, live: nil)
        #expect(try shadow.database(root) == "bot.sqlite")
        let text = ShadowConfiguration.text(
            original: "master.cfg", state: "bot.sqlite", place: "/run/shadow", database: nil)
        let file = staged.appending(ShadowConfiguration.name)
        try Files.replace(file, with: Array(text.utf8))
        #expect(try shadow.stateFile(root) == "bot.sqlite")
        try Files.remove(staged.appending("bot.sqlite"))
        #expect(try shadow.stateFile(root) == nil)

        // What has run there may have put a link in its place.
        try Files.rename(file, to: directory.appending("elsewhere"))
        try Files.makeLink(file, to: directory.appending("elsewhere").byteArray)
        #expect(throws: DriverFailure.self) { try shadow.stateFile(root) }
    }

    @Test func whatAPythonSaysWhenItStartsIsNoRow() throws {
        let noise = "Error processing line 1 of /srv/env/lib/x.pth:\n\n  Traceback\n"
        #expect(try BuildbotShadow.rows(in: noise + "\u{1}\n058\n") == [["058"]])
        #expect(try BuildbotShadow.rows(in: "\u{1}\na\u{1f}2\nb\u{1f}\n") == [["a", "2"], ["b", ""]])
        #expect(try BuildbotShadow.rows(in: noise + "\u{1}\n").isEmpty)
        #expect(throws: DriverFailure.self) { try BuildbotShadow.rows(in: noise) }
    }

    @Test func aFileIsNoStateWhereAComponentIsNamedForIt() throws {
        try make("c['db'] = {'db_url': os.environ['DB']}", in: master)
        #expect(try makeDriver(master: master).databaseFile() == "state.sqlite")
        #expect(
            try makeDriver(master: master, ["database": .text("postgres")]).databaseFile() == nil)
    }

    /// Production's program with what it imports of Buildbot put in its place.
    private static let harness = """
        import sys
        from unittest.mock import MagicMock
        for name in ('buildbot', 'buildbot.plugins', 'buildbot.schedulers', 'buildbot.schedulers.forcesched',
                     'buildbot.schedulers.triggerable', 'buildbot.secrets', 'buildbot.secrets.providers',
                     'buildbot.secrets.providers.base', 'buildbot.util', 'buildbot.util.service',
                     'twisted', 'twisted.internet', 'twisted.python'):
            sys.modules[name] = MagicMock()
        sys.modules['buildbot.secrets.providers.base'].SecretProviderBase = object
        sys.modules['buildbot.util.service'].BuildbotService = object
        names = {'basedir': sys.argv[1]}
        exec(open(sys.argv[1] + '/shadow.cfg').read(), names)
        print(names['c'].get('db'), names['c'].get('db_url'))
        """

    @Test(arguments: [
        ("{'db_url': 'sqlite:///bot.sqlite'}", "{'db_url': 'sqlite:///bot.sqlite'} None\n"),
        ("{'db': {'db_url': 'sqlite:///bot.sqlite'}}", "{'db_url': 'sqlite:///bot.sqlite'} None\n"),
        ("{'db_url': 'mysql://h/d'}", "{'db_url': 'sqlite:///understudy-shadow.sqlite'} None\n"),
        ("{}", "None None\n"),
    ]) func aShadowRunsOnProductionsState(_ configuration: String, _ printed: String) async throws {
        try make("BuildmasterConfig = \(configuration)", in: master)
        let text = ShadowConfiguration.text(
            original: "master.cfg", state: "bot.sqlite", place: master.string, database: nil)
        try Files.replace(master.appending(ShadowConfiguration.name), with: Array(text.utf8))
        let outcome = try await Program("/usr/bin/python3", ["-c", Self.harness, master.string]).run()
        #expect(outcome.output == printed, "\(outcome.errorOutput)")
    }
}
