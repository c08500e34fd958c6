import Judge
import SystemPackage
import TestSupport
import Testing

@testable import Configuration

@Suite struct CanaryPolicyTests {
    @Test func theShippedFileIsTheBuiltInPolicy() throws {
        let text = try SystemFile.readText(policies.appending("canary.yaml"))
        #expect(text == CanaryPolicyFile.builtInText)
        #expect(try policy(text) == CanaryPolicyFile.builtIn)
        #expect(CanaryPolicyFile.builtIn.digest.count == 64)
    }

    @Test func whatIsLeftOutIsBuiltIn() throws {
        for text in ["", "# nothing\n", "{}", "classes: {}", "classes: {core: {}}"] {
            let policy = try policy(text)
            #expect(policy.classes == CanaryPolicyFile.builtIn.classes, "\(text)")
            #expect(policy.digest != CanaryPolicyFile.builtIn.digest)
        }
        let policy = try policy("classes: {core: {margin: 1.1}}\nseverities: {log-warning: major}")
        #expect(policy.classes[.core]?.margin == 1.1)
        #expect(policy.classes[.core]?.boots == 3)
        #expect(policy.classes[.pluginPatch] == CanaryPolicyFile.builtIn.classes[.pluginPatch])
        #expect(policy.severities == ["log-warning": .major])
        #expect(policy.updateCenter == .init())
        let trust = try self.policy("updateCenter: {roots: [/etc/acme.pem], acceptUnsigned: true}")
            .updateCenter
        #expect(trust == .init(roots: ["/etc/acme.pem"], acceptsUnsigned: true))
    }

    @Test func everyClassHasRulesThatCanPassAndFail() throws {
        for riskClass in RiskClass.allCases {
            let rules = try #require(CanaryPolicyFile.builtIn.classes[riskClass])
            #expect(rules.looks.count == 2)
            #expect(rules.stages.contains(.static) && rules.stages.contains(.probes))
            for look in rules.looks + rules.load.looks {
                #expect(look.runs >= CanaryPolicy.fewestRuns(alpha: look.alpha, comparison: rules.comparison))
            }
        }
        let riskiest = RiskClass.allCases.compactMap { CanaryPolicyFile.builtIn.classes[$0] }
        #expect(zip(riskiest, riskiest.dropFirst()).allSatisfy { $0.approvals <= $1.approvals })
        #expect(zip(riskiest, riskiest.dropFirst()).allSatisfy { $0.bake <= $1.bake })
        // A build in production has effects: none is asked for unless somebody names it.
        #expect(riskiest.allSatisfy { $0.smoke.jobs.isEmpty })
    }

