import Drivers
import SnapshotModel
import Testing

@testable import Canary

/// What is told of a proposed change.
@Suite struct ChangedInventoryTests {
    /// A home with one file, which is that of a job.
    private struct Home: FileSource {
        var file = "jobs/ship/config.xml"
        var job: String

        func names(root: String, directory: EntryPath) throws -> [(name: [UInt8], isDirectory: Bool)] { [] }
        func contents(root: String, path: EntryPath) throws -> [UInt8]? {
            path == EntryPath(file) ? Array(job.utf8) : nil
        }
        func lock(_ name: String) throws -> [UInt8]? { nil }
    }

    private static func job(_ command: String) -> String {
        "<project><builders><hudson.tasks.Shell><command>\(command)</command></hudson.tasks.Shell></builders></project>"
    }

    private func told(
        _ before: String, _ after: String, rules: [Classification.Rule] = []
    ) throws -> [Change] {
        let driver = try JenkinsDriver(
            Component(name: "ci", driver: "jenkins", settings: ["home": .text("/h")]))
        var contents = ChangeContents(component: "ci")
        try contents.set(
            root: "home", path: "jobs/ship/config.xml", contents: Array(Self.job(after).utf8))
        return try ChangedInventory(contents, in: Home(job: Self.job(before)), driver, rules: rules).changes
    }

    @Test func whatIsSealedIsNotShown() throws {
        let open = try told("make", "make ship")
        #expect(open.map(\.name) == ["ship"] && "\(open)".contains("make ship"), "\(open)")
        let leak = "mysql -phunter22"
        for changes in [
            try told("make", leak), try told(leak, "make"),
            try told("make", "make ship", rules: [.init("jobs/*/config.xml", .secret)]),
        ] {
            #expect(changes.map(\.name) == ["ship"])
            #expect(changes.first?.detail.contains("sealed") == true, "\(changes)")
            #expect(changes.first?.parts?.isEmpty == false)
            #expect(!"\(changes)".contains("hunter") && !"\(changes)".contains("make"), "\(changes)")
        }
    }

    /// A file that belongs to no item, such as a master.cfg, is told as `diff` tells it.
    @Test func ofATextTheLinesAreShown() throws {
        let driver = try BuildbotDriver(
            Component(name: "ci", driver: "buildbot", settings: ["master": .text("/h")]))
        func told(_ before: String, _ after: String, rules: [Classification.Rule] = []) throws -> [Change] {
            var contents = ChangeContents(component: "ci")
            try contents.set(root: "master", path: "master.cfg", contents: Array(after.utf8))
            return try ChangedInventory(
                contents, in: Home(file: "master.cfg", job: before), driver, rules: rules
            ).changes
        }
        let before = "c = BuildmasterConfig = {}\nc['title'] = 'one'\n"
        let after = "c = BuildmasterConfig = {}\nc['title'] = 'two'\n"
        let open = try told(before, after)
        #expect(open.map(\.name) == ["master/master.cfg"], "\(open)")
        #expect(
            open.first?.parts?.map(\.lines) == [
                [" c = BuildmasterConfig = {}", "-c['title'] = 'one'", "+c['title'] = 'two'"]
            ], "\(open)")
        for changes in [
            try told(before, after + "password = 'hunter2-and-more'\n"),
            try told(before, after, rules: [.init("master.cfg", .secret)]),
        ] {
            #expect(changes.map(\.name) == ["master/master.cfg"] && changes.first?.parts == nil, "\(changes)")
        }
    }
}
