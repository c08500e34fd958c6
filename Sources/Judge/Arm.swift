/// The side of a canary that something ran on.
package enum Arm: String, CaseIterable, Codable, Hashable, Sendable {
    /// A shadow of the snapshot as it is.
    case baseline
    /// A shadow of the snapshot with the change.
    case candidate
    /// The unchanged shadow once more: judged against the baseline, it shows what the host's noise alone can do.
    case control
}

/// A part of a canary, in the order in which they run.
package enum Stage: String, CaseIterable, Codable, Comparable, Hashable, Sendable {
    /// What can be told without booting anything: parse, resolve, predict, advisories.
    case `static`
    /// Both arms booted several times.
    case boot
    /// Every object read and written again in memory: what a first save would lose.
    case roundTrip
    /// The site's own jobs, run in both arms.
    case probes
    /// Bursts of builds: queue wait and throughput.
    case load

    /// The number and the word: `S1 boot`.
    package var title: String { "S\(number) \(self == .roundTrip ? "round trip" : rawValue)" }

    /// 0 to 4.
    var number: Int { Stage.allCases.firstIndex(of: self) ?? 0 }

    /// Orders as they run.
    package static func < (left: Stage, right: Stage) -> Bool { left.number < right.number }
}

/// What a thing of the delivery system is, and its name: plugin `git`, builder `nightly`, page `/manage`.
package struct ObjectName: Codable, Comparable, CustomStringConvertible, Hashable, Sendable {
    /// What it is, one word: `plugin`, `job`, `builder`, `page`, `worker`, `scheduler`, `file`, `system`.
    package var kind: String
    /// Its name, as the delivery system spells it: any text.
    package var name: String

    /// The object of that kind and name.
    package init(_ kind: String, _ name: String) {
        self.kind = kind
        self.name = name
    }

    /// `plugin git`.
    package var description: String { name.isEmpty ? kind : "\(kind) \(name)" }

    /// Orders by kind, then by name.
    package static func < (left: ObjectName, right: ObjectName) -> Bool {
        (left.kind, left.name) < (right.kind, right.name)
    }
}
