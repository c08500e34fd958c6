/// Waits until something is so, and throws a ``FixtureFailure`` when it is not in time.
package func wait(
    _ what: String, limit: Duration = .seconds(30), until isDone: () async throws -> Bool
) async throws {
    let pause = Duration.milliseconds(50)
    for _ in 0..<Int(limit / pause) {
        if try await isDone() { return }
        try await Task.sleep(for: pause)
    }
    throw FixtureFailure("waited in vain for \(what)")
}
