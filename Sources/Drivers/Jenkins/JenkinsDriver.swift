internal import FileTree
package import SnapshotModel
package import SystemPackage
internal import XML

/// A Jenkins controller, by its home on disk: it works with Jenkins running, stopped or gone.
package struct JenkinsDriver: Driver {
    package static let name = "jenkins"
    package static let settings: [SettingKey] = [
        SettingKey("home", .path, required: true, help: "the JENKINS_HOME"),
        SettingKey("war", .path, help: "the core: jenkins.war"),
        SettingKey(
            "masterKey", .path,
            help: "the file with Jenkins' master key, where it is not secrets/master.key"),
        SettingKey("url", .url, help: "where the web interface answers"),
        SettingKey("service", .service, help: "how it is started and stopped: {systemd: jenkins}"),
        SettingKey("user", .text, help: "whose API token reloads single jobs"),
        SettingKey("token", .path, help: "the file that holds this API token"),
    ]

    let component: Component
    private(set) var home: FilePath
    private(set) var war: FilePath?
    /// The file from which Jenkins gets its master key, nil where that is in the home.
    let masterKey: FilePath?
    private let service: ServiceCommands?
    let access: JenkinsReload.Access?

    package init(_ component: Component) throws {
        self.component = component
        guard let home = component.text("home") else {
            throw DriverFailure(
                "component '\(component.name)' does not say where its home is",
                hint: "add home: with the JENKINS_HOME")
        }
        self.home = FilePath(home).lexicallyNormalized()
        war = component.text("war").map { FilePath($0).lexicallyNormalized() }
        let masterKey = component.text("masterKey").map { FilePath($0).lexicallyNormalized() }
        // One that is where it always is comes with the home.
        self.masterKey = masterKey == self.home.appending("secrets/master.key") ? nil : masterKey
        service = try ServiceCommands(component)
        switch (component.text("user"), component.text("token")) {
        case (nil, nil): access = nil
        case (let user?, let token?) where component.text("url") != nil:
            access = .init(user: user, tokenFile: FilePath(token))
        default:
            throw DriverFailure(
                "component '\(component.name)': 'user', 'token' and 'url' belong together",
                hint: "give all three, so that single jobs can be reloaded, or leave 'user' and 'token' out")
        }
    }

    package static func detect(_ path: FilePath) throws -> Detection? {
        guard try isHome(path) else { return nil }
        var plugins = 0
        if try Files.isDirectory(path.appending("plugins")) {
            plugins = try Files.names(path.appending("plugins")).count { name in
                name.suffix(4).elementsEqual(".jpi".utf8) || name.suffix(4).elementsEqual(".hpi".utf8)
            }
        }
        let version = try coreVersion(path).map { " \($0)" } ?? ""
        return Detection(
            name: "jenkins", settings: ["home": .text(path.string)],
            summary: "Jenkins\(version), \(counted(plugins, "plugin"))")
    }

    package func places() -> [Root] {
        [Root(name: "home", path: home.string)]
            + (war.map { [Root(name: "war", path: $0.string, kind: .file)] } ?? [])
    }

    package func roots() throws -> [Root] {
        if let fault = faults().first { throw fault.failure }
        return places()
    }

    /// Without the home nothing says what the war is for; a home is one without its war too.
    package func faults() -> [RootFault] {
        let faults = RootFault.all(of: places(), check)
        guard let home = faults.first(where: { $0.root == "home" }) else { return faults }
        return places().map { RootFault($0, home.failure) }
    }

    /// Throws where a root is not what the system file says that it is.
    private func check(_ root: Root) throws {
        switch root.kind {
        case .file:
            guard try Files.status(FilePath(root.path))?.kind == .file else {
                throw DriverFailure(
                    "\(root.path) is not a regular file",
                    hint: "give the path of jenkins.war, or leave 'war' out")
            }
        case .directory, .rebuilt:
            guard try Self.isHome(FilePath(root.path)) else {
                throw DriverFailure(
                    "\(root.path) is not a JENKINS_HOME: it has no config.xml of Jenkins",
                    hint: "give the directory that holds Jenkins' config.xml, jobs and plugins as 'home'")
            }
        }
    }

    package func classification(of root: String) -> Classification {
        root == "war" ? JenkinsClasses.war : JenkinsClasses.home
    }

    package var keyFiles: [FilePath] { [masterKey, access?.tokenFile].compactMap(\.self) }

    package func version() async throws -> String? { try Self.coreVersion(home) }

    package func relocated(to roots: [String: FilePath]) -> JenkinsDriver {
        var driver = self
        driver.home = roots["home"] ?? home
        driver.war = roots["war"]
        return driver
    }

    /// Says what of the system lies outside the home.
    package func freeze(scratch: FilePath, cache: FilePath) async throws -> Frozen {
        var frozen = Frozen()
        do {
            // What would keep a restore from being done is said while the key may still be found.
            let findings = try KeyChain.findings(
                HomeOnDisk(home: home, listsJobs: false), outside: masterKey)
            frozen.obstacles = findings.refusals.map(\.reason)
            frozen.notes += findings.foreign.map { "\($0) \(KeyChain.Findings.foreignWords)" }
            if let masterKey {
                if try !captures(masterKey) {
                    frozen.notes.append(
                        "the master key, \(masterKey), is not captured with the home: keep a copy, no credential can be read "
                            + "without it")
                }
            } else if try !Files.exists(home.appending("secrets/master.key")) {
                frozen.notes.append(
                    "secrets/master.key is not in the home: unless it is given from outside, no credential can be read after "
                        + "a restore")
            }
            frozen.notes += try linkedKeys().map {
                "\($0) is a link, and what it leads to is not captured with it: put that in its place, or no credential can be "
                    + "read after a restore"
            }
        } catch {
            // The walk names what cannot be read, and the snapshot is partial; here only what follows from it is said.
            frozen.notes.append(
                "the key chain cannot be read: no credential can be read after a restore (\(error))")
        }
        guard let bytes = try Files.readIfPresent(home.appending("config.xml")) else { return frozen }
        do {
            let builds = try XMLElement(document: bytes).child("buildsDir")?.text ?? ""
            if !builds.isEmpty, !builds.contains("${ITEM_ROOTDIR}") {
                frozen.notes.append(
                    "builds are kept in '\(builds)', outside the items: capture that with the files driver")
            }
        } catch {
            frozen.notes.append("config.xml cannot be read as XML, and is captured as it is: \(error)")
        }
        return frozen
    }

    /// Whether a file comes with the home: what a link in it leads to does not.
    private func captures(_ file: FilePath) throws -> Bool {
        guard try Files.exists(file) else { return false }
        return try Files.resolved(file).starts(with: Files.resolved(home))
    }

    /// What is a link where the keys are kept: that whole directory, or files in it.
    private func linkedKeys() throws -> [String] {
        let secrets = home.appending("secrets")
        switch try Files.status(secrets)?.kind {
        case .link: return ["secrets"]
        case .directory: break
        default: return []
        }
        return try Files.names(secrets).filter { name in
            try Files.status(FilePath(bytes: secrets.byteArray + [UInt8(ascii: "/")] + name))?.kind == .link
        }.map { "secrets/\(printable($0))" }.sorted()
    }

    package func locks(archives: [String: [Entry]], previous: [String: [UInt8]]) throws -> [Lock] {
        let known = PluginsLock(previous[PluginsLock.name] ?? [])
        var lock = try PluginsLock(plugins: archives["home"] ?? [], home: home, known: known)
        if let core = archives["war"]?.first, let war { lock.addCore(core, war, known: known) }
        return [Lock(name: PluginsLock.name, contents: lock.contents)]
    }

    package func inventory(of source: any FileSource) throws -> Inventory {
        try JenkinsInventory(source).inventory
    }

    package func isOlder(_ left: String, _ right: String) -> Bool {
        VersionNumber(left).compared(to: VersionNumber(right)) < 0
    }

    package func deeds(of kind: String, _ name: String, in source: any FileSource) throws -> [Deed] {
        try JenkinsDeeds(of: kind, name, in: source).deeds
    }

    package func advisories(
        _ index: [UInt8]
    ) throws -> (_ kind: String, _ name: String, _ version: String) -> [String] {
        let catalog = try PluginCatalog(updateCenter: index)
        return { kind, name, version in
            guard kind == "plugin" || kind == "core" else { return [] }
            return catalog.warnings(about: kind == "core" ? nil : name, version).map {
                "\($0.id): \($0.message)\($0.address.isEmpty ? "" : " (\($0.address))")"
            }
        }
    }

    package func preflight(_ source: any FileSource, captured: CapturedComponent) async throws -> [Refusal] {
        try KeyChain.findings(source, outside: masterKey).refusals
    }

    package func afterRestore(_ staged: StagedComponent) async throws -> [Fix] {
        guard let root = staged.root("home") else { return [] }
        // As it was before: it is told here, since nothing of it can be mended.
        let foreign = try KeyChain.findings(
            HomeOnDisk(home: root.staged, listsJobs: true), outside: masterKey
        ).foreign
        let fixes = JenkinsFixes(
            staged: root.staged, live: root.live, only: root.only, resumesWork: staged.resumesWork)
        return try fixes.run()
            + foreign.map { Fix($0, "left as it is, though it \(KeyChain.Findings.foreignWords)") }
    }

    /// With jobs, in whole or in part: of their build numbers, and of pipelines that ran.
    package func looksAfter(_ path: EntryPath, in root: String) -> Bool {
        root == "home" && path.isAtOrBelow(EntryPath("jobs"))
    }

    package var lifecycle: (any Lifecycle)? {
        guard let service else { return nil }
        return JenkinsLifecycle(service: service, home: home, url: component.text("url"), hasWar: war != nil)
    }

    package var reloading: (any Reloading)? {
        guard let access, let url = component.text("url") else { return nil }
        return JenkinsReload(home: home, url: url, access: access)
    }

    /// Whether a directory is a JENKINS_HOME: its config.xml is that of Jenkins, and one more sign agrees.
    private static func isHome(_ path: FilePath) throws -> Bool {
        guard try Files.isDirectory(path), let bytes = try Files.readIfPresent(path.appending("config.xml"))
        else {
            return false
        }
        let text = String(decoding: bytes.prefix(4096), as: UTF8.self)
        guard text.contains("<hudson>") || text.contains("<hudson ") else { return false }
        for sign in [
            "jobs", "plugins", "secrets", "nodes", "jenkins.install.InstallUtil.lastExecVersion",
            "secret.key",
        ] {
            if try Files.exists(path.appending(sign)) { return true }
        }
        return false
    }

    /// The version of the core that ran last, nil when the home does not say.
    static func coreVersion(_ home: FilePath) throws -> String? {
        if let bytes = try Files.readIfPresent(home.appending("jenkins.install.InstallUtil.lastExecVersion"))
        {
            let text = printable(bytes.filter { $0 > 0x20 })
            if !text.isEmpty { return text }
        }
        guard let bytes = try Files.readIfPresent(home.appending("config.xml")) else { return nil }
        let text = String(decoding: bytes.prefix(1 << 16), as: UTF8.self)
        guard let start = text.firstRange(of: "<version>"), let end = text.firstRange(of: "</version>"),
            start.upperBound <= end.lowerBound
        else { return nil }
        return printable(text[start.upperBound..<end.lowerBound].utf8)
    }
}
