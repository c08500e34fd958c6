internal import Dispatch
internal import Glibc
internal import Synchronization

/// How many threads a walk uses: one for each processor, but two at least, so that reading and hashing overlap.
package let usualThreads = max(2, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))

/// Runs `body` on several threads at once, each with its number; throws the first failure when all are done.
package func onThreads(_ count: Int, _ body: @Sendable (Int) throws -> Void) throws {
    let failure = Mutex<(any Error)?>(nil)
    DispatchQueue.concurrentPerform(iterations: count) { index in
        do { try body(index) } catch { failure.withLock { if $0 == nil { $0 = error } } }
    }
    if let failure = failure.withLock({ $0 }) { throw failure }
}
