internal import SnapshotModel

extension SystemFileReader {
    /// The value of a driver's setting, nil when it has not the setting's shape.
    mutating func readValue(_ node: DocumentNode, _ setting: SettingKey) -> SettingValue? {
        let name = setting.name
        return switch setting.shape {
        case .text, .command:
            document.text(node, expected: "for '\(name)' a text of one line").map(SettingValue.text)
        case .path:
            readPath(node, expected: "for '\(name)' an absolute path").map(SettingValue.text)
        case .paths:
            readPaths(node, expected: "for '\(name)' a list of absolute paths, [/srv/git]").map(
                SettingValue.list)
        case .url:
            readURL(node, expected: "for '\(name)' an address, http://… or https://…").map(SettingValue.text)
        case .texts:
            readTexts(node, expected: "for '\(name)' a list of texts of one line").map(SettingValue.list)
        case .database:
            readDatabase(
                node, expected: "for '\(name)' the address of a database, postgresql:///NAME"
            ).map(SettingValue.text)
        case .service:
            readService(node, name: name).map(SettingValue.map)
        }
    }

    private mutating func readPath(_ node: DocumentNode, expected: String) -> String? {
        guard case .scalar(let text, _) = node.content, text.hasPrefix("/"), !text.contains("\0") else {
            document.refuse(node, expected: expected)
            return nil
        }
        guard !text.split(separator: "/").contains(where: { $0 == ".." || $0 == "." }) else {
            document.refuse(node, expected: "\(expected), without '.' and '..'")
            return nil
        }
        return text
    }

    private mutating func readPaths(_ node: DocumentNode, expected: String) -> [String]? {
        guard let items = document.list(node, expected: expected) else { return nil }
        guard !items.isEmpty else {
            document.refuse("found an empty list, expected \(expected)", at: node.position)
            return nil
        }
        var paths: [String] = []
        for item in items {
            guard let path = readPath(item, expected: "an absolute path") else { continue }
            if paths.contains(path) {
                document.refuse(
                    "found '\(shortened(path))' twice, expected each path once", at: item.position)
            }
            paths.append(path)
        }
        return paths
    }

    private mutating func readTexts(_ node: DocumentNode, expected: String) -> [String]? {
        guard let items = document.list(node, expected: expected) else { return nil }
        var texts: [String] = []
        for item in items {
            guard let text = document.text(item, expected: "a text of one line") else { continue }
            if texts.contains(text) {
                document.refuse("found '\(shortened(text))' twice, expected it once", at: item.position)
            }
            texts.append(text)
        }
        return texts
    }

    private mutating func readDatabase(_ node: DocumentNode, expected: String) -> String? {
        guard let text = document.text(node, expected: expected) else { return nil }
        let scheme = ["postgresql://", "postgres://"].first { text.hasPrefix($0) }
        guard let rest = scheme.map({ text.dropFirst($0.count) }), !text.contains(" ") else {
            document.refuse(node, expected: expected)
            return nil
        }
        let user = rest.prefix { !"/?#".contains($0) }.split(separator: "@", omittingEmptySubsequences: false)
        guard user.count < 2 || !user[0].contains(":"), !rest.lowercased().contains("password=") else {
            // The message must not repeat it.
            document.refuse(
                "found a password in the address, expected \(expected) without one; 'passwordFile' names a file",
                at: node.position)
            return nil
        }
        return text
    }

    private mutating func readURL(_ node: DocumentNode, expected: String) -> String? {
        guard let text = document.text(node, expected: expected) else { return nil }
        let scheme = ["http://", "https://"].first { text.lowercased().hasPrefix($0) }
        let host = scheme.map { text.dropFirst($0.count).prefix { !"/?#".contains($0) } }
        guard let host, !host.isEmpty, !text.contains(" ") else {
            document.refuse(node, expected: expected)
            return nil
        }
        guard !host.contains("@") else {
            // The message must not repeat a password.
            document.refuse(
                "found a user name or password in the address, expected \(expected) without one",
                at: node.position)
            return nil
        }
        return text
    }

    private mutating func readService(_ node: DocumentNode, name: String) -> [String: String]? {
        let what = "'\(name)'"
        let expected = "for '\(name)' {systemd: UNIT} or {start: COMMAND, stop: COMMAND}"
        guard case .map = node.content else {
            document.refuse(node, expected: expected)
            return nil
        }
        let fields = document.fields(of: node, what: what, allowed: ["systemd", "start", "stop"])
        guard let fields, !fields.hasUnknown else { return nil }
        let given = fields.known.keys.sorted()
        guard given == ["systemd"] || given == ["start", "stop"] else {
            let words = given.isEmpty ? "nothing" : "'\(given.joined(separator: "' and '"))'"
            document.refuse("found \(words) in \(what), expected \(expected)", at: node.position)
            return nil
        }
        return fields.known.compactMapValues { document.text($0.value, expected: "a command or unit") }
    }
}
