/// What all processes of one shadow together may use.
package struct ShadowLimits: Codable, Hashable, Sendable {
    /// Memory, in bytes: what is in processes and in temporary files.
    package var memory: Int64
    /// Processors; the shadows of a canary have the same ones.
    package var processors: Int
    /// Processes and threads.
    package var processes: Int

    /// Limits, as they are where nobody says otherwise.
    package init(memory: Int64 = 4 << 30, processors: Int = 4, processes: Int = 4096) {
        self.memory = memory
        self.processors = processors
        self.processes = processes
    }
}

/// What shadows were held to, and how much of it they used.
package struct LimitSummary: Codable, Hashable, Sendable {
    /// The most memory that a shadow used at once.
    package struct Peak: Codable, Hashable, Sendable {
        /// The arm.
        package var arm: Arm
        /// Bytes.
        package var memory: Int64

        /// A peak.
        package init(arm: Arm, memory: Int64) {
            self.arm = arm
            self.memory = memory
        }
    }

    /// What each shadow might use: the policy's limits, with no more processors than the host has.
    package var limits: ShadowLimits
    /// What kept them to it, for people: `cgroup v2`, or why not and what instead.
    package var keeper: String
    /// What they used; an arm of which nobody knows is not in it.
    package var peaks: [Peak]

    /// Limits that were kept.
    package init(limits: ShadowLimits, keeper: String, peaks: [Peak] = []) {
        self.limits = limits
        self.keeper = keeper
        self.peaks = peaks
    }
}
