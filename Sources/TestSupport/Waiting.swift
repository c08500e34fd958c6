/// Waits until something is so, and throws a ``FixtureFailure`` when it is not within half a minute.
package func wait(_ what: String, until isDone: () async throws -> Bool) async throws {
    for _ in 0..<600 {
        if try await isDone() { return }
        try await Task.sleep(for: .milliseconds(50))
    }
    throw FixtureFailure("waited in vain for \(what)")
}
