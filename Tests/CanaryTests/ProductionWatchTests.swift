import FileTree
import Judge
import SnapshotModel
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Canary
@testable import Drivers

/// What comes back by itself after a restart is waited for, what was never there is no breach, and neither is one answer that is lost.
@Suite struct ProductionWatchTests {
    /// A server that always serves, and whose workers come when they come.
    private struct Server: Lifecycle {
        /// Throws when the answer to a question is lost.
        var answer: @Sendable () throws -> Void
        var absences: @Sendable () -> [String]
        /// What is wrong when it is asked for that the time with this number, counted from 1.
        var wrong: @Sendable (Int) -> [String]
        let looks = Count()
        func isRunning() async throws -> Bool { true }
        func start() async throws {}
        func stop() async throws {}
        func waitUntilReady(limit: Duration) async throws {}
        func problems() async throws -> [String] {
            try answer()
            return wrong(looks.next())
        }
        func absent() async throws -> [String] {
            try answer()
            return absences()
        }
        func obstacles(to captured: CapturedComponent) async throws -> [Refusal] { [] }
    }

    /// Runs a watch, with few seconds of patience, over a server that lacks something before and after its restart; the answers to the
    /// questions with these numbers are lost, counted from 1, of which two are asked before it, and `wrong` says what is wrong at each
    /// look, of which the first one is before it.
    private func watch(
        before: [String], losing lost: ClosedRange<Int>? = nil, bake: Int64 = 0,
        wrong: @escaping @Sendable (Int) -> [String] = { _ in [] },
        after: @escaping @Sendable (Duration) -> [String]
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
            let questions = Count()
            let server = Server(
                answer: {
                    let number = questions.next()
                    guard lost?.contains(number) == true else { return }
                    throw HTTPFailure(address: "http://ci/", code: 52, message: "empty reply")
                },
                absences: { isFirst.take() ? before : after(clock.now - start) }, wrong: wrong)
            let watch = try await ProductionWatch(
                .init(evidence), rules: CanaryPolicy.Rules(stages: [], bake: bake),
                lifecycle: server, shadow: shadow, patience: .seconds(5), progress: { _ in })
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

    private final class Count: Sendable {
        private let value = Mutex(0)
        func next() -> Int {
            value.withLock { value in
                value += 1
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
        let failure = await #expect(throws: (any Error).self) {
            _ = try await watch(before: []) { [absence] _ in [absence] }
        }
        let words = String(describing: failure)
        #expect(words.contains("\(absence), for 5 s"), "\(words)")
    }

    @Test func aWorkerThatWasNotThereBeforeIsNone() async throws {
        let took = try await watch(before: [absence]) { [absence] _ in [absence] }
        #expect(took < .seconds(4), "\(took)")
    }

    /// That to what is wrong, or that to what is absent.
    @Test(arguments: [3...3, 4...4]) func oneLostAnswerIsNoBreach(_ lost: ClosedRange<Int>) async throws {
        let took = try await watch(before: [], losing: lost) { _ in [] }
        #expect(took >= .seconds(2), "it was not asked again: \(took)")
    }

    @Test func somethingElseThatIsWrongAMomentLaterIsABreach() async throws {
        let failure = await #expect(throws: (any Error).self) {
            _ = try await watch(
                before: [],
                wrong: { [[], ["the worker w1 does not run"], ["http://ci/ answers 503"]][min($0, 3) - 1] }
            ) { _ in [] }
        }
        let words = String(describing: failure)
        #expect(words.contains("http://ci/ answers 503"), "\(words)")
    }

    @Test func whatIsWrongWhenTheTimeIsOverCounts() async throws {
        let failure = await #expect(throws: (any Error).self) {
            _ = try await watch(before: [], bake: 1, wrong: { $0 > 2 ? ["http://ci/ answers 503"] : [] }) {
                _ in []
            }
        }
        let words = String(describing: failure)
        #expect(words.contains("http://ci/ answers 503"), "\(words)")
    }

    /// Nobody knows by the first answer whether a worker is absent.
    @Test func whatIsAbsentAfterALostAnswerIsWaitedFor() async throws {
        let took = try await watch(before: [], losing: 3...3) { [absence] in
            $0 < .seconds(4) ? [absence] : []
        }
        #expect(took >= .seconds(4), "\(took)")
    }

    @Test func whatIsWellAgainOrWasWrongBeforeIsNoBreach() async throws {
        let took = try await watch(
            before: [], wrong: { $0 == 2 ? ["it was wrong before", "it is slow"] : ["it was wrong before"] }
        ) { _ in [] }
        #expect(took >= .seconds(2), "it was not asked again: \(took)")
    }

    @Test(arguments: [3, 1]) func aServerThatDoesNotAnswerIsABreach(_ first: Int) async throws {
        let failure = await #expect(throws: (any Error).self) {
            _ = try await watch(before: [], losing: first...100) { _ in [] }
        }
        let words = String(describing: failure)
        #expect(words.contains("no answer from http://ci/"), "\(words)")
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
