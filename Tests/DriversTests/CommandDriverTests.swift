import Drivers
import SnapshotModel
import TestSupport
import Testing

@Suite struct CommandDriverTests {
    /// What is captured does not hang on it.
    @Test func aVersionThatDoesNotEndIsANote() async throws {
        try await withTemporaryDirectory { directory in
            let settings = [
                "capture": "echo 1 >state", "restore": "true", "version": "sleep 60", "limit": "1s",
            ]
            let driver = try CommandDriver(
                Component(name: "tool", driver: "command", settings: settings.mapValues { .text($0) }))
            let frozen = try await driver.freeze(scratch: directory, cache: directory)
            #expect(frozen.artifacts.map(\.name) == ["database/export/state"])
            #expect(frozen.notes.map { $0.contains("'version' did not end within 1 seconds") } == [true])
            #expect(try await driver.version() == nil)
        }
    }
}
