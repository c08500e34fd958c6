internal import Glibc

/// The standard normal distribution.
enum NormalDistribution {
    /// The point that 2.5 % lie above: of two-sided 95 % intervals.
    static let upperPoint = 1.959963984540054

    /// The share below `x`.
    static func share(below x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }
}

/// The middle of sorted values, the mean of the two in the middle where their number is even; there is one at least.
package func median(ofSorted values: [Double]) -> Double {
    let middle = values.count / 2
    return values.count.isMultiple(of: 2) ? (values[middle - 1] + values[middle]) / 2 : values[middle]
}

/// The noise of positive values as a share of them, little disturbed by outliers: 1.4826 · MAD / median.
///
/// Nil for fewer than three values, of which none can be told apart from noise, and where the median is not positive.
func noise(of values: [Double]) -> Double? {
    guard values.count >= 3 else { return nil }
    let middle = median(ofSorted: values.sorted())
    guard middle > 0 else { return nil }
    return 1.4826 * median(ofSorted: values.map { abs($0 - middle) }.sorted()) / middle
}
