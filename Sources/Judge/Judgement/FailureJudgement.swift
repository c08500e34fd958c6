internal import SnapshotModel

/// Pass and fail of one series, compared: deterministic causes first, then the count.
struct FailureJudgement {
    /// What it comes to.
    let result: Decision
    /// Why, one sentence.
    let reason: String
    /// The numbers; without the level, which depends on how many tests there are.
    let numbers: FailureComparison
    /// What the unchanged arms' failures say first; nil when none says anything.
    let unchangedSignature: String?
    /// Whether the unchanged arms fail always: then the probe says nothing here.
    let isInvalid: Bool

    /// The fewest runs of each arm with which "all of them fail" says anything.
    static let fewest = 3

    /// What the count of failures is held against.
    enum Test {
        /// Fisher's test, not decided yet: how many tests there are is still to be counted.
        case none
        /// Fisher's test at a declared look, with its level and whether it rejects.
        case look(level: Double, isRejected: Bool)
        /// The bet pair by pair, for runs beyond the declared looks.
        case bet(level: Double)
    }

    /// Judges the runs until a pair; the control's runs are unchanged ones too.
    ///
    /// `isComplete` says that no more runs of this look are to come: without that, none failed yet is not none fails.
    init(_ series: Series, until pair: Int, test: Test, isComplete: Bool) {
        let unchanged = series.runs(.baseline, until: pair) + series.runs(.control, until: pair)
        let candidate = series.runs(.candidate, until: pair)
        let (failures, baselineFailures) = (candidate.filter { !$0.passed }, unchanged.filter { !$0.passed })
        let told = failures.compactMap(\.signature).filter { !$0.isEmpty }
        unchangedSignature = baselineFailures.compactMap(\.signature).first { !$0.isEmpty }
        isInvalid = unchanged.count >= Self.fewest && baselineFailures.count == unchanged.count
        let p = FailureRate.pWorse(
            baseline: (baselineFailures.count, unchanged.count), candidate: (failures.count, candidate.count))
        var (level, bet, isRejected): (Double?, Double?, Bool) = (nil, nil, false)
        switch test {
        case .none: break
        case .look(let alpha, let rejects): (level, isRejected) = (alpha, rejects)
        case .bet(let alpha):
            let value = Self.bet(series, until: pair)
            (level, bet, isRejected) = (alpha, value, value >= 1 / alpha)
        }
        let bound = FailureRate.upperBound(failed: failures.count, runs: candidate.count, alpha: 0.05)
        let least = FailureRate.lowerBound(failed: failures.count, runs: candidate.count, alpha: 0.05)
        numbers = FailureComparison(
            baselineFailed: baselineFailures.count, baselineRuns: unchanged.count,
            candidateFailed: failures.count, candidateRuns: candidate.count, p: p.map(rounded),
            alpha: level.map(rounded), eValue: bet.map(rounded), lowerBound: least.map(rounded),
            upperBound: bound.map(rounded))
        let summary = "\(failures.count) of \(candidate.count) runs failed, without the change "
        let enough = min(unchanged.count, candidate.count) >= Self.fewest
        if failures.count == candidate.count, baselineFailures.isEmpty, enough {
            result = .fail
            reason = "every run fails: \(summary)none of \(unchanged.count)"
        } else if baselineFailures.isEmpty, failures.count >= 2, told.count == failures.count,
            Set(told).count == 1, enough
        {
            result = .fail
            reason = "\(summary)none of \(unchanged.count), and each in the same way"
        } else if isRejected, enough {
            result = .fail
            reason = "\(summary)\(baselineFailures.count) of \(unchanged.count)"
        } else if !baselineFailures.isEmpty {
            result = .inconclusive
            reason =
                "the probe fails without the change too, in \(baselineFailures.count) of \(unchanged.count) runs"
        } else if !failures.isEmpty {
            result = .inconclusive
            reason = "\(summary)none of \(unchanged.count): too few to tell chance from the change"
        } else if isComplete, !unchanged.isEmpty, !candidate.isEmpty, let bound {
            result = .pass
            reason =
                "no failure in \(counted(candidate.count, "run")); a rate of up to \(percent(bound)) would still go unseen"
        } else {
            result = .inconclusive
            reason = "\(min(candidate.count, unchanged.count)) runs of each arm so far"
        }
    }

    /// The bet after all pairs: only those count that ended differently.
    private static func bet(_ series: Series, until pair: Int) -> Double {
        let passed = { (arm: Arm) in
            Dictionary(series.runs(arm, until: pair).map { ($0.pair, $0.passed) }) { $0 && $1 }
        }
        let (baseline, candidate) = (passed(.baseline), passed(.candidate))
        let discordant = candidate.filter { baseline[$0.key] == !$0.value }
        return FailureRate.bet(
            candidateOnly: discordant.count { !$0.value }, discordant: discordant.count)
    }
}

/// The number to twelve digits: what a machine's library of functions does in the last place is not in a verdict.
func rounded(_ value: Double) -> Double {
    guard value.isFinite, value != 0 else { return value }
    var scale = 1.0
    while abs(value) * scale < 1e11, scale < 1e300 { scale *= 10 }
    while abs(value) * scale >= 1e12, scale > 1e-300 { scale /= 10 }
    return (value * scale).rounded() / scale
}

/// `26 %`.
func percent(_ share: Double) -> String {
    // Evidence comes from outside: a ratio can be anything, and a number of this size says enough.
    share < 1e6 ? "\(Int((share * 100).rounded())) %" : "more than 100000000 %"
}
