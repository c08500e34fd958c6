/// A drill, as a night reports it and `status` lists it.
package struct DrillRun: Codable, Hashable, Sendable {
    /// When its record was made, seconds since 1970.
    package var time: Int64
    /// The snapshot.
    package var snapshot: String
    /// Whether the snapshot came back.
    package var isGreen: Bool
    /// Seconds from nothing to serving: the recovery time, as measured.
    package var restoreSeconds: Double
    /// The components whose start is not in `restoreSeconds`, because they were not started.
    package var notStarted: [String]
    /// The components whose databases and exports were not put in place, which is not in `restoreSeconds` either.
    ///
    /// Nil in reports of versions that did not say.
    package var notLoaded: [String]?
    /// What does not come back, one line each.
    package var problems: [String]
    /// The components that a drill starts and this one could not: the snapshot is checked, and not proven.
    ///
    /// Nil in reports of versions that knew no difference.
    package var unproven: [String]?

    /// A drill that was held.
    package init(
        time: Int64, snapshot: String, isGreen: Bool, restoreSeconds: Double, notStarted: [String],
        problems: [String], unproven: [String]? = nil, notLoaded: [String]? = nil
    ) {
        self.time = time
        self.snapshot = snapshot
        self.isGreen = isGreen
        self.restoreSeconds = restoreSeconds
        self.notStarted = notStarted
        self.problems = problems
        self.unproven = unproven
        self.notLoaded = notLoaded
    }

    /// What is not in `restoreSeconds`, in words that follow it; nil when nothing is missing.
    package var unmeasured: String? { Self.unmeasured(notStarted: notStarted, notLoaded: notLoaded ?? []) }

    /// The words for components that were not started, and such whose databases were not put in place.
    package static func unmeasured(notStarted: [String], notLoaded: [String]) -> String? {
        let parts = [("the start", notStarted), ("the loading", notLoaded)].filter { !$0.1.isEmpty }
        guard !parts.isEmpty else { return nil }
        return "without " + parts.map { "\($0) of \($1.joined(separator: ", "))" }.joined(separator: " and ")
    }

    /// Whether a night holds a drill, `every` so many seconds: when the last one was red, or is old enough.
    ///
    /// Nights do not begin to the second, so a little less than the whole time counts; a drill of the future, from before
    /// a clock was set back, counts as none.
    package static func isDue(last: DrillRun?, every: Int64, now: Int64) -> Bool {
        guard let last, last.isGreen, last.time <= now else { return true }
        return now - last.time >= every - min(every / 2, 6 * 3600)
    }

    /// What is wrong with the last drill, and with how long the last green one took, at most `target` seconds being promised.
    package static func problems(
        last: DrillRun?, lastGreen: DrillRun?, target: Int64?
    ) -> [NightReport.Problem] {
        var problems: [NightReport.Problem] = []
        if let last, !last.isGreen {
            let more = last.problems.count > 1 ? ", and \(last.problems.count - 1) more" : ""
            problems.append(
                .init(
                    "red",
                    "the drill of \(last.snapshot) is red: \(last.problems.first ?? "nothing could be checked")\(more)",
                    hint:
                        "fix it and run 'understudy drill' until it is green; nothing is pruned until then",
                    cause: last.problems.first ?? ""))
        }
        if let target, let lastGreen, lastGreen.restoreSeconds > Double(target) {
            let taken = Freshness.span(Int64(lastGreen.restoreSeconds))
            problems.append(
                .init(
                    "target",
                    "the last green drill took \(taken) to restore, and the target is \(Freshness.span(target))",
                    hint:
                        "run 'understudy drill' and see which step takes long, or change 'targets' in policies/notify.yaml",
                    cause: "rto"))
        }
        return problems
    }
}
