/// Something seen in a boot or a round trip, in words that are the same whenever it is seen again.
package struct Observation: Codable, Hashable, Sendable {
    /// What sort of thing, one word that a policy can give a severity to: `plugin-failed`, `log-error`, `page`, `data-loss`.
    package var kind: String
    /// What it is about.
    package var object: ObjectName
    /// What was seen, without times, process ids and ports: it is part of what makes two observations the same one.
    ///
    /// ``LogSignature`` takes such things out of lines of a log.
    package var detail: String
    /// Lines that show it as they stood there; no part of what makes two observations the same one.
    package var lines: [String]

    /// An observation.
    package init(kind: String, object: ObjectName, detail: String, lines: [String] = []) {
        self.kind = kind
        self.object = object
        self.detail = detail
        self.lines = lines
    }
}

/// One boot of one arm, and what was seen.
package struct Boot: Codable, Hashable, Sendable {
    /// The arm.
    package var arm: Arm
    /// Counted from 1 in each arm.
    package var attempt: Int
    /// Whether it came up.
    package var succeeded: Bool
    /// Why it did not come up, one sentence; nil when it did.
    package var failure: String?
    /// How long it took to come up or to give up, by a clock that only goes forward.
    package var seconds: Double
    /// Everything seen that may be wrong, in any order.
    package var observations: [Observation]
    /// Everything that works because of it, in any order: plugins loaded, jobs, nodes, views, builders, schedulers, pages.
    package var capabilities: [ObjectName]
    /// The plugins that were to be at work, as it was told without a boot; nil when nobody told.
    package var planned: PluginSet?
    /// The plugins that are at work; nil when it did not come up, or cannot be seen.
    package var plugins: PluginSet?

    /// What was seen, and what differs from the plan.
    package var differences: [Observation] {
        guard let planned, let plugins else { return observations }
        return observations + planned.differences(in: plugins)
    }

    /// What of the plan is not at work.
    package var lacks: [Observation] {
        guard let planned, let plugins else { return [] }
        return planned.lacks(in: plugins)
    }

    /// A boot.
    package init(
        arm: Arm, attempt: Int, succeeded: Bool, failure: String? = nil, seconds: Double,
        observations: [Observation] = [], capabilities: [ObjectName] = [], planned: PluginSet? = nil,
        plugins: PluginSet? = nil
    ) {
        self.arm = arm
        self.attempt = attempt
        self.succeeded = succeeded
        self.failure = failure
        self.seconds = seconds
        self.observations = observations
        self.capabilities = capabilities
        self.planned = planned
        self.plugins = plugins
    }
}

/// Every object of one booted arm, written again in memory and compared with its file.
package struct RoundTrip: Codable, Hashable, Sendable {
    /// The arm.
    package var arm: Arm
    /// The attempt of the boot that it was made in.
    package var attempt: Int
    /// How many objects were compared.
    package var compared: Int
    /// What would be lost or changed by a save.
    package var losses: [Observation]

    /// A round trip.
    package init(arm: Arm, attempt: Int, compared: Int, losses: [Observation] = []) {
        self.arm = arm
        self.attempt = attempt
        self.compared = compared
        self.losses = losses
    }
}
