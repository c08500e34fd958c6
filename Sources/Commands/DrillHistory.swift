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
        self.init(try store.reports(Self.kind, as: DrillReport.self, of: system, with: reader))
    }

    /// Reads those records that can be read.
    init(_ survey: inout StoreSurvey) throws {
        self.init(try survey.reports(Self.kind, as: DrillReport.self))
    }

    private init(_ records: [(record: EvidenceRecord, report: DrillReport)]) {
        runs = records.map { record, report in report.run(at: record.time) }
    }

    /// The last one, nil when none was held.
    var last: DrillRun? { runs.first }
    /// The last green one.
    var lastGreen: DrillRun? { runs.first(where: \.isGreen) }
}

extension DrillReport {
    /// What is not in ``restoreSeconds``, in words that follow it; nil when nothing is missing.
    var unmeasured: String? { DrillRun.unmeasured(notStarted: notStarted, notLoaded: notLoaded) }

    /// The drill as a night reports it, whose record was made at a time.
    func run(at time: Int64) -> DrillRun {
        DrillRun(
            time: time, snapshot: snapshot.description, isGreen: isGreen,
            restoreSeconds: restoreSeconds, notStarted: notStarted,
            problems: problems, unproven: unproven, notLoaded: notLoaded)
    }
}
