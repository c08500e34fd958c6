extension NightReport {
    /// The report for Prometheus, in its text format.
    package var metrics: String {
        let labels = "system=\"\(Self.label(system))\""
        var lines: [String] = []
        func add(_ name: String, _ help: String, _ values: [(labels: String, value: Int64)]) {
            guard !values.isEmpty else { return }
            lines += ["# HELP understudy_\(name) \(help)", "# TYPE understudy_\(name) gauge"]
            lines += values.map { "understudy_\(name){\($0.labels)} \($0.value)" }
        }
        func time(_ time: Int64?) -> [(String, Int64)] { [(labels, time ?? 0)] }
        add("last_run_timestamp_seconds", "When the last nightly run ended.", time(finished))
        add("last_run_problems", "What the last nightly run found wrong.", [(labels, Int64(problems.count))])
        add(
            "last_complete_timestamp_seconds", "When the last complete snapshot was taken, 0 when none was.",
            time(last.complete))
        add(
            "last_proven_timestamp_seconds", "When the last proven snapshot was taken, 0 when none was.",
            time(last.proven))
        add(
            "last_pushed_timestamp_seconds",
            "When the last snapshot that every remote holds was taken, 0 when there is none.",
            time(last.pushed))
        if let drill = lastDrill {
            add("last_drill_timestamp_seconds", "When the last drill was held.", time(drill.time))
            // One that was due and could not be held says nothing of what the last one found, but is not well either.
            let isWell = drill.isGreen && !problems.contains { $0.kind == "drill" }
            add(
                "drill_green", "Whether the last drill was green, and none is due that could not be held.",
                [(labels, isWell ? 1 : 0)])
        }
        if let green = lastGreenDrill {
            add(
                "restore_seconds", "From nothing to serving, as the last green drill measured it.",
                [(labels, Int64(green.restoreSeconds.rounded(.up)))])
        }
        let parts = components.sorted { $0.key < $1.key }
        func each(_ value: (ComponentSize) -> Int64) -> [(String, Int64)] {
            parts.map { ("\(labels),component=\"\(Self.label($0.key))\"", value($0.value)) }
        }
        add("component_entries", "Entries in the last snapshot.", each { Int64($0.entries) })
        add("component_bytes", "Bytes in the last snapshot.", each { $0.bytes })
        let kinds = Dictionary(problems.map { ($0.kind, Int64(1)) }, uniquingKeysWith: +).sorted {
            $0.key < $1.key
        }
        add(
            "problem", "Problems of the last nightly run by kind.",
            kinds.map { ("\(labels),kind=\"\(Self.label($0.key))\"", $0.value) })
        return lines.joined(separator: "\n") + "\n"
    }

    private static func label(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
