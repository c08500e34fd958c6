/// What is still to be run before a canary can be judged.
package struct Demand: Codable, Hashable, Sendable {
    /// Pairs of runs of one probe.
    package struct Pairs: Codable, Hashable, Sendable {
        /// The probe's name.
        package var probe: String
        /// How many more.
        package var count: Int
    }

    /// Boots of each arm.
    package var boots: Int
    /// The look that the runs are for, counted from 1.
    package var look: Int
    /// Pairs of runs.
    package var pairs: [Pairs]
    /// Pairs of bursts.
    package var bursts: Int

    /// Whether everything is there.
    package var isEmpty: Bool { boots == 0 && pairs.isEmpty && bursts == 0 }
}
