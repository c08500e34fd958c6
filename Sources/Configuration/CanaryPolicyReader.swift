internal import Judge
internal import SnapshotModel

/// Turns the document of a canary policy into the policy.
struct CanaryPolicyReader {
    /// What was found wrong so far.
    var document = DocumentReader()

    /// Changes what the document names; what it leaves out stays.
    mutating func read(_ root: DocumentNode, into policy: inout CanaryPolicy) {
        let keys = CanaryPolicyFile.Key.allCases.map(\.rawValue)
        guard let fields = document.fields(of: root, what: "the canary policy", allowed: keys) else { return }
        if let node = fields.known[CanaryPolicyFile.Key.classes.rawValue]?.value {
            readClasses(node, into: &policy.classes)
        }
        if let node = fields.known[CanaryPolicyFile.Key.severities.rawValue]?.value {
            policy.severities = readSeverities(node)
        }
        if let node = fields.known[CanaryPolicyFile.Key.updateCenter.rawValue]?.value {
            readUpdateCenter(node, into: &policy.updateCenter)
        }
        if let node = fields.known[CanaryPolicyFile.Key.shadows.rawValue]?.value {
            readShadows(node, into: &policy.shadows)
        }
    }

    private mutating func readShadows(_ node: DocumentNode, into limits: inout ShadowLimits) {
        let keys = CanaryPolicyFile.ShadowKey.allCases.map(\.rawValue)
        guard let fields = document.fields(of: node, what: "'shadows'", allowed: keys) else { return }
        for key in CanaryPolicyFile.ShadowKey.allCases {
            guard let node = fields.known[key.rawValue]?.value else { continue }
            switch key {
            case .memory: limits.memory = document.size(node) ?? limits.memory
            case .processors: limits.processors = document.whole(node, in: 1...1024) ?? limits.processors
            case .processes: limits.processes = document.whole(node, in: 16...1_000_000) ?? limits.processes
            }
        }
    }

    private mutating func readUpdateCenter(
        _ node: DocumentNode, into trust: inout CanaryPolicy.UpdateCenterTrust
    ) {
        let keys = CanaryPolicyFile.UpdateCenterKey.allCases.map(\.rawValue)
        guard let fields = document.fields(of: node, what: "'updateCenter'", allowed: keys) else { return }
        for key in CanaryPolicyFile.UpdateCenterKey.allCases {
            guard let node = fields.known[key.rawValue]?.value else { continue }
            switch key {
            case .roots:
                let expected = "the absolute path of a certificate"
                trust.roots = (document.list(node, expected: "a list of files with certificates") ?? [])
                    .compactMap { item in
                        guard let path = document.text(item, expected: expected) else { return nil }
                        guard path.hasPrefix("/") else {
                            document.refuse(item, expected: expected)
                            return nil
                        }
                        return path
                    }
            case .acceptUnsigned: trust.acceptsUnsigned = document.truth(node) ?? trust.acceptsUnsigned
            }
        }
    }

    private mutating func readClasses(
        _ node: DocumentNode, into classes: inout [RiskClass: CanaryPolicy.Rules]
    ) {
        let names = RiskClass.allCases.map(\.rawValue)
        guard let fields = document.fields(of: node, what: "'classes'", allowed: names) else { return }
        for riskClass in RiskClass.allCases {
            guard let node = fields.known[riskClass.rawValue]?.value else { continue }
            var rules = CanaryPolicyFile.builtInRules(for: riskClass)
            readRules(node, of: riskClass, into: &rules)
            classes[riskClass] = rules
        }
    }

    private mutating func readRules(
        _ node: DocumentNode, of riskClass: RiskClass, into rules: inout CanaryPolicy.Rules
    ) {
        let what = "the rules for '\(riskClass.rawValue)'"
        let keys = CanaryPolicyFile.RuleKey.allCases.map(\.rawValue)
        guard let fields = document.fields(of: node, what: what, allowed: keys) else { return }
        // Whether a level can be reached depends on what is compared.
        if let node = fields.known[CanaryPolicyFile.RuleKey.compare.rawValue]?.value {
            rules.comparison = word(node, of: CanaryPolicy.Comparison.self) ?? rules.comparison
        }
        for key in CanaryPolicyFile.RuleKey.allCases {
            guard let node = fields.known[key.rawValue]?.value else { continue }
            switch key {
            case .stages: rules.stages = readStages(node) ?? rules.stages
            case .boots: rules.boots = document.whole(node, in: 2...20) ?? rules.boots
            case .probes: readProbes(node, into: &rules.probes)
            case .looks: rules.looks = readLooks(node, comparison: rules.comparison) ?? rules.looks
            case .margin: rules.margin = readMargin(node) ?? rules.margin
            case .floor: rules.floor = document.shortTime(node) ?? rules.floor
            case .compare: continue
            case .control: rules.control = word(node, of: CanaryPolicy.Control.self) ?? rules.control
            case .load: readLoad(node, into: &rules.load)
            case .blocks: rules.blocks = word(node, of: Severity.self) ?? rules.blocks
            case .measuredTrials:
                rules.measuredTrials = document.whole(node, in: 0...100) ?? rules.measuredTrials
            case .bake: rules.bake = document.seconds(node) ?? rules.bake
            case .smoke: readSmoke(node, into: &rules.smoke)
            case .approvals: rules.approvals = document.whole(node, in: 0...10) ?? rules.approvals
            case .expiry: rules.expiry = document.seconds(node) ?? rules.expiry
            }
        }
    }

