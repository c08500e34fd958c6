internal import FileTree
internal import Programs
package import SnapshotModel
package import SystemPackage

/// A tool without a driver of its own: capture, restore, start, stop and probes are commands.
///
/// docs/command-driver.md is the contract.
package struct CommandDriver: Driver {
    package static let name = "command"
    package static let settings: [SettingKey] =
        CommandContract.Step.allCases.map {
            SettingKey(
                $0.rawValue, .command, required: $0 == .capture || $0 == .restore,
                help: "the command that \($0.help)")
        } + [SettingKey("limit", .text, help: "how long a command may take, as 10m")]

    /// Where the exported files are below the component.
    static let place = "database/export"

    private let contract: CommandContract

    package init(_ component: Component) throws {
        contract = try CommandContract(component)
    }

    /// Finds nothing by itself: the commands are the site's own.
    package static func detect(_ path: FilePath) throws -> Detection? { nil }

    package func places() -> [Root] { [] }
    package func roots() throws -> [Root] { [] }
    package func relocated(to roots: [String: FilePath]) -> CommandDriver { self }
    package func classification(of root: String) -> Classification {
        Classification([], defaultClass: .database)
    }

    package func version() async throws -> String? { try await said().version }

    /// The first line of what `version` prints, or what is wrong with it; neither when there is no such command.
    private func said() async throws -> (version: String?, problem: String?) {
        let outcome: Program.Outcome
        do {
            guard let ended = try await contract.run(.version, in: "/") else { return (nil, nil) }
            outcome = ended
        } catch let failure as DriverFailure {
            return (nil, failure.description)
        }
        guard outcome.status == 0, let line = outcome.output.split(whereSeparator: \.isNewline).first else {
            return (
                nil,
                "the command 'version' ended with status \(outcome.status): \(CommandContract.words(outcome))"
            )
        }
        return (String(printable(line.utf8).prefix(100)), nil)
    }

    package func freeze(scratch: FilePath, cache: FilePath) async throws -> Frozen {
        var frozen = Frozen()
        if let problem = try await said().problem { frozen.notes.append(problem) }
        let directory = scratch.appending("export")
        try Files.makeDirectory(directory, mode: 0o700)
        do {
            try await contract.succeed(.capture, in: directory)
        } catch let failure as DriverFailure {
            frozen.unreadable = [.init(path: Self.place, reason: "\(failure.description) (\(failure.hint))")]
            return frozen
        }
        let export = try Export(directory)
        frozen.artifacts = export.files.map { .init(name: "\(Self.place)/\($0.name)", file: $0.path) }
        frozen.unreadable = export.refused.map { .init(path: "\(Self.place)/\($0.path)", reason: $0.reason) }
        if export.files.isEmpty, export.refused.isEmpty {
            frozen.unreadable = [
                .init(path: Self.place, reason: "the command 'capture' ended with 0 and wrote no file")
            ]
        }
        return frozen
    }

    package func inventory(of source: any FileSource) throws -> Inventory {
        guard let lock = try source.lock(DatabaseLock.name) else { return Inventory() }
        let prefix = Self.place + "/"
        return Inventory(
            items: try DatabaseLock(lock).lines.filter { $0.name.hasPrefix(prefix) }.map { line in
                var item = Inventory.Item(
                    kind: "export", name: String(line.name.dropFirst(prefix.count)), digest: line.digest)
                item.digestWithoutKey = "\(line.size)"
                return item
            })
    }

    package var lifecycle: (any Lifecycle)? {
        contract.has(.start) ? CommandLifecycle(contract: contract) : nil
    }

    package var application: (any Application)? { CommandApplication(contract: contract) }
}

/// Starts, stops and probes a tool by its commands.
private struct CommandLifecycle: Lifecycle {
    let contract: CommandContract

    func isRunning() async throws -> Bool {
        let step: CommandContract.Step = contract.has(.running) ? .running : .ready
        return try await contract.run(step, in: "/")?.status == 0
    }

    func start() async throws { try await contract.succeed(.start, in: "/") }

    func stop() async throws { try await contract.succeed(.stop, in: "/") }

    func waitUntilReady(limit: Duration) async throws {
        let clock = ContinuousClock()
        let end = clock.now + limit
        while let outcome = try await contract.run(.ready, in: "/"), outcome.status != 0 {
            guard clock.now < end else {
                throw DriverFailure(
                    "component '\(contract.component)' is not ready after \(limit): \(CommandContract.words(outcome))",
                    hint: "look at the tool's own log")
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    func problems() async throws -> [String] {
        guard let outcome = try await contract.run(.healthy, in: "/"), outcome.status != 0 else { return [] }
        return [CommandContract.words(outcome)]
    }

    func obstacles(to captured: CapturedComponent) async throws -> [Refusal] { [] }
}
