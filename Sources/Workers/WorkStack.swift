internal import Dispatch
internal import Glibc
internal import Synchronization

/// Work for several threads: the newest piece first, so that a walk goes down before it goes wide.
@safe package final class WorkStack<Work: Sendable>: Sendable {
    private struct State {
        var stack: [Work] = []
        /// Pieces pushed and not yet done.
        var open = 0
        var failure: (any Error)?
    }

    private let state = Mutex(State())
    /// Counts wake-ups; one for each piece pushed, and one for each thread at the end.
    private let available = DispatchSemaphore(value: 0)
    private let threads: Int
    /// Threads that wait for work.
    private let idle = Atomic<Int>(0)

    /// Whether a thread would take work at once: the time for another to share its own.
    package var hasIdleThreads: Bool { idle.load(ordering: .relaxed) > 0 }

    /// A stack worked on by `threads` threads.
    package init(threads: Int) {
        self.threads = threads
    }

    /// Adds work.
    package func push(_ work: [Work]) {
        guard !work.isEmpty else { return }
        state.withLock {
            $0.stack.append(contentsOf: work)
            $0.open += work.count
        }
        for _ in work { available.signal() }
    }

    /// Runs `body` on every piece, from all threads, until none is left; pieces may push more.
    ///
    /// Each thread gets a value of its own from `start`, which `end` finishes. The first failure stops everything and
    /// is thrown.
    package func run<Local>(
        start: @Sendable (Int) throws -> Local, body: @Sendable (Work, inout Local) throws -> Void,
        end: @Sendable (inout Local) throws -> Void
    ) throws {
        guard state.withLock({ $0.open }) > 0 else { return }
        DispatchQueue.concurrentPerform(iterations: threads) { index in
            do {
                var local = try start(index)
                while let work = next() {
                    do {
                        try body(work, &local)
                    } catch {
                        fail(error)
                    }
                    finishOne()
                }
                try end(&local)
            } catch {
                fail(error)
            }
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    private func next() -> Work? {
        idle.add(1, ordering: .relaxed)
        available.wait()
        idle.subtract(1, ordering: .relaxed)
        return state.withLock { $0.failure == nil ? $0.stack.popLast() : nil }
    }

    private func finishOne() {
        let isDone = state.withLock { state in
            state.open -= 1
            return state.open == 0
        }
        if isDone { wakeAll() }
    }

    private func fail(_ error: any Error) {
        state.withLock { if $0.failure == nil { $0.failure = error } }
        wakeAll()
    }

    private func wakeAll() {
        for _ in 0..<threads { available.signal() }
    }
}
