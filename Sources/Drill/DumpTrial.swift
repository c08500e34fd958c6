internal import Drivers
internal import FileTree
internal import GitStore
internal import Shadow
internal import SnapshotModel
internal import SystemPackage

/// Dumps that are loaded into a server in isolation, and dumped again.
extension Drill {
    /// Loads every dump of a component, as a restore would, and holds what is there then against the snapshot.
    func checkDumps(
        _ captured: CapturedComponent, _ driver: any Driver, _ staged: StagedComponent,
        in workspace: Workspace
    ) async throws {
        let cluster: PostgreSQLCluster
        do {
            guard let found = try await driver.cluster(of: captured) else {
                guard driver.application != nil else { return }
                return note(
                    captured.name, "load", .notCovered,
                    "a drill does not put in place what the driver \(captured.driver) does")
            }
            cluster = found
        } catch let failure as DriverFailure {
            return note(captured.name, "load", .notCovered, "\(failure); \(failure.hint)")
        }
        var inspections: [Inspection] = []
        try await check(captured.name, "load") {
            progress("loading the dumps of \(captured.name) in isolation")
            guard let artifacts = staged.artifacts else { throw Finding("the snapshot holds no dump") }
            let databases = try PostgreSQLCluster.dumps(in: artifacts).keys.sorted()
            guard !databases.isEmpty else { throw Finding("the snapshot holds no dump") }
            let place = workspace.directory.appending("trial-\(captured.name)")
            try Files.makeDirectory(place, mode: 0o700)
            let made = try await DatabaseCopy(
                databases, of: artifacts.appending("database"), by: cluster, artifacts: artifacts,
                isTrial: true,
                in: place, launcher: launcher, hostName: stored.snapshot.host,
                within: workspace.limitKeeper.allowance("trial-\(captured.name)", limits))
            inspections = try PostgreSQLCluster.inspect(databases, in: made.data, against: artifacts)
            try Files.removeTree(place)
            return
                "\(counted(databases.count, "database")), with roles, into a PostgreSQL \(cluster.version) of the drill's own; "
                + "limits were kept \(workspace.limitKeeper.words)"
        }
        for inspection in inspections { try await check(captured.name, inspection) }
    }
}
