internal import Archive
internal import FileTree
internal import FoundationEssentials
internal import Judge
internal import Programs
internal import SnapshotModel
internal import SystemPackage

extension JenkinsDriver {
    /// How a controller is rehearsed.
    package var shadow: (any ShadowDriver)? { JenkinsShadow(driver: self) }
}

/// A controller in isolation: without production's triggers, agents, keys and builds, spoken to by a Unix socket.
///
/// What can be told without a boot is told on every host; a boot takes a Java and the war.
struct JenkinsShadow: ShadowDriver {
    /// The driver of the component.
    let driver: JenkinsDriver

    var roots: Set<String> { ["home", "war"] }
    /// What production's own start is given.
    var bootLimit: Duration { JenkinsLifecycle.bootLimit }

    func hostPlaces(_ copy: ShadowCopy) async throws -> [FilePath] {
        // All of them: a change of the core may need another one than what the copy has now. What its user cannot enter cannot
        // be mounted for it either.
        JavaRuntime.places(of: try await JavaRuntime.usable(among: try JavaRuntime.all(), as: try copy.user))
    }

    /// All is captured as files.
    func rebuild(_ copy: ShadowCopy) async throws {}
    func recipe(_ copy: ShadowCopy) async throws -> [UInt8]? { nil }

    // MARK: - Harmless

    /// What is written down of a copy before it is changed, in a file of its own in the copy.
    struct Record: Codable {
        static let name = ".understudy-shadow.json"
        /// What the configurations said of plugins.
        var reading: HomeReading
        /// What the shadow cannot show, because it was made harmless.
        var notCovered: [String]
        /// What it took out or wrote whole, as paths below the home.
        var replaced: [String]
    }

    func neutralise(_ copy: ShadowCopy) async throws -> [Fix] {
        let home = try home(copy)
        _ = try plugins(of: copy)
        var record = Record(reading: try HomeReading(home: home), notCovered: [], replaced: [])
        var neutraliser = Neutraliser(keys: try keys(copy))
        neutraliser.cloudLabels = try cloudLabels(copy)
        let plan = try neutraliser.plan(for: home)
        try plan.apply(to: home)
        record.notCovered = plan.notCovered
        record.replaced = plan.edits.compactMap { edit in
            if case .splice = edit.action { return nil }
            return String(decoding: edit.path.bytes, as: UTF8.self)
        }
        try Files.replaceWithoutSync(
            home.appending(Record.name), with: Array(try JSONEncoder().encode(record)))
        try ShadowHooks.write(to: home)
        return plan.edits.flatMap { edit in
            edit.notes.map { Fix("home/\(edit.path)", "\($0.hazard.rawValue): \($0.what)") }
        }
    }

    /// What was written down; what has run in the copy since may have put a link there, which is not followed.
    func record(_ copy: ShadowCopy) throws -> Record {
        guard let bytes = try ShadowCopy.contents(Record.name, below: home(copy)) else {
            throw DriverFailure(
                "what ran in a shadow has taken away its \(Record.name), or put something else in its place",
                hint: "look at what the change does with the files of the home")
        }
        return try JSONDecoder().decode(Record.self, from: Data(bytes))
    }

    /// The keys of the experiment: the same in every arm, made with the first.
    func keys(_ copy: ShadowCopy) throws -> ShadowKeys {
        let file = copy.workspace.appending("experiment.key")
        if let secret = try Files.readIfPresent(file, limit: 64) { return ShadowKeys(experiment: secret) }
        let secret = (0..<32).map { _ in UInt8.random(in: .min ... .max) }
        try Files.createDurably(file, secret, mode: 0o600)
        return ShadowKeys(experiment: secret)
    }

    /// The labels that clouds give to agents: the same in every arm, read with the first, which has production's clouds.
    ///
    /// So a change of clouds alone leaves nothing in a shadow, and is not taken for rehearsed.
    private func cloudLabels(_ copy: ShadowCopy) throws -> AgentLabels {
        let file = copy.workspace.appending("experiment.labels")
        if let text = try Files.readIfPresent(file) {
            return AgentLabels(String(decoding: text, as: UTF8.self))
        }
        let labels = try AgentLabels(cloudsOf: home(copy))
        try Files.createDurably(file, Array(labels.text.utf8), mode: 0o600)
        return labels
    }

    // MARK: - Before a boot

    func home(_ copy: ShadowCopy) throws -> FilePath { try homeRoot(copy).staged }

    private func homeRoot(_ copy: ShadowCopy) throws -> StagedComponent.StagedRoot {
        guard let home = copy.staged.root("home") else {
            throw DriverFailure("the snapshot has no home", hint: "verify the snapshot")
        }
        return home
    }

    /// The directory of plugins, for what writes there; throws when it is not in the copy.
    func plugins(of copy: ShadowCopy) throws -> FilePath { try homeRoot(copy).place(of: "plugins") }

    /// The core of a copy: its war where that is captured, else its version alone.
    func core(_ copy: ShadowCopy) throws -> JenkinsCore {
        if let war = copy.staged.root("war") { return try Self.core(war: war.staged) }
        guard let version = try JenkinsDriver.coreVersion(home(copy)) else {
            throw DriverFailure(
                "neither the home nor a war says which Jenkins runs",
                hint: "name the war in the system file as 'war' and take a snapshot")
        }
        return JenkinsCore(version)
    }

