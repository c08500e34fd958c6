import SnapshotModel
import Testing

@Suite struct RetentionTests {
    private static let day: Int64 = 86400
    /// 2026-11-25T00:00:00Z, a Wednesday.
    private static let now: Int64 = 1_795_564_800

    private func candidate(
        _ time: Int64, _ random: UInt16 = 0, isComplete: Bool = true, isProven: Bool = false,
        isSafety: Bool = false, tags: [String] = []
    ) -> Retention.Candidate {
        .init(
            id: SnapshotID(seconds: time, random: random), time: time, isComplete: isComplete,
            isProven: isProven, isSafety: isSafety, tags: tags)
    }

    private func times(_ retention: Retention) -> [Int64] { retention.kept.map(\.id.seconds) }

    @Test func withoutARuleEverythingIsKept() {
        let all = (1...40).map {
            candidate(Self.now - Int64($0) * 100 * Self.day, isSafety: $0.isMultiple(of: 2))
        }
        let retention = Retention(all, policy: .init(), now: Self.now)
        #expect(retention.forgotten.isEmpty && retention.kept.count == all.count)
        #expect(retention.kept.allSatisfy { $0.reasons.contains("the policy keeps everything") })
    }

    /// The example of restic's manual, "forget": Sundays at 11:00, `--keep-daily 4` keeps the last four that have one.
    @Test func aSlotWithoutSnapshotIsNotCounted() {
        let sundays = (0..<10).map { candidate(Self.now - (3 + 7 * Int64($0)) * Self.day + 39_600) }
        let retention = Retention(sundays, policy: .init(daily: 4), now: Self.now)
        #expect(times(retention) == sundays.prefix(4).map(\.time).reversed())
        #expect(retention.kept.last?.reasons == ["newest complete", "daily 2026-11-22"])
    }

    @Test func theNewestOfASlotIsKept() {
        let day = (0..<5).map { candidate(Self.now - Self.day + Int64($0) * 3600) }
        let retention = Retention(day, policy: .init(daily: 3), now: Self.now)
        #expect(times(retention) == [day[4].time])
        #expect(retention.forgotten.count == 4)
    }

    @Test(
        arguments: [
            (1_104_537_600, "2004-W53"), (1_104_624_000, "2004-W53"), (1_199_059_200, "2008-W01"),
            (1_230_422_400, "2008-W52"), (1_230_508_800, "2009-W01"), (1_262_476_800, "2009-W53"),
            (1_262_563_200, "2010-W01"),
        ] as [(Int64, String)])
    func weeksAreThoseOfISO8601(_ time: Int64, _ week: String) {
        let retention = Retention([candidate(time)], policy: .init(weekly: 1), now: Self.now)
        #expect(retention.kept.first?.reasons.contains("weekly \(week)") == true, "\(retention.kept)")
    }

