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
                    hint: "run 'understudy nightly' and read what it says; see that it is scheduled"))
        }
        if let limit = limits.pushed, let words = words("pushed", last.pushed, limit, now) {
            problems.append(
                .init("age", words, hint: "run 'understudy push'; 'understudy remote add' names where to"))
        }
        if let limit = limits.proven, let words = words("proven", last.proven, limit, now) {
            problems.append(
                .init("proof", words, hint: "run 'understudy drill', which restores one into isolation"))
        }
        return problems
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
        return "\(seconds / 60)m"
    }
}
