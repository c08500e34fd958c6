package import Drivers
internal import FileTree
internal import Programs
internal import SnapshotModel
package import SystemPackage

/// A database server made of the dumps of a snapshot, in a directory of its own.
package struct DatabaseCopy {
    /// The directory of the host with what the server keeps; nothing runs on it.
    package let data: FilePath
    private let socket: FilePath

    /// Makes one in an empty directory, in isolation; `dumps` is a directory of dumps as a snapshot keeps them.
    ///
    /// Throws a ``DriverFailure`` with the server's words when a dump does not load.
    package init(
        _ databases: [String], of dumps: FilePath, by cluster: PostgreSQLCluster, artifacts: FilePath,
        isTrial: Bool, in directory: FilePath, launcher: FilePath, hostName: String,
        user: (owner: UInt32, group: UInt32)? = nil, within allowance: Allowance,
        give: (FilePath) async throws -> Void = { _ in }
    ) async throws {
        data = directory.appending("data")
        socket = directory.appending("socket")
        for place in [data, socket] { try Files.makeDirectory(place, mode: 0o700) }
        try cluster.writeRoles(artifacts, for: databases, passwords: isTrial, to: data)
        try await give(directory)
        var sandbox = try Self.sandbox(
            data, socket, cluster, launcher: launcher, hostName: hostName, user: user)
        sandbox.mounts.append(.init(dumps, at: PostgreSQLCluster.dumpPlace))
        let outcome = try await SandboxProcess.run(
            cluster.making(databases, dumpsAgain: isTrial), in: sandbox, within: allowance,
            log: directory.appending("log"))
        guard outcome.status == 0 else {
            let words = outcome.output.split(whereSeparator: \.isNewline).suffix(3).joined(separator: "; ")
            throw DriverFailure(
                "PostgreSQL \(cluster.version) does not load the dump: \(words)",
                hint: "restore it by hand into an empty server and see")
        }
        try PostgreSQLCluster.forget(data, socket: socket)
    }

    /// A copy of it for one shadow; `place` does not exist yet, and its path is short.
    func copy(to place: FilePath, _ cluster: PostgreSQLCluster, _ name: String) async throws -> ShadowDatabase
    {
        try Files.makeDirectory(place, mode: 0o700)
        let database = ShadowDatabase(
            cluster: cluster, name: name, data: place.appending("data"), socket: place.appending("s"))
        try await Workspace.copy(data, to: database.data)
        try Files.makeDirectory(database.socket, mode: 0o700)
        return database
    }

    /// Starts a server and waits until it takes connections.
    ///
    /// Throws a ``ShadowFailure`` when it does not.
    static func start(
        _ database: ShadowDatabase, launcher: FilePath, hostName: String,
        user: (owner: UInt32, group: UInt32)?, within allowance: Allowance, log: FilePath
    ) async throws -> SandboxProcess {
        try PostgreSQLCluster.forget(database.data, socket: database.socket)
        let process = try await SandboxProcess.start(
            database.cluster.server,
            in: sandbox(
                database.data, database.socket, database.cluster, launcher: launcher, hostName: hostName,
                user: user),
            within: allowance, log: log)
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(120)
        while try !PostgreSQLCluster.isReady(database.data) {
            guard process.isRunning, clock.now < deadline else {
                await process.stop()
                throw ShadowFailure(
                    "the shadow's database server does not come up: \(process.lastWords)",
                    hint: "look whether the host is out of memory or of disk")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return process
    }

    /// What the server sees: its data and its socket, and nothing of the shadow that it serves.
    private static func sandbox(
        _ data: FilePath, _ socket: FilePath, _ cluster: PostgreSQLCluster, launcher: FilePath,
        hostName: String, user: (owner: UInt32, group: UInt32)?
    ) throws -> Sandbox {
        var sandbox = Sandbox(
            launcher: launcher,
            mounts: try cluster.places.map { .init($0, at: $0) } + [
                .init(data, at: PostgreSQLCluster.dataPlace, isWritable: true),
                .init(socket, at: PostgreSQLCluster.socketPlace, isWritable: true),
            ], hostName: hostName, user: user)
        sandbox.identity = PostgreSQLCluster.identity
        return sandbox
    }
}
