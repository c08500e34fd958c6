internal import Drivers
internal import Sealing
internal import SnapshotModel
internal import SystemPackage
internal import YAML

/// Turns the document of a system file into a description.
struct SystemFileReader {
    /// The drivers that there are.
    let kinds: [any Driver.Type]
    /// Where relative paths start.
    let directory: FilePath
    /// What was found wrong so far.
    var document = DocumentReader()

    private static let keys = [
        "system", "store", "recipients", "signers", "signing-key", "components", "policies",
    ]
    private static let componentKeys = ["driver", "after"]
    private static let nameRule = "a name of a-z, 0-9, '.', '_' and '-' that begins with a letter or digit"

    init(kinds: [any Driver.Type], directory: FilePath) {
        self.kinds = kinds
        self.directory = directory
    }

    /// The description, nil when something is so wrong that there is none.
    mutating func description(of root: DocumentNode, text: String) -> SystemDescription? {
        let fields = document.fields(
            of: root, what: "the system file", allowed: Self.keys,
            required: ["system", "store", "components"])
        guard let fields = fields?.known else { return nil }
        let name = fields["system"].flatMap { readName($0.value, of: "the system") }
        let store = fields["store"].flatMap { readPath($0.value, expected: "the path of the store") }
        let recipients = fields["recipients"].map { readRecipients($0.value) } ?? []
        let signers = fields["signers"].map { readSigners($0.value) } ?? []
        let signingKey = fields["signing-key"].flatMap {
            readPath($0.value, expected: "the path of the key that signs snapshots")
        }
        let components = fields["components"].flatMap { readComponents($0.value) }
        let policies = fields["policies"].flatMap {
            readPath($0.value, expected: "the directory of the policies")
        }
        guard let name, let store, let components else { return nil }
        return SystemDescription(
            name: name, store: store, recipients: recipients, signers: signers, signingKey: signingKey,
            components: components, policies: policies, text: text)
    }

    private mutating func readName(_ node: DocumentNode, of what: String) -> String? {
        let expected = "as the name of \(what) \(Self.nameRule)"
        guard let text = document.text(node, expected: expected) else { return nil }
        guard isName(text) else {
            document.refuse(node, expected: expected)
            return nil
        }
        return text
    }

    private mutating func readPath(_ node: DocumentNode, expected: String) -> FilePath? {
        document.text(node, expected: expected).map {
            directory.pushing(FilePath($0)).lexicallyNormalized()
        }
    }

    private mutating func readRecipients(_ node: DocumentNode) -> [Recipient] {
        let items = document.list(node, expected: "a list of public recovery keys, [age1…]") ?? []
        var seen: Set<Recipient> = []
        return items.compactMap { item in
            let expected = "a public recovery key, age1…"
            guard let text = document.text(item, expected: expected) else { return nil }
            guard !holdsSecretKey(text) else {
                // The message must not repeat it.
                document.refuse(
                    "found a secret key, expected \(expected); the secret half never belongs on this host",
                    at: item.position)
                return nil
            }
            guard let recipient = Recipient(text) else {
                document.refuse(item, expected: "\(expected), of 62 characters whose checksum is right")
                return nil
            }
            guard seen.insert(recipient).inserted else {
                document.refuse("found '\(text)' twice, expected each key once", at: item.position)
                return nil
            }
            return recipient
        }
    }

    private mutating func readSigners(_ node: DocumentNode) -> [SignerKey] {
        let expected = "a public key that may sign snapshots, ssh-ed25519 AAAA…"
        let items = document.list(node, expected: "a list of keys, [ssh-ed25519 AAAA…]") ?? []
        var seen: Set<SignerKey> = []
        return items.compactMap { item in
            guard let text = document.text(item, expected: expected) else { return nil }
            guard let key = SignerKey(text) else {
                document.refuse(item, expected: expected)
                return nil
            }
            guard seen.insert(key).inserted else {
                document.refuse(
                    "found the key \(key.fingerprint) twice, expected each once", at: item.position)
                return nil
            }
            return key
        }
    }

    private mutating func readComponents(_ node: DocumentNode) -> [Component]? {
        let expected = "the components, a mapping of names to settings"
        guard let pairs = document.pairs(of: node, expected: expected) else { return nil }
        guard !pairs.isEmpty else {
            document.refuse("found no component, expected at least one", at: node.position)
            return nil
        }
        let names = pairs.map(\.key)
        var components: [Component] = []
        var targets: [[Target]] = []
        for (name, position, value) in pairs {
            if !isName(name) {
                document.refuse(
                    "found '\(shortened(name))', expected as the name of a component \(Self.nameRule)",
                    at: position)
            } else if Snapshot.reservedNames.contains(name) {
                document.refuse(
                    "found '\(name)', which a snapshot has beside its components, expected another name for a component",
                    at: position)
            }
            guard let (component, after) = readComponent(name, value, names: names) else { continue }
            components.append(component)
            targets.append(after)
        }
        refuseCycles(components, targets)
        return components
    }

