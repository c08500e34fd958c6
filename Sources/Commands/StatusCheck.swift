internal import Capture
internal import Configuration
internal import Git
internal import GitStore
internal import Nightly
internal import Restore
internal import SnapshotModel

/// What a monitor asks: is anything older than the policy allows, or in a state that somebody must look at.
struct StatusCheck: Encodable {
    /// When the last complete snapshot was taken, seconds since 1970; nil when there is none.
    var lastComplete: Int64?
    /// When the last proven snapshot was taken, seconds since 1970; nil when there is none.
    var lastProven: Int64?
    /// What is wrong.
    var problems: [NightReport.Problem] = []

    /// Looks at the store, and at nothing of the live system.
    init(_ session: Session, _ policy: NotifyPolicy) throws {
        let store = try session.store()
        let reader = try store.reader()
        let proven = try store.provenSnapshots(of: session.system.name, with: reader)
        for reference in try store.snapshots(of: session.system.name).reversed() {
            guard lastComplete == nil || lastProven == nil else { break }
            guard try !store.isSafety(reference, with: reader) else { continue }
            let stored = try store.read(reference, with: reader)
            if lastComplete == nil, stored.snapshot.status == .complete { lastComplete = stored.commit.time }
            if lastProven == nil, proven.contains(reference.id) { lastProven = stored.commit.time }
        }
        problems = Freshness.problems(
            lastComplete: lastComplete, lastProven: lastProven,
            maxComplete: policy.maxCompleteAge ?? session.policy.warnAfter.components.seconds,
            maxProven: policy.maxProvenAge, now: Clock.now.seconds)
        if let words = try Recovery.look(store.localDirectory) {
            problems.append(
                .init("restore", words, hint: "'understudy restore' puts the old trees back and goes on"))
        }
    }

    /// Adds what the last night found and nobody mended since.
    mutating func addLastNight(_ session: Session) throws {
        guard let night = try NightReport.read(try session.store().localDirectory) else { return }
        // Ages and interrupted restores were looked at just now.
        problems += night.problems.filter { !["age", "proof", "restore"].contains($0.kind) }
    }

    /// For people.
    var words: String {
        problems.isEmpty
            ? "ok" : problems.map { "PROBLEM: \($0.message)\n         \($0.hint)" }.joined(separator: "\n")
    }
}
