/// What is to be done with plugins and core.
package struct PluginRequest: Hashable, Sendable {
    /// Which version of a plugin is wanted.
    package enum Version: Hashable, Sendable {
        /// This one and no other.
        case exactly(String)
        /// What the update centre offers.
        case latest
    }

    /// Plugins to have, by id.
    package var wanted: [String: Version]
    /// Plugins to be without.
    package var unwanted: Set<String>

    /// A request; nothing at all is one too, for a change of the core alone.
    package init(wanted: [String: Version] = [:], unwanted: Set<String> = []) {
        self.wanted = wanted
        self.unwanted = unwanted
    }
}

/// Everything that a request for plugins takes, and what comes of it: nothing is done yet.
package struct PluginPlan: Hashable, Sendable {
    /// What happens to one plugin.
    package struct Step: Hashable, Sendable {
        /// What happens.
        package enum Action: String, Hashable, Sendable {
            case add, upgrade, downgrade, enable, remove
            /// The version stays and the file changes.
            case replace
        }

        /// What happens.
        package var action: Action
        /// To which plugin.
        package var id: String
        /// The version that is there, nil when none is.
        package var from: String?
        /// The archive that comes, nil when none does.
        package var release: PluginRelease?
        /// Why, from the request on: `git 5.5.2 is asked for`, `it needs git-client 6.1.0`.
        package var because: [String]
    }

    /// Why the request cannot be met.
    package struct Refusal: Hashable, Sendable, CustomStringConvertible {
        /// What kind of reason.
        package enum Kind: String, Hashable, Sendable {
            /// No source has the plugin, or not the version.
            case unavailable
            /// A version that was asked for is older than something else needs.
            case pinned
            /// Something needs a plugin that is to go.
            case removed
            /// The core is too old for all that would do.
            case core
            /// An archive is not the one that was published.
            case forged
            /// A plugin that loads today would not any more.
            case breaks
        }

        /// What kind of reason.
        package var kind: Kind
        /// The plugin.
        package var id: String
        /// One sentence.
        package var message: String
        /// How it came to that, from the request on.
        package var because: [String]

        /// The sentence, and in brackets how it came to that.
        package var description: String {
            because.isEmpty ? message : "\(message) (\(because.joined(separator: ", ")))"
        }
    }

    /// What to know before saying yes.
    package struct Advice: Hashable, Sendable {
        /// What kind of advice.
        package enum Kind: String, Hashable, Sendable {
            /// The change brings a known weakness.
            case weaknessAdded
            /// The change takes a known weakness away.
            case weaknessFixed
            /// A known weakness is there before and after.
            case weaknessKept
            /// Nobody should use the plugin any more.
            case deprecated
            /// Data of the version that is there may not be read, and a rollback is risky.
            case incompatibleData
            /// An archive that nobody has compared with what was published.
            case unchecked
        }

        /// What kind of advice.
        package var kind: Kind
        /// The plugin, nil for the core.
        package var id: String?
        /// One sentence.
        package var message: String
    }

    /// What is to be done, in this order: what is needed before who needs it, removals last.
    package var steps: [Step]
    /// Why it cannot be done; empty when it can.
    package var refusals: [Refusal]
    /// The least core on which the request could be met, when it is the core alone that is in its way.
    package var leastCore: String?
    /// What to know before saying yes.
    package var advice: [Advice]
    /// What the boot after it should show, and what the core itself adds.
    package var prediction: LoadPrediction
}

extension PluginPlan: CustomStringConvertible {
    /// The steps, one a line, then refusals and advice.
    package var description: String {
        var lines = steps.map { step -> String in
            let version =
                switch (step.from, step.release?.version) {
                case (let from?, let to?): from == to ? from : "\(from) → \(to)"
                case (let from?, nil): from
                case (nil, let to): to ?? ""
                }
            let why = step.because.isEmpty ? "" : ": \(step.because.joined(separator: ", "))"
            return "\(step.action.rawValue) \(step.id) \(version)\(why)"
        }
        lines += prediction.copies.map {
            "the core adds \($0.id) \($0.version): \($0.reason)"
        }
        lines += refusals.map { "refused: \($0)" }
        if let leastCore { lines.append("it could be done on core \(leastCore)") }
        lines += advice.map { "\($0.id ?? "core"): \($0.message)" }
        return lines.isEmpty ? "nothing to do" : lines.joined(separator: "\n")
    }
}
