package import SystemPackage

/// Says when silence is a failure: the last complete, pushed or proven snapshot is older than it may be.
package enum Freshness {
    /// When the last snapshot of each kind was taken, in seconds since 1970; nil when there is none.
    package struct Times: Codable, Hashable, Sendable {
        /// The last complete one.
        package var complete: Int64?
        /// The last complete one that every remote was seen to hold.
        package var pushed: Int64?
        /// The last proven one.
        package var proven: Int64?

        /// No snapshot.
        package init(complete: Int64? = nil, pushed: Int64? = nil, proven: Int64? = nil) {
            self.complete = complete
            self.pushed = pushed
            self.proven = proven
        }
    }

    /// What is too old at `now`; `limits` are the ages that each may have, nil for any.
    package static func problems(
        _ last: Times, limits: Times, now: Int64
    ) -> [NightReport.Problem] {
        var problems: [NightReport.Problem] = []
        if let limit = limits.complete, let words = words("complete", last.complete, limit, now) {
            problems.append(
                .init(
                    "age", words,
                    hint: "run 'understudy nightly' and read what it says; make sure that it is scheduled",
                    cause: "complete"))
        }
        if let limit = limits.pushed, let words = words("pushed", last.pushed, limit, now) {
            problems.append(
                .init(
                    "age", words, hint: "run 'understudy push'; 'understudy remote add' names where to",
                    cause: "pushed"))
        }
        if let limit = limits.proven, let words = words("proven", last.proven, limit, now) {
            problems.append(
                .init(
                    "proof", words, hint: "run 'understudy drill', which restores one into isolation",
                    cause: "proven"))
        }
        return problems
    }

    /// Seconds that clocks may differ by: a store may be written by one host and looked at by another.
    package static let clockTolerance: Int64 = 300
    /// The cause of a snapshot that is newer than the clock.
    package static let future = "future"

    /// That a snapshot is newer than the clock, by so many seconds.
    package static func ahead(
        _ snapshot: String, by seconds: Int64, system: String, store: FilePath
    ) -> NightReport.Problem {
        .init(
            "clock",
            "the snapshot \(snapshot) is \(span(seconds)) newer than the clock, which jumped then or since",
            hint:
                "make sure that the clock is right and stays right (timedatectl); if it was wrong then, drop that snapshot: git -C "
                + "\(store) update-ref -d refs/snapshots/\(system)/\(snapshot) && echo \(snapshot) >>\(store)/understudy/absent-snapshots",
            cause: future)
    }

    /// That the clock was set while a night ran, `elapsed` seconds of it by a clock that nobody sets; nil when it was not.
    package static func jump(from started: Int64, to finished: Int64, elapsed: Int64) -> NightReport.Problem?
    {
        let jump = finished - started - elapsed
        guard abs(jump) > clockTolerance else { return nil }
        return .init(
            "clock",
            "the clock jumped \(jump > 0 ? "forwards" : "back") by \(span(abs(jump))) during the night",
            hint: "make sure that it is right and stays right (timedatectl): ages and retention depend on it",
            cause: "jump")
    }

    private static func words(_ what: String, _ time: Int64?, _ limit: Int64, _ now: Int64) -> String? {
        guard let time else { return "there is no \(what) snapshot" }
        guard now - time > limit else { return nil }
        return "the last \(what) snapshot is \(span(now - time)) old, and may be \(span(limit))"
    }

    /// A length of time as policies spell it: `26h`, `3d`.
    static func span(_ seconds: Int64) -> String {
        if seconds >= 2 * 86400 { return "\(seconds / 86400)d" }
        if seconds >= 2 * 3600 { return "\(seconds / 3600)h" }
        return seconds >= 60 ? "\(seconds / 60)m" : "\(seconds)s"
    }
}
