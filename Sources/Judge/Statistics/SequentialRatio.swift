internal import Glibc

/// A test of a mean difference that may be looked at after each pair of values: a mixture of likelihood ratios (mSPRT).
///
/// The chance that its p is ever `alpha` or less, where there is no difference, is `alpha` at most. It takes the variance
/// for known, and so asks for 20 values in each arm.
struct SequentialRatio {
    /// The fewest values in each arm with which a variance counts as known.
    static let fewest = 20

    /// The least p of any moment so far.
    private(set) var p = 1.0

    /// The likelihood ratio of "there is a difference" after `count` values in each arm.
    ///
    /// `variance` is that of one value; `spread` is the variance of the differences that are thought of.
    static func ratio(count: Int, difference: Double, variance: Double, spread: Double) -> Double {
        let n = Double(count)
        let scale = 2 * variance + n * spread
        return (2 * variance / scale).squareRoot()
            * exp(n * n * spread * difference * difference / (4 * variance * scale))
    }

    /// Looks at the test after `count` values in each arm.
    mutating func look(count: Int, difference: Double, variance: Double, spread: Double) {
        p = min(p, 1 / Self.ratio(count: count, difference: difference, variance: variance, spread: spread))
    }
}
