internal import FileTree
internal import Programs
internal import SnapshotModel
internal import SQLite
package import SystemPackage

extension BuildbotDriver {
    /// Copies the database hot, and makes wheels of the Python environment.
    @concurrent package func freeze(scratch: FilePath, cache: FilePath) async throws -> Frozen {
        var frozen = Frozen()
        try await freezeState(scratch: scratch, into: &frozen)
        guard let root = places().first(where: { $0.kind == .rebuilt }) else {
            frozen.notes.append("no Python environment is captured: a restore needs Buildbot on the host")
            return frozen
        }
        // What is told already.
        guard RootFault.all(of: [root], check).isEmpty else { return frozen }
        do {
            let packages = try PythonEnvironment(FilePath(root.path)).freeze(cache: cache)
            frozen.artifacts += packages.artifacts
            frozen.locks += packages.locks
            frozen.unreadable += packages.unreadable
            frozen.notes += packages.notes
        } catch {
            frozen.faults.append(RootFault(root, error))
        }
        return frozen
    }

    private func freezeState(scratch: FilePath, into frozen: inout Frozen) async throws {
        guard let configuration = try configuration() else {
            frozen.unreadable.append(
                .init(path: "master/buildbot.tac", reason: "it is gone, or makes no master"))
            return
        }
        if !configuration.path.lexicallyNormalized().starts(with: master) {
            frozen.notes.append(
                "the configuration \(configuration.path) lies outside \(master) and is not captured here:"
                    + " add its directory with the files driver")
        }
        guard let file = try databaseFile() else {
            return noteForeignDatabase(configuration.stateStore, into: &frozen)
        }
        let copy = scratch.appending("state.sqlite")
        if isAtRest {
            // Even to read it SQLite would write beside a database in WAL mode, and so change what is being verified.
            // A restored database is a plain file that nobody has open.
            let source = master.appending(file)
            try await Program(
                "cp", ["--reflink=auto", "--", source.string, copy.string], limit: .seconds(3600)
            )
            .runSuccessfully()
            return try addInventory(of: copy, to: &frozen)
        }
        do throws(SQLiteFailure) {
            try HotCopy.make(of: master.appending(file), at: copy, expecting: "alembic_version")
        } catch {
            frozen.unreadable.append(.init(path: "master/\(file)", reason: error.description))
            return
        }
        frozen.replacements.append(.init(root: "master", path: EntryPath(file), copy: copy))
        try addInventory(of: copy, to: &frozen)
    }

    private func addInventory(of copy: FilePath, to frozen: inout Frozen) throws {
        let inventory = try BuildbotInventory(database: copy)
        frozen.locks.append(Lock(name: Inventory.lockName, contents: Array(inventory.text.utf8)))
        if !inventory.isCurrent {
            frozen.notes.append(BuildbotInventory.isOldNote)
        }
    }

    private func noteForeignDatabase(
        _ store: MasterConfiguration.StateStore, into frozen: inout Frozen
    ) {
        let place =
            switch store {
            case .server(let scheme, _): "in a database reached by \(scheme)"
            case .sqlite(let file): "in \(file), outside its base directory"
            case .unknown: "where an expression in its configuration says"
            }
        if let other = component.text("database") {
            frozen.notes.append("the master keeps its state \(place); component '\(other)' captures that")
            return
        }
        frozen.unreadable.append(
            .init(
                path: "master/db_url",
                reason:
                    "the master keeps its state \(place), which this driver does not capture; add a component"
                    + " that does and name it as 'database'"))
    }
}
