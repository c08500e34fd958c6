import Drivers
import SnapshotModel
import Testing

@testable import Canary

/// What is told of a proposed change.
@Suite struct ChangedInventoryTests {
    /// A home with one job.
    private struct Home: FileSource {
        var job: String

        func names(root: String, directory: EntryPath) throws -> [(name: [UInt8], isDirectory: Bool)] { [] }
        func contents(root: String, path: EntryPath) throws -> [UInt8]? {
            path == EntryPath("jobs/ship/config.xml") ? Array(job.utf8) : nil
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
}
