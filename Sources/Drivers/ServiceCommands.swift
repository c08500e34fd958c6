internal import Programs
internal import SnapshotModel

/// How a site starts and stops a component, where that is not the driver's own way.
struct ServiceCommands {
    private let startCommand: [String]
    private let stopCommand: [String]
    /// The unit of systemd, nil where commands start and stop it.
    let unit: String?

    /// The `service` setting, nil when there is none.
    init?(_ component: Component) throws {
        let map = component.map("service")
        guard !map.isEmpty else { return nil }
        unit = map["systemd"]
        if let unit {
            startCommand = ["systemctl", "start", unit]
            stopCommand = ["systemctl", "stop", unit]
        } else if let start = map["start"], let stop = map["stop"] {
            startCommand = ["/bin/sh", "-c", start]
            stopCommand = ["/bin/sh", "-c", stop]
        } else {
            throw DriverFailure(
                "component '\(component.name)': 'service' needs 'systemd', or 'start' and 'stop'",
                hint: "write service: {systemd: UNIT}, or leave it out")
        }
    }

    /// Runs the command that starts it.
    func start() async throws { try await run(startCommand) }

    /// Runs the command that stops it.
    func stop() async throws { try await run(stopCommand) }

    /// Whether systemd says that it runs; nil where commands start and stop it, which cannot be asked.
    func isActive() async throws -> Bool? {
        guard let unit else { return nil }
        do {
            return try await Program(
                "systemctl", ["is-active", "--quiet", unit], limit: .seconds(30)
            ).run().status == 0
        } catch let failure as ProgramFailure {
            throw DriverFailure(
                "systemd cannot be asked for the unit \(unit): \(failure)",
                hint: "name 'start' and 'stop' commands where there is no systemd")
        }
    }

    private func run(_ command: [String]) async throws {
        do {
            try await Program(command[0], Array(command.dropFirst()), limit: .seconds(180)).runSuccessfully()
        } catch let failure as ProgramFailure {
            throw DriverFailure(
                "the service command '\(command.joined(separator: " "))' failed: \(failure)",
                hint: "run it by hand and see")
        }
    }
}
