import Configuration
import Drivers
import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing
import YAML

/// The settings that only some drivers have.
@Suite struct DriverSettingTests {
    private func problems(_ settings: String) -> String {
        let text = "system: s\nstore: /s.git\ncomponents: {db: {driver: postgresql, \(settings)}}\n"
        do throws(SystemFileFailure) {
            _ = try SystemFile.parse(text, path: "u.yaml", directory: "/srv", kinds: driverKinds)
            return ""
        } catch {
            return error.description
        }
    }

    @Test func anAddressOfADatabaseHasNoPassword() {
        #expect(problems("url: 'postgresql://ci@db:5433/x?sslmode=require', databases: [a, b]") == "")
        #expect(problems("url: 'http://x/y'").contains("expected for 'url' the address of a database"))
        for url in ["postgresql://ci:geheim@db/x", "postgresql:///x?password=geheim"] {
            let words = problems("url: '\(url)'")
            #expect(words.contains("found a password in the address") && !words.contains("geheim"))
        }
    }

    @Test func aListOfTextsNamesEachOnce() {
        #expect(problems("url: 'postgresql:///x', databases: a").contains("a list of texts of one line"))
        #expect(problems("url: 'postgresql:///x', databases: [a, a]").contains("found 'a' twice"))
    }
}
