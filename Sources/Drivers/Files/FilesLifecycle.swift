internal import SnapshotModel

/// Starts, stops and probes what serves by the captured files: the proxy in front of the CI tool.
struct FilesLifecycle: Lifecycle {
    private let component: String
    private let service: ServiceCommands
    private let url: String?

    /// The lifecycle of a component, nil when its system file says nothing of a service.
    ///
    /// Throws a ``DriverFailure`` when nothing tells whether it runs.
    init?(_ component: Component) throws {
        guard let service = try ServiceCommands(component) else { return nil }
        self.component = component.name
        self.service = service
        url = component.text("url")
        guard url != nil || service.unit != nil else {
            throw DriverFailure(
                "component '\(component.name)': nothing says whether what 'start' starts does run",
                hint: "add url: with the address at which it answers")
        }
    }

    func isRunning() async throws -> Bool {
        if let running = try await service.isRunning() { return running }
        guard let url else { return false }
        return try await HTTPProbe(url).isAnswered()
    }

    func start() async throws { try await service.start() }

    func stop() async throws {
        guard try await isRunning() else { return }
        try await service.stop()
        for _ in 0..<150 {
            guard try await isRunning() else { return }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw DriverFailure(
            "what serves '\(component)' still runs half a minute after it was stopped",
            hint: "stop it by hand and try again")
    }

    /// Any answer is one of its own: what stands behind it may be started later.
    func waitUntilReady(limit: Duration) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        while let reason = try await lack() {
            guard clock.now < deadline else {
                throw DriverFailure(
                    "what serves '\(component)' does not answer after \(limit): \(reason)",
                    hint: "see its log")
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Why it does not serve yet, nil when it does.
    private func lack() async throws -> String? {
        guard let url else {
            return try await service.isActive() == true ? nil : "systemd does not call it active"
        }
        do {
            _ = try await HTTPProbe(url).get("/", attempts: 1)
            return nil
        } catch let failure as HTTPFailure {
            return failure.isServed == true ? nil : failure.description
        }
    }

    func problems() async throws -> [String] {
        guard let url else { return [] }
        let answer = try await HTTPProbe(url).get("/")
        guard answer.status >= 500 else { return [] }
        let behind = (502...504).contains(answer.status) ? ": what stands behind it does not answer" : ""
        return ["\(url) answers \(answer.status)\(behind)"]
    }

    func missing() throws -> [Refusal] { try service.missing() }

    func obstacles(to captured: CapturedComponent) async throws -> [Refusal] {
        let missing = try self.missing()
        guard let url, try await HTTPProbe(url).isAnswered() else { return missing }
        return missing + [
            Refusal("something answers at \(url) already", hint: "stop it, or restore with --no-start")
        ]
    }
}
