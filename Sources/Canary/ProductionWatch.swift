internal import Drivers
internal import Judge
internal import Restore

/// What is looked at in a production into which a change was just brought; the first thing that the canary had not seen is a breach.
final class ProductionWatch {
    /// What the watch holds production against.
    struct Expectation {
        /// The plugins of the candidate, in all of its boots; nil when its evidence does not name them.
        var plugins: PluginSet?
        /// The pages that it served in all of them.
        var pages: [ObjectName]
        /// What the canary complained of, and production before it had the change.
        var known: Set<String>

        /// What the evidence of a canary says of its candidate.
        init(_ evidence: Evidence) {
            let boots = evidence.boots.filter { $0.arm == .candidate && $0.succeeded }
            let sets = boots.compactMap(\.plugins)
            plugins = sets.count == boots.count ? PluginSet.common(to: sets) : nil
            let pages = boots.map { Set($0.capabilities.filter { $0.kind == "page" }) }
            self.pages = pages.dropFirst().reduce(pages.first ?? []) { $0.intersection($1) }.sorted()
            known = Set(evidence.boots.flatMap(\.observations).map(\.detail))
        }
    }

    /// What was checked until now.
    private(set) var checks: [PromotionReport.Check] = []
    private var expectation: Expectation
    private let rules: CanaryPolicy.Rules
    private let lifecycle: any Lifecycle
    private let shadow: any ShadowDriver
    private let progress: @Sendable (String) -> Void
    /// How long what comes by itself may be absent: a worker of Buildbot tries again after up to five minutes.
    private let patience: Duration
    /// How far production's log was read.
    private var mark = LogMark()
    /// What production lacked, and what was wrong with it, before it had the change.
    private var before: Set<String> = []

    /// A watch over a production that still runs as it was: reads its log, so that little is left to read while it is down.
    init(
        _ expectation: Expectation, rules: CanaryPolicy.Rules, lifecycle: any Lifecycle,
        shadow: any ShadowDriver, patience: Duration = .seconds(360),
        progress: @escaping @Sendable (String) -> Void
    ) async throws {
        self.expectation = expectation
        self.rules = rules
        self.lifecycle = lifecycle
        self.shadow = shadow
        self.patience = patience
        self.progress = progress
        try readLog()
        let (problems, absent) = try await look()
        // A production that does not answer must do so with the change.
        before = Set(problems.map(\.kind)).subtracting([Self.silence]).union(absent ?? [])
    }

    /// Reads the log of the stopped production to its end: a stop has complaints of its own, such as of a poll of a repository
    /// that was killed in it, and the change has no part in them.
    func begin() throws {
        try readLog()
        mark.giveUpUnfinished()
    }

    private func readLog() throws {
        expectation.known.formUnion(try shadow.complaints(after: &mark).map(\.detail))
    }

    /// What is checked once, in this order.
    private static let plugins = "plugin set", smoke = "smoke build"

    /// All checks, those that were not come to for a reason.
    static func all(_ checks: [PromotionReport.Check], else reason: String) -> [PromotionReport.Check] {
        let open = [plugins, smoke].filter { name in !checks.contains { $0.name == name } }
        return checks + open.map { .init($0, .notTried, reason) }
    }

    /// Looks at production, asks it for the builds of the policy, and goes on looking until the policy's time is over.
    ///
    /// Throws a ``RestoreFailure`` at the first breach.
    func run() async throws {
        guard try await lifecycle.isRunning() else { throw breach("it was started and runs no more") }
        progress("comparing the plugins of production with those of the candidate")
        try await checked(Self.plugins) { try await comparePlugins() }
        try await checked(Self.smoke) { try await build() }
        try await soak()
    }

    /// What came of a check: its outcome and words for people; a ``RestoreFailure`` is written down too, as a breach.
    private func checked(
        _ name: String, _ check: () async throws -> (PromotionReport.Check.Outcome, String)
    ) async throws {
        do {
            let (outcome, detail) = try await check()
            checks.append(.init(name, outcome, detail))
        } catch let failure as RestoreFailure {
            checks.append(.init(name, .broken, failure.description))
            throw failure
        } catch {
            // What was to be looked at and cannot be is no pass.
            checks.append(.init(name, .broken, "\(error)"))
            throw breach("the \(name) cannot be looked at: \(error)")
        }
    }

