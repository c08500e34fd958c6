internal import Dispatch
internal import Synchronization

/// Work on another thread, which nobody needs the result of until ``wait()``.
package final class Background: Sendable {
    private let group = DispatchGroup()
    private let failure: Box

    private final class Box: Sendable {
        let value = Mutex<(any Error)?>(nil)
    }

    /// Begins to work.
    package init(_ body: @escaping @Sendable () throws -> Void) {
        let failure = Box()
        self.failure = failure
        // A queue of its own gets a thread at once; the global one waits a second for those that wait for something.
        DispatchQueue(label: "background").async(group: group) {
            do { try body() } catch { failure.value.withLock { $0 = error } }
        }
    }

    deinit {
        // What it works on must not be left half done by a process that ends.
        group.wait()
    }

    /// Waits until the work is done; throws what it threw.
    package func wait() throws {
        group.wait()
        if let failure = failure.value.withLock({ $0 }) { throw failure }
    }
}
