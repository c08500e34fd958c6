import SystemPackage
import Testing

@testable import Configuration

/// What `change.yaml` may say, what it comes to, and what is refused with its place.
struct ChangeFileTests {
    private func file(_ text: String) throws -> ChangeFile {
        try ChangeFile.parse(text, path: "change.yaml")
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let change = ChangeFile(
            component: "ci", packages: ["git": "5.2", "a b": "1.0+x", "yes": "null"],
            removePackages: ["old", "#odd: name"], removeFiles: ["master/é 'x'.py"],
            removes: ["builder:nightly: two"])
        #expect(
            try file(change.text)
                == ChangeFile(
                    component: "ci", packages: change.packages,
                    removePackages: change.removePackages.sorted(),
                    removeFiles: change.removeFiles, removes: change.removes))
        #expect(try file(ChangeFile(component: nil).text) == ChangeFile(component: nil))
    }

    @Test func equalValuesAreEqualBytes() {
        let one = ChangeFile(component: "ci", packages: ["b": "1", "a": "2"], removePackages: ["y", "x"])
        let other = ChangeFile(component: "ci", packages: ["a": "2", "b": "1"], removePackages: ["x", "y"])
        #expect(one.text == other.text)
    }

    @Test(arguments: [
        ("packages: {git: 5.2}", "change.yaml:1:17: found 5.2, a number or truth value"),
        ("package: {}", "change.yaml:1:1: found the unknown key 'package' in the change"),
        ("removeFiles: [master.cfg]", "expected a file, ROOT/PATH"),
        ("removes: [nightly]", "expected what goes on purpose, KIND:NAME"),
        ("packages: {\"a\\e[2J\": \"1\"}", "expected the name of a package"),
        ("packages: [git]", "expected plugins or packages and their versions"),
        ("component: [ci]", "expected the name of a component"), ("- x", "expected the change, a mapping"),
    ])
    func whatIsWrongIsToldWithItsPlace(_ text: String, _ words: String) {
        do {
            _ = try file(text)
            Issue.record("\(text) was read")
        } catch {
            #expect("\(error)".contains(words), "\(error)")
        }
    }
}
