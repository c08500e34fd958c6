/// Which snapshots are kept, and why: a function of values.
package struct Retention: Hashable, Sendable {
    /// How many of what are kept; nothing set keeps everything.
    package struct Policy: Hashable, Sendable {
        /// The newest so many.
        package var last: Int?
        /// The newest of each of the newest so many hours, days, ISO weeks, months and years that have one.
        package var hourly: Int?, daily: Int?, weekly: Int?, monthly: Int?, yearly: Int?
        /// Everything that is younger, in seconds.
        package var minimumAge: Int64?
        /// Everything that has one of these tags.
        package var tags: [String]
        /// How long safety snapshots are kept, in seconds; the newest always is.
        package var safety: Int64

        /// A policy that keeps everything, but for old safety snapshots once it has a rule.
        package init(
            last: Int? = nil, hourly: Int? = nil, daily: Int? = nil, weekly: Int? = nil, monthly: Int? = nil,
            yearly: Int? = nil, minimumAge: Int64? = nil, tags: [String] = [], safety: Int64 = 30 * 86400
        ) {
            self.last = last
            self.hourly = hourly
            self.daily = daily
            self.weekly = weekly
            self.monthly = monthly
            self.yearly = yearly
            self.minimumAge = minimumAge
            self.tags = tags
            self.safety = safety
        }

        /// Whether no rule chooses anything: then nothing is forgotten.
        package var isEmpty: Bool {
            [last, hourly, daily, weekly, monthly, yearly].allSatisfy { $0 == nil } && minimumAge == nil
                && tags.isEmpty
        }
    }

    /// What the decision needs to know of a snapshot.
    package struct Candidate: Hashable, Sendable {
        /// Its id: the order of the snapshots.
        package var id: SnapshotID
        /// When it was begun by the clock of then, in seconds since 1970.
        ///
        /// Not the time of the id, which is moved on after
        /// a clock went back: a month of such ids would be one day.
        package var time: Int64
        /// Whether nothing is missing in it.
        package var isComplete: Bool
        /// Whether a restore or a drill has proven it.
        package var isProven: Bool
        /// Whether it only saves what a restore was about to replace.
        package var isSafety: Bool
        /// The words its taker gave it.
        package var tags: [String]

        /// A candidate.
        package init(
            id: SnapshotID, time: Int64, isComplete: Bool = true, isProven: Bool = false,
            isSafety: Bool = false, tags: [String] = []
        ) {
            self.id = id
            self.time = time
            self.isComplete = isComplete
            self.isProven = isProven
            self.isSafety = isSafety
            self.tags = tags
        }
    }

    /// A snapshot that is kept.
    package struct Kept: Hashable, Sendable {
        /// Its id.
        package var id: SnapshotID
        /// Why; never empty.
        package var reasons: [String]
    }

    /// What is kept, oldest first.
    package var kept: [Kept]
    /// What is forgotten, oldest first.
    package var forgotten: [SnapshotID]

    /// Decides about snapshots at the moment `now`, in seconds since 1970; `needed` says of some what needs them.
    ///
    /// Complete and partial snapshots have places of their own, so that a partial one takes none from a complete one;
    /// safety snapshots and those of a clock that is ahead take none at all. No place depends on `now`: a clock that jumps
    /// makes nothing be forgotten but what is only kept for its age.
    package init(
        _ candidates: [Candidate], policy: Policy, now: Int64, needed: [SnapshotID: String] = [:]
    ) {
        let newestFirst = candidates.sorted { $0.id > $1.id }
        var reasons: [SnapshotID: [String]] = [:]
        func keep(_ candidate: Candidate?, _ reason: String) {
            if let candidate { reasons[candidate.id, default: []].append(reason) }
        }
        for candidate in newestFirst {
            if let need = needed[candidate.id] { keep(candidate, need) }
            if policy.isEmpty { keep(candidate, "the policy keeps everything") }
            if candidate.time > now { keep(candidate, "newer than this host's clock") }
        }
        keep(newestFirst.first { $0.isComplete && !$0.isSafety }, "newest complete")
        keep(newestFirst.first { $0.isProven }, "newest proven")
        keep(newestFirst.first { $0.isSafety }, "newest safety snapshot")
        for candidate in newestFirst {
            let age = now - candidate.time
            if candidate.isSafety, age < policy.safety {
                keep(candidate, "safety snapshot younger than \(Self.words(policy.safety))")
            }
            if let minimum = policy.minimumAge, age < minimum {
                keep(candidate, "younger than \(Self.words(minimum))")
            }
            for tag in candidate.tags where policy.tags.contains(tag) { keep(candidate, "tag \(tag)") }
        }
        for isComplete in [true, false] {
            let own = newestFirst.filter { $0.isComplete == isComplete && !$0.isSafety && $0.time <= now }
            let suffix = isComplete ? "" : ", partial"
            for (number, candidate) in own.prefix(max(0, policy.last ?? 0)).enumerated() {
                keep(candidate, "last \(number + 1)\(suffix)")
            }
            for slot in Slot.allCases {
                var taken: Set<String> = []
                for candidate in own {
                    guard taken.count < slot.count(policy) else { break }
                    let name = slot.name(CivilTime(seconds: candidate.time), candidate.time)
                    if taken.insert(name).inserted { keep(candidate, "\(slot.rawValue) \(name)\(suffix)") }
                }
            }
        }
        kept = newestFirst.reversed().compactMap { candidate in
            reasons[candidate.id].map { Kept(id: candidate.id, reasons: $0) }
        }
        forgotten = newestFirst.reversed().map(\.id).filter { reasons[$0] == nil }
    }

    /// A stretch of time of which the newest snapshot is kept.
    private enum Slot: String, CaseIterable {
        case hourly, daily, weekly, monthly, yearly

        func count(_ policy: Policy) -> Int {
            switch self {
            case .hourly: policy.hourly ?? 0
            case .daily: policy.daily ?? 0
            case .weekly: policy.weekly ?? 0
            case .monthly: policy.monthly ?? 0
            case .yearly: policy.yearly ?? 0
            }
        }

        /// The stretch that a moment is in, in UTC.
        func name(_ time: CivilTime, _ seconds: Int64) -> String {
            switch self {
            case .hourly: return String(time.iso8601.prefix(13))
            case .daily: return String(time.iso8601.prefix(10))
            case .monthly: return String(time.iso8601.prefix(7))
            case .yearly: return String(time.iso8601.prefix(4))
            case .weekly:
                // ISO 8601: weeks begin on Monday, and belong to the year that their Thursday is in; 1970 began on one.
                let day = seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400
                let weekday = ((day + 3) % 7 + 7) % 7
                let thursday = day - weekday + 3
                let year = CivilTime(seconds: thursday * 86400).year
                let week = (thursday - CivilTime.days(year: year, month: 1, day: 1)) / 7 + 1
                return "\(year)-W\(week < 10 ? "0" : "")\(week)"
            }
        }
    }

    private static func words(_ seconds: Int64) -> String {
        if seconds % 86400 == 0 { return "\(seconds / 86400)d" }
        if seconds % 3600 == 0 { return "\(seconds / 3600)h" }
        return seconds % 60 == 0 ? "\(seconds / 60)m" : "\(seconds)s"
    }
}
