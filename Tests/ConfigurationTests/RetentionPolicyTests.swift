import FileTree
import SnapshotModel
import SystemPackage
import Testing

@testable import Configuration

@Suite struct RetentionPolicyTests {
    @Test func theShippedFileIsTheBuiltInPolicy() throws {
        let text = try SystemFile.readText(policies.appending("retention.yaml"))
        #expect(text == RetentionPolicy.builtInText)
        #expect(try RetentionPolicy.parse(text, path: "p") == RetentionPolicy.builtIn)
    }

    @Test func aFileWithoutRulesKeepsEverything() throws {
        for text in ["", "# nothing\n", "{}", "keep: {}", "safety: 1d"] {
            #expect(try RetentionPolicy.parse(text, path: "p").isEmpty, "\(text)")
        }
    }

    @Test(
        arguments: [
            ("keep: {dayly: 3}", "p:1:8: found the unknown key 'dayly' in 'keep'"),
            ("kep: {daily: 3}", "p:1:1: found the unknown key 'kep' in the retention policy"),
            ("keep: {daily: 0}", "p:1:15: found '0', expected a number without quotes, from 1 to 99999"),
            ("keep: {daily: -1}", "p:1:15: found '-1', expected a number"),
            ("keep: {daily: many}", "p:1:15: found 'many', expected a number"),
            ("keep: {daily: \"7\"}", "p:1:15: found '7', expected a number without quotes"),
            ("keep: 7", "p:1:7: found '7', expected 'keep', a mapping"),
            ("minimumAge: 2", "p:1:13: found 2, a number or truth value, expected a time"),
            ("tags: keep", "p:1:7: found 'keep', expected a list of tags"),
            ("tags: [Keep it]", "p:1:8: found 'Keep it', expected a tag"),
        ])
    func aMistakeIsToldAtItsPlace(_ text: String, _ expected: String) throws {
        let failure = #expect(throws: SystemFileFailure.self) {
            try RetentionPolicy.parse(text, path: "p")
        }
        #expect(failure?.problems.count == 1)
        #expect(failure?.description.hasPrefix(expected) == true, "\(String(describing: failure))")
    }

    @Test func aNearMissIsSuggested() throws {
        let failure = #expect(throws: SystemFileFailure.self) {
            try RetentionPolicy.parse("keep: {weakly: 3}", path: "p")
        }
        #expect(failure?.description.contains("did you mean 'weekly'?") == true)
    }

    @Test func theSchemaHasTheKeysOfTheType() throws {
        let text = try SystemFile.readText(policies.appending("retention.schema.json"))
        let schema = try #require(try Document.read(text))
        #expect(
            schema["properties"]?.entries.map(\.key).sorted()
                == RetentionPolicy.Key.allCases.map(\.rawValue).sorted())
        #expect(
            schema["properties"]?["keep"]?["properties"]?.entries.map(\.key).sorted()
                == RetentionPolicy.Count.allCases.map(\.rawValue).sorted())
    }
}
