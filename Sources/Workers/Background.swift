internal import Dispatch
internal import Synchronization

/// Work on another thread, which nobody needs the result of until ``wait()``.
package final class Background<Value: Sendable>: Sendable {
    private let group = DispatchGroup()
    private let result: Box

    private final class Box: Sendable {
        let value = Mutex<Result<Value, any Error>?>(nil)
    }

    /// Begins to work.
    package init(_ body: @escaping @Sendable () throws -> Value) {
        let result = Box()
        self.result = result
        // A queue of its own gets a thread at once; the global one waits a second for those that wait for something.
        DispatchQueue(label: "background").async(group: group) {
            let done = Result(catching: body)
            result.value.withLock { $0 = done }
        }
    }

    deinit {
        // What it works on must not be left half done by a process that ends.
        group.wait()
    }

    /// Whether ``wait()`` would return at once.
    package var isDone: Bool { result.value.withLock { $0 != nil } }

    /// Waits until the work is done, and returns what it did, or throws what it threw.
    @discardableResult
    package func wait() throws -> Value {
        group.wait()
        guard let result = result.value.withLock({ $0 }) else {
            preconditionFailure("it is done")
        }
        return try result.get()
    }
}
