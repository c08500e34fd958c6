import Testing

@testable import Drivers

/// Manifests as `java.util.jar.Manifest` of Java 17 read them.
@Suite struct PluginManifestTests {
    private func read(_ text: String) -> PluginManifest { PluginManifest(Array(text.utf8)) }

    @Test func valuesAreReadInAnyCaseAndKeepTheirBlanks() {
        let manifest = read("short-name: a\nPlugin-Version: 1.2 \nJenkins-Version:  b\n")
        #expect(manifest.shortName == "a")
        #expect(manifest.version == "1.2 ")
        #expect(manifest.requiredCore == " b")
        #expect(manifest.fault == nil)
    }

    @Test func aLineThatBeginsWithASpaceGoesOnWithTheOneBefore() {
        let manifest = read("Short-Name: a\n b\n c\n \n\nName: x\nShort-Name: z\n")
        #expect(manifest.shortName == "abc")
        #expect(manifest.fault == nil)
    }

    @Test func linesEndInAnyOfThreeWays() {
        #expect(read("Short-Name: a\rPlugin-Version: 2\r").version == "2")
        #expect(read("Short-Name: a\r\nPlugin-Version: 2\r\n").version == "2")
    }

    @Test func aLastLineWithoutAnEndIsNone() {
        let manifest = read("Short-Name: a\nPlugin-Version: 1")
        #expect(manifest.shortName == "a")
        #expect(manifest.version == "???")
        // It takes the value with it that it would go on with.
        let lost = read("Short-Name: a\nPlugin-Version: 1\n 2")
        #expect(lost.shortName == "a" && lost.version == "???" && lost.fault == nil)
    }

    @Test func theLastOfSeveralValuesCounts() {
        #expect(read("Short-Name: a\nShort-Name: b\n").shortName == "b")
    }

    @Test(arguments: [
        "\nShort-Name: a\n", "Short-Name:a\n", "Short-Name a\n", " x\nShort-Name: a\n", "Sh ort: a\n",
        "é: a\n", "Short-Name: a\n\nbroken section\n", "Short-Name: a\n\nName: x\nbroken\n",
        "Short-Name: a\n\nNoname: x\n", "Short-Name: \(String(repeating: "x", count: 600))\n",
    ])
    func whatJavaRefusesIsAFault(_ text: String) {
        #expect(read(text).fault != nil)
    }

    @Test func namesVersionsAndCoresHaveFallbacks() {
        #expect(read("Extension-Name: e\n").shortName == "e")
        #expect(read("Implementation-Version: 4.5\n").version == "4.5")
        #expect(read("Hudson-Version: 1.500\n").requiredCore == "1.500")
        #expect(read("Manifest-Version: 1.0\n").version == "???")
    }

    @Test func dependenciesAreNotTrimmed() throws {
        let dependencies = try read("Plugin-Dependencies: a:1.0, b:2.0;resolution:=OPTIONAL,c:3;x:=y,\n")
            .dependencies()
        #expect(
            dependencies == [
                PluginDependency("a", "1.0"), PluginDependency(" b", "2.0", isOptional: true),
                PluginDependency("c", "3;x:=y"),
            ])
    }

    @Test(arguments: ["lib1", "a:1,,b:2", ""])
    func aPartWithoutAColonIsMalformed(_ text: String) {
        #expect(throws: PluginDependency.Malformed.self) {
            try read("Plugin-Dependencies: \(text)\n").dependencies()
        }
    }

    @Test func commasAloneAreNoDependencies() throws {
        #expect(try read("Plugin-Dependencies: ,,\n").dependencies() == [])
    }
}
