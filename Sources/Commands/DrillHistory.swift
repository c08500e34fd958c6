internal import Drill
internal import FoundationEssentials
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
        runs = try store.reports(Self.kind, of: system, with: reader).map { record, report in
            do {
                let report = try JSONDecoder().decode(DrillReport.self, from: Data(report))
                return DrillRun(
                    time: record.time, snapshot: report.snapshot.description, isGreen: report.isGreen,
                    restoreSeconds: report.restoreSeconds, notStarted: report.notStarted,
                    problems: report.problems)
            } catch {
                throw StoreFailure(
                    .damaged, "the record \(record.commit) of a drill cannot be read: \(error)",
                    hint: "'understudy verify --all' says what is whole")
            }
        }
    }

    /// The last one, nil when none was held.
    var last: DrillRun? { runs.first }
    /// The last green one.
    var lastGreen: DrillRun? { runs.first(where: \.isGreen) }
}
