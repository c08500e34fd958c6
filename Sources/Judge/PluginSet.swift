/// The plugins, or packages, that a server works with, or is to work with.
package struct PluginSet: Codable, Hashable, Sendable {
    /// What they are called: `plugin`, `package`.
    package var kind: String
    /// The versions of those that are at work, by name.
    package var versions: [String: String]
    /// Those that are there and do nothing, by name, and why.
    package var idle: [String: String]

    /// Plugins of these versions.
    package init(kind: String, versions: [String: String], idle: [String: String] = [:]) {
        self.kind = kind
        self.versions = versions
        self.idle = idle
    }

    /// What differs from a plan in what is at work, sorted by name; the plan is part of the words, so that one that was
    /// always wrong is told from one that a change made wrong.
    package func differences(in seen: PluginSet) -> [Observation] {
        let missing = versions.compactMap { name, planned -> Observation? in
            let words = "\(planned) was to be at work, and "
            if let reason = seen.idle[name] {
                return observation("missing", name, words + "it is not: \(reason)")
            }
            guard let version = seen.versions[name] else {
                return observation("missing", name, words + "it is not there")
            }
            return version == planned ? nil : observation("version", name, words + "\(version) is")
        }
        let more = seen.versions.filter { versions[$0.key] == nil }.map { name, version in
            observation("unplanned", name, "\(version) is at work, and nothing said that it would be")
        }
        return (missing + more).sorted { ObservationKey($0) < ObservationKey($1) }
    }

    /// What of a plan is not at work: missing, idle or of another version.
    ///
    /// More than was planned is no lack.
    package func lacks(in seen: PluginSet) -> [Observation] {
        differences(in: seen).filter { $0.kind != "plugin-unplanned" }
    }

    /// What is in all of several sets, in one version; nil when there are none.
    package static func common(to sets: [PluginSet]) -> PluginSet? {
        guard var common = sets.first else { return nil }
        for set in sets.dropFirst() {
            common.versions = common.versions.filter { set.versions[$0.key] == $0.value }
        }
        common.idle = [:]
        return common
    }

    private func observation(_ suffix: String, _ name: String, _ detail: String) -> Observation {
        Observation(
            kind: "plugin-\(suffix)", object: ObjectName(kind, name), detail: detail,
            lines: ["\(name): planned \(versions[name] ?? "nothing"); \(detail)"])
    }
}