    private func comparePlugins() async throws -> (PromotionReport.Check.Outcome, String) {
        guard let expected = expectation.plugins else {
            return (.notTried, "the evidence of the canary does not name the plugins of its candidate")
        }
        let view = try await askedTwice {
            try await shadow.production(beside: expected, pages: expectation.pages)
        }
        guard let seen = view.plugins else { return (.notTried, view.place) }
        let lacks = expected.lacks(in: seen).map { "\($0.object): \($0.detail)" }
        let problems = lacks + view.missingPages.map { "\($0) is not served, and was by the candidate" }
        guard let first = problems.first else {
            return (.held, "\(expected.versions.count) as in the candidate: \(view.place)")
        }
        throw breach(
            "\(first)\(problems.count > 1 ? ", and \(problems.count - 1) more" : "") (\(view.place))")
    }

    private func build() async throws -> (PromotionReport.Check.Outcome, String) {
        guard !rules.smoke.jobs.isEmpty else { return (.notTried, "the policy names no job for it") }
        var passed: [String] = []
        for job in rules.smoke.jobs {
            progress("building \(job) in production")
            let run = try await shadow.build(job, limit: .seconds(rules.smoke.limit))
            guard run.outcome == .passed else {
                throw breach("the smoke build of \(job) \(run.outcome.rawValue): \(run.signature ?? "")")
            }
            passed.append("\(job) passed" + (run.seconds.map { " in \(Int($0.rounded())) s" } ?? ""))
        }
        return (.held, passed.joined(separator: ", "))
    }

    private func soak() async throws {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(rules.bake)
        var absentSince: [String: ContinuousClock.Instant] = [:]
        while true {
            // The last look is one when the time is over.
            let isOver = clock.now >= end
            var (problems, absent) = try await look()
            if problems.contains(where: { !before.contains($0.kind) }) {
                // What is well again a moment later is no breach. Something else that is wrong then is one.
                try await Task.sleep(for: .seconds(2))
                (problems, absent) = try await look()
                if let still = problems.first(where: { !before.contains($0.kind) }) {
                    throw breach(still.words)
                }
            }
            let new = try shadow.complaints(after: &mark).first {
                $0.kind != "log-warning" && !expectation.known.contains($0.detail)
            }
            if let new { throw breach("something new in the log: \(new.detail)") }
            let now = clock.now
            if let absent {
                let missing = absent.filter { !before.contains($0) }
                absentSince = Dictionary(missing.map { ($0, absentSince[$0] ?? now) }) { first, _ in first }
                if let first = missing.first(where: { now - (absentSince[$0] ?? now) >= patience }) {
                    throw breach("\(first), for \(patience.components.seconds) s")
                }
            }
            let left = max(end - now, .zero)
            if left > .zero {
                progress("watching, \(left.components.seconds) s left")
            } else if let first = absentSince.keys.min() {
                // What is not back yet is waited for: until then nobody can say that production is well.
                progress("waiting, for \(first)")
            } else if isOver {
                return
            }
            try await Task.sleep(for: absentSince.isEmpty ? min(left, .seconds(2)) : .seconds(2))
        }
    }

    /// The kind of a problem that is there when no answer comes, whatever the reasons are.
    private static let silence = "no answer"

    /// What is wrong now, and what is absent; nil for that when no answer comes.
    private func look() async throws -> (problems: [(kind: String, words: String)], absent: [String]?) {
        do {
            return (try await lifecycle.problems().map { ($0, $0) }, try await lifecycle.absent())
        } catch let failure as HTTPFailure {
            return ([(Self.silence, failure.description)], nil)
        }
    }

    private func breach(_ words: String) -> RestoreFailure {
        RestoreFailure(.failed, "the watch found: \(words)", hint: "")
    }
}
