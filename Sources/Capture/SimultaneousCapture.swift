internal import Drivers
internal import SnapshotModel

/// Captures the components of a system at once, so that a snapshot is of one moment and not of one after another.
struct SimultaneousCapture {
    /// A component to capture.
    struct Part: Sendable {
        let component: Component
        let driver: any Driver
        /// The locks of the last snapshot by name.
        let previous: [String: [UInt8]]
    }

    /// Captures them, each by `capture`, and returns the results by component.
    ///
    /// Throws the first failure, after all others came to their end: they write into the same session.
    static func run(
        _ parts: [Part], _ capture: @escaping @Sendable (Part) async throws -> CaptureResult
    ) async throws -> [String: CaptureResult] {
        try await withThrowingTaskGroup(of: [(String, CaptureResult)].self) { group in
            for chain in chains(parts) {
                group.addTask {
                    var results: [(String, CaptureResult)] = []
                    for part in chain {
                        let started = Clock.now.seconds
                        var result = try await capture(part)
                        result.captured.started = CivilTime(seconds: started).iso8601
                        result.captured.finished = CivilTime(seconds: Clock.now.seconds).iso8601
                        results.append((part.component.name, result))
                    }
                    return results
                }
            }
            var all: [String: CaptureResult] = [:]
            for try await results in group {
                for (name, result) in results { all[name] = result }
            }
            return all
        }
    }

    /// Who waits for whom: the objects of captured repositories go through one directory of the store, and git's processes
    /// are many already.
    private static func chains(_ parts: [Part]) -> [[Part]] {
        let repositories = parts.filter { $0.driver.mayHaveRepositories }
        let names = Set(repositories.map(\.component.name))
        let others = parts.filter { !names.contains($0.component.name) }.map { [$0] }
        return repositories.isEmpty ? others : [repositories] + others
    }
}
