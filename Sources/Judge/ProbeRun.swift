/// One of the site's own jobs, chosen to be run in both arms.
package struct Probe: Codable, Hashable, Sendable {
    /// The name by which its runs name it.
    package var name: String
    /// The job or builder that it runs.
    package var object: ObjectName
    /// Why it was chosen: `uses the plugin git`.
    package var reason: String
    /// Whether it can stop a change; one that cannot is only shown.
    package var isCritical: Bool

    /// A probe.
    package init(name: String, object: ObjectName, reason: String, isCritical: Bool = true) {
        self.name = name
        self.object = object
        self.reason = reason
        self.isCritical = isCritical
    }
}

/// One run of a probe in one arm.
package struct ProbeRun: Codable, Hashable, Sendable {
    /// How it ended.
    package enum Outcome: String, Codable, Hashable, Sendable {
        /// The build did what it should.
        case passed
        /// The build failed.
        case failed
        /// The build broke off: an exception, a time limit.
        case errored
        /// It was to run and there is no build of it.
        case missing
    }

    /// The probe's name.
    package var probe: String
    /// The arm.
    package var arm: Arm
    /// Which pair it belongs to, counted from 1 across looks: runs of one pair follow each other directly.
    package var pair: Int
    /// The declared look it was made for, counted from 1; above their number when somebody asked for more.
    package var look: Int
    /// How it ended.
    package var outcome: Outcome
    /// How long the build took, by a clock that only goes forward; nil when nobody knows.
    ///
    /// A run that passed without a usable duration counts as failed.
    package var seconds: Double?
    /// What failed, in words that are the same whenever it fails so again: step and exception.
    package var signature: String?
    /// Whether it only warmed the arm up: it is kept and not judged.
    package var isWarmUp: Bool

    /// A run.
    package init(
        probe: String, arm: Arm, pair: Int, look: Int = 1, outcome: Outcome, seconds: Double?,
        signature: String? = nil, isWarmUp: Bool = false
    ) {
        self.probe = probe
        self.arm = arm
        self.pair = pair
        self.look = look
        self.outcome = outcome
        self.seconds = seconds
        self.signature = signature
        self.isWarmUp = isWarmUp
    }
}

/// One burst of builds in one arm: the unit of the load stage, whatever the number of its builds.
package struct LoadBurst: Codable, Hashable, Sendable {
    /// The arm.
    package var arm: Arm
    /// Which pair it belongs to, counted from 1, across looks.
    package var pair: Int
    /// The declared look it was made for, counted from 1.
    package var look: Int
    /// How many builds were asked for.
    package var builds: Int
    /// How many of them did not pass.
    package var failed: Int
    /// How long each build waited in the queue, in seconds; one that never started is not in here, and is failed.
    package var queueWaits: [Double]
    /// From the first request to the end of the last build, in seconds.
    package var seconds: Double
    /// Whether it only warmed the arm up: it is kept and not judged.
    package var isWarmUp: Bool

    /// A burst.
    package init(
        arm: Arm, pair: Int, look: Int = 1, builds: Int, failed: Int = 0, queueWaits: [Double],
        seconds: Double, isWarmUp: Bool = false
    ) {
        self.arm = arm
        self.pair = pair
        self.look = look
        self.builds = builds
        self.failed = failed
        self.queueWaits = queueWaits
        self.seconds = seconds
        self.isWarmUp = isWarmUp
    }
}
