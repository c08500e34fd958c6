import FileTree
import FoundationEssentials
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

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
        try Files.makeDirectory(outside, mode: 0o700)
        let unreadable = try #require(try findings(outside).refusals.first)
        #expect(unreadable.reason.hasPrefix("\(outside), which is Jenkins' master key (masterKey), is no"))
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

    /// A link is captured, and not the key that it leads to.
    @Test(arguments: ["secrets", "secrets/master.key", "secrets/hudson.util.Secret"])
    func aKeyBehindALinkIsToldAtTheSnapshot(_ path: String) async throws {
        let driver = try JenkinsDriver(
            Component(name: "jenkins", driver: "jenkins", settings: ["home": .text(home.string)]))
        let whole = try await driver.freeze(scratch: directory.path, cache: directory.path)
        #expect(whole.notes.isEmpty && whole.obstacles.isEmpty, "\(whole.notes)")
        let kept = directory.appending("kept")
        let place = home.pushing(FilePath(path))
        try Files.rename(place, to: kept)
        try Files.makeLink(place, to: kept.byteArray)
        let frozen = try await driver.freeze(scratch: directory.path, cache: directory.path)
        #expect(frozen.notes.contains { $0.hasPrefix("\(path) is a link, and what it leads to") })
        // As the snapshot will be: the restore refuses it.
        #expect(frozen.obstacles.contains { $0.contains(" is not in the snapshot, and ") })
    }

    /// What counts is where the file stands, however it is spelled.
    @Test func aMasterKeyThatIsALinkInTheHomeIsNotCaptured() async throws {
        let outside = directory.appending("outside.key")
        try Files.rename(home.appending("secrets/master.key"), to: outside)
        let link = home.appending("master.link")
        try Files.makeLink(link, to: outside.byteArray)
        let alias = directory.appending("alias")
        try Files.makeLink(alias, to: home.byteArray)
        func notes(_ key: FilePath) async throws -> [String] {
            let driver = try JenkinsDriver(
                Component(
                    name: "jenkins", driver: "jenkins",
                    settings: ["home": .text(home.string), "masterKey": .text(key.string)]))
            return try await driver.freeze(scratch: directory.path, cache: directory.path).notes
        }
        let told = try await notes(link)
        #expect(told.contains { $0.hasPrefix("the master key, \(link), is not captured") }, "\(told)")
        try Files.rename(outside, to: home.appending("inside.key"))
        #expect(try await notes(alias.appending("inside.key")).isEmpty)
    }
}
