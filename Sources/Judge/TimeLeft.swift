/// How long a canary still takes, as far as that can be known: from what the policy plans, from what this canary did so far,
/// and from earlier canaries under the same policy on the same host.
///
/// Where something is still to be done that was never timed there is no value, and nobody is told a figure.
package struct TimeLeft: Hashable, Sendable {
    /// Seconds.
    package let seconds: Double
    /// Whether a later look may ask for more than is planned now.
    package let isAtLeast: Bool

    /// What is being done.
    package struct Moment: Hashable, Sendable {
        /// The stage.
        package var stage: Stage
        /// Seconds since it began.
        package var elapsed: Double
        /// What the stage still asks for.
        package var demand: Demand

        /// A moment of a canary.
        package init(stage: Stage, elapsed: Double, demand: Demand) {
            self.stage = stage
            self.elapsed = elapsed
            self.demand = demand
        }
    }

    /// What is left at a moment, nil when that cannot be known; `earlier` are other canaries, the newest first.
    package init?(
        of evidence: Evidence, under rules: CanaryPolicy.Rules, at moment: Moment, earlier: [Evidence]
    ) {
        let alike = earlier.filter {
            $0.policyDigest == evidence.policyDigest && $0.host.name == evidence.host.name
                && $0.host.processors == evidence.host.processors && $0.system == evidence.system
                && $0.change.riskClass == evidence.change.riskClass
        }
        var seconds = 0.0
        var isAtLeast = false
        let done = Set(evidence.stages.map(\.stage))
        for stage in Stage.allCases
        where rules.stages.contains(stage) && !done.contains(stage) && stage != .roundTrip {
            let isNow = stage == moment.stage
            guard
                let units = isNow
                    ? evidence.unitsLeft(in: stage, moment.demand, rules)
                    : rules.units(of: stage, in: alike.first)
            else { return nil }
            let made = isNow ? evidence.units(of: stage) : 0
            // What is done now says more than what was done some night; one piece that is not done yet says nothing.
            let own = isNow && made > 0 ? moment.elapsed / Double(made) : nil
            guard units > 0 else { continue }
            guard let each = own ?? Self.mean(alike.prefix(5).compactMap { $0.secondsOfUnit(in: stage) })
            else {
                return nil
            }
            seconds +=
                own == nil && isNow ? max(0, Double(units) * each - moment.elapsed) : Double(units) * each
            let looks = stage == .load ? rules.load.looks.count : stage == .probes ? rules.looks.count : 0
            if looks > (isNow ? max(1, moment.demand.look) : 1) || stage == .load && rules.load.isSequential {
                isAtLeast = true
            }
        }
        self.seconds = seconds
        self.isAtLeast = isAtLeast
    }

    /// For people, in steps that do not pretend: `about 4 min left`, `at least 30 s left`.
    package var words: String {
        let step = seconds < 60 ? 5.0 : seconds < 600 ? 30 : 60
        let whole = Int((max(seconds, 1) / step).rounded(.up) * step)
        let time =
            whole < 60
            ? "\(whole) s"
            : whole >= 3600
                ? "\(whole / 3600) h \(whole % 3600 / 60) min"
                : whole % 60 == 0 ? "\(whole / 60) min" : "\(whole / 60) min \(whole % 60) s"
        return "\(isAtLeast ? "at least" : "about") \(time) left"
    }

    private static func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}

extension CanaryPolicy.Rules {
    fileprivate var arms: Int { control == .shadow ? 3 : 2 }

    /// Pieces of work that a stage plans; nil when nobody knows yet: how many probes there are shows only when they run.
    fileprivate func units(of stage: Stage, in earlier: Evidence?) -> Int? {
        switch stage {
        case .static: 1
        case .boot: boots
        case .roundTrip: 0
        case .probes:
            earlier.flatMap { earlier in
                looks.first.map { ($0.runs + 1) * arms * earlier.probes.count }
            }
        case .load: load.looks.first.map { ($0.runs + 1) * arms }
        }
    }
}

extension Evidence {
    /// Pieces of work that are done in a stage.
    fileprivate func units(of stage: Stage) -> Int {
        switch stage {
        case .static: stages.contains { $0.stage == .static } ? 1 : 0
        case .boot: boots.map(\.attempt).max() ?? 0
        case .roundTrip: 0
        case .probes: runs.count
        case .load: bursts.count
        }
    }

    /// Pieces of work that the stage that runs now still asks for.
    fileprivate func unitsLeft(in stage: Stage, _ demand: Demand, _ rules: CanaryPolicy.Rules) -> Int? {
        func rest(_ done: Int, _ warmUps: Int, _ wanted: Int, _ each: Int) -> Int {
            // Warming up comes first; of a pair that has begun what is done is not asked for again.
            max(0, each - warmUps) + max(0, wanted * rules.arms - done % rules.arms)
        }
        switch stage {
        case .static: return 1
        case .boot: return demand.boots
        case .roundTrip: return 0
        case .probes:
            guard !probes.isEmpty else { return nil }
            let measured = runs.filter { !$0.isWarmUp }
            return rest(
                measured.count, runs.count - measured.count, demand.pairs.map(\.count).reduce(0, +),
                probes.count * rules.arms)
        case .load:
            let measured = bursts.filter { !$0.isWarmUp }
            return rest(measured.count, bursts.count - measured.count, demand.bursts, rules.arms)
        }
    }

    /// How long a piece of work of a stage took; nil when the stage was not run to its end.
    fileprivate func secondsOfUnit(in stage: Stage) -> Double? {
        let units = units(of: stage)
        guard units > 0, let run = stages.first(where: { $0.stage == stage }), run.state == .done else {
            return nil
        }
        return run.seconds / Double(units)
    }
}
