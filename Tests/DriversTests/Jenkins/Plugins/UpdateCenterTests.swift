import Cryptography
import FileTree
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// Files of update centres.
@Suite struct UpdateCenterTests {
    private static let text = """
        {"updateCenterVersion": 1, "id": "default", "signature": {"x": 1},
         "plugins": {"git": {"name": "git", "version": "5.5.2", "url": "https://u/git.hpi", "requiredCore": "2.440.3",
           "compatibleSinceVersion": "5.0", "sha256": "\(String(repeating: "A", count: 43))=", "size": 3,
           "dependencies": [{"name": "structs", "version": "1.0", "optional": false},
                            {"name": "mailer", "version": "2.0", "optional": true}]}},
         "warnings": [
           {"id": "SECURITY-1", "type": "plugin", "name": "git", "message": "m", "url": "u",
            "versions": [{"lastVersion": "5.0", "pattern": "[0-4][.].*"}, {"pattern": "("}]},
           {"id": "SECURITY-2", "type": "core", "name": "core", "message": "m"},
           {"id": "SECURITY-3", "type": "other", "name": "x", "message": "m"}],
         "deprecations": {"cvs": {"url": "https://why"}}}
        """

    @Test(arguments: [text, "updateCenter.post(\n\(text)\n);", " \n\(text)"])
    func isReadWithAndWithoutItsWrapper(_ text: String) throws {
        let catalog = try PluginCatalog(updateCenter: Array(text.utf8))
        let git = try #require(catalog.newest("git"))
        #expect(git.version == "5.5.2" && git.origin == "https://u/git.hpi" && git.digest == nil)
        #expect(git.expectedDigest == String(repeating: "0", count: 64))
        #expect(git.manifest.requiredCore == "2.440.3" && git.manifest.compatibleSince == "5.0")
        #expect(
            try git.manifest.dependencies() == [
                PluginDependency("structs", "1.0"), PluginDependency("mailer", "2.0", isOptional: true),
            ])
        // An expression that cannot be read counts for every version.
        #expect(catalog.warnings(about: "git", "9.9").map(\.id) == ["SECURITY-1"])
        #expect(catalog.warnings(about: nil, "2.462.3").map(\.id) == ["SECURITY-2"])
        #expect(catalog.deprecations == ["cvs": "https://why"])
    }

    @Test(arguments: [
        "", "updateCenter.post(", "x({})", "[]", #"{"updateCenterVersion":2,"plugins":{}}"#,
        #"{"plugins":{}}"#,
        #"{"updateCenterVersion":1,"plugins":{"a":{"version":"1","sha256":"?"}}}"#,
    ])
    func whatIsNoneIsAnError(_ text: String) {
        #expect(throws: PluginCatalog.Unreadable.self) {
            try PluginCatalog(updateCenter: Array(text.utf8))
        }
    }

    @Test func everyPublishedVersionIsKnown() throws {
        let text = #"{"plugins":{"git":{"5.2.1":{"requiredCore":"2.400"},"5.10":{},"5.5.2":{}}}}"#
        let catalog = try PluginCatalog(pluginVersions: Array(text.utf8))
        #expect(catalog.release("git", "5.2.1")?.manifest.requiredCore == "2.400")
        #expect(catalog.newest("git")?.version == "5.10")
        #expect(catalog.newest("svn") == nil)
    }
}
