import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Configuration

@Suite struct SnapshotPolicyTests {
    @Test func theShippedFileIsTheBuiltInPolicy() throws {
        let text = try SystemFile.readText(policies.appending("snapshot.yaml"))
        #expect(text == SnapshotPolicy.builtInText)
        #expect(try policy(text) == SnapshotPolicy())
        #expect(try policy("") == SnapshotPolicy())
    }

    @Test func theExampleInTheShippedFileIsAPolicy() throws {
        let example = SnapshotPolicy.builtInText.split(separator: "\n").filter { $0.hasPrefix("#   ") }
            .map { $0.dropFirst(4) }.joined(separator: "\n")
        let rule = try #require(try policy(example).classify.first)
        #expect(rule.component == "jenkins")
        #expect(rule.entryClass == .derived)
    }

    @Test func rulesComeInOrderAndForTheirComponent() throws {
        let policy = try policy(
            """
            classify:
              - {component: a, path: "x/**", class: bulk}
              - {component: b, path: y, class: config, note: why}
              - {component: a, path: "*", class: state}
            skip: [bulk, source]
            warnAfter: 2d
            """)
        #expect(policy.rules(for: "a") == [.init("x/**", .bulk), .init("*", .state)])
        #expect(policy.classify[1].note == "why")
        #expect(policy.warnAfter == .seconds(172_800))
        #expect(EntryClass.allCases.filter { !policy.captures($0) } == [.bulk, .source, .derived])
    }

    @Test(
        arguments: [
            (
                "skip: [secret]",
                "p:1:8: found 'secret', without which nothing can be restored; expected plugin"
            ),
            ("skip: [derived]", "p:1:8: found 'derived', which is never captured"),
            ("skip: [bulk, bulk]", "p:1:14: found 'bulk' twice"),
            (
                "skip: [blk]",
                "p:1:8: found the unknown class 'blk', expected plugin, state, bulk or source; did you"
            ),
            ("skip: bulk", "p:1:7: found 'bulk', expected a list of classes"),
            (
                "warnAfter: 26",
                "p:1:12: found 26, a number or truth value, expected a time such as 90s, 90m, 26h or 2d"
            ),
            ("warnAfter: 0h", "p:1:12: found '0h', expected a time"),
            ("warnAfter: h", "p:1:12: found 'h', expected a time"),
            ("warnafter: 1h", "p:1:1: found the unknown key 'warnafter' in the snapshot policy"),
            (
                "classify: [{component: a, path: /x, class: bulk}]",
                "p:1:33: found '/x', expected a pattern of paths"
            ),
            ("classify: [{component: a, path: x, clas: bulk}]", "p:1:36: found the unknown key 'clas'"),
            (
                "classify: [{component: jenkin, path: x, class: bulk}]",
                "p:1:24: found the unknown component 'jenkin'"
            ),
            ("null", "p:1:1: found nothing, expected the snapshot policy"),
        ])
    func aMistakeIsToldAtItsPlace(_ text: String, _ expected: String) throws {
        let failure = #expect(throws: SystemFileFailure.self) {
            try SnapshotPolicy.parse(text, path: "p", components: ["a", "jenkins"])
        }
        #expect(failure?.problems.count == 1)
        #expect(failure?.description.hasPrefix(expected) == true, "\(String(describing: failure))")
    }

    @Test func theSystemFileNamesTheDirectory() throws {
        try withTemporaryDirectory { directory in
            let component = Component(name: "ci", driver: "tool", settings: [:])
            var system = SystemDescription(name: "s", store: "/s", components: [component])
            #expect(try SnapshotPolicy.read(for: system) == SnapshotPolicy())
            system.policies = directory
            #expect(try SnapshotPolicy.read(for: system) == SnapshotPolicy())
            try makeFile(directory.appending("snapshot.yaml"), "warnAfter: 90m\n")
            #expect(try SnapshotPolicy.read(for: system).warnAfter == .seconds(5400))
            try makeFile(
                directory.appending("snapshot.yaml"), "classify: [{component: c, path: x, class: bulk}]")
            #expect(throws: SystemFileFailure.self) { try SnapshotPolicy.read(for: system) }
            system.policies = directory.appending("gone")
            let failure = #expect(throws: SystemFileFailure.self) { try SnapshotPolicy.read(for: system) }
            #expect(failure?.description.hasSuffix("the policies: No such file or directory") == true)
        }
    }
}