    private mutating func readStages(_ node: DocumentNode) -> [Stage]? {
        guard let items = document.list(node, expected: "a list of stages") else { return nil }
        var stages: Set<Stage> = []
        for item in items {
            guard let stage = word(item, of: Stage.self) else { continue }
            if !stages.insert(stage).inserted {
                document.refuse(
                    "found '\(stage.rawValue)' twice, expected each stage once", at: item.position)
            }
        }
        guard !stages.isEmpty else {
            if items.isEmpty {
                document.refuse("found no stage, expected one: without any nothing passes", at: node.position)
            }
            return nil
        }
        if !stages.contains(.boot), let later = stages.max(), later > .boot {
            document.refuse(
                "found '\(later.rawValue)' without 'boot', expected 'boot' before it", at: node.position)
        }
        return stages.sorted()
    }

    private mutating func readProbes(_ node: DocumentNode, into probes: inout CanaryPolicy.ProbeChoice) {
        let keys = CanaryPolicyFile.ProbeKey.allCases.map(\.rawValue)
        guard let fields = document.fields(of: node, what: "'probes'", allowed: keys) else { return }
        for key in CanaryPolicyFile.ProbeKey.allCases {
            guard let node = fields.known[key.rawValue]?.value else { continue }
            switch key {
            case .names:
                let expected = "the name of a job, or a pattern with * and ?"
                probes.names = (document.list(node, expected: "a list of names of jobs") ?? []).compactMap {
                    document.text($0, expected: expected, isQuoted: true)
                }
            case .usingChange: probes.usingChange = document.truth(node) ?? probes.usingChange
            case .mostUsed: probes.mostUsed = document.whole(node, in: 0...1000) ?? probes.mostUsed
            case .atMost: probes.atMost = document.whole(node, in: 1...1000) ?? probes.atMost
            }
        }
    }

    /// Looks whose levels can be reached with their runs, and together are no more than one false alarm in ten.
    private mutating func readLooks(
        _ node: DocumentNode, comparison: CanaryPolicy.Comparison
    ) -> [CanaryPolicy.Look]? {
        let expected = "a list of looks, {runs: 5, alpha: 0.01}"
        guard let items = document.list(node, expected: expected) else { return nil }
        let keys = CanaryPolicyFile.LookKey.allCases.map(\.rawValue)
        var looks: [CanaryPolicy.Look] = []
        for item in items {
            let fields = document.fields(of: item, what: "a look", allowed: keys, required: keys)
            guard let runs = fields?.known[CanaryPolicyFile.LookKey.runs.rawValue]?.value,
                let alpha = fields?.known[CanaryPolicyFile.LookKey.alpha.rawValue]?.value,
                let number = document.whole(runs, in: 3...1000),
                let level = document.number(alpha, above: 0, to: 0.1)
            else { continue }
            let fewest = CanaryPolicy.fewestRuns(alpha: level, comparison: comparison)
            if number < fewest {
                document.refuse(
                    "found \(number) runs, of which no outcome is rarer than the level \(level), expected "
                        + "\(fewest) or more", at: runs.position)
            }
            if let last = looks.last, number <= last.runs {
                document.refuse(
                    "found \(number) runs after a look at \(last.runs), expected more", at: runs.position)
            }
            looks.append(CanaryPolicy.Look(runs: number, alpha: level))
        }
        if items.isEmpty {
            document.refuse("found an empty list, expected \(expected)", at: node.position)
        }
        // Levels are written in decimals: their sum is held against 0.1 with what adding them may lose.
        if looks.map(\.alpha).reduce(0, +) > 0.1 + 1e-9 {
            document.refuse(
                "found looks whose levels come to more than 0.1, expected fewer false alarms than one in ten",
                at: node.position)
        }
        return looks.isEmpty ? nil : looks
    }

    private mutating func readLoad(_ node: DocumentNode, into load: inout CanaryPolicy.LoadRules) {
        let keys = CanaryPolicyFile.LoadKey.allCases.map(\.rawValue)
        guard let fields = document.fields(of: node, what: "'load'", allowed: keys) else { return }
        for key in CanaryPolicyFile.LoadKey.allCases {
            guard let node = fields.known[key.rawValue]?.value else { continue }
            switch key {
            case .builds: load.builds = document.whole(node, in: 1...10_000) ?? load.builds
            case .looks: load.looks = readLooks(node, comparison: .arms) ?? load.looks
            case .margin: load.margin = readMargin(node) ?? load.margin
            case .floor: load.floor = document.shortTime(node) ?? load.floor
            case .sequential: load.isSequential = document.truth(node) ?? load.isSequential
            }
        }
    }

