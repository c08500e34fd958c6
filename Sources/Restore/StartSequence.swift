package import Capture
internal import Drivers
internal import SnapshotModel
internal import Synchronization

extension RestorePlan {
    /// A component that is started, and those that must be up before.
    package struct Start: Sendable, Encodable, Equatable {
        /// The component.
        package var component: String
        /// The components that it needs, directly or through others, of those that are started.
        package var needs: [String]
        /// Whether it runs all the time and is only probed: it has read again what changed below it.
        package var keepsRunning = false
    }

    /// What is started after the exchange: each as soon as all that it needs is up, independent ones at the same time.
    ///
    /// A single item is no reason to start what did not run, unless it came up since and was `stopped`.
    package func starts(
        in system: DeliverySystem, for request: RestoreRequest, stopped: [String] = []
    ) -> [Start] {
        let reloading = Set(reloads.map(\.component))
        let down = staysDown(in: system, for: request)
        let names = (components.map(\.name) + dependents).filter { name in
            let isAffected =
                request.items.isEmpty || (restarts + stopped).contains(name) || reloading.contains(name)
            return isAffected && !down.contains(name) && system.driver(of: name)?.lifecycle != nil
        }
        return names.map { name in
            Start(
                component: name, needs: names.filter { system.dependents(of: [$0]).contains(name) },
                keepsRunning: reloading.contains(name))
        }
    }
}

extension RestorePlan {
    /// What is not started with `--no-start`: what is restored, and what needs something of it that would be started.
    func staysDown(in system: DeliverySystem, for request: RestoreRequest) -> Set<String> {
        guard !request.starts else { return [] }
        let restored = Set(components.map(\.name).filter { system.driver(of: $0)?.lifecycle != nil })
        return restored.union(system.dependents(of: restored))
    }
}

/// Starts components as a plan says, and probes each until it serves.
struct StartSequence: Sendable {
    /// What came of it.
    struct Outcome: Sendable {
        /// The components that are up and well, in the order in which they came up.
        var started: [String] = []
        /// The components that did not start.
        var failures: [(component: String, failure: any Error)] = []
        /// The components that were not started, because something failed that they need or that ends the restore.
        var held: [String] = []
        /// What was done and how long it took.
        var steps: [RestoreReport.Step] = []
    }

    /// How far a component is.
    enum State: String, CaseIterable, Sendable {
        case starting
        case probing = "not ready yet"
        case up
        case failed
        case waiting
    }

    /// What is started, and what each needs.
    let starts: [RestorePlan.Start]
    /// How each is started.
    let lifecycles: [String: any Lifecycle]
    /// How long each may take until it serves.
    let limit: Duration
    /// Whether a failure ends only what needs the component; else nothing more is started.
    let keepsGoing: Bool
    /// Whether what a component complains of, once it serves, counts as a failure.
    var asksForProblems = true

    /// Those that can be started now, of `waiting` ones: all that they need is up.
    private func next(waiting: Set<String>, up: Set<String>) -> [RestorePlan.Start] {
        starts.filter { waiting.contains($0.component) && up.isSuperset(of: $0.needs) }
    }

    /// Starts them; `progress` is told where each stands whenever that changes.
    func run(_ progress: @escaping @Sendable (String) -> Void) async -> Outcome {
        let view = LiveView(starts.map(\.component), progress)
        var outcome = Outcome()
        var waiting = Set(starts.map(\.component))
        await withTaskGroup(of: Result.self) { group in
            var goesOn = true
            func launch() {
                guard goesOn else { return }
                for start in next(waiting: waiting, up: Set(outcome.started)) {
                    waiting.remove(start.component)
                    guard let lifecycle = lifecycles[start.component] else { continue }
                    group.addTask { await run(start, lifecycle, view) }
                }
            }
            launch()
            for await result in group {
                outcome.steps += result.steps
                if let failure = result.failure {
                    outcome.failures.append((result.component, failure))
                    goesOn = keepsGoing
                } else {
                    outcome.started.append(result.component)
                }
                launch()
            }
        }
        outcome.held = starts.map(\.component).filter { waiting.contains($0) }
        return outcome
    }

    private struct Result: Sendable {
        var component: String
        var steps: [RestoreReport.Step] = []
        var failure: (any Error)?
    }

    private func run(
        _ start: RestorePlan.Start, _ lifecycle: any Lifecycle, _ view: LiveView
    ) async -> Result {
        let name = start.component
        var result = Result(component: name)
        let clock = ContinuousClock()
        var began = clock.now
        func ended(_ step: String) {
            result.steps.append(.init(name: "\(step) \(name)", seconds: (clock.now - began) / .seconds(1)))
            began = clock.now
        }
        do {
            if !start.keepsRunning {
                view.set(name, .starting)
                try await lifecycle.start()
                ended("start")
            }
            view.set(name, .probing)
            try await lifecycle.waitUntilReady(limit: limit)
            ended("ready")
            let problems = asksForProblems ? try await lifecycle.problems() : []
            guard problems.isEmpty else {
                throw RestoreFailure(
                    .failed, "\(name) is running but unhealthy: \(problems.joined(separator: "; "))",
                    hint: "check its logs; --no-start restores without starting")
            }
            view.set(name, .up)
        } catch {
            result.failure = error
            view.set(name, .failed)
        }
        return result
    }
}

/// Says on one line where each component stands.
final class LiveView: Sendable {
    private let states: Mutex<[(component: String, state: StartSequence.State)]>
    private let progress: @Sendable (String) -> Void

    /// A view of components that all wait.
    init(_ components: [String], _ progress: @escaping @Sendable (String) -> Void) {
        states = Mutex(components.map { ($0, .waiting) })
        self.progress = progress
    }

    /// Says that a component came further; lines come in the order of what happened.
    func set(_ component: String, _ state: StartSequence.State) {
        states.withLock { states in
            for index in states.indices where states[index].component == component {
                states[index].state = state
            }
            progress(Self.words(states))
        }
    }

    /// `starting: ci; up: database; waiting: proxy`.
    static func words(_ states: [(component: String, state: StartSequence.State)]) -> String {
        StartSequence.State.allCases.compactMap { state in
            let names = states.filter { $0.state == state }.map(\.component)
            return names.isEmpty ? nil : "\(state.rawValue): \(names.joined(separator: ", "))"
        }.joined(separator: "; ")
    }
}
