/// How bad a finding is.
package enum Severity: String, CaseIterable, Codable, Comparable, Hashable, Sendable {
    /// Worth knowing.
    case note
    /// Worth a look, not worth stopping for.
    case minor
    /// Something stops working.
    case major
    /// The system does not come up, or data is lost.
    case critical

    /// Orders from note to critical.
    package static func < (left: Severity, right: Severity) -> Bool {
        allCases.firstIndex(of: left) ?? 0 < allCases.firstIndex(of: right) ?? 0
    }
}

/// One thing that is to be known about a change.
package struct Finding: Codable, Hashable, Sendable {
    /// The stage that found it.
    package var stage: Stage
    /// What sort of thing, one word that a policy can give a severity to: `missing-dependency`, `plugin-failed`, `gone`.
    package var kind: String
    /// How bad it is.
    package var severity: Severity
    /// What it is about.
    package var object: ObjectName
    /// One sentence for people.
    package var message: String
    /// Lines of logs, of files or of a diff that show it.
    package var evidence: [String]
    /// What to do about it, one sentence; empty when there is nothing to advise.
    package var advice: String
    /// Whether the change says that this is to happen: then it blocks nothing.
    package var isDeclared: Bool

    /// A finding.
    package init(
        stage: Stage, kind: String, severity: Severity, object: ObjectName, message: String,
        evidence: [String] = [], advice: String = "", isDeclared: Bool = false
    ) {
        self.stage = stage
        self.kind = kind
        self.severity = severity
        self.object = object
        self.message = message
        self.evidence = evidence
        self.advice = advice
        self.isDeclared = isDeclared
    }
}

/// Something that the canary did not look at, and why.
package struct NotCovered: Codable, Comparable, Hashable, Sendable {
    /// What was not looked at.
    package var object: ObjectName
    /// Why: `needs the network`.
    package var reason: String

    /// What was not looked at, and why.
    package init(_ object: ObjectName, reason: String) {
        self.object = object
        self.reason = reason
    }

    /// Orders by object, then by reason.
    package static func < (left: NotCovered, right: NotCovered) -> Bool {
        (left.object, left.reason) < (right.object, right.reason)
    }
}