@Suite struct SnapshotPolicySchemaTests {
    @Test func theSchemaHasTheTypesKeysAndValues() throws {
        let schema = try schema()
        let keys = schema["properties"]?.entries.map(\.key).sorted()
        #expect(keys == SnapshotPolicy.Key.allCases.map(\.rawValue).sorted())
        #expect(schema["required"] == nil)
        let rule = try #require(schema["properties"]?["classify"]?["items"])
        let ruleKeys = SnapshotPolicy.Rule.Key.allCases
        #expect(rule["properties"]?.entries.map(\.key).sorted() == ruleKeys.map(\.rawValue).sorted())
        #expect(
            rule["required"]?.items.compactMap(\.text).sorted()
                == ruleKeys.filter(\.isRequired).map(\.rawValue).sorted())
        #expect(
            rule["properties"]?["class"]?["enum"]?.items.compactMap(\.text)
                == EntryClass.allCases.map(\.rawValue))
        #expect(
            schema["properties"]?["skip"]?["items"]?["enum"]?.items.compactMap(\.text)
                == SnapshotPolicy.skippable.map(\.rawValue))
    }

    @Test func theSchemasDefaultsAreTheTypes() throws {
        let properties = try #require(try schema()["properties"])
        var text = "{"
        for (key, schema) in properties.entries {
            let value = try #require(schema["default"])
            text += "\(key): \(value.text.map { "\"\($0)\"" } ?? "[]"), "
        }
        #expect(try policy(text + "}") == SnapshotPolicy())
    }

    /// Documents made from the schema: each key absent, right, and wrong in every way; type and schema judge alike.
    @Test func documentsMadeFromTheSchemaAreJudgedAlike() throws {
        let schema = try schema()
        let documents = try Self.documents(of: schema)
        var verdicts: [Bool: Int] = [:]
        for document in documents {
            let node = try #require(try Document.read(document))
            let expected = try SchemaValidator.accepts(node, by: schema)
            verdicts[expected, default: 0] += 1
            #expect(isPolicy(document) == expected, "\(document)")
        }
        // Both verdicts occur, and often: the generator has not gone blind.
        #expect(verdicts[true, default: 0] > 30 && verdicts[false, default: 0] > 100, "\(verdicts)")
    }

    /// Policies made from the type: the schema takes each, and reading gives the policy back.
    @Test func policiesOfTheTypeAreTakenByTheSchema() throws {
        let schema = try schema()
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let made = Self.randomPolicy(using: &generator)
            let text = Self.json(of: made)
            let node = try #require(try Document.read(text))
            #expect(try SchemaValidator.accepts(node, by: schema), "\(text)")
            #expect(try policy(text) == made, "\(text)")
        }
    }

    private func schema() throws -> DocumentNode {
        try #require(try Document.read(try SystemFile.readText(policies.appending("snapshot.schema.json"))))
    }

    /// Texts that a pattern may take or not.
    private static let texts = [
        "", "a", "A", "jenkins", "a.b-c_d", ".a", "-a", "a..b", "a.", "a.lock", "a.lockx", "a/b", "/a", "a/",
        "a//b",
        "./a", "a/./b", "a/..", "..", "...", "a/.../b", "**", "**/x", "a b", "é", "a\\n", "a\\nb", "\\u007f",
        "\\t",
        "1h", "26h", "0h", "01h", "99999d", "100000d", "5m", "5s", "h", "1h1m", "-1h", "1.5h", "١h", "bulk",
        "Bulk", "secret", "derived", "true", "null", "26", "~",
    ].map { "\"\($0)\"" }

    private static let wrong = [
        "null", "true", "26", "1.5", "{}", "[]", "{\"a\": \"b\"}", "[\"a\"]", "[null]",
    ]

    private static func documents(of schema: DocumentNode) throws -> [String] {
        let values = try schema["properties"]?.entries.map { ($0.key, try variants(of: $0.value)) } ?? []
        var documents = wrong + ["\"a\"", "{\"unknown\": \"a\"}"]
        for (key, variants) in values {
            documents += variants.map { "{\"\(key)\": \($0)}" }
        }
        // Two keys at a time: a wrong one beside a right one is still wrong.
        for (key, variants) in values {
            for (other, others) in values where other != key {
                documents.append(
                    "{\"\(key)\": \(variants.randomElement() ?? "[]"), \"\(other)\": \(others[0])}")
            }
        }
        return documents
    }

    /// Values around what a schema takes; the first is right.
    private static func variants(of schema: DocumentNode) throws -> [String] {
        switch schema["type"]?.text {
        case "object":
            let fields = try schema["properties"]?.entries.map { ($0.key, try variants(of: $0.value)) } ?? []
            let right = fields.map { "\"\($0.0)\": \($0.1[0])" }
            var values = ["{\(right.joined(separator: ", "))}"]
            for index in fields.indices {
                let others = right.enumerated().filter { $0.offset != index }.map(\.element)
                values.append("{\(others.joined(separator: ", "))}")
                values += fields[index].1.map {
                    "{\((others + ["\"\(fields[index].0)\": \($0)"]).joined(separator: ", "))}"
                }
            }
            return values + wrong + ["{\((right + ["\"other\": \"x\""]).joined(separator: ", "))}"]
        case "array":
            let items = try schema["items"].map { try variants(of: $0) } ?? []
            return ["[]"] + items.map { "[\($0)]" } + items.map { "[\(items[0]), \($0)]" } + wrong + ["\"a\""]
        default:
            let enumerated = schema["enum"]?.items.compactMap(\.text).map { "\"\($0)\"" } ?? []
            let fallback = schema["default"]?.text.map { ["\"\($0)\""] } ?? ["\"jenkins\""]
            return (enumerated.isEmpty ? fallback : enumerated) + texts + wrong
        }
    }

    private static func randomPolicy(using generator: inout some RandomNumberGenerator) -> SnapshotPolicy {
        var policy = SnapshotPolicy()
        let names = ["a", "jenkins", "x-1.y_z", "0"]
        let paths = ["**", "jobs/**/log", "a b/ü", "*.xml", "...", "?"]
        policy.classify = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
            SnapshotPolicy.Rule(
                component: names.randomElement(using: &generator) ?? "a",
                path: paths.randomElement(using: &generator) ?? "a",
                entryClass: EntryClass.allCases.randomElement(using: &generator) ?? .bulk,
                note: Bool.random(using: &generator) ? "see the wiki: 'x'" : "")
        }
        policy.skip = Set(SnapshotPolicy.skippable.filter { _ in Bool.random(using: &generator) })
        policy.warnAfter = .seconds(60 * Int64.random(in: 1...99_999, using: &generator))
        return policy
    }

    private static func json(of policy: SnapshotPolicy) -> String {
        let rules = policy.classify.map { rule in
            let note = rule.note.isEmpty ? "" : ", \"note\": \"\(rule.note)\""
            return "{\"component\": \"\(rule.component)\", \"path\": \"\(rule.path)\", "
                + "\"class\": \"\(rule.entryClass.rawValue)\"\(note)}"
        }
        let skip = policy.skip.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        let minutes = policy.warnAfter.components.seconds / 60
        return
            "{\"classify\": [\(rules.joined(separator: ", "))], \"skip\": [\(skip)], \"warnAfter\": \"\(minutes)m\"}"
    }
}

/// Whether `text` is a policy.
private func isPolicy(_ text: String) -> Bool {
    do throws(SystemFileFailure) {
        _ = try SnapshotPolicy.parse(text, path: "p")
        return true
    } catch {
        return false
    }
}

/// The shipped policies, in the package that this file is part of.
let policies = FilePath(#filePath).removingLastComponent().removingLastComponent()
    .removingLastComponent().appending("policies")

private func policy(_ text: String) throws -> SnapshotPolicy {
    try SnapshotPolicy.parse(text, path: "p")
}
