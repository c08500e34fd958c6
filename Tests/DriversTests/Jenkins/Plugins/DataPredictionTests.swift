import Archive
import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// Settings that a change of plugins would lose.
@Suite struct DataPredictionTests {
    private let directory: ScratchDirectory

    init() throws {
        directory = try ScratchDirectory()
    }

    @Test func settingsOfMissingAndOlderPluginsAreFound() throws {
        let home = directory.appending("home")
        try JenkinsHomeBuilder(home).make()
        let all = DataPrediction(
            try HomeReading(home: home), loaded: ["git": "5.2.1", "workflow-job": "1400"])
        #expect(all.losses.isEmpty)
        #expect(all.unreadable.keys.map(\.description) == ["jobs/broken/config.xml"])
        let some = DataPrediction(try HomeReading(home: home), loaded: ["git": "5.1"])
        #expect(some.losses.map(\.plugin) == ["git", "workflow-job"])
        #expect(some.losses.map(\.kind) == [.older, .missing])
        #expect(some.losses[0].version == "5.2.1" && some.losses[0].predicted == "5.1")
        #expect(some.losses[0].files[EntryPath("jobs/job-0/config.xml")] == ["hudson.plugins.git.GitSCM"])
        // Nested in folders and in a multibranch project.
        #expect(some.losses[1].files[EntryPath("jobs/team/jobs/deploy/config.xml")] == ["flow-definition"])
        #expect(some.losses[1].files[EntryPath("jobs/service/branches/feature-x.abc123/config.xml")] != nil)
        #expect(some.description.contains("workflow-job 1400 wrote settings, and will not be there"))
    }

    @Test func classesAreNamedAsInJavaAndTheNewestWriterCounts() throws {
        let home = directory.appending("home")
        try Files.makeDirectories(home.appending("users/a_1"))
        try Files.makeDirectories(home.appending("userContent"))
        try Files.replace(
            home.appending("users/a_1/config.xml"),
            with: Array(
                "<user><x.Y_-Z__a plugin='p@1.2'/><q class='c.D' plugin='p@1.10'/><r plugin='p'/><r plugin='a@b@c'/></user>"
                    .utf8))
        try Files.replace(
            home.appending("userContent/x.xml"), with: Array("<a plugin='other@1'/>".utf8))
        let losses = DataPrediction(try HomeReading(home: home), loaded: [:]).losses
        #expect(losses.map(\.plugin) == ["p"])
        #expect(losses.first?.version == "1.10")
        #expect(losses.first?.files == [EntryPath("users/a_1/config.xml"): ["x.Y$Z_a", "c.D"]])
    }

    // MARK: - Java

    private func zip(_ name: String, _ entries: [(String, [UInt8])]) throws -> FilePath {
        let path = directory.appending(name)
        try writeZip(path, entries)
        return path
    }

    private func classFile(_ major: UInt8) -> [UInt8] { [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, major, 0, 1] }

    @Test func theHighestClassOfAPluginIsFound() throws {
        let jar = try Files.read(
            try zip(
                "a.jar",
                [
                    ("a/A.class", classFile(52)), ("a/B.class", classFile(61)),
                    ("META-INF/versions/21/a/A.class", classFile(65)), ("module-info.class", classFile(67)),
                    ("short.class", [0xca]), ("not.class", Array("text that is no class".utf8)),
                ]))
        let plugin = try zip(
            "p.jpi",
            [
                ("WEB-INF/lib/a.jar", jar), ("WEB-INF/lib/torn.jar", [1]),
                ("WEB-INF/classes/C.class", classFile(55)),
            ])
        let level = try ClassFileLevel(archive: plugin)
        #expect(level.java == 17)
        #expect(level.place == "WEB-INF/lib/a.jar!/a/B.class")
        #expect(level.unreadable.count == 1 && level.unreadable[0].hasPrefix("WEB-INF/lib/torn.jar"))
    }

    @Test func aPluginWithoutClassesNeedsNoJava() throws {
        let level = try ClassFileLevel(archive: try zip("p.jpi", [("index.jelly", [])]))
        #expect(level.java == nil && level.unreadable.isEmpty)
        #expect(throws: ArchiveError.self) { try ClassFileLevel(archive: directory.appending("none.jpi")) }
    }
}