    @Test func everyKeyIsRead() throws {
        let text = """
            classes:
              everything:
                stages: [load, static, boot]
                boots: 4
                probes: {names: ["deploy-*"], usingChange: false, mostUsed: 0, atMost: 1}
                looks: [{runs: 7, alpha: 0.05}]
                margin: 1.1
                floor: 0s
                compare: pairs
                control: split
                load: {builds: 5, looks: [{runs: 3, alpha: 0.05}], margin: 2, floor: 250ms, sequential: true}
                blocks: critical
                measuredTrials: 3
                bake: 5m
                smoke: {jobs: ["deploy check", unit], limit: 90s}
                approvals: 3
                expiry: 2d
            """
        let rules = try #require(try policy(text).classes[.everything])
        #expect(
            rules
                == CanaryPolicy.Rules(
                    stages: [.static, .boot, .load], boots: 4,
                    probes: .init(names: ["deploy-*"], usingChange: false, mostUsed: 0, atMost: 1),
                    looks: [.init(runs: 7, alpha: 0.05)], margin: 1.1, floor: 0, comparison: .pairs,
                    control: .split,
                    load: .init(
                        builds: 5, looks: [.init(runs: 3, alpha: 0.05)], margin: 2, floor: 0.25,
                        isSequential: true), blocks: .critical, measuredTrials: 3, bake: 300,
                    smoke: .init(jobs: ["deploy check", "unit"], limit: 90), approvals: 3, expiry: 172_800))
    }

    @Test func whatAShadowMayUseIsRead() throws {
        #expect(
            try policy("shadows: {memory: 768MiB, processors: 3, processes: 99}").shadows
                == ShadowLimits(memory: 768 << 20, processors: 3, processes: 99))
        #expect(try policy("shadows: {memory: 2GiB}").shadows == ShadowLimits(memory: 2 << 30))
        #expect(CanaryPolicyFile.builtIn.shadows == ShadowLimits())
    }

    @Test(arguments: mistakes) func aMistakeIsToldAtItsPlace(_ text: String, _ expected: String) throws {
        let failure = #expect(throws: SystemFileFailure.self) { try policy(text) }
        #expect(failure?.problems.count == 1)
        #expect(failure?.description.hasPrefix(expected) == true, "\(String(describing: failure))")
    }

    private static let mistakes = [
        ("clases: {}", "p:1:1: found the unknown key 'clases' in the canary policy"),
        ("classes: {plugin: {}}", "p:1:11: found the unknown key 'plugin' in 'classes'"),
        ("classes: {core: 3}", "p:1:17: found '3', expected the rules for 'core', a mapping"),
        (
            "classes: {core: {stages: [statik]}}",
            "p:1:27: found the unknown word 'statik', expected static, boot, roundTrip, probes or load; did you mean"
        ),
        ("classes: {core: {stages: []}}", "p:1:26: found no stage, expected one"),
        ("classes: {core: {stages: [boot, boot]}}", "p:1:33: found 'boot' twice"),
        ("classes: {core: {stages: [static, load]}}", "p:1:26: found 'load' without 'boot'"),
        ("classes: {core: {boots: 1}}", "p:1:25: found '1', expected a number without quotes, from 2 to 20"),
        ("classes: {core: {boots: \"2\"}}", "p:1:25: found '2', expected a number without quotes"),
        ("classes: {core: {margin: 1}}", "p:1:26: found '1', expected a number without quotes, above 1.0"),
        ("classes: {core: {margin: nan}}", "p:1:26: found 'nan', expected a number"),
        ("classes: {core: {margin: 0x2}}", "p:1:26: found '0x2', expected a number"),
        (
            "classes: {core: {floor: 200}}",
            "p:1:25: found 200, a number or truth value, expected a time such as"
        ),
        ("classes: {core: {floor: 2h}}", "p:1:25: found '2h', expected a time such as 200ms"),
        ("classes: {core: {looks: []}}", "p:1:25: found an empty list, expected a list of looks"),
        ("classes: {core: {looks: [{runs: 5}]}}", "p:1:26: found no 'alpha' in a look"),
        (
            "classes: {core: {looks: [{runs: 3, alpha: 0.01}]}}",
            "p:1:33: found 3 runs, of which no outcome is rarer than the level 0.01, expected 5 or more"
        ),
        (
            "classes: {core: {looks: [{runs: 5, alpha: 0.01}, {runs: 5, alpha: 0.04}]}}",
            "p:1:57: found 5 runs after a look at 5, expected more"
        ),
        (
            "classes: {core: {looks: [{runs: 5, alpha: 0.06}, {runs: 9, alpha: 0.06}]}}",
            "p:1:25: found looks whose levels come to more than 0.1"
        ),
        (
            "classes: {core: {compare: pairs, looks: [{runs: 6, alpha: 0.01}]}}",
            "p:1:49: found 6 runs, of which no outcome is rarer than the level 0.01, expected 7 or more"
        ),
        ("classes: {core: {load: {sequential: yes}}}", "p:1:37: found 'yes', expected true or false"),
        ("classes: {core: {probes: {names: deploy}}}", "p:1:34: found 'deploy', expected a list of names"),
        ("classes: {core: {blocks: fatal}}", "p:1:26: found the unknown word 'fatal', expected note, minor"),
        (
            "classes: {core: {bake: 30}}",
            "p:1:24: found 30, a number or truth value, expected a time such as 90s"
        ),
        (
            "classes: {core: {smoke: {jobs: [\"deploy-*\"]}}}",
            "p:1:33: found the pattern 'deploy-*', expected the whole name of a job: these builds run in production"
        ),
        ("classes: {core: {smoke: unit}}", "p:1:25: found 'unit', expected 'smoke', a mapping"),
        ("severities: {log-warning: bad}", "p:1:27: found the unknown word 'bad'"),
        ("updateCenter: {roots: [acme.pem]}", "p:1:24: found 'acme.pem', expected the absolute path"),
        ("updateCenter: {acceptUnsigned: maybe}", "p:1:32: found"),
        (
            "shadows: {memory: 512}",
            "p:1:19: found 512, a number or truth value, expected an amount of memory"
        ),
        (
            "shadows: {memory: 2GB}",
            "p:1:19: found '2GB', expected an amount of memory such as 512MiB or 4GiB"
        ),
        ("shadows: {memory: 0MiB}", "p:1:19: found '0MiB', expected an amount"),
        ("shadows: {processors: 0}", "p:1:23: found '0', expected a number without quotes, from 1 to 1024"),
        ("shadows: {processes: 9}", "p:1:22: found '9', expected a number without quotes, from 16"),
        ("shadows: {cpus: 1}", "p:1:11: found the unknown key 'cpus' in 'shadows'"),
        ("updateCenter: {root: []}", "p:1:16: found the unknown key 'root'"),
        ("severities: {Log Warning: note}", "p:1:14: found 'Log Warning' as a kind of finding"),
    ]

    @Test func theSchemaHasTheKeysOfTheTypes() throws {
        let schema = try #require(
            try Document.read(try SystemFile.readText(policies.appending("canary.schema.json"))))
        let rules = schema["$defs"]?["rules"]?["properties"]
        let keys = { (node: DocumentNode?) in node?.entries.map(\.key).sorted() }
        #expect(keys(schema["properties"]) == CanaryPolicyFile.Key.allCases.map(\.rawValue).sorted())
        #expect(
            keys(schema["properties"]?["classes"]?["properties"])
                == RiskClass.allCases.map(\.rawValue).sorted())
        #expect(
            keys(schema["properties"]?["shadows"]?["properties"])
                == CanaryPolicyFile.ShadowKey.allCases.map(\.rawValue).sorted())
        #expect(keys(rules) == CanaryPolicyFile.RuleKey.allCases.map(\.rawValue).sorted())
        #expect(
            keys(rules?["probes"]?["properties"])
                == CanaryPolicyFile.ProbeKey.allCases.map(\.rawValue).sorted())
        #expect(
            keys(rules?["load"]?["properties"]) == CanaryPolicyFile.LoadKey.allCases.map(\.rawValue).sorted())
        #expect(
            keys(rules?["smoke"]?["properties"])
                == CanaryPolicyFile.SmokeKey.allCases.map(\.rawValue).sorted())
        #expect(
            keys(rules?["looks"]?["items"]?["properties"])
                == CanaryPolicyFile.LookKey.allCases.map(\.rawValue).sorted())
        #expect(
            rules?["stages"]?["items"]?["enum"]?.items.compactMap(\.text) == Stage.allCases.map(\.rawValue))
        #expect(rules?["blocks"]?["enum"]?.items.compactMap(\.text) == Severity.allCases.map(\.rawValue))
    }

    @Test func theSystemFileNamesTheDirectory() throws {
        try withTemporaryDirectory { directory in
            var system = SystemDescription(name: "s", store: "/s", components: [])
            #expect(try CanaryPolicyFile.read(for: system) == CanaryPolicyFile.builtIn)
            system.policies = directory
            #expect(try CanaryPolicyFile.read(for: system) == CanaryPolicyFile.builtIn)
            let path = directory.appending("canary.yaml")
            try makeFile(path, "classes: {core: {boots: 5}}\n")
            #expect(try CanaryPolicyFile.read(for: system).classes[.core]?.boots == 5)
            #expect(try CanaryPolicyFile.read(path) == CanaryPolicyFile.read(for: system))
            system.policies = directory.appending("gone")
            #expect(throws: SystemFileFailure.self) { try CanaryPolicyFile.read(for: system) }
        }
    }

    private func policy(_ text: String) throws -> CanaryPolicy {
        try CanaryPolicyFile.parse(text, path: "p")
    }
}
