/// Something that was measured in both arms.
package struct Measure: Codable, Hashable, Sendable {
    /// What is measured.
    package enum Quantity: String, Codable, Hashable, Sendable {
        /// Runs that did not pass.
        case failures
        /// The time of a build, in seconds; less is better.
        case seconds
        /// The median time that the builds of a burst waited, in seconds; less is better.
        case queueWait
        /// Builds a second in a burst; more is better.
        case throughput
    }

    /// What was measured: the job of a probe, or the system under load.
    package var object: ObjectName
    /// The name of the probe; empty for the load stage.
    package var probe: String
    /// The quantity.
    package var quantity: Quantity
    /// Whether it can stop the change.
    package var isCritical: Bool
    /// What it came to.
    package var result: Decision
    /// Why, one sentence.
    package var reason: String
    /// The look that decided, counted from 1; 0 when no look was complete.
    package var look: Int
    /// The values of the baseline, in the order of the pairs.
    package var baseline: [Double]
    /// The values of the candidate, in the order of the pairs.
    package var candidate: [Double]
    /// The values of the unchanged shadow that was run once more.
    package var control: [Double]
    /// What pass and fail say.
    package var failures: FailureComparison?
    /// What the values say.
    package var ratio: RatioComparison?
}

/// Failures of two arms, compared.
package struct FailureComparison: Codable, Hashable, Sendable {
    /// Runs of the unchanged arms that did not pass, and all.
    package var baselineFailed: Int, baselineRuns: Int
    /// Runs of the candidate that did not pass, and all.
    package var candidateFailed: Int, candidateRuns: Int
    /// The chance of so many failures in the candidate or more if both arms fail alike: Fisher's exact test.
    package var p: Double?
    /// The level at which ``p`` is small, after Holm.
    package var alpha: Double?
    /// The bet against "both fail alike" after each pair, for runs beyond the declared looks.
    package var eValue: Double?
    /// The failure rates that the candidate's runs still allow, each bound at 95 %.
    package var lowerBound: Double?, upperBound: Double?
}

/// Values of two arms, compared against a margin.
package struct RatioComparison: Codable, Hashable, Sendable {
    /// The tolerated ratio.
    package var margin: Double
    /// How it was tested.
    package var test: Test
    /// The chance of values this bad or worse if the true ratio is the margin: small is a regression.
    package var pFail: Double
    /// The chance of values this good or better if the true ratio is the margin: small is shown to be tolerable.
    package var pPass: Double
    /// The chance of values this bad or worse if the arms are alike: small is a drift.
    package var pDrift: Double
    /// The level of the tests.
    package var alpha: Double
    /// The level of ``pFail`` after Holm.
    package var alphaFail: Double?
    /// The estimate of the ratio, by Hodges and Lehmann; nil when a value is zero.
    package var estimate: Double?
    /// The one-sided bounds of the ratio; nil when these data give none at that level.
    package var lower: Double?, upper: Double?
    /// The true level of the bounds.
    package var level: Double?
    /// The upper bound of the difference, in the quantity's unit.
    package var upperDifference: Double?
    /// How much of the candidate's values is above the baseline's less how much is below, −1 to 1, and its 95 % interval: for
    /// people, nothing is decided by it.
    package var delta: Double, deltaLower: Double?, deltaUpper: Double?
    /// The noise of the unchanged arm: 1.4826 · MAD / median.
    package var noise: Double?
    /// Whether the candidate is measurably worse, within what is tolerated.
    package var isDrift: Bool
    /// Candidate runs that are worse than the margin times the worst run of the baseline.
    package var beyond: Int

    /// How values are compared.
    package enum Test: String, Codable, Hashable, Sendable {
        /// Mann and Whitney's, every arrangement counted.
        case mannWhitneyExact
        /// Mann and Whitney's, by the normal distribution: more than 50 values.
        case mannWhitneyNormal
        /// Wilcoxon's, on pairs, every change of signs counted.
        case signedRank
        /// A mixture of likelihood ratios that may be looked at after each burst.
        case sequential
    }
}
