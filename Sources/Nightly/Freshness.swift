/// Says when silence is a failure: the last complete or proven snapshot is older than it may be.
package enum Freshness {
    /// What is too old at `now`, all in seconds since 1970; `maxProven` nil for any age.
    package static func problems(
        lastComplete: Int64?, lastProven: Int64?, maxComplete: Int64, maxProven: Int64?, now: Int64
    ) -> [NightReport.Problem] {
        var problems: [NightReport.Problem] = []
        if let words = words("complete", lastComplete, maxComplete, now) {
            problems.append(
                .init(
                    "age", words,
                    hint: "run 'understudy nightly' and read what it says; see that it is scheduled"))
        }
        if let maxProven, let words = words("proven", lastProven, maxProven, now) {
            problems.append(
                .init("proof", words, hint: "restore one, beside production or into it, and see that it runs")
            )
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
