import Archive
import FileTree
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// Wars and directories of plugins as files.
@Suite struct JenkinsCoreTests {
    private let directory: ScratchDirectory

    init() throws {
        directory = try ScratchDirectory()
    }

    private func zip(_ name: String, _ entries: [(String, [UInt8])]) throws -> FilePath {
        let path = directory.appending(name)
        try writeZip(path, entries)
        return path
    }

    private func manifest(_ lines: String...) -> (String, [UInt8]) {
        (PluginManifest.path, Array(lines.map { $0 + "\r\n" }.joined().utf8))
    }

    private func war(_ more: [(String, [UInt8])] = []) throws -> FilePath {
        let jar = try zip(
            "core.jar",
            [
                ("jenkins/split-plugins.txt", Array("# c\nant 1.430 1.0\n\njaxb 2.163 2.3.0\n".utf8)),
                ("jenkins/split-plugin-cycles.txt", Array("ant jaxb\n".utf8)),
            ])
        let jaxb = try zip("jaxb", [manifest("Short-Name: jaxb", "Plugin-Version: 2.3.9")])
        return try zip(
            "jenkins.war",
            [
                manifest("Jenkins-Version: 2.462.3"),
                ("WEB-INF/lib/jenkins-core-2.462.3.jar", try Files.read(jar)),
                ("WEB-INF/lib/cli-2.462.3.jar", [1, 2]),
                ("WEB-INF/detached-plugins/jaxb.hpi", try Files.read(jaxb)),
                ("WEB-INF/detached-plugins/torn.hpi", [0x50, 0x4b, 3, 4]),
            ] + more)
    }

    @Test func aWarSaysWhatWasSplitOffAndWhatItBrings() throws {
        let core = try JenkinsCore(war: try war())
        #expect(core.version == "2.462.3")
        #expect(core.detached.rows.map(\.id) == ["ant", "jaxb"])
        #expect(core.detached.implied(for: "ant", builtFor: nil).isEmpty)
        #expect(core.spare.map(\.id) == ["jaxb", "torn"])
        #expect(core.spare.map(\.version) == ["2.3.9", "???"])
        #expect(core.spare.last?.fault != nil)
        #expect(core.bundled.isEmpty)
    }

    @Test func whatIsNoWarOfJenkinsIsRefused() throws {
        let other = try zip("other.war", [manifest("Implementation-Version: 1")])
        #expect(throws: JenkinsCore.NotJenkins.self) { try JenkinsCore(war: other) }
        let nameless = try zip("nameless.war", [("a", [])])
        #expect(throws: JenkinsCore.NotJenkins.self) { try JenkinsCore(war: nameless) }
        try Files.replace(directory.appending("no.war"), with: Array("PK".utf8))
        #expect(throws: ArchiveError.self) { try JenkinsCore(war: directory.appending("no.war")) }
    }

    @Test func aTableThatIsNoneIsAnError() {
        #expect(throws: DetachedPlugins.Malformed(line: "ant 1.430")) {
            try DetachedPlugins(table: "ant 1.430\n", exceptions: "")
        }
    }

    @Test func theFilesOfAHomeAreReadWithTheirFaults() throws {
        let builder = JenkinsHomeBuilder(directory.appending("home"))
        try builder.make()
        let plugins = directory.appending("home/plugins")
        try Files.replace(plugins.appending("torn.jpi"), with: [0x50, 0x4b])
        try Files.replace(plugins.appending("dev.hpl"), with: Array("/home/dev/target/classes/manifest".utf8))
        try Files.makeDirectories(plugins.appending("open.jpi/META-INF"))
        try Files.replace(
            plugins.appending("open.jpi/META-INF/MANIFEST.MF"), with: Array("Short-Name: open\n".utf8))
        let files = try PluginFile.files(in: plugins)
        let byName = Dictionary(uniqueKeysWithValues: files.map { ($0.name, $0) })
        #expect(byName["plugin-0.jpi"]?.version == "1.0")
        #expect(byName["plugin-0.hpi"]?.version == "0.9")
        #expect(byName["plugin-1.jpi"]?.isDisabled == true)
        #expect(byName["plugin-2.jpi"]?.isDisabled == false)
        #expect(byName["open.jpi"]?.id == "open")
        for name in ["torn.jpi", "dev.hpl", "ace-editor.jpi"] {
            #expect(byName[name]?.fault != nil, "\(name)")
        }
        let prediction = LoadPrediction(files, core: JenkinsCore("2.462.3"), lastCore: "2.462.3")
        #expect(prediction.outcome(of: "plugin-0") == .loads)
        #expect(prediction.loaded["plugin-0"] == "1.0")
        #expect(prediction.outcome(of: "plugin-1") == .disabled)
        #expect(prediction.loaded.count == 6, "five of the six, and the open one")
        #expect(try PluginFile.files(in: directory.appending("nothing")).isEmpty)
    }
}
