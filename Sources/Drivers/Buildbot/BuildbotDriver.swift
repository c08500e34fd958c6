internal import FileTree
package import SnapshotModel
package import SystemPackage

/// Buildbot: a master, workers on the same host, and the Python environment that both run in.
package struct BuildbotDriver: Driver {
    package static let name = "buildbot"
    package static let settings: [SettingKey] = [
        SettingKey("master", .path, required: true, help: "the master's base directory"),
        SettingKey("workers", .paths, help: "base directories of workers on this host"),
        SettingKey("environment", .path, help: "the Python environment that Buildbot is installed in"),
        SettingKey("url", .url, help: "where the web interface answers"),
        SettingKey("service", .service, help: "how to start and stop it; default: its own commands"),
        SettingKey(
            "database", .text, help: "the component that captures its database, if that is not SQLite"),
    ]

    /// What the names of the workers' roots begin with.
    private static let workersPrefix = "workers/"

    let component: Component
    var master: FilePath
    /// The master's base directory by the settings, wherever its files lie now: what the configuration says is absolute
    /// begins with it.
    private let base: FilePath
    var workers: [(name: String, path: FilePath)]
    var environment: FilePath?
    let service: ServiceCommands?
    /// Whether the places hold what is being restored, so that no process has any of it open.
    private(set) var isAtRest = false

    package init(_ component: Component) throws {
        self.component = component
        guard let master = component.text("master") else {
            throw DriverFailure(
                "component '\(component.name)' does not say where its master is",
                hint: "add master: with the directory that holds buildbot.tac")
        }
        base = FilePath(master).lexicallyNormalized()
        self.master = base
        environment = component.text("environment").map { FilePath($0).lexicallyNormalized() }
        service = try ServiceCommands(component)
        workers = []
        for path in component.list("workers").map({ FilePath($0).lexicallyNormalized() }) {
            let base = path.lastComponent?.string ?? "worker"
            var name = Self.workersPrefix + base
            var number = 2
            while workers.contains(where: { $0.name == name }) {
                name = "\(Self.workersPrefix)\(base)-\(number)"
                number += 1
            }
            workers.append((name, path))
        }
        try refuseNesting()
    }

    /// Every root is exchanged as a whole at a restore: one inside another cannot be.
    private func refuseNesting() throws {
        let places = [master] + workers.map(\.path) + [environment].compactMap { $0 }
        for (index, place) in places.enumerated() {
            for (other, outer) in places.enumerated() where other != index && place.starts(with: outer) {
                throw DriverFailure(
                    "component '\(component.name)': \(place) lies in \(outer), which is captured too",
                    hint: place == environment
                        ? "leave 'environment' out: its files are captured one by one with \(outer)"
                        : "leave it out, or move it beside \(outer)")
            }
        }
    }

    package func places() -> [Root] {
        var places = [Root(name: "master", path: master.string)]
        places += workers.map { Root(name: $0.name, path: $0.path.string) }
        if let environment {
            places.append(Root(name: "environment", path: environment.string, kind: .rebuilt))
        }
        return places
    }

    package func roots() throws -> [Root] {
        let roots = places()
        try roots.forEach(check)
        return roots
    }

    /// Without the master nothing says what the others are part of.
    package func faults() -> [RootFault] {
        let faults = RootFault.all(of: places(), check)
        guard let master = faults.first(where: { $0.root == "master" }) else { return faults }
        return places().map { RootFault($0, master.failure) }
    }

    /// Throws where a root is not what the system file says that it is.
    func check(_ root: Root) throws {
        let path = FilePath(root.path)
        switch root.name {
        case "master":
            guard let tac = try TacFile.read(in: path), tac.role == .master else {
                throw DriverFailure(
                    "\(path) is not a Buildbot master: it has no buildbot.tac that makes one",
                    hint: "give the directory that 'buildbot create-master' made as 'master'")
            }
            // Only that says where the state is kept.
            _ = try MasterConfiguration(tac, directory: path)
        case "environment": _ = try PythonEnvironment(path)
        default:
            guard try TacFile.read(in: path)?.role == .worker else {
                throw DriverFailure(
                    "\(path) is not a Buildbot worker: it has no buildbot.tac that makes one",
                    hint: "give directories that 'buildbot-worker create-worker' made as 'workers'")
            }
        }
    }

    package func classification(of root: String) -> Classification {
        switch root {
        case "master":
            // A configuration that cannot be read is told of by freeze(), which reads it too.
            BuildbotClasses.master(database: (try? databaseFile()) ?? "state.sqlite")
        case "environment": BuildbotClasses.environment
        default: BuildbotClasses.worker
        }
    }

    package func version() async throws -> String? {
        guard let environment else { return nil }
        return try PythonEnvironment(environment).version(of: "buildbot")
    }

    package func relocated(to roots: [String: FilePath]) -> BuildbotDriver {
        var driver = self
        driver.isAtRest = true
        driver.master = roots["master"] ?? master
        driver.environment = roots["environment"]
        driver.workers = roots.filter { $0.key.hasPrefix(Self.workersPrefix) }
            .sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return driver
    }

    package func calling(roots names: [String]) -> BuildbotDriver {
        var driver = self
        driver.workers = zip(names.dropFirst(), workers).map { ($0, $1.path) }
        return driver
    }

    package func inventory(of source: any FileSource) throws -> Inventory {
        var items: [Inventory.Item] = []
        if let bytes = try source.lock(Inventory.lockName) { items += try BuildbotInventory(bytes).items }
        if let bytes = try source.lock(PythonLock.name) {
            items += try PythonLock(bytes).wheels.map {
                Inventory.Item(kind: "package", name: $0.name, version: $0.version, digest: $0.digest)
            }
        }
        return Inventory(items: items)
    }

    package var lifecycle: (any Lifecycle)? {
        BuildbotLifecycle(
            master: .init(directory: master, program: "buildbot"),
            workers: workers.map { .init(directory: $0.path, program: "buildbot-worker") },
            environment: environment, url: component.text("url"), service: service,
            database: database)
    }

    package var reloading: (any Reloading)? {
        // A configuration that cannot be found now is loaded by a start, which says why.
        guard let file = (try? configuration())?.path else { return nil }
        return BuildbotReload(
            master: master, configuration: file.lexicallyNormalized(), database: database)
    }

    /// The SQLite database of the master, nil when it has another or its configuration cannot be read now.
    private var database: FilePath? {
        // Only a second source for readiness: without it the first one decides.
        (try? databaseFile()).flatMap { $0 }.map { master.appending($0) }
    }

    /// The configuration of the master.
    func configuration() throws -> MasterConfiguration? {
        try TacFile.read(in: master).map { try MasterConfiguration($0, directory: master) }
    }

    /// The SQLite file below the master's base directory, nil when the state is kept elsewhere.
    ///
    /// `captured` is where the base directory stood at the snapshot, where that may be another place.
    func databaseFile(capturedAt captured: String? = nil) throws -> String? {
        try databaseFile(of: configuration(), capturedAt: captured)
    }

    /// The same for a configuration that is not the one that the tac file names.
    func databaseFile(of configuration: MasterConfiguration?, capturedAt captured: String? = nil) throws
        -> String?
    {
        switch configuration?.stateStore {
        case .sqlite(let file):
            let path = FilePath(file).lexicallyNormalized()
            if path.isRelative { return path.components.first?.kind == .parentDirectory ? nil : path.string }
            let bases = [base] + [captured].compactMap { $0 }.map { FilePath($0).lexicallyNormalized() }
            return bases.first { path.starts(with: $0) }
                .map { String(path.string.dropFirst($0.string.count + 1)) }
        case .unknown where component.text("database") == nil:
            return try Files.exists(master.appending("state.sqlite")) ? "state.sqlite" : nil
        case .unknown, .server, nil:
            // Whoever names a component for the state knows that what lies here is none of it.
            return nil
        }
    }
}