    private mutating func readSmoke(_ node: DocumentNode, into smoke: inout CanaryPolicy.SmokeRules) {
        let keys = CanaryPolicyFile.SmokeKey.allCases.map(\.rawValue)
        guard let fields = document.fields(of: node, what: "'smoke'", allowed: keys) else { return }
        for key in CanaryPolicyFile.SmokeKey.allCases {
            guard let node = fields.known[key.rawValue]?.value else { continue }
            switch key {
            case .jobs: smoke.jobs = readSmokeJobs(node) ?? smoke.jobs
            case .limit: smoke.limit = document.seconds(node) ?? smoke.limit
            }
        }
    }

    /// Whole names: what runs in production is chosen one by one.
    private mutating func readSmokeJobs(_ node: DocumentNode) -> [String]? {
        let expected = "the whole name of a job"
        return document.list(node, expected: "a list of names of jobs")?.compactMap { item in
            guard let name = document.text(item, expected: expected, isQuoted: true) else { return nil }
            guard !name.contains(where: { "*?".contains($0) }) else {
                document.refuse(
                    "found the pattern '\(shortened(name))', expected \(expected): these builds run in production",
                    at: item.position)
                return nil
            }
            return name
        }
    }

    private mutating func readMargin(_ node: DocumentNode) -> Double? {
        document.number(node, above: 1, to: 10)
    }

    private mutating func readSeverities(_ node: DocumentNode) -> [String: Severity] {
        let expected = "severities by kinds of findings, {log-warning: note}"
        var severities: [String: Severity] = [:]
        for (kind, position, value) in document.pairs(of: node, expected: expected) ?? [] {
            guard isName(kind) else {
                document.refuse(
                    "found '\(shortened(kind))' as a kind of finding, expected small letters, digits and '-'",
                    at: position)
                continue
            }
            severities[kind] = word(value, of: Severity.self)
        }
        return severities
    }

    private mutating func word<Word: CaseIterable & RawRepresentable<String>>(
        _ node: DocumentNode, of type: Word.Type
    ) -> Word? {
        let names = type.allCases.map(\.rawValue)
        guard let name = document.text(node, expected: alternatives(names), isQuoted: true) else {
            return nil
        }
        guard let word = Word(rawValue: name) else {
            document.refuseUnknown("word", name, at: node.position, known: names)
            return nil
        }
        return word
    }
}

extension DocumentReader {
    /// A whole number without quotes.
    mutating func whole(_ node: DocumentNode, in range: ClosedRange<Int>) -> Int? {
        guard case .scalar(let text, true) = node.content,
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            text == "0" || text.utf8.first != UInt8(ascii: "0"), let number = Int(text),
            range.contains(number)
        else {
            refuse(
                node,
                expected: "a number without quotes, from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    /// An amount of memory, in bytes.
    mutating func size(_ node: DocumentNode) -> Int64? {
        let expected = "an amount of memory such as 512MiB or 4GiB"
        guard let text = text(node, expected: expected, isQuoted: true) else { return nil }
        let units: [(name: String, shift: Int64)] = [("MiB", 20), ("GiB", 30)]
        guard let unit = units.first(where: { text.hasSuffix($0.name) }),
            case let digits = text.dropLast(unit.name.count), (1...5).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            digits.utf8.first != UInt8(ascii: "0"), let number = Int64(digits)
        else {
            refuse(node, expected: expected)
            return nil
        }
        return number << unit.shift
    }

    /// A decimal number without quotes, above the one bound and at most the other.
    mutating func number(_ node: DocumentNode, above lower: Double, to upper: Double) -> Double? {
        guard case .scalar(let text, true) = node.content,
            text.utf8.allSatisfy({ "0123456789.".utf8.contains($0) }), let number = Double(text),
            number > lower, number <= upper
        else {
            refuse(node, expected: "a number without quotes, above \(lower) and at most \(upper)")
            return nil
        }
        return number
    }

    /// `true` or `false`, without quotes.
    mutating func truth(_ node: DocumentNode) -> Bool? {
        guard case .scalar(let text, true) = node.content, let truth = Bool(text) else {
            refuse(node, expected: "true or false")
            return nil
        }
        return truth
    }

    /// A time of milliseconds or seconds, in seconds.
    mutating func shortTime(_ node: DocumentNode) -> Double? {
        let expected = "a time such as 200ms or 2s, or 0s for none"
        guard let text = text(node, expected: expected, isQuoted: true) else { return nil }
        let (digits, factor) = text.hasSuffix("ms") ? (text.dropLast(2), 0.001) : (text.dropLast(1), 1.0)
        guard text.hasSuffix("s"), digits.count <= 5, digits == "0" || digits.first != "0",
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Double(digits)
        else {
            refuse(node, expected: expected)
            return nil
        }
        return number * factor
    }
}
