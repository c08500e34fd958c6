internal import FileTree
package import SnapshotModel
internal import SystemPackage

extension BuildbotDriver {
    /// Refuses when the Python environment cannot be made on this host.
    package func preflight(
        _ source: any FileSource, captured: CapturedComponent
    ) async throws -> [Refusal] {
        guard captured.roots.contains(where: { $0.kind == .rebuilt }) else { return [] }
        guard let bytes = try source.lock(PythonLock.name) else {
            return [
                Refusal(
                    "the snapshot has a Python environment and no \(PythonLock.name)",
                    hint: "verify the snapshot")
            ]
        }
        do {
            let lock = try PythonLock(bytes)
            let interpreter = try await Interpreter.find(for: lock)
            guard !lock.wheels.isEmpty, lock.pip == nil, try await !interpreter.hasPip() else { return [] }
            return [
                Refusal(
                    "the Python environment has no pip of its own to be made again with, and nor has this host",
                    hint: "run: apt-get install python3-pip")
            ]
        } catch let failure as DriverFailure {
            return [Refusal(failure.description, hint: failure.hint)]
        }
    }

    /// Makes the Python environment in its staging place.
    package func rebuild(_ staged: StagedComponent) async throws {
        guard let root = staged.root("environment"), root.root.kind == .rebuilt else { return }
        guard let artifacts = staged.artifacts,
            let bytes = try Files.readIfPresent(artifacts.appending(PythonLock.name))
        else {
            throw DriverFailure(
                "cannot make \(root.root.path) again: the snapshot has no \(PythonLock.name)",
                hint: "verify the snapshot")
        }
        let rebuild = EnvironmentRebuild(
            lock: try PythonLock(bytes), artifacts: artifacts, staged: root.staged,
            final: FilePath(root.root.path), captured: capturedPath("environment", staged))
        guard staged.packages.isEmpty else { return try await rebuild.run(packages: staged.packages) }
        try await rebuild.run()
    }

    /// Adapts identity, paths and unfinished work to the place and the time of the restore.
    package func afterRestore(_ staged: StagedComponent) async throws -> [Fix] {
        var fixes: [Fix] = []
        for root in staged.roots where root.root.kind == .directory {
            fixes += try rebase(root, captured: capturedPath(root.root.name, staged))
        }
        guard let master = staged.root("master") else { return fixes }
        let captured = capturedPath("master", staged)
        if captured != master.root.path { fixes += try mentions(of: captured, in: master.staged) }
        // A database that comes back alone is that of the master which stands there.
        let here = master.only == nil ? relocated(to: ["master": master.staged]) : self
        guard let file = try here.databaseFile(capturedAt: captured) else { return fixes }
        if let link = try Files.link(on: FilePath(file), below: master.staged) {
            return fixes + [.leftAlone("master/\(link)")]
        }
        guard try Files.exists(master.staged.appending(file)) else { return fixes }
        let database = master.staged.appending(file)
        let kept = try KeptMetadata(database)
        let names = try masterNames(FilePath(captured), host: staged.capturedHost)
        fixes += try StateRepair(
            path: database, capturedNames: names, name: masterName(master, by: here.master),
            resumesWork: staged.resumesWork,
            now: ThisHost.now
        ).run()
        try kept.restore()
        return fixes
    }

    /// What the master will call itself: the host, and the base directory as its tac file makes it.
    private func masterName(
        _ root: StagedComponent.StagedRoot, by directory: FilePath
    ) throws -> String {
        let final = FilePath(root.root.path)
        let literal = try TacFile.read(in: directory)?.baseDirectory
        if let literal, literal != "." { return "\(ThisHost.name):\(literal)" }
        // A relocatable master asks the kernel where it is, and the kernel answers without links.
        let parent = final.removingLastComponent()
        guard let name = final.lastComponent, try Files.exists(parent) else {
            return "\(ThisHost.name):\(final)"
        }
        return "\(ThisHost.name):\(try Files.resolved(parent).appending(name))"
    }

    /// Lets a tac file name the place where the directory will stand, and drops what a process left.
    private func rebase(_ root: StagedComponent.StagedRoot, captured: String) throws -> [Fix] {
        var fixes: [Fix] = []
        let left = root.staged.appending("twistd.pid")
        if try Files.exists(left) {
            try Files.remove(left)
            fixes.append(
                Fix("\(root.root.name)/twistd.pid", "removed: the process that it names is none of ours"))
        }
        guard captured != root.root.path, let tac = try TacFile.read(in: root.staged),
            let rebased = tac.rebased(to: root.root.path)
        else { return fixes }
        let file = root.staged.appending("buildbot.tac")
        if try Files.status(file)?.kind == .link {
            return fixes + [.leftAlone("\(root.root.name)/buildbot.tac")]
        }
        let kept = try KeptMetadata(file)
        try Files.replace(file, with: Array(rebased.utf8), mode: kept.mode)
        try kept.restore()
        fixes.append(
            Fix("\(root.root.name)/buildbot.tac", "its basedir is \(root.root.path) now, and was \(captured)")
        )
        return fixes
    }

    /// Other places of the configuration that name the old path are for people to look at.
    private func mentions(of captured: String, in staged: FilePath) throws -> [Fix] {
        guard let tac = try TacFile.read(in: staged) else { return [] }
        let configuration = try MasterConfiguration(tac, directory: staged)
        let count = PythonText.lines(configuration.source).count { $0.contains(captured) }
        guard count > 0 else { return [] }
        return [
            Fix(
                "master/\(tac.configurationFile)",
                "left as it is, though \(count == 1 ? "1 line names" : "\(count) lines name") \(captured): look at it"
            )
        ]
    }

    private func capturedPath(_ root: String, _ staged: StagedComponent) -> String {
        staged.captured.roots.first { $0.name == root }?.path ?? staged.root(root)?.root.path ?? ""
    }
}
