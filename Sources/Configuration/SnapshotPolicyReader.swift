internal import SnapshotModel

/// Turns the document of a snapshot policy into the policy.
struct SnapshotPolicyReader {
    /// The components that there are, nil when they are not known.
    let components: [String]?
    /// What was found wrong so far.
    var document = DocumentReader()

    init(components: [String]?) {
        self.components = components
    }

    /// The policy, nil when something is so wrong that there is none.
    mutating func policy(of root: DocumentNode) -> SnapshotPolicy? {
        let fields = document.fields(
            of: root, what: "the snapshot policy", allowed: SnapshotPolicy.Key.allCases.map(\.rawValue))
        guard let fields = fields?.known else { return nil }
        var policy = SnapshotPolicy()
        for key in SnapshotPolicy.Key.allCases {
            guard let node = fields[key.rawValue]?.value else { continue }
            switch key {
            case .classify: policy.classify = readRules(node)
            case .skip: policy.skip = readSkip(node)
            case .leaks: policy.leaks = readLeaks(node) ?? policy.leaks
            case .allowInClear: policy.allowInClear = readExceptions(node)
            case .warnAfter: policy.warnAfter = readDuration(node) ?? policy.warnAfter
            case .checkKeyAfter: policy.checkKeyAfter = readDuration(node) ?? policy.checkKeyAfter
            }
        }
        return policy
    }

    private mutating func readRules(_ node: DocumentNode) -> [SnapshotPolicy.Rule] {
        let expected = "a list of rules, {component: …, path: …, class: …}"
        let items = document.list(node, expected: expected) ?? []
        return items.compactMap { readRule($0) }
    }

    private mutating func readRule(_ node: DocumentNode) -> SnapshotPolicy.Rule? {
        let keys = SnapshotPolicy.Rule.Key.allCases
        let fields = document.fields(
            of: node, what: "a rule of 'classify'", allowed: keys.map(\.rawValue),
            required: keys.filter(\.isRequired).map(\.rawValue))
        guard let fields = fields?.known else { return nil }
        let value = { (key: SnapshotPolicy.Rule.Key) in fields[key.rawValue]?.value }
        let component = value(.component).flatMap { readComponent($0) }
        let path = value(.path).flatMap { readPattern($0) }
        let entryClass = value(.class).flatMap { readClass($0, among: EntryClass.allCases) }
        let note = value(.note).flatMap {
            document.text($0, expected: "a note, one line of text", isQuoted: true)
        }
        guard let component, let path, let entryClass else { return nil }
        return SnapshotPolicy.Rule(component: component, path: path, entryClass: entryClass, note: note ?? "")
    }

    private mutating func readComponent(_ node: DocumentNode) -> String? {
        let expected = "the name of a component"
        guard let name = document.text(node, expected: expected, isQuoted: true) else { return nil }
        guard isName(name) else {
            document.refuse(node, expected: expected)
            return nil
        }
        if let components, !components.contains(name) {
            document.refuseUnknown("component", name, at: node.position, known: components)
            return nil
        }
        return name
    }

