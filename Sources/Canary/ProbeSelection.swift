internal import Judge

/// Chooses the probes among a site's jobs.
struct ProbeSelection {
    private let choice: CanaryPolicy.ProbeChoice

    init(_ choice: CanaryPolicy.ProbeChoice) {
        self.choice = choice
    }

    /// The probes; `jobs` come the most used first, `affected` are those that use what is changed, and those that the change
    /// removes on purpose are none.
    func choose(
        _ jobs: [ObjectName], affected: Set<ObjectName> = [], without removals: Set<ObjectName> = []
    ) -> [Probe] {
        let jobs = jobs.filter { !removals.contains($0) }
        var probes: [Probe] = []
        func add(_ job: ObjectName, _ reason: String) {
            guard probes.count < choice.atMost, !probes.contains(where: { $0.object == job }) else { return }
            probes.append(Probe(name: job.name, object: job, reason: reason))
        }
        for pattern in choice.names {
            for job in jobs where Self.matches(Array(pattern)[...], Array(job.name)[...]) {
                add(job, "named by the policy: \(pattern)")
            }
        }
        if choice.usingChange {
            // Those that use the change may all be such as cannot run here: where none else is a probe, one is kept room for.
            let others =
                choice.mostUsed > 0 && probes.allSatisfy { affected.contains($0.object) }
                ? jobs.filter { !affected.contains($0) }.prefix(1) : []
            let room = max(1, choice.atMost - others.count)
            for job in jobs where affected.contains(job) && probes.count < room {
                add(job, "uses what is changed")
            }
            if !probes.isEmpty {
                for job in others { add(job, "the most used that does not use what is changed") }
            }
        }
        for (index, job) in jobs.prefix(choice.mostUsed).enumerated() {
            add(job, "the most used but \(index)")
        }
        return probes
    }

    private static func matches(_ pattern: ArraySlice<Character>, _ name: ArraySlice<Character>) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        if first == "*" {
            return (name.startIndex...name.endIndex).contains { matches(pattern.dropFirst(), name[$0...]) }
        }
        guard let character = name.first, first == "?" || first == character else { return false }
        return matches(pattern.dropFirst(), name.dropFirst())
    }
}
