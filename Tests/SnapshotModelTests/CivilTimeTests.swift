import SnapshotModel
import Testing

@Suite struct CivilTimeTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"), (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"), (1_709_164_800, "2024-02-29T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"), (-62_135_596_800, "0001-01-01T00:00:00Z"),
        ] as [(Int64, String)])
    func secondsAreTheCalendars(_ seconds: Int64, _ expected: String) {
        #expect(CivilTime(seconds: seconds).iso8601 == expected)
    }

    @Test func everyDayFollowsTheOneBefore() {
        let lengths: [Int64] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var year: Int64 = 1897
        var month: Int64 = 1
        var day: Int64 = 1
        for number in Int64(-26_662)..<60_000 {
            let time = CivilTime(seconds: number * 86400 + 3661)
            guard time.year == year, time.month == month, time.day == day else {
                Issue.record("day \(number) is \(time.iso8601), not \(year)-\(month)-\(day)")
                return
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            day += 1
            if day > lengths[Int(month) - 1] + (month == 2 && isLeap ? 1 : 0) {
                (month, day) = (month + 1, 1)
            }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
        #expect(CivilTime(seconds: 3661).compact == "19700101T010101Z")
    }

    @Test func aMomentIsReadAsItIsSpelled() {
        for seconds: Int64 in [0, 951_782_400, 1_795_658_553, 4_102_444_799, -1] {
            #expect(CivilTime.seconds(CivilTime(seconds: seconds).iso8601) == seconds)
        }
        for text in ["", "2026-11-26", "2026-02-30T00:00:00Z", "2026-11-26T02:02:16", "2026-11-26 02:02:16Z"]
        {
            #expect(CivilTime.seconds(text) == nil)
        }
    }
}
