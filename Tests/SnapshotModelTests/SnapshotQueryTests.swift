import SnapshotModel
import Testing

@Suite struct SnapshotQueryTests {
    private let snapshots = [
        "20260101T010000Z-aaaa", "20260102T010000Z-bbbb", "20260102T020000Z-cccc", "20260103T010000Z-dddd",
    ].enumerated().compactMap { index, text in
        SnapshotID(text).map { (id: $0, object: "object\(index)", isSafety: index == 3) }
    }

    @Test(arguments: [
        ("latest", 2), ("latest~1", 1), ("2026-01-01", 0), ("2026-01-02", 2), ("2026-01-02 01:30", 1),
        ("2026-01-02T01:00:00Z", 1), ("20260103", 3), ("object1", 1), ("20260102T02", 2), ("2027-01-01", 2),
    ]) func findsWhatPeopleMean(_ text: String, _ expected: Int) {
        #expect(SnapshotQuery(text).find(in: snapshots) == .found(expected))
    }

    @Test(arguments: [
        "", "latest~9", "latest~x", "2025-01-01", "zzz", "2026-11-31", "2026-99-99", "2026-02-29",
        "2026-11-28T03:60", "2026-11-28 24:00:00",
    ]) func saysWhenNothingIsMeant(
        _ text: String
    ) {
        guard case .none = SnapshotQuery(text).find(in: snapshots) else {
            Issue.record("\(text) was found")
            return
        }
    }

    @Test func saysWhenSeveralAreMeant() {
        #expect(SnapshotQuery("20260102").find(in: snapshots) == .ambiguous([1, 2]))
        #expect(SnapshotQuery("20260102").day == "2026-01-02")
        for text in ["2026010", "2026-01-02", "20260102T", "latest~1", "2026010x"] {
            #expect(SnapshotQuery(text).day == nil, "\(text)")
        }
    }
}
