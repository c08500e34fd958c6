import Foundation

/// SplitMix64: the same numbers from the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Lognormal values around `centre` with the coefficient of variation `noise`.
    mutating func durations(_ count: Int, around centre: Double, noise: Double) -> [Double] {
        let deviation = log(1 + noise * noise).squareRoot()
        return (0..<count).map { _ in
            let radius = (-2 * log(Double.random(in: Double.leastNonzeroMagnitude..<1, using: &self)))
                .squareRoot()
            let angle = Double.random(in: 0..<(2 * .pi), using: &self)
            return centre * exp(deviation * radius * cos(angle))
        }
    }
}