    static func core(war: FilePath) throws -> JenkinsCore {
        try reading(war) { try JenkinsCore(war: war) }
    }

    /// The version of a war, without what else is in it.
    static func version(ofWar war: FilePath) throws -> String {
        try reading(war) {
            let manifest = try ZipArchive.contents(of: PluginManifest.path, in: war)
            guard let version = manifest.flatMap({ PluginManifest($0).coreVersion }) else {
                throw JenkinsCore.NotJenkins(path: war, reason: "its manifest names no Jenkins-Version")
            }
            return version
        }
    }

    private static func reading<Value>(_ war: FilePath, _ read: () throws -> Value) throws -> Value {
        do {
            return try read()
        } catch let error as ArchiveError {
            throw DriverFailure("\(war) is no war: \(error)", hint: "name jenkins.war as it is installed")
        } catch let error as JenkinsCore.NotJenkins {
            throw DriverFailure(error.description, hint: "name jenkins.war as it is installed")
        }
    }

    func check(in room: any ShadowRoom) async throws -> StaticCheck {
        let core = try core(room.copy)
        // Where none fits, the boot says so, and classes are not held against one that will not run them.
        let java = try await JavaRuntime.find(
            atLeast: Self.leastJava(for: core.version), as: try room.copy.user
        ).runtime?.version()
        return try StaticPrediction(
            try record(room.copy).reading, home: try home(room.copy), core: core, java: java
        ).check
    }

    func risk(of change: ComponentChange, in copy: ShadowCopy) throws -> RiskClass {
        let files = try PluginFile.files(in: try home(copy).appending("plugins"))
        let present = Dictionary(files.map { ($0.id, $0.version) }) { first, _ in first }
        func major(_ version: String?) -> Substring? { version?.split(separator: ".").first }
        let packages = Set(
            change.packages.map { package -> RiskClass in
                if package.name == PluginsLock.core { return .core }
                let isPatch =
                    package.version != nil && major(present[package.name]) == major(package.version)
                return isPatch ? .pluginPatch : .pluginMajor
            })
        guard !change.files.isEmpty else { return packages.max() ?? .jobDefinition }
        let isJobs = change.files.allSatisfy { $0.root == "home" && $0.path.hasPrefix("jobs/") }
        return isJobs && packages.isEmpty ? .jobDefinition : .everything
    }

    /// What there is of each kind; a boot must not lose any of it.
    func census(in room: any ShadowRoom) async throws -> [String: Int] {
        var counts = ["jobs": 0, "nodes": 0, "users": 0]
        try HomeFiles(home: home(room.copy)).walk { found in
            guard found.isConfiguration else { return found.status.kind == .directory && !found.isBuilds }
            let names = found.path.components
            guard names.count >= 3, names.last?.elementsEqual("config.xml".utf8) == true else { return false }
            let container = String(decoding: names[names.count - 3], as: UTF8.self)
            let kind = container == "branches" ? "jobs" : container
            if let count = counts[kind] { counts[kind] = count + 1 }
            return false
        }
        return counts
    }

    /// A home's data have the version of the core that ran on them last.
    func dataVersion(in room: any ShadowRoom) async throws -> String? {
        try JenkinsDriver.coreVersion(home(room.copy))
    }

    /// All plugins at once, since the core may add some; and the war where the core is changed.
    func packagePlaces(_ change: ComponentChange, of roots: [Root]) -> [(root: Root, below: String?)] {
        guard !change.packages.isEmpty else { return [] }
        let changesCore = change.packages.contains { $0.name == PluginsLock.core }
        return roots.filter { $0.name == "home" }.map { ($0, "plugins") }
            + (changesCore ? roots.filter { $0.name == "war" }.map { ($0, nil) } : [])
    }

    /// Keys that Jenkins makes when it first needs them, which open nothing that is already there; not those that open what
    /// the configuration holds.
    func isMadeAtNeed(_ path: EntryPath, in root: String) -> Bool {
        let names = path.components.map { String(decoding: $0, as: UTF8.self) }
        return root == "home" && names.count == 2 && names[0] == "secrets"
            && !["master.key", "hudson.util.Secret"].contains(names[1])
    }

    func expected(_ captured: CapturedComponent, in source: any FileSource) throws -> Set<ObjectName>? {
        let kinds = ["job", "node", "view", "plugin"]
        return Set(
            try JenkinsInventory(source).inventory.items
                .filter {
                    kinds.contains($0.kind) && (["job", "view"].contains($0.kind) || $0.detail.isEmpty)
                }
                .map { ObjectName($0.kind, $0.name) })
    }

    func notCovered(in room: any ShadowRoom) throws -> [NotCovered] {
        let own = try record(room.copy).notCovered.map { line in
            let parts = line.split(separator: ": ", maxSplits: 1).map(String.init)
            return NotCovered(ObjectName("file", parts[0]), reason: parts.last ?? line)
        }
        let always = [
            ("triggers", "taken out: nothing is started by time, by change or by another build in a shadow"),
            ("agents", "known and never connected to: builds run on the controller"),
            ("builds", "taken out: what reads old builds is not tried"),
        ]
        return
            (try own + notCompared(in: room)
            + always.map { NotCovered(ObjectName("part", $0.0), reason: $0.1) }).sorted()
    }
}
