internal import Cryptography
package import Judge
package import SystemPackage

/// The file that says what a canary runs and tolerates: `policies/canary.yaml`.
package enum CanaryPolicyFile {
    /// The keys of the file; each may be left out.
    package enum Key: String, CaseIterable, Sendable {
        case classes, severities, updateCenter, shadows
    }

    /// The keys of the rules for one class; each may be left out, and is then as in the built-in policy.
    package enum RuleKey: String, CaseIterable, Sendable {
        case stages, boots, probes, looks, margin, floor, compare, control, load, blocks, measuredTrials,
            bake, smoke, approvals, expiry
    }

    /// The keys of `probes`.
    package enum ProbeKey: String, CaseIterable, Sendable {
        case names, usingChange, mostUsed, atMost
    }

    /// The keys of a look.
    package enum LookKey: String, CaseIterable, Sendable {
        case runs, alpha
    }

    /// The keys of `load`.
    package enum LoadKey: String, CaseIterable, Sendable {
        case builds, looks, margin, floor, sequential
    }

    /// The keys of `smoke`.
    package enum SmokeKey: String, CaseIterable, Sendable {
        case jobs, limit
    }

    /// The keys of `updateCenter`.
    package enum UpdateCenterKey: String, CaseIterable, Sendable {
        case roots, acceptUnsigned
    }

    /// The keys of `shadows`.
    package enum ShadowKey: String, CaseIterable, Sendable {
        case memory, processors, processes
    }

    /// The name of the file in the directory of the policies.
    package static let fileName = "canary.yaml"

    /// The built-in policy, which stands where there is no file.
    package static var builtIn: CanaryPolicy {
        let classes = RiskClass.allCases.map { ($0, builtInRules(for: $0)) }
        return CanaryPolicy(
            classes: Dictionary(uniqueKeysWithValues: classes),
            digest: hex(SHA256.digest(Array(builtInText.utf8))))
    }

    /// The rules for a class where the file says nothing.
    static func builtInRules(for riskClass: RiskClass) -> CanaryPolicy.Rules {
        let usual: [Stage] = [.static, .boot, .roundTrip, .probes]
        return switch riskClass {
        case .jobDefinition: CanaryPolicy.Rules(stages: usual, margin: 1.5, bake: 600)
        case .pluginPatch: CanaryPolicy.Rules(stages: usual)
        case .pluginMajor: CanaryPolicy.Rules(stages: usual, bake: 7200, approvals: 1)
        case .core: CanaryPolicy.Rules(stages: usual + [.load], boots: 3, bake: 14400, approvals: 1)
        case .everything:
            CanaryPolicy.Rules(
                stages: usual + [.load], boots: 3, control: .shadow, bake: 86400, approvals: 2)
        }
    }

    /// The policy of a system: that in its directory of policies, the built-in one where there is none.
    ///
    /// Throws a ``SystemFileFailure`` when the directory is missing, or when the file has anything wrong with it.
    package static func read(for system: SystemDescription) throws(SystemFileFailure) -> CanaryPolicy {
        guard let (path, text) = try system.policy(named: fileName) else { return builtIn }
        return try parse(text, path: path)
    }

    /// The policy in a file that `--policy` names.
    package static func read(_ path: FilePath) throws(SystemFileFailure) -> CanaryPolicy {
        try parse(try SystemFile.readText(path), path: path)
    }

    /// The policy that `text` spells, with its digest; `path` is the file's name in messages.
    package static func parse(_ text: String, path: FilePath) throws(SystemFileFailure) -> CanaryPolicy {
        let root: DocumentNode?
        do throws(DocumentFailure) {
            root = try Document.read(text)
        } catch {
            throw SystemFileFailure(path: path, problems: error.problems)
        }
        var policy = builtIn
        policy.digest = hex(SHA256.digest(Array(text.utf8)))
        // A file of comments alone decides nothing.
        guard let root else { return policy }
        var reader = CanaryPolicyReader()
        reader.read(root, into: &policy)
        return try reader.document.finish(policy, path: path)
    }
}