    /// A name in an `after` list, and where it stands.
    private struct Target {
        var name: String
        var position: Position
    }

    private mutating func readComponent(
        _ name: String, _ node: DocumentNode, names: [String]
    ) -> (Component, [Target])? {
        let what = "component '\(shortened(name))'"
        guard let pairs = document.pairs(of: node, expected: "the settings of \(what), {driver: …}") else {
            return nil
        }
        guard let kind = kind(of: pairs, what: what, at: node.position) else { return nil }
        let allowed = Self.componentKeys + kind.settings.map(\.name)
        let required = ["driver"] + kind.settings.filter(\.isRequired).map(\.name)
        let fields = document.fields(of: node, what: what, allowed: allowed, required: required)
        guard let fields = fields?.known else { return nil }
        let after = fields["after"].map { readTargets($0.value, of: name, names: names) } ?? []
        var settings: [String: SettingValue] = [:]
        for setting in kind.settings {
            guard let field = fields[setting.name] else { continue }
            settings[setting.name] = readValue(field.value, setting)
        }
        let component = Component(
            name: name, driver: kind.name, settings: settings, after: after.map(\.name))
        return (component, after)
    }

    /// The driver that the settings name; without one, no other key can be judged.
    private mutating func kind(
        of pairs: [(key: String, position: Position, value: DocumentNode)], what: String, at place: Position
    ) -> (any Driver.Type)? {
        let kindNames = kinds.map { $0.name }
        let expected = "a driver: \(alternatives(kindNames))"
        guard let field = pairs.first(where: { $0.key == "driver" }) else {
            let settings = Set(kinds.flatMap { $0.settings.map(\.name) } + Self.componentKeys)
            let misspelt = pairs.first {
                !settings.contains($0.key) && nearest(to: $0.key, among: ["driver"]) != nil
            }
            if let misspelt {
                document.refuse(
                    "found the unknown key '\(shortened(misspelt.key))' in \(what), expected 'driver'; "
                        + "did you mean 'driver'?", at: misspelt.position)
            } else {
                document.refuse("found no 'driver' in \(what), expected \(expected)", at: place)
            }
            return nil
        }
        guard let name = document.text(field.value, expected: expected) else { return nil }
        guard let kind = kinds.first(where: { $0.name == name }) else {
            document.refuseUnknown("driver", name, at: field.value.position, known: kindNames)
            return nil
        }
        return kind
    }

    private mutating func readTargets(_ node: DocumentNode, of name: String, names: [String]) -> [Target] {
        let expected = "a list of the components that must be up first"
        let items = document.list(node, expected: expected) ?? []
        var targets: [Target] = []
        for item in items {
            guard let target = document.text(item, expected: "the name of a component") else { continue }
            if target == name {
                document.refuse(
                    "found '\(shortened(name))' in its own 'after', expected other components",
                    at: item.position)
            } else if !names.contains(target) {
                document.refuseUnknown(
                    "component", target, at: item.position, known: names.filter { $0 != name })
            } else if targets.contains(where: { $0.name == target }) {
                document.refuse(
                    "found '\(target)' twice in 'after', expected it once", at: item.position)
            } else {
                targets.append(Target(name: target, position: item.position))
            }
        }
        return targets
    }

    /// Tells one cycle at a time: the others may go with it.
    private mutating func refuseCycles(_ components: [Component], _ targets: [[Target]]) {
        let after = Dictionary(
            zip(components.map(\.name), targets), uniquingKeysWith: { first, _ in first })
        guard let cycle = cycle(in: components.map { ($0.name, $0.after) }),
            let first = cycle.first, let second = cycle.dropFirst().first,
            let target = after[first]?.first(where: { $0.name == second })
        else { return }
        document.refuse(
            "found a cycle, \(cycle.joined(separator: " after ")), expected an order in which all can start",
            at: target.position)
    }
}

/// A way through the graph that comes back to its start, named at both ends; nil when there is none.
func cycle(in graph: [(name: String, after: [String])]) -> [String]? {
    let targets = Dictionary(graph.map { ($0.name, $0.after) }, uniquingKeysWith: { first, _ in first })
    var finished: Set<String> = []
    for (name, _) in graph {
        // The way from `name`, and for each step the targets that are still to be tried.
        var way = [(name: name, rest: targets[name, default: []][...])]
        while var step = way.popLast() {
            guard let next = step.rest.popFirst() else {
                finished.insert(step.name)
                continue
            }
            way.append(step)
            if let start = way.firstIndex(where: { $0.name == next }) {
                return way[start...].map(\.name) + [next]
            }
            if !finished.contains(next) { way.append((next, targets[next, default: []][...])) }
        }
    }
    return nil
}
