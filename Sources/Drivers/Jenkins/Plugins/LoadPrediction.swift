/// Which plugins of a directory a core will load, and why not the others.
///
/// This is what a boot would show, worked out without one, by the rules of Jenkins' `PluginManager`, `PluginWrapper` and
/// `ClassicPluginStrategy`. What only running code can show (a class that is missing, a constructor that throws) is not in
/// it.
package struct LoadPrediction: Hashable, Sendable {
    /// What becomes of one file.
    package struct Plugin: Hashable, Sendable {
        /// The plugin.
        package var id: String
        /// Its version.
        package var version: String
        /// The file.
        package var file: String
        /// What becomes of it.
        package var outcome: Outcome
        /// Reasons to fail that do not count, because a snapshot version is on one side.
        package var suppressed: [Reason] = []
        /// What is odd about it, and for now no harm: a core it does not name, a file name that is not its own.
        package var warnings: [String] = []
    }

    /// What becomes of a file.
    package enum Outcome: Hashable, Sendable {
        /// It is loaded and active.
        case loads
        /// It is not loaded, and is listed nowhere in the REST interface.
        case fails([Reason])
        /// It is listed and does nothing: switched off by a file beside it.
        case disabled
        /// It is listed and does nothing: it is on a circle of dependencies, given in order.
        case cyclic([String])
        /// Jenkins passes over it: another file, which comes first, has the same plugin.
        case ignored(winner: String)
        /// Jenkins loses it without a trace but a line in the log: its dependencies cannot be parsed at the given part.
        case vanishes(part: String)
    }

    /// Why a plugin fails.
    package enum Reason: Hashable, Sendable {
        /// The file is no plugin.
        case unreadable(String)
        /// It needs a newer core.
        case coreTooOld(required: String)
        /// What it needs is not there.
        case missing(PluginDependency)
        /// What it needs is there and switched off, or on a circle.
        case inactive(PluginDependency)
        /// What it needs, or can do without, is there and too old.
        case tooOld(PluginDependency, installed: String)
        /// What it needs failed before; Jenkins looks no further then.
        case derived(PluginDependency)
    }

    /// A plugin that the core puts into the directory by itself.
    package struct Copy: Hashable, Sendable {
        /// The plugin's name in the war.
        package var id: String
        /// The version in the war.
        package var version: String
        /// The version that is overwritten, nil when there was none.
        package var replaced: String?
        /// Why.
        package var reason: String
    }

    /// The files, in the order in which Jenkins comes to them.
    package var plugins: [Plugin]
    /// What the core adds to the directory, in its order: part of every change.
    package var copies: [Copy]

    /// Predicts a boot.
    ///
    /// `lastCore` is the core that ran last on this home (`jenkins.install.InstallUtil.lastExecVersion`), nil for a home that none ran on.
    /// `checksVersions` is false where production runs with `-Dhudson.PluginWrapper.dependenciesVersionCheck.enabled=false`.
    package init(
        _ files: [PluginFile], core: JenkinsCore, lastCore: String?, checksVersions: Bool = true
    ) {
        var boot = PluginBoot(files, core: core, checksVersions: checksVersions)
        boot.run(lastCore: lastCore)
        plugins = boot.outcomes
        copies = boot.copies
    }

    /// The plugins that load, with their versions.
    package var loaded: [String: String] {
        Dictionary(plugins.filter { $0.outcome == .loads }.map { ($0.id, $0.version) }) { first, _ in first }
    }

    /// What becomes of a plugin; nil when there is no file of it, the winner's outcome when there are several.
    package func outcome(of id: String) -> Outcome? {
        let all = plugins.filter { $0.id == id }
        let winner = all.first {
            if case .ignored = $0.outcome { false } else { true }
        }
        return (winner ?? all.first)?.outcome
    }
}

extension LoadPrediction.Reason: CustomStringConvertible {
    /// One phrase.
    package var description: String {
        switch self {
        case .unreadable(let reason): "cannot be read: \(reason)"
        case .coreTooOld(let required): "needs Jenkins \(required) or newer"
        case .missing(let dependency): "needs \(dependency.id) \(dependency.version), which is not there"
        case .inactive(let dependency): "needs \(dependency.id), which is switched off"
        case .tooOld(let dependency, let installed):
            dependency.isOptional
                ? "works with \(dependency.id) from \(dependency.version) on only, and \(installed) is there"
                : "needs \(dependency.id) \(dependency.version) or newer, and \(installed) is there"
        case .derived(let dependency): "needs \(dependency.id), which fails itself"
        }
    }
}

extension LoadPrediction.Outcome: CustomStringConvertible {
    /// One phrase.
    package var description: String {
        switch self {
        case .loads: "loads"
        case .fails(let reasons): "fails: \(reasons.map(\.description).joined(separator: "; "))"
        case .disabled: "is switched off"
        case .cyclic(let circle): "is switched off, being on a circle: \(circle.joined(separator: " → "))"
        case .ignored(let winner): "is passed over: \(winner) comes first"
        case .vanishes(let part): "vanishes: '\(part)' in its Plugin-Dependencies has no colon"
        }
    }
}

extension LoadPrediction: CustomStringConvertible {
    /// What the core adds, then a line for each file: `git 5.2.1 (git.jpi) loads`.
    package var description: String {
        let added = copies.map { copy in
            let change = copy.replaced.map { "\($0) → \(copy.version)" } ?? copy.version
            return "\(copy.id) \(change) is put there by the core: \(copy.reason)"
        }
        let lines = plugins.flatMap { plugin -> [String] in
            let notes =
                plugin.suppressed.map { "  would fail if no snapshot were involved: \($0)" }
                + plugin.warnings.map { "  \($0)" }
            return ["\(plugin.id) \(plugin.version) (\(plugin.file)) \(plugin.outcome)"] + notes
        }
        return (added + lines).joined(separator: "\n")
    }
}
