import Drivers
import FileTree
import Judge
import SnapshotModel
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Canary

/// What comes back by itself after a restart is waited for, and what was never there is no breach.
@Suite struct ProductionWatchTests {
    /// A server that always serves and whose workers come when they come.
    private struct Server: Lifecycle {
        var absences: @Sendable () -> [String]
        func isRunning() async throws -> Bool { true }
        func start() async throws {}
        func stop() async throws {}
        func waitUntilReady(limit: Duration) async throws {}
        func problems() async throws -> [String] { [] }
        func absent() async throws -> [String] { absences() }
        func obstacles(to captured: CapturedComponent) async throws -> [Refusal] { [] }
    }

    /// Runs a watch, with few seconds of patience, over a server that lacks something before and after its restart.
    private func watch(
        before: [String], after: @escaping @Sendable (Duration) -> [String]
    ) async throws -> Duration {
        try await withTemporaryDirectory { directory in
            let shadow = try #require(
                try BuildbotDriver(
                    Component(
                        name: "ci", driver: "buildbot", settings: ["master": .text(directory.string)])
                ).shadow)
            let clock = ContinuousClock()
            let start = clock.now
            let isFirst = Flag()
            let watch = try await ProductionWatch(
                .init(evidence), rules: CanaryPolicy.Rules(stages: [], bake: 0),
                lifecycle: Server { isFirst.take() ? before : after(clock.now - start) }, shadow: shadow,
                patience: .seconds(5), progress: { _ in })
            try await watch.run()
            return clock.now - start
        }
    }

    private final class Flag: Sendable {
        private let isSet = Mutex(true)
        func take() -> Bool {
            isSet.withLock { value in
                defer { value = false }
                return value
            }
        }
    }

    private let absence = "worker w1 is not connected"

    @Test func aWorkerThatComesBackIsWaitedFor() async throws {
        let took = try await watch(before: []) { [absence] in $0 < .seconds(3) ? [absence] : [] }
        #expect(took >= .seconds(3), "\(took)")
    }

    @Test func aWorkerThatStaysAwayIsABreach() async throws {
        await #expect(throws: (any Error).self) {
            _ = try await watch(before: []) { [absence] _ in [absence] }
        }
    }

    @Test func aWorkerThatWasNotThereBeforeIsNone() async throws {
        let took = try await watch(before: [absence]) { [absence] _ in [absence] }
        #expect(took < .seconds(4), "\(took)")
    }

    private var evidence: Evidence {
        Evidence(
            id: "20261126T020000Z-1f3a", system: "acme",
            snapshot: .init(id: SnapshotID(seconds: 0, random: 0), commit: ""),
            change: ChangeSummary(description: "", tree: "", riskClass: .pluginPatch, parts: []),
            policyDigest: "", seed: 7, host: HostSummary(name: "ci", processors: 2, memory: 1 << 30),
            started: "2026-11-26T02:00:00Z")
    }
}
