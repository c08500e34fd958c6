internal import SystemPackage

/// Turns the document of a notification policy into the policy.
struct NotifyPolicyReader {
    /// What was found wrong so far.
    var document = DocumentReader()

    /// The policy, nil when something is so wrong that there is none.
    mutating func policy(of root: DocumentNode) -> NotifyPolicy? {
        let fields = document.fields(
            of: root, what: "the notification policy", allowed: NotifyPolicy.Key.allCases.map(\.rawValue))
        guard let fields = fields?.known else { return nil }
        var policy = NotifyPolicy()
        for key in NotifyPolicy.Key.allCases {
            guard let node = fields[key.rawValue]?.value else { continue }
            switch key {
            case .maxAge: readAges(node, into: &policy)
            case .shrink: readShrink(node, into: &policy)
            case .drillEvery: policy.drillEvery = document.seconds(node)
            case .identityFile: policy.identityFile = readIdentityFile(node)
            case .targets: readTargets(node, into: &policy)
            case .remind: policy.remindAfter = document.seconds(node) ?? policy.remindAfter
            case .webhook: policy.webhook = readWebhook(node)
            case .mail: policy.mail = readMail(node)
            case .textfile:
                policy.textfile = readPath(node, "the path of a file that ends in .prom", ending: ".prom")
            }
        }
        return policy
    }

    private mutating func readAges(_ node: DocumentNode, into policy: inout NotifyPolicy) {
        let keys = NotifyPolicy.AgeKey.allCases
        let fields = document.fields(of: node, what: "'maxAge'", allowed: keys.map(\.rawValue))?.known ?? [:]
        for key in keys {
            guard let age = fields[key.rawValue].flatMap({ document.seconds($0.value) }) else { continue }
            switch key {
            case .complete: policy.maxCompleteAge = age
            case .pushed: policy.maxPushedAge = age
            case .proven: policy.maxProvenAge = age
            }
        }
    }

    private mutating func readTargets(_ node: DocumentNode, into policy: inout NotifyPolicy) {
        let keys = NotifyPolicy.TargetKey.allCases
        let fields = document.fields(of: node, what: "'targets'", allowed: keys.map(\.rawValue))?.known ?? [:]
        for key in keys {
            guard let time = fields[key.rawValue].flatMap({ document.seconds($0.value) }) else { continue }
            switch key {
            case .rpo: policy.targetRPO = time
            case .rto: policy.targetRTO = time
            }
        }
    }

    private mutating func readShrink(_ node: DocumentNode, into policy: inout NotifyPolicy) {
        let keys = NotifyPolicy.ShrinkKey.allCases
        let fields = document.fields(of: node, what: "'shrink'", allowed: keys.map(\.rawValue))?.known ?? [:]
        for key in keys {
            guard let node = fields[key.rawValue]?.value else { continue }
            guard case .scalar(let text, true) = node.content, let percent = Int(text),
                (1...100).contains(percent)
            else {
                document.refuse(node, expected: "a number without quotes, from 1 to 100")
                continue
            }
            switch key {
            case .entries: policy.maxEntriesLost = percent
            case .bytes: policy.maxBytesLost = percent
            case .items: policy.maxItemsLost = percent
            }
        }
    }

    private mutating func readWebhook(_ node: DocumentNode) -> NotifyPolicy.Webhook? {
        let keys = NotifyPolicy.WebhookKey.allCases
        guard let fields = document.fields(of: node, what: "'webhook'", allowed: keys.map(\.rawValue))?.known
        else {
            return nil
        }
        var webhook = NotifyPolicy.Webhook()
        for key in keys {
            guard let node = fields[key.rawValue]?.value else { continue }
            switch key {
            case .url:
                let expected = "an address, http://… or https://…"
                guard let text = document.text(node, expected: expected) else { continue }
                let isAddress = ["http://", "https://"].contains {
                    text.hasPrefix($0) && text.count > $0.count
                }
                // The message must not repeat what may be a secret.
                if !isAddress { document.refuse("found no address, expected \(expected)", at: node.position) }
                webhook.url = text
            case .urlFile:
                webhook.urlFile = readPath(node, "the path of a file that holds the address", ending: "")
            case .when: webhook.when = readWhen(node) ?? webhook.when
            case .template: webhook.template = readTemplate(node)
            }
        }
        guard (fields["url"] == nil) != (fields["urlFile"] == nil) else {
            document.refuse(
                "found \(fields["url"] == nil ? "neither" : "both") of 'url' and 'urlFile', expected one of them",
                at: node.position)
            return nil
        }
        return webhook
    }