    private mutating func readPattern(_ node: DocumentNode) -> String? {
        let expected = "a pattern of paths below the component's root, 'jobs/**/builds/*/archive/**'"
        guard let pattern = document.text(node, expected: expected, isQuoted: true) else { return nil }
        var names = pattern.split(separator: "/", omittingEmptySubsequences: false)
        // A `/` at the end says: directories only.
        if names.count > 1, names.last?.isEmpty == true { names.removeLast() }
        guard !names.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            document.refuse(
                node, expected: "\(expected), without '.', '..', and '/' at the beginning or twice in a row")
            return nil
        }
        return pattern
    }

    private mutating func readClass(_ node: DocumentNode, among classes: [EntryClass]) -> EntryClass? {
        let names = classes.map(\.rawValue)
        guard let name = document.text(node, expected: alternatives(names), isQuoted: true) else {
            return nil
        }
        guard let entryClass = classes.first(where: { $0.rawValue == name }) else {
            document.refuseUnknown("class", name, at: node.position, known: names)
            return nil
        }
        return entryClass
    }

    private mutating func readSkip(_ node: DocumentNode) -> Set<EntryClass> {
        let items = document.list(node, expected: "a list of classes that are not captured") ?? []
        var skip: Set<EntryClass> = []
        for item in items {
            if case .scalar(let name, _) = item.content, let entryClass = EntryClass(rawValue: name),
                !SnapshotPolicy.skippable.contains(entryClass)
            {
                let reason =
                    entryClass == .derived
                    ? "which is never captured" : "without which nothing can be restored"
                document.refuse(
                    "found '\(name)', \(reason); expected "
                        + alternatives(SnapshotPolicy.skippable.map(\.rawValue)), at: item.position)
            } else if let entryClass = readClass(item, among: SnapshotPolicy.skippable),
                !skip.insert(entryClass).inserted
            {
                document.refuse(
                    "found '\(entryClass.rawValue)' twice, expected each class once", at: item.position)
            }
        }
        return skip
    }

    private mutating func readLeaks(_ node: DocumentNode) -> SnapshotPolicy.Leaks? {
        let names = SnapshotPolicy.Leaks.allCases.map(\.rawValue)
        guard let name = document.text(node, expected: alternatives(names), isQuoted: true) else {
            return nil
        }
        guard let leaks = SnapshotPolicy.Leaks(rawValue: name) else {
            document.refuseUnknown("word", name, at: node.position, known: names)
            return nil
        }
        return leaks
    }

    private mutating func readExceptions(_ node: DocumentNode) -> [SnapshotPolicy.Exception] {
        let expected = "a list of exceptions, {component: …, path: …, sha256: …, reason: …}"
        return (document.list(node, expected: expected) ?? []).compactMap { readException($0) }
    }

    private mutating func readException(_ node: DocumentNode) -> SnapshotPolicy.Exception? {
        let keys = SnapshotPolicy.Exception.Key.allCases.map(\.rawValue)
        let fields = document.fields(
            of: node, what: "an exception of 'allowInClear'", allowed: keys, required: keys)
        guard let fields = fields?.known else { return nil }
        let value = { (key: SnapshotPolicy.Exception.Key) in fields[key.rawValue]?.value }
        let component = value(.component).flatMap { readComponent($0) }
        let path = value(.path).flatMap {
            document.text(
                $0, expected: "a root and a path below it, 'home/jobs/demo/config.xml'", isQuoted: true)
        }
        let digest = value(.sha256).flatMap { readDigest($0) }
        let reason = value(.reason).flatMap {
            document.text($0, expected: "a reason, one line of text", isQuoted: true)
        }
        guard let component, let path, let digest, let reason else { return nil }
        return SnapshotPolicy.Exception(component: component, path: path, digest: digest, reason: reason)
    }

    private mutating func readDigest(_ node: DocumentNode) -> [UInt8]? {
        let expected = "a SHA-256 as 'sha256sum FILE' prints it, 64 small hexadecimal digits"
        guard let text = document.text(node, expected: expected) else { return nil }
        var digest: [UInt8] = []
        for index in stride(from: 0, to: text.utf8.count - 1, by: 2) {
            let pair = String(decoding: Array(text.utf8)[index...(index + 1)], as: UTF8.self)
            guard let byte = UInt8(pair, radix: 16), pair == pair.lowercased(), !pair.hasPrefix("+") else {
                break
            }
            digest.append(byte)
        }
        guard digest.count == 32, text.utf8.count == 64 else {
            document.refuse(node, expected: expected)
            return nil
        }
        return digest
    }

    private mutating func readDuration(_ node: DocumentNode) -> Duration? {
        document.seconds(node).map { .seconds($0) }
    }
}
