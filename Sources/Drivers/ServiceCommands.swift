internal import FileTree
internal import Programs
internal import SnapshotModel
internal import SystemPackage

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
    ///
    /// systemd has limits of its own, of each unit, which a unit that says when it is ready may have extended.
    /// It goes on with the file of a unit as it was before a restore, unless it is told to read it again.
    func start() async throws {
        if let unit, await isStale(unit) {
            try await run(["systemctl", "daemon-reload"], limit: Self.limit)
        }
        try await run(startCommand, limit: unit == nil ? Self.limit : .seconds(20 * 60))
    }

    /// Whether the file of a unit changed since systemd read it.
    private func isStale(_ unit: String) async -> Bool {
        // What keeps systemctl from running is said by the start that comes next.
        let outcome = try? await Program(
            "systemctl", ["show", "--property=NeedDaemonReload", "--value", unit], limit: .seconds(30)
        ).run()
        return outcome.map { Self.firstLine($0.output) } == "yes"
    }

    /// Runs the command that stops it.
    func stop() async throws { try await run(stopCommand, limit: Self.limit) }

    private static let limit = Duration.seconds(180)

    /// Whether systemd says that it serves; nil where commands start and stop it, which cannot be asked.
    func isActive() async throws -> Bool? {
        try await state().map { ["active", "reloading", "refreshing"].contains($0) }
    }

    /// Whether systemd says that there is anything of it, be it on its way up or down; nil as above.
    func isRunning() async throws -> Bool? {
        try await state().map { !["inactive", "failed", "unknown"].contains($0) }
    }

    /// What systemd calls the state of its unit.
    private func state() async throws -> String? {
        guard let unit else { return nil }
        guard try Self.runsSystemd(below: "/") else { return "inactive" }
        let words: String
        do {
            let outcome = try await Program("systemctl", ["is-active", unit], limit: .seconds(30)).run()
            let state = Self.firstLine(outcome.output)
            guard state.isEmpty else { return state }
            words = Self.firstLine(outcome.errorOutput)
        } catch let failure as ProgramFailure {
            words = failure.description
        }
        // Nothing runs of a unit that this host has not; ``missing(below:)`` says so.
        guard try missing().isEmpty else { return "inactive" }
        throw DriverFailure(
            "systemd cannot be asked for the unit \(unit): \(words)",
            hint: "run 'systemctl is-active \(unit)' by hand to see more")
    }

    /// What a program says, without the end of the line.
    static func firstLine(_ output: String) -> String { String(output.prefix { !$0.isNewline }) }

    private static func runsSystemd(below root: FilePath) throws -> Bool {
        try Files.isDirectory(root.pushing("run/systemd/system"))
    }

    /// What this host lacks to run the commands, in the places where systemd looks for units: `systemd.unit(5)`.
    func missing(below root: FilePath = "/") throws -> [Refusal] {
        guard let unit else { return [] }
        guard try Self.runsSystemd(below: root) else {
            return [
                Refusal(
                    "the service '\(unit)' is a systemd unit, and systemd does not run on this host",
                    hint: "restore with --no-start, or give service: {start: …, stop: …} for this host")
            ]
        }
        let name = unit.contains(".") ? unit : "\(unit).service"
        // A unit that is made from a template: agent@3.service of agent@.service.
        let template = name.firstIndex(of: "@").flatMap { at in
            name.lastIndex(of: ".").map { "\(name[...at])\(name[$0...])" }
        }
        let places = Self.unitDirectories.flatMap { directory in
            ([name] + [template].compactMap { $0 }).map { root.pushing(directory).appending($0) }
        }
        guard try !places.contains(where: { try Files.exists($0) }) else { return [] }
        return [
            Refusal(
                "the service '\(unit)' is a systemd unit that does not exist on this host",
                hint:
                    "install the package that has \(name), or put it into /etc/systemd/system and run 'systemctl daemon-reload'",
                liftedBy: places)
        ]
    }

    private static let unitDirectories: [FilePath] = [
        "etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system",
        "lib/systemd/system", "run/systemd/generator", "run/systemd/generator.late",
    ]

    private func run(_ command: [String], limit: Duration) async throws {
        do {
            var program = Program(command[0], Array(command.dropFirst()), limit: limit)
            program.endsWithUs = true
            try await program.runSuccessfully()
        } catch let failure as ProgramFailure {
            throw DriverFailure(
                "the service command '\(command.joined(separator: " "))' failed: \(failure)",
                hint: "run it by hand to see more")
        }
    }
}
