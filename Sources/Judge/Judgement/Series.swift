/// Runs of one thing in all arms, as the judge compares them.
struct Series {
    /// One run.
    struct Run: Hashable {
        /// Which pair it belongs to.
        var pair: Int
        /// Whether it did what it should, and all its values are usable.
        var passed: Bool
        /// A value for each quantity; empty when it did not pass.
        var values: [Double]
        /// What failed.
        var signature: String?
    }

    /// Something measured in each run.
    struct Quantity {
        /// What it is.
        var name: Measure.Quantity
        /// The difference that nothing is stopped for, in its unit; 0 when there is none.
        var floor: Double
        /// Whether more of it is better.
        var moreIsBetter: Bool { name == .throughput }
    }

    /// What is run.
    var object: ObjectName
    /// The name of the probe; empty for the load stage.
    var probe: String
    /// Whether it can stop the change.
    var isCritical: Bool
    /// What is measured in each run that passes.
    var quantities: [Quantity]
    /// The runs of each arm, in the order of the pairs.
    var runs: [Arm: [Run]]

    /// The runs of an arm until a pair.
    func runs(_ arm: Arm, until pair: Int) -> [Run] { (runs[arm] ?? []).filter { $0.pair <= pair } }

    /// How many pairs until one have a run of the arm; a run that was written down twice is one.
    func number(_ arm: Arm, until pair: Int = .max) -> Int { Set(runs(arm, until: pair).map(\.pair)).count }

    /// The values of one quantity in the runs of an arm until a pair.
    func values(_ quantity: Int, _ arm: Arm, until pair: Int) -> [Double] {
        runs(arm, until: pair).filter(\.passed).map { $0.values[quantity] }
    }
}

extension Bench {
    /// What each probe did, in the order in which the probes were chosen.
    func probeSeries() -> [Series] {
        var probes = evidence.probes
        // Runs of a probe that nobody chose count as any: nothing that was seen is left out.
        for name in distinct(evidence.runs.map(\.probe)) where !probes.contains(where: { $0.name == name }) {
            probes.append(Probe(name: name, object: ObjectName("job", name), reason: "it ran"))
        }
        return probes.map { probe in
            let runs = evidence.runs.filter { $0.probe == probe.name && !$0.isWarmUp }
            return Series(
                object: probe.object, probe: probe.name, isCritical: probe.isCritical,
                quantities: [Series.Quantity(name: .seconds, floor: rules.floor)],
                runs: byArm(runs, arm: \.arm) { run in
                    let seconds = run.seconds.flatMap { Self.isUsable($0) ? $0 : nil }
                    let passed = run.outcome == .passed && seconds != nil
                    let reason = run.signature ?? (run.outcome == .passed ? "no duration" : nil)
                    return Series.Run(
                        pair: run.pair, passed: passed, values: passed ? [seconds ?? 0] : [],
                        signature: passed ? nil : reason)
                })
        }
    }

    /// What the system did under load; empty when there was no burst.
    func loadSeries() -> [Series] {
        let bursts = evidence.bursts.filter { !$0.isWarmUp }
        guard !bursts.isEmpty else { return [] }
        let quantities = [
            Series.Quantity(name: .queueWait, floor: rules.load.floor),
            Series.Quantity(name: .throughput, floor: 0),
        ]
        return [
            Series(
                object: ObjectName("system", evidence.system), probe: "", isCritical: true,
                quantities: quantities,
                runs: byArm(bursts, arm: \.arm) { burst in
                    let waits = burst.queueWaits.sorted()
                    let isUsable =
                        burst.builds > 0 && Self.isUsable(burst.seconds)
                        && Self.isUsable(Double(burst.builds) / burst.seconds)
                        && waits.allSatisfy { $0 == 0 || Self.isUsable($0) }
                    let passed = isUsable && burst.failed == 0 && waits.count == burst.builds
                    return Series.Run(
                        pair: burst.pair, passed: passed,
                        values: passed
                            ? [median(ofSorted: waits), Double(burst.builds) / burst.seconds] : [],
                        signature: nil)
                })
        ]
    }

    /// Whether a value can be a time or a rate: whatever else stands in evidence is no measurement.
    private static func isUsable(_ value: Double) -> Bool { value > 0 && value < 1e9 }

    private func byArm<Value>(
        _ values: [Value], arm: (Value) -> Arm, _ run: (Value) -> Series.Run
    ) -> [Arm: [Series.Run]] {
        // Sorted by all there is, so that the order in which runs were written down does not matter.
        Dictionary(grouping: values, by: arm).mapValues { values in
            values.map(run).sorted { left, right in
                (left.pair, left.values.first ?? -1, left.signature ?? "")
                    < (right.pair, right.values.first ?? -1, right.signature ?? "")
            }
        }
    }
}
