package import SnapshotModel

/// What a drill did and found.
package struct DrillReport: Codable, Hashable, Sendable {
    /// One thing that was done to show that the snapshot restores.
    package struct Check: Codable, Hashable, Sendable {
        /// How it came out.
        package enum Result: String, Codable, Hashable, Sendable {
            /// It is as it should be.
            case passed
            /// It is not.
            case failed
            /// It could not be looked at, and the detail says why.
            case notCovered = "not-covered"
        }

        /// The component; empty for the store as a whole.
        package var component: String
        /// What was done: `boot`, `inventory`, `probe`.
        package var name: String
        /// How it came out.
        package var result: Result
        /// What was seen, one sentence.
        package var detail: String
        /// How long it took.
        package var seconds: Double
    }

    /// The snapshot.
    package var snapshot: SnapshotID
    /// The host that it was restored on.
    package var host: String
    /// The version of the tool.
    package var tool: String
    /// When the drill began, ISO 8601 in UTC.
    package var started: String
    /// What was done, in order.
    package var checks: [Check]
    /// From the beginning to the end, in seconds.
    package var seconds: Double

    /// The components that could be booted in isolation and were not, because something for that is missing here.
    ///
    /// Nil in records of versions that knew no difference.
    package var unproven: [String]?

    /// Whether everything that could be looked at is as it should be, and something was.
    package var isGreen: Bool {
        checks.contains { $0.result == .passed } && !checks.contains { $0.result == .failed }
    }

    /// Whether the snapshot is proven: it is green, and everything that can be started in isolation was.
    package var isProof: Bool { isGreen && (unproven ?? []).isEmpty }

    /// Seconds from nothing to serving: the steps that a restore has too, the loading of databases among them, one component
    /// after the other, without the checks after them.
    package var restoreSeconds: Double {
        checks.filter { ["verify", "restore", "load", "boot"].contains($0.name) }.reduce(0) {
            $0 + $1.seconds
        }
    }

    /// The components that were restored and not started, so that their start is not in ``restoreSeconds``.
    package var notStarted: [String] {
        checks.filter { $0.name == "boot" && $0.result != .passed }.map(\.component)
    }

    /// The components whose dumps and exports were written out and not put in place, so that this is not in
    /// ``restoreSeconds``.
    package var notLoaded: [String] {
        checks.filter { $0.name == "load" && $0.result != .passed }.map(\.component)
    }

    /// What is wrong, one line each.
    package var problems: [String] {
        checks.filter { $0.result == .failed }.map {
            ($0.component.isEmpty ? "" : "\($0.component): ") + "\($0.name): \($0.detail)"
        }
    }
}
