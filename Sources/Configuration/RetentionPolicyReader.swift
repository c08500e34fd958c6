internal import SnapshotModel

/// Turns the document of a retention policy into the policy.
struct RetentionPolicyReader {
    /// What was found wrong so far.
    var document = DocumentReader()

    /// The policy, nil when something is so wrong that there is none.
    mutating func policy(of root: DocumentNode) -> Retention.Policy? {
        let fields = document.fields(
            of: root, what: "the retention policy", allowed: RetentionPolicy.Key.allCases.map(\.rawValue))
        guard let fields = fields?.known else { return nil }
        var policy = Retention.Policy()
        for key in RetentionPolicy.Key.allCases {
            guard let node = fields[key.rawValue]?.value else { continue }
            switch key {
            case .keep: readCounts(node, into: &policy)
            case .minimumAge: policy.minimumAge = document.seconds(node)
            case .tags: policy.tags = readTags(node)
            case .safety: policy.safety = document.seconds(node) ?? policy.safety
            }
        }
        return policy
    }

    private mutating func readCounts(_ node: DocumentNode, into policy: inout Retention.Policy) {
        let fields = document.fields(
            of: node, what: "'keep'", allowed: RetentionPolicy.Count.allCases.map(\.rawValue))
        guard let fields = fields?.known else { return }
        for key in RetentionPolicy.Count.allCases {
            guard let node = fields[key.rawValue]?.value, let count = readCount(node) else { continue }
            switch key {
            case .last: policy.last = count
            case .hourly: policy.hourly = count
            case .daily: policy.daily = count
            case .weekly: policy.weekly = count
            case .monthly: policy.monthly = count
            case .yearly: policy.yearly = count
            }
        }
    }

    private mutating func readCount(_ node: DocumentNode) -> Int? {
        guard case .scalar(let text, true) = node.content, !text.isEmpty, text.utf8.count <= 5,
            text.utf8.first != 0x30,
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let count = Int(text)
        else {
            // None is said by leaving the key out, so that a slip of the hand cannot say it.
            document.refuse(
                node, expected: "a number without quotes, from 1 to 99999; to keep none, leave the key out")
            return nil
        }
        return count
    }

    private mutating func readTags(_ node: DocumentNode) -> [String] {
        let items = document.list(node, expected: "a list of tags") ?? []
        return items.compactMap { item in
            let expected = "a tag of small letters, digits, '.', '_' and '-'"
            guard let tag = document.text(item, expected: expected, isQuoted: true) else { return nil }
            guard isName(tag) else {
                document.refuse(item, expected: expected)
                return nil
            }
            return tag
        }
    }
}

extension DocumentReader {
    /// A length of time in seconds: a number with s, m, h or d.
    mutating func seconds(_ node: DocumentNode) -> Int64? {
        let expected = "a time such as 90s, 90m, 26h or 2d"
        guard let text = text(node, expected: expected, isQuoted: true) else { return nil }
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
        let digits = text.dropLast()
        guard let unit = text.last, let factor = units[unit], digits.count <= 5, digits.first != "0",
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int64(digits)
        else {
            refuse(node, expected: expected)
            return nil
        }
        return number * factor
    }
}