    @Test func aPartialSnapshotTakesNoPlaceFromACompleteOne() {
        let complete = candidate(Self.now - 7200)
        let partial = candidate(Self.now - 3600, isComplete: false)
        let retention = Retention([complete, partial], policy: .init(daily: 1), now: Self.now)
        #expect(
            retention.kept.map(\.reasons) == [
                ["newest complete", "daily 2026-11-24"], ["daily 2026-11-24, partial"],
            ])
    }

    @Test func safetySnapshotsTakeNoPlaceAndGoByAge() {
        let real = candidate(Self.now - 41 * Self.day)
        let safety = (1...40).map { candidate(Self.now - Int64($0) * Self.day, isSafety: true) }
        let retention = Retention(
            [real] + safety, policy: .init(last: 1, safety: 10 * Self.day), now: Self.now)
        #expect(retention.kept.count == 10)
        #expect(retention.kept.first?.reasons == ["newest complete", "last 1"])
        let later = Retention([real] + safety, policy: .init(last: 1), now: Self.now + 900 * Self.day)
        #expect(later.kept.map(\.reasons.last) == ["last 1", "newest safety snapshot"])
    }

    @Test func aClockThatJumpsAYearForgetsNothingThatHasAPlace() {
        let all = (0..<20).map { candidate(Self.now - Int64($0) * Self.day) }
        let policy = Retention.Policy(last: 3, daily: 7, weekly: 2)
        let today = Retention(all, policy: policy, now: Self.now)
        let later = Retention(all, policy: policy, now: Self.now + 365 * Self.day)
        #expect(times(today) == times(later))
    }

    @Test func aSpanOfSecondsIsSaidInSeconds() {
        let kept = Retention([candidate(Self.now)], policy: .init(minimumAge: 1), now: Self.now).kept
        #expect(kept.first?.reasons.contains("younger than 1s") == true, "\(kept)")
    }

    @Test func aSnapshotOfTheFutureIsKeptAndTakesNoPlace() {
        let future = (1...5).map { candidate(Self.now + Int64($0) * 400 * Self.day) }
        let past = candidate(Self.now - Self.day)
        let retention = Retention(future + [past], policy: .init(last: 1), now: Self.now)
        #expect(retention.forgotten.isEmpty)
        #expect(retention.kept.first?.reasons == ["last 1"])
    }

    @Test func tagsAgeProofAndARestoreKeep() {
        let old = candidate(Self.now - 900 * Self.day, tags: ["release", "other"])
        let proven = candidate(Self.now - 800 * Self.day, isProven: true)
        let needed = candidate(Self.now - 700 * Self.day)
        let gone = candidate(Self.now - 600 * Self.day, tags: ["other"])
        let young = candidate(Self.now - 60)
        let newest = candidate(Self.now - 30)
        let retention = Retention(
            [newest, old, proven, needed, gone, young],
            policy: .init(last: 1, minimumAge: 3600, tags: ["release"]), now: Self.now,
            needed: [needed.id: "last restored"])
        #expect(
            retention.kept.map(\.reasons) == [
                ["tag release"], ["newest proven"], ["last restored"], ["younger than 1h"],
                ["newest complete", "younger than 1h", "last 1"],
            ])
        #expect(retention.forgotten == [gone.id])
    }

    /// Hundreds of random systems and policies.
    @Test(arguments: 0..<300)
    func whatAlwaysHolds(_ seed: Int) throws {
        var random = Generator(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 &+ 1)
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        func count() -> Int? { Bool.random(using: &random) ? nil : number(1...6) }
        let span = [3, 60, 1500][number(0...2)]
        var all: [Retention.Candidate] = []
        for index in 0..<number(1...40) {
            all.append(
                candidate(
                    Self.now - Int64(number(0...(span * 86400))), UInt16(index),
                    isComplete: number(0...4) > 0, isProven: number(0...9) == 0,
                    isSafety: number(0...5) == 0, tags: number(0...9) == 0 ? ["keep"] : []))
        }
        let policy = Retention.Policy(
            last: count(), hourly: count(), daily: count(), weekly: count(), monthly: count(),
            yearly: count(), minimumAge: Bool.random(using: &random) ? nil : Int64(number(1...200_000)),
            tags: Bool.random(using: &random) ? ["keep"] : [])
        let retention = Retention(all, policy: policy, now: Self.now)
        let kept = Set(retention.kept.map(\.id))

        #expect(kept.union(retention.forgotten) == Set(all.map(\.id)))
        #expect(kept.count + retention.forgotten.count == all.count)
        #expect(retention.kept.allSatisfy { !$0.reasons.isEmpty })
        #expect(retention == Retention(all.shuffled(using: &random), policy: policy, now: Self.now))
        let newestComplete = all.filter { $0.isComplete && !$0.isSafety }.map(\.id).max()
        #expect(newestComplete.map(kept.contains) ?? true)
        #expect(all.filter(\.isProven).map(\.id).max().map(kept.contains) ?? true)

        // Again changes nothing.
        let again = Retention(all.filter { kept.contains($0.id) }, policy: policy, now: Self.now)
        #expect(again.forgotten.isEmpty)

        // One that is older than all drops none.
        let oldest = try #require(all.map(\.time).min())
        let older = candidate(oldest - Int64(number(1...10_000_000)), 999)
        let more = Retention(all + [older], policy: policy, now: Self.now)
        #expect(kept.isSubset(of: more.kept.map(\.id)))
    }

    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }
}
