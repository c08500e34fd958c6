package import Capture
internal import Cryptography
package import Drivers
internal import FileTree
package import Git
package import GitStore
package import Judge
internal import Programs
internal import Restore
package import Sealing
internal import SnapshotModel
package import SystemPackage

/// Makes shadows of one component of one snapshot: the same bytes, made harmless in the same way, and in some of them a change.
package struct Shadows {
    /// What it takes to make them.
    package struct Source: Sendable {
        /// The delivery system.
        package var system: DeliverySystem
        /// Its store.
        package var store: SnapshotStore
        /// Reads the store.
        package var reader: ObjectReader
        /// The snapshot.
        package var stored: StoredSnapshot
        /// What opens it, where it is sealed.
        package var identities: [Identity]?
        /// The component.
        package var component: String
        /// The binary of Understudy.
        package var launcher: FilePath
        /// What each shadow may use.
        package var limits: ShadowLimits
        /// Is told each step as it begins.
        package var progress: @Sendable (String) -> Void

        /// A source.
        package init(
            system: DeliverySystem, store: SnapshotStore, reader: ObjectReader, stored: StoredSnapshot,
            identities: [Identity]?, component: String, launcher: FilePath, limits: ShadowLimits,
            progress: @escaping @Sendable (String) -> Void
        ) {
            self.system = system
            self.store = store
            self.reader = reader
            self.stored = stored
            self.identities = identities
            self.component = component
            self.launcher = launcher
            self.limits = limits
            self.progress = progress
        }

        /// The snapshot's store, and what opens it.
        var origin: OpenedStore {
            OpenedStore(system, store: store, reader: reader, identities: identities)
        }

        /// The classes of the paths below each root of a component, with the policy's own.
        func classifications(
            of component: String, _ roots: [StagedComponent.StagedRoot], _ driver: any Driver
        ) -> [String: Classification] {
            var classifications: [String: Classification] = [:]
            for root in roots {
                classifications[root.root.name] = driver.classification(of: root.root.name).extended(
                    by: system.options.rules[component] ?? [])
            }
            return classifications
        }
    }

    private let source: Source
    private let workspace: Workspace
    /// Who knows how the component is rehearsed.
    package let driver: any ShadowDriver
    /// What was restored, with what is made from packages, not yet harmless: nothing of it is ever run.
    package let restored: StagedComponent
    /// ``restored`` as its driver takes it.
    package var unchanged: ShadowCopy {
        ShadowCopy(
            staged: restored, socketDirectory: workspace.directory, workspace: workspace.directory)
    }
    private let user: (owner: UInt32, group: UInt32)?
    private let hostPlaces: [FilePath]
    /// Where copies of other components' files are, which the component may read: repositories, host files.
    private var neighbours: [StagedComponent.StagedRoot] = []
    /// What is known of production's secrets, wherever they were found.
    private var masking = Masking()
    private let classifications: [String: Classification]
    /// For how many secrets the neighbours were masked and searched last, and how many files they have.
    private var settled = (secrets: -1, files: 0)
    /// How many files of the last shadow were searched.
    private var searched = 0
    /// The database server that the component's state is in, made from its dump; each shadow has a copy.
    private var state: State?

    private enum State {
        case made(DatabaseCopy, PostgreSQLCluster, name: String, dumps: FilePath)
        case missing(String)
    }

    /// Directories of archives that are mounted into every arm.
    private var packages: FilePath { workspace.directory.appending("packages") }
    private var logs: FilePath { workspace.directory.appending("logs") }

    /// Writes the snapshot into the workspace and makes what is rebuilt; with `verifies` all of it is read back and compared
    /// with the snapshot's own tree.
    package init(_ source: Source, in workspace: Workspace, verifies: Bool = false) async throws {
        self.source = source
        self.workspace = workspace
        guard let described = source.system.driver(of: source.component), let driver = described.shadow else {
            throw ShadowFailure(
                "the component '\(source.component)' cannot be rehearsed: its driver makes no shadows",
                hint: "components of the drivers jenkins and buildbot can")
        }
        self.driver = driver
        source.progress("writing \(source.stored.reference.id) into a shadow")
        var (staged, _) = try await Materialisation(source.origin).write(
            source.component, of: source.stored, to: workspace.directory.appending("snapshot"),
            verifies: verifies,
            progress: { _ in })
        let outside = staged.roots.filter { !driver.roots.contains($0.root.name) }
        staged.roots.removeAll { !driver.roots.contains($0.root.name) }
        restored = staged
        let copy = ShadowCopy(
            staged: staged, socketDirectory: workspace.directory, workspace: workspace.directory)
        user = try copy.user
        if !verifies {
            source.progress("making its environment")
            try await KeptEnvironments(source.store).rebuild(copy, by: driver)
        }
        hostPlaces = try await driver.hostPlaces(copy)
        try Files.makeDirectory(workspace.directory.appending("packages"), mode: 0o755)
        try Files.makeDirectory(workspace.directory.appending("packages/snapshot"), mode: 0o755)
        try Files.makeDirectory(workspace.directory.appending("packages/change"), mode: 0o755)
        try Files.makeDirectory(workspace.directory.appending("logs"), mode: 0o700)
        if let wheels = staged.artifacts?.appending("wheels"), try Files.exists(wheels) {
            try Files.removeTree(workspace.directory.appending("packages/snapshot"))
            try Files.rename(wheels, to: workspace.directory.appending("packages/snapshot"))
        }
        classifications = source.classifications(of: source.component, staged.roots, described)
        // All secrets are known before any copy is made: each may be written down in any other place.
        for root in staged.roots + outside where root.root.kind == .directory {
            try masking.learn(from: root, classifications[root.root.name])
        }
        try await addNeighbours()
        if let wanted = try driver.database(copy) { state = try await makeState(wanted) }
    }

    /// Makes a server of the database that holds the component's state, without what no shadow is to have.
    private func makeState(_ wanted: StateDatabase) async throws -> State {
        guard let component = wanted.component else {
            return .missing("the system file does not say which component captures it: name it as 'database'")
        }
        guard let captured = source.stored.snapshot.components.first(where: { $0.name == component }),
            let owner = source.system.driver(of: component)
        else { return .missing("the snapshot has no component '\(component)'") }
        do {
            guard let cluster = try await owner.cluster(of: captured) else {
                return .missing("the component '\(component)' is no database server")
            }
            let name = wanted.name ?? owner.databaseName ?? ""
            source.progress("loading the database \(name) of \(component)")
            let place = workspace.directory.appending("database")
            let (staged, _) = try await Materialisation(source.origin).write(
                component, of: source.stored, to: place.appending("snapshot"), verifies: false,
                progress: { _ in })
            guard let artifacts = staged.artifacts,
                let dump = try PostgreSQLCluster.dumps(in: artifacts)[name]
            else { return .missing("the component '\(component)' has no dump of the database '\(name)'") }
            let dumps = place.appending("dumps")
            try PostgreSQLCluster.writeHarmless(dump, of: name, to: dumps, without: wanted.omissions)
            let made = try await DatabaseCopy(
                [name], of: dumps, by: cluster, artifacts: artifacts, isTrial: false,
                in: place, launcher: source.launcher, hostName: source.stored.snapshot.host, user: user,
                within: workspace.limitKeeper.allowance("database", source.limits),
                give: { [user, workspace] _ in if let user { try await workspace.give(to: user) } })
            try Files.removeTree(place.appending("snapshot"))
            return .made(made, cluster, name: name, dumps: dumps)
        } catch let failure as DriverFailure {
            return .missing("\(failure) (\(failure.hint))")
        }
    }

    /// Puts archives where the shadows see them, and fetches what a change needs and is nowhere else; what is there then.
    package func provide(
        _ archives: [String: [UInt8]], for change: ComponentChange, from index: PackageIndex,
        trusting trust: CanaryPolicy.UpdateCenterTrust
    ) async throws -> [String: [UInt8]] {
        let directory = packages.appending("change")
        for (name, archive) in archives {
            try Files.replaceWithoutSync(directory.appending(name), with: archive)
        }
        if index != .none { source.progress("fetching packages") }
        try await driver.fetch(change, for: unchanged, from: index, trusting: trust, to: directory)
        var all = archives
        for name in try Files.names(directory).map({ String(decoding: $0, as: UTF8.self) })
        where all[name] == nil {
            all[name] = try Files.read(directory.appending(name))
        }
        return all
    }

    /// Writes the components that are files and nothing that runs, and takes the secrets out of them.
    private mutating func addNeighbours() async throws {
        for captured in source.stored.snapshot.components where captured.name != source.component {
            guard let driver = source.system.driver(of: captured.name), driver.lifecycle == nil,
                captured.roots.allSatisfy({ $0.kind == .directory })
            else { continue }
            let (staged, _) = try await Materialisation(source.origin).write(
                captured.name, of: source.stored, to: workspace.directory.appending("neighbours"),
                verifies: false, progress: { _ in })
            _ = try masking.takeSecrets(
                from: staged.roots, source.classifications(of: captured.name, staged.roots, driver))
            neighbours += staged.roots
        }
        try settleNeighbours()
    }

    /// Takes out of the neighbours what has become known since, and proves it.
    private mutating func settleNeighbours() throws {
        guard settled.secrets != masking.secrets.count else { return }
        _ = try masking.maskKnown(in: neighbours)
        settled = (masking.secrets.count, try masking.search(neighbours))
    }

    /// Makes a shadow; `files` are changed files, whose contents are in `blobs`, and `changesPackages` says that it needs an environment of its own.
    package mutating func make(
        _ arm: Arm, name: String, files: [ComponentChange.File], blobs: [String: [UInt8]],
        changesPackages: Bool
    ) async throws -> Room {
        let place = workspace.directory.appending(name)
        try Files.makeDirectory(place, mode: 0o700)
        var staged = restored
        for (index, root) in staged.roots.enumerated() {
            // What nobody changes is the same directory in every arm.
            guard root.root.kind == .directory || changesPackages else { continue }
            let target = place.appending(root.root.name)
            if root.root.kind == .directory {
                try await Workspace.copy(root.staged, to: target)
            } else {
                // Only the installer writes there, and it replaces files.
                try await Workspace.link(root.staged, to: target)
            }
            staged.roots[index].staged = target
        }
        let sockets = place.appending("s")
        try Files.makeDirectory(sockets, mode: 0o700)
        var copy = ShadowCopy(staged: staged, socketDirectory: sockets, workspace: workspace.directory)
        copy.memory = source.limits.memory
        var searched = copy
        switch state {
        case .made(let made, let cluster, let name, let dumps):
            copy.database = .own(try await made.copy(to: place.appending("d"), cluster, name))
            let root = Root(name: "database", path: PostgreSQLCluster.dumpPlace.string)
            searched.staged.roots.append(.init(root: root, staged: dumps, live: nil))
        case .missing(let reason): copy.database = .missing(reason)
        case nil: break
        }
        for file in files { try apply(file, blobs, to: copy) }
        var fixes = try masking.takeSecrets(from: copy.staged.roots, classifications)
        fixes += try masking.maskKnown(in: copy.staged.roots)
        fixes += try await driver.neutralise(copy)
        // In the dump it is text, as it was loaded; in the server's own files it may be compressed.
        self.searched = try masking.search(searched.staged.roots)
        // A change may have brought secrets of its own.
        try settleNeighbours()
        if let user { try await workspace.give(to: user) }
        return try room(arm, copy, fixes: fixes, logs: name)
    }

    /// Removes the files of a shadow in which nothing runs any more, but for its logs; `name` is the one that it was made under.
    package func discard(_ name: String) throws {
        try Files.removeTree(workspace.directory.appending(name))
    }

    /// A shadow that runs with what is made from packages as it was restored, on a copy of the data and files of another one;
    /// `packages` and `files` are as in `original`.
    package func goingBack(
        from room: Room, packages: [(root: String, below: String?)], files: [ComponentChange.File],
        original: Room
    ) async throws -> Room {
        var staged = room.copy.staged
        let own = workspace.directory.appending("back")
        try Files.makeDirectory(own, mode: 0o700)
        for (index, root) in staged.roots.enumerated() {
            if root.root.kind == .directory {
                // What is promoted afterwards is in the other one.
                staged.roots[index].staged = own.appending(root.root.name)
                try await Workspace.copy(root.staged, to: staged.roots[index].staged)
            } else if let restored = restored.root(root.root.name) {
                staged.roots[index].staged = restored.staged
            }
        }
        let parts = packages.compactMap { part in part.below.map { (root: part.root, path: $0) } }
        for (root, path) in parts + files.map({ (root: $0.root, path: $0.path) }) {
            guard let copied = staged.root(root),
                let before = original.copy.staged.root(root)?.staged.appending(path)
            else { continue }
            let place = copied.staged.appending(path)
            // A candidate that ran may have put links anywhere.
            _ = try copied.place(of: FilePath(path).removingLastComponent())
            try Files.removeTree(place)
            if try Files.exists(before) { try await Workspace.copy(before, to: place) }
        }
        var copy = room.copy
        copy.staged = staged
        return try self.room(.control, copy, fixes: room.fixes, logs: "back")
    }

    private func room(_ arm: Arm, _ copy: ShadowCopy, fixes: [Fix], logs name: String) throws -> Room {
        let logs = logs.appending(name)
        try Files.makeDirectory(logs, mode: 0o700)
        return Room(
            arm, copy, fixes: fixes, driver: driver, logs: logs, packages: packages, hostPlaces: hostPlaces,
            neighbours: neighbours,
            launcher: source.launcher, hostName: source.stored.snapshot.host, user: user,
            allowance: try workspace.limitKeeper.allowance(name, source.limits))
    }

    /// What was proven of the secrets, for the verdict.
    package var secretsAttestation: String {
        "\(masking.secrets.count) secrets of production were taken out, and are in none of the \(searched + settled.files) files"
    }

    private func apply(_ file: ComponentChange.File, _ blobs: [String: [UInt8]], to copy: ShadowCopy) throws {
        let names = file.path.split(separator: "/", omittingEmptySubsequences: false)
        guard let root = copy.staged.root(file.root), root.root.kind == .directory,
            !names.contains(""), !names.contains("."), !names.contains("..")
        else {
            throw ShadowFailure(
                "the change names the file \(file.root)/\(file.path), which cannot be in the component",
                hint: "files are named by their root and the path below it, such as master/master.cfg")
        }
        let place = root.staged.appending(file.path)
        // Nothing on the way may be a link: it would lead out of the copy.
        var directory = root.staged
        for name in names.dropLast() {
            directory = directory.appending(String(name))
            if try Files.status(directory) == nil { try Files.makeDirectory(directory) }
            guard try Files.status(directory)?.kind == .directory else {
                throw ShadowFailure(
                    "\(directory.lastComponent?.string ?? "") on the way to \(file.root)/\(file.path) is no directory",
                    hint: "change the file that it leads to")
            }
        }
        guard let blob = file.blob else { return try Files.remove(place) }
        guard let contents = blobs[blob] else {
            preconditionFailure("a change holds the contents of its files")
        }
        let before = try Files.status(place)
        guard before?.kind != .link else {
            throw ShadowFailure(
                "\(file.root)/\(file.path) is a link, and a change holds contents: a file would take its place",
                hint: "change the file that it leads to", code: .refused)
        }
        let entryClass = classifications[file.root]?.entryClass(
            of: EntryPath(file.path), isDirectory: false)
        let mode = before?.mode ?? (entryClass ?? .config).modeOfNewFile
        try Files.replaceWithoutSync(place, with: contents)
        try Files.setMode(place, mode)
    }
}
