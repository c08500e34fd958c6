internal import Drill
internal import Git
internal import GitStore
internal import Nightly
internal import SnapshotModel

/// The drills that the store has a record of.
struct DrillHistory {
    /// Newest first.
    let runs: [DrillRun]

    /// The kind of their records.
    static let kind = "drills"

    /// Reads the records of a system.
    init(_ store: SnapshotStore, system: String, with reader: ObjectReader) throws {
        runs = try store.reports(Self.kind, as: DrillReport.self, of: system, with: reader).map {
            record, report in
            DrillRun(
                time: record.time, snapshot: report.snapshot.description, isGreen: report.isGreen,
                restoreSeconds: report.restoreSeconds, notStarted: report.notStarted,
                problems: report.problems, unproven: report.unproven)
        }
    }

    /// The last one, nil when none was held.
    var last: DrillRun? { runs.first }
    /// The last green one.
    var lastGreen: DrillRun? { runs.first(where: \.isGreen) }
}
