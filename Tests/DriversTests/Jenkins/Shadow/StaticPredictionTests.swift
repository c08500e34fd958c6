import FileTree
import Judge
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// What a canary is told before anything boots.
@Suite struct StaticPredictionTests {
    private let directory: ScratchDirectory
    private let home: FilePath

    init() throws {
        directory = try ScratchDirectory()
        home = directory.appending("home")
        var builder = JenkinsHomeBuilder(home)
        (builder.jobs, builder.builds) = (1, 1)
        try builder.make()
    }

    private func predict(core: String = "2.462.3", java: Int? = nil) throws -> StaticPrediction {
        try StaticPrediction(try HomeReading(home: home), home: home, core: JenkinsCore(core), java: java)
    }

    private func seen(_ prediction: StaticPrediction) -> Set<String> {
        Set(prediction.check.observations.map { "\($0.kind) \($0.object)" })
    }

    @Test func complaintsAreToldInTheWordsOfACanary() throws {
        let prediction = try predict()
        #expect(
            seen(prediction) == [
                "plugin-failed plugin ace-editor", "plugin-ignored plugin plugin-0",
                "unreadable-data plugin git",
                "unreadable-data plugin workflow-job", "unreadable-xml file jobs/broken/config.xml",
            ])
    }

    @Test func onlyWhatAChangeBringsIsNew() throws {
        let before = Set(try predict().check.observations)
        #expect(Set(try predict().check.observations) == before)
        let after = Set(try predict(core: "2.300").check.observations)
        #expect(
            Set(after.subtracting(before).map(\.detail))
                == Set([0, 2, 3, 4, 5].map { "plugin-\($0) needs Jenkins 2.426.3 or newer" }))
    }

    @Test func aRealmWhosePluginFailsKeepsJenkinsFromStarting() throws {
        let text =
            "<hudson><securityRealm class=\"hudson.security.LDAPSecurityRealm\" plugin=\"ldap@1\"/>"
            + "<authorizationStrategy class=\"x\" plugin=\"plugin-0@1.0\"/></hudson>"
        try Files.replace(home.appending("config.xml"), with: Array(text.utf8))
        let complaints = try predict().check.observations.filter { $0.kind == "configuration" }
        #expect(
            complaints.map(\.detail) == [
                "Jenkins does not start: securityRealm is hudson.security.LDAPSecurityRealm, and plugin ldap does not load"
            ])
    }

    @Test func classesForANewerJavaAndTornJarsAreTold() throws {
        let inner = directory.appending("a.jar")
        try writeZip(inner, [("A.class", [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 65])])
        let manifest = "Short-Name: new\nPlugin-Version: 1\nJenkins-Version: 2.400\n"
        try writeZip(
            home.appending("plugins/new.jpi"),
            [
                (PluginManifest.path, Array(manifest.utf8)),
                ("WEB-INF/lib/a.jar", try Files.read(inner)),
            ])
        let old = seen(try predict(java: 17))
        #expect(old.contains("class-files plugin new"))
        // What the builder puts into its archives is no jar.
        #expect(old.contains("unreadable-jar plugin plugin-0"))
        #expect(!seen(try predict(java: 21)).contains("class-files plugin new"))
    }
}