    private mutating func readTemplate(_ node: DocumentNode) -> String? {
        guard case .scalar(let text, _) = node.content, !text.isEmpty else {
            document.refuse(node, expected: "a JSON document with places such as {{summary}}")
            return nil
        }
        for part in text.split(separator: "{{", omittingEmptySubsequences: false).dropFirst() {
            let name = String(part.prefix { $0 != "}" })
            guard NotifyPolicy.placeNames.contains(name), part.dropFirst(name.count).hasPrefix("}}") else {
                document.refuseUnknown("place", name, at: node.position, known: NotifyPolicy.placeNames)
                return nil
            }
        }
        return text
    }

    private mutating func readMail(_ node: DocumentNode) -> NotifyPolicy.Mail? {
        let keys = NotifyPolicy.MailKey.allCases
        let fields = document.fields(
            of: node, what: "'mail'", allowed: keys.map(\.rawValue), required: ["to"])?.known
        guard let fields, let to = fields["to"]?.value else { return nil }
        let items = document.list(to, expected: "a list of mail addresses") ?? []
        var mail = NotifyPolicy.Mail(to: items.compactMap { readAddress($0) })
        mail.from = fields["from"].flatMap { readAddress($0.value) }
        mail.when = fields["when"].flatMap { readWhen($0.value) } ?? mail.when
        if let program = fields["program"] {
            mail.program = readPath(program.value, "the path of a program", ending: "") ?? mail.program
        }
        if items.isEmpty { document.refuse(to, expected: "at least one mail address") }
        return mail
    }

    private mutating func readAddress(_ node: DocumentNode) -> String? {
        let expected = "a mail address"
        guard let text = document.text(node, expected: expected) else { return nil }
        guard text.contains("@"), !text.hasPrefix("-"), !text.contains(where: { " ,;<>\"".contains($0) })
        else {
            document.refuse(node, expected: expected)
            return nil
        }
        return text
    }

    private mutating func readWhen(_ node: DocumentNode) -> NotifyPolicy.When? {
        let names = NotifyPolicy.When.allCases.map(\.rawValue)
        guard let name = document.text(node, expected: alternatives(names)) else { return nil }
        guard let when = NotifyPolicy.When(rawValue: name) else {
            document.refuseUnknown("word", name, at: node.position, known: names)
            return nil
        }
        return when
    }

    private mutating func readIdentityFile(_ node: DocumentNode) -> FilePath? {
        let expected = "the path of a file that holds the recovery key"
        if case .scalar(let text, _) = node.content, holdsSecretKey(text) {
            // The message must not repeat it.
            document.refuse("found a secret key, expected \(expected)", at: node.position)
            return nil
        }
        return readPath(node, expected, ending: "")
    }

    private mutating func readPath(_ node: DocumentNode, _ what: String, ending: String) -> FilePath? {
        guard let text = document.text(node, expected: what) else { return nil }
        guard text.hasPrefix("/"), text.hasSuffix(ending) else {
            document.refuse(node, expected: "\(what), from the root on")
            return nil
        }
        return FilePath(text)
    }
}

extension NotifyPolicy {
    /// What a template may name.
    package static let placeNames = ["summary", "system", "host", "status", "snapshot", "problems"]
}
