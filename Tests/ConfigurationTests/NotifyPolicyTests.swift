import FileTree
import SystemPackage
import Testing

@testable import Configuration

@Suite struct NotifyPolicyTests {
    @Test func theShippedFileIsTheBuiltInPolicy() throws {
        let text = try SystemFile.readText(policies.appending("notify.yaml"))
        #expect(text == NotifyPolicy.builtInText)
        #expect(try NotifyPolicy.parse(text, path: "p") == NotifyPolicy())
        #expect(try NotifyPolicy.parse("", path: "p") == NotifyPolicy())
    }

    @Test func theExamplesInTheShippedFileAreTaken() throws {
        let examples = NotifyPolicy.builtInText.split(separator: "\n").filter { $0.hasPrefix("#   ") }
            .map { $0.dropFirst(4) }.joined(separator: "\n")
        let policy = try NotifyPolicy.parse(examples, path: "p")
        #expect(policy.maxCompleteAge == 26 * 3600 && policy.maxProvenAge == 35 * 86400)
        #expect(policy.maxPushedAge == 180_000)
        #expect(policy.drillEvery == 7 * 86400 && policy.identityFile == "/etc/understudy/recovery.key")
        #expect(policy.targetRPO == 26 * 3600 && policy.targetRTO == 3600)
        #expect(policy.webhook?.urlFile == "/etc/understudy/webhook" && policy.webhook?.when == .problems)
        #expect(policy.mail?.to == ["ops@example.org"])
        #expect(policy.textfile == "/var/lib/prometheus/node-exporter/understudy.prom")
    }

    @Test(
        arguments: [
            ("maxage: {}", "p:1:1: found the unknown key 'maxage'"),
            ("maxAge: {complete: 26}", "p:1:20: found 26, a number or truth value, expected a time"),
            ("shrink: {items: 0}", "p:1:17: found '0', expected a number without quotes, from 1 to 100"),
            ("drillEvery: weekly", "p:1:13: found 'weekly', expected a time such as 90s"),
            (
                "identityFile: key",
                "p:1:15: found 'key', expected the path of a file that holds the recovery key"
            ),
            (
                "identityFile: age-secret-key-1geheim",
                "p:1:15: found a secret key, expected the path of a file that holds the recovery key"
            ),
            (
                "identityFile:AGE-SECRET-KEY-1geheim",
                "p:1:1: found '…', expected the notification policy"
            ),
            ("targets: {rot: 1h}", "p:1:11: found the unknown key 'rot'"),
            ("webhook: {}", "p:1:10: found neither of 'url' and 'urlFile'"),
            ("webhook: {url: 'ftp://geheim'}", "p:1:16: found no address, expected an address"),
            (
                "webhook: {url: 'https://x', template: '{{sumary}}'}",
                "p:1:39: found the unknown place 'sumary'"
            ),
            ("mail: {to: []}", "p:1:12: found a list, expected at least one mail address"),
            ("mail: {to: ['-oQ/tmp@x']}", "p:1:13: found '-oQ/tmp@x', expected a mail address"),
            ("textfile: u.prom", "p:1:11: found 'u.prom', expected the path of a file that ends in .prom"),
            ("mail: {to: [a@x], when: never}", "p:1:25: found the unknown word 'never'"),
        ])
    func aMistakeIsToldAtItsPlace(_ text: String, _ expected: String) throws {
        let failure = #expect(throws: SystemFileFailure.self) { try NotifyPolicy.parse(text, path: "p") }
        #expect(failure?.description.hasPrefix(expected) == true, "\(String(describing: failure))")
        #expect(failure?.description.contains("geheim") == false)
    }

    @Test func theSchemaHasTheKeysOfTheType() throws {
        let text = try SystemFile.readText(policies.appending("notify.schema.json"))
        let schema = try #require(try Document.read(text))
        func keys(_ path: String...) -> [String]? {
            path.reduce(schema["properties"]) { $0?[$1]?["properties"] }?.entries.map(\.key).sorted()
        }
        #expect(keys() == NotifyPolicy.Key.allCases.map(\.rawValue).sorted())
        #expect(keys("maxAge") == NotifyPolicy.AgeKey.allCases.map(\.rawValue).sorted())
        #expect(keys("shrink") == NotifyPolicy.ShrinkKey.allCases.map(\.rawValue).sorted())
        #expect(keys("targets") == NotifyPolicy.TargetKey.allCases.map(\.rawValue).sorted())
        #expect(keys("webhook") == NotifyPolicy.WebhookKey.allCases.map(\.rawValue).sorted())
        #expect(keys("mail") == NotifyPolicy.MailKey.allCases.map(\.rawValue).sorted())
    }
}
