internal import Capture
internal import Configuration
internal import Git
internal import GitStore
internal import Nightly
internal import SnapshotModel

/// How much work a disaster would cost now and how long the way back takes, as measured, against the targets.
struct Readiness: Encodable {
    /// Seconds since the last complete snapshot: what would be lost; nil when there is none.
    let rpoSeconds: Int64?
    /// Seconds that may be lost; nil without a target.
    let rpoTargetSeconds: Int64?
    /// Seconds from nothing to serving in the last green drill; nil when there was none.
    let rtoSeconds: Double?
    /// What is not in `rtoSeconds`, since no drill can do it or the last green one did not; nil when nothing is missing.
    let unmeasured: String?
    /// Seconds that a restore may take; nil without a target.
    let rtoTargetSeconds: Int64?
    /// The last drills, newest first.
    let drills: [DrillRun]

    private static let shownDrills = 5

    /// Looks at the store alone, and at what can be read of it.
    init(_ session: Session, _ store: SnapshotStore, _ survey: inout StoreSurvey, now: Int64) throws {
        let policy = try NotifyPolicy.read(for: session.description)
        let history = try DrillHistory(&survey)
        var last: Int64?
        for reference in try store.snapshots(of: session.system.name).reversed() {
            guard try survey.isSafety(reference) == false, let stored = try survey.read(reference) else {
                continue
            }
            // Of a snapshot of the future nobody knows when it was taken.
            guard stored.snapshot.status == .complete,
                stored.commit.time - now <= Freshness.clockTolerance
            else { continue }
            last = stored.stateTime
            break
        }
        self.init(
            history.runs, lastComplete: last, rpo: policy.targetRPO, rto: policy.targetRTO, now: now)
    }

    /// What drills and the last complete snapshot come to at `now`; `rpo` and `rto` are the targets, in seconds.
    init(_ runs: [DrillRun], lastComplete: Int64?, rpo: Int64?, rto: Int64?, now: Int64) {
        rpoSeconds = lastComplete.map { max(0, now - $0) }
        rpoTargetSeconds = rpo
        let green = runs.first(where: \.isGreen)
        rtoSeconds = green?.restoreSeconds
        unmeasured = green?.unmeasured
        rtoTargetSeconds = rto
        drills = Array(runs.prefix(Self.shownDrills))
    }

    /// For people.
    var rows: [[String]] {
        var rows = [
            ["RPO", words(rpoSeconds.map { Double($0) }, rpoTargetSeconds, none: "no complete snapshot")],
            ["RTO", words(rtoSeconds, rtoTargetSeconds, none: "never measured: 'understudy drill'")],
        ]
        if let unmeasured { rows[1][1] += "; \(unmeasured)" }
        for (index, drill) in drills.enumerated() {
            let result =
                if drill.isGreen, let unproven = drill.unproven, !unproven.isEmpty {
                    "checked, not started: \(unproven.joined(separator: ", "))"
                } else if drill.isGreen {
                    "green, restored in \(shown(seconds: drill.restoreSeconds))"
                } else {
                    "RED: \(drill.problems.first ?? "nothing could be checked")"
                }
            rows.append([
                index == 0 ? "drill" : "",
                "\(CivilTime(seconds: drill.time).iso8601)  \(drill.snapshot)  \(result)",
            ])
        }
        return rows
    }

    private func words(_ value: Double?, _ target: Int64?, none: String) -> String {
        let measured = value.map { shown(seconds: $0) } ?? none
        guard let target else { return measured }
        let isMissed = value.map { $0 > Double(target) } ?? true
        return "\(measured), target \(shown(seconds: Double(target)))\(isMissed ? "  MISSED" : "")"
    }
}
