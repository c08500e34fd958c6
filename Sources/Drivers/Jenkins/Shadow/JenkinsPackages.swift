internal import Archive
internal import Cryptography
internal import FileTree
internal import FoundationEssentials
internal import Judge
internal import SnapshotModel
internal import SystemPackage
internal import XML

/// Where the plugins and the core of a change come from, and what becomes of them.
extension JenkinsShadow {
    /// How large an update centre's file may be.
    private static let indexLimit = 64 << 20
    /// What the update centre's file is called among the archives of a change: it is part of what was judged.
    static let index = "update-center.json"

    var indexFile: String? { Self.index }

    func package(ofArchive name: String, _ contents: [UInt8]) throws -> ComponentChange.Package {
        let manifest: PluginManifest
        do {
            guard
                let bytes = try ZipArchive.contents(
                    of: PluginManifest.path, in: contents, called: FilePath(name))
            else {
                throw DriverFailure(
                    "\(name) is neither a plugin nor a war: it has no \(PluginManifest.path)",
                    hint: "give .hpi and .jpi files, or jenkins.war")
            }
            manifest = PluginManifest(bytes)
        } catch let error as ArchiveError {
            throw DriverFailure(
                "\(name) is neither a plugin nor a war: \(error)",
                hint: "give .hpi and .jpi files, or jenkins.war")
        }
        if name.hasSuffix(".war") {
            guard let version = manifest.coreVersion else {
                throw DriverFailure(
                    "\(name) is no war of Jenkins: its manifest names no Jenkins-Version",
                    hint: "give jenkins.war")
            }
            return .init(name: PluginsLock.core, version: version)
        }
        guard let id = manifest.shortName, Self.isPlain(id), manifest.fault == nil else {
            throw DriverFailure(
                "\(name) is no plugin that Jenkins would load: its manifest "
                    + (manifest.fault ?? "names no Short-Name that can be a file's name"),
                hint: "give .hpi and .jpi files as the update centre has them")
        }
        return .init(name: id, version: manifest.version)
    }

    /// Whether a name out of an archive or an index can be part of a file's name.
    static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix(".") && name.utf8.count < 200
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "._-+".utf8.contains(byte)
            }
    }

    /// The war alone; what it brings with it is told by the plan.
    func core(version: String, in source: any FileSource) throws -> [ComponentChange.Package] {
        [.init(name: PluginsLock.core, version: version)]
    }

    func archive(
        of package: ComponentChange.Package, in source: any FileSource
    ) throws -> (name: String, contents: [UInt8])? {
        guard let version = package.version, let bytes = try source.lock(PluginsLock.name) else { return nil }
        let rows = PluginsLock(bytes).rows.filter { row in
            row.name == package.name && row.version == version && !row.flags.contains("unreadable")
                && !row.flags.contains { $0.hasPrefix("link:") }
        }
        guard let row = rows.first, Self.isPlain(version) else { return nil }
        if package.name == PluginsLock.core {
            guard
                let file = try source.names(root: "war", directory: .root).first(where: { !$0.isDirectory }),
                let contents = try source.contents(root: "war", path: EntryPath(file.name))
            else { return nil }
            return ("jenkins-\(version).war", contents)
        }
        guard let contents = try source.contents(root: "home", path: EntryPath(row.origin)) else {
            return nil
        }
        return ("\(package.name)-\(version).jpi", contents)
    }

    // MARK: - Fetching

    func fetch(
        _ change: ComponentChange, for copy: ShadowCopy, from index: PackageIndex,
        trusting trust: CanaryPolicy.UpdateCenterTrust, to directory: FilePath
    ) async throws {
        guard !change.packages.isEmpty else { return }
        let file = directory.appending(Self.index)
        let address: String
        switch index {
        case .none:
            guard try Files.exists(file) else { return }
            return try believe(file, from: Self.index, trust, copy)
        case .address(let given): address = given
        case .usual: address = try updateCentre(copy)
        }
        let isFile = !address.contains("://")
        if isFile {
            try Files.replaceWithoutSync(
                file, with: try Files.read(FilePath(address), limit: Self.indexLimit))
        } else {
            try await Download(address, limit: Self.indexLimit).run(to: file)
        }
        try believe(file, from: address, trust, copy)
        // Archives name more than an index does: what they need is looked at again until nothing is missing.
        for _ in 0..<20 {
            let plan = try plan(change, copy)
            let missing = PluginPlacement(plugins: "plugins", war: copy.staged.root("war")?.staged).missing(
                plan)
            // What cannot be resolved is the change's own fault, and told by the first stage.
            guard plan.refusals.isEmpty, !missing.isEmpty else { return }
            for release in missing { try await fetch(release, to: directory) }
        }
        throw DriverFailure(
            "the archives of \(address) need other plugins than it says, again and again",
            hint: "give the archives with --archives and fetch nothing with --offline")
    }

    /// Refuses an update centre's file that is not signed as this Jenkins would ask for, unless the policy takes any.
    private func believe(
        _ file: FilePath, from origin: String, _ trust: CanaryPolicy.UpdateCenterTrust, _ copy: ShadowCopy
    ) throws {
        guard !trust.acceptsUnsigned else { return }
        do {
            try UpdateCenterSignature.check(
                try Files.read(file, limit: Self.indexLimit), roots: try roots(trust, copy))
        } catch let refused as UpdateCenterSignature.Refused {
            try Files.remove(file)
            throw DriverFailure(
                "the update centre \(origin) is not believed: \(refused)",
                hint:
                    "ask one that is signed; name whose signature counts, or accept a plain mirror, as 'updateCenter' in "
                    + "policies/canary.yaml")
        }
    }

    /// Whose signatures count: the certificates in the war, those in the home, and those of the policy.
    private func roots(
        _ trust: CanaryPolicy.UpdateCenterTrust, _ copy: ShadowCopy
    ) throws -> [Certificate] {
        let directory = "update-center-rootCAs"
        var roots: [Certificate] = []
        // As Jenkins: texts beside them explain them, and what cannot be read is none.
        if let war = copy.staged.root("war")?.staged {
            var reader = try ZipReader.open(war)
            while let name = try reader.next() {
                guard name.hasPrefix("WEB-INF/\(directory)/"), !name.hasSuffix("/"), !name.hasSuffix(".txt")
                else { continue }
                if let root = Certificate(try reader.contents(limit: 1 << 20)) { roots.append(root) }
            }
        }
        let own = try home(copy).appending(directory)
        for name in try Files.isDirectory(own) ? Files.names(own) : [] {
            let file = own.pushing(FilePath(bytes: name))
            guard try Files.status(file)?.kind == .file, !name.suffix(4).elementsEqual(".txt".utf8) else {
                continue
            }
            if let root = Certificate(try Files.read(file, limit: 1 << 20)) { roots.append(root) }
        }
        for path in trust.roots {
            guard let root = Certificate(try Files.read(FilePath(path), limit: 1 << 20)) else {
                throw DriverFailure(
                    "\(path), which policies/canary.yaml names as a root, is no certificate",
                    hint: "name files with one certificate each, as PEM or DER")
            }
            roots.append(root)
        }
        return roots
    }

    private func fetch(_ release: PluginRelease, to directory: FilePath) async throws {
        guard Self.isPlain(release.id), Self.isPlain(release.version) else {
            throw DriverFailure(
                "the update centre has a plugin whose name or version cannot be a file's: \(release.id)",
                hint: "ask who runs it")
        }
        let file = directory.appending("\(release.id)-\(release.version).hpi")
        try await Download(release.origin, limit: 1 << 30, digest: release.expectedDigest).run(to: file)
        let found = try package(ofArchive: file.lastComponent?.string ?? "", try Files.read(file))
        guard found == .init(name: release.id, version: release.version) else {
            try Files.remove(file)
            throw DriverFailure(
                "\(release.origin) is \(found.name) \(found.version ?? ""), and not \(release.id) \(release.version)",
                hint: "ask who runs the update centre, or give the archive with --archives")
        }
    }

    /// The update centre that this Jenkins asks.
    private func updateCentre(_ copy: ShadowCopy) throws -> String {
        let usual = "https://updates.jenkins.io/update-center.json"
        let file = try home(copy).appending("hudson.model.UpdateCenter.xml")
        guard let bytes = try Files.readIfPresent(file, limit: 1 << 20),
            let sites = NormalXML.read(bytes).element?.children.filter({ $0.name == "site" }),
            let site = sites.first(where: { $0.child("id")?.text == "default" }) ?? sites.first,
            let address = site.child("url")?.text, !address.isEmpty
        else { return usual }
        return address
    }

    // MARK: - The change

    /// The plan of a change for a copy, by the archives that are at hand and what an update centre says of others.
    func plan(_ change: ComponentChange, _ copy: ShadowCopy) throws -> PluginPlan {
        var catalog = try PluginCatalog(directory: copy.changedPackages)
        if let bytes = try Files.readIfPresent(
            copy.changedPackages.appending(Self.index), limit: Self.indexLimit)
        {
            do throws(PluginCatalog.Unreadable) {
                catalog.add(try PluginCatalog(updateCenter: bytes))
            } catch {
                throw DriverFailure(
                    "what was given as the index is no update-center.json: \(error)",
                    hint: "give the address of one with --index, or fetch nothing with --offline")
            }
        }
        let core = try core(copy)
        let next = try war(of: change, copy).map { try Self.core(war: $0) }
        let packages = change.packages.filter { $0.name != PluginsLock.core }
        var request = PluginRequest()
        for package in packages {
            if let version = package.version {
                request.wanted[package.name] = .exactly(version)
            } else {
                request.unwanted.insert(package.name)
            }
        }
        return PluginPlanner(
            installed: try PluginFile.files(in: try home(copy).appending("plugins")), currentCore: core,
            core: next ?? core, catalog: catalog
        ).plan(request)
    }

    /// The war that a change brings, nil when the core stays.
    private func war(of change: ComponentChange, _ copy: ShadowCopy) throws -> FilePath? {
        guard let core = change.packages.first(where: { $0.name == PluginsLock.core }) else { return nil }
        guard let version = core.version else {
            throw DriverFailure(
                "Jenkins cannot be without its core", hint: "give it another version with --core")
        }
        guard copy.staged.root("war") != nil else {
            throw DriverFailure(
                "the snapshot has no war that could be changed",
                hint: "name it in the system file as 'war' and take a snapshot")
        }
        for name in try Files.names(copy.changedPackages) where name.suffix(4).elementsEqual(".war".utf8) {
            let file = copy.changedPackages.pushing(FilePath(bytes: name))
            if try ZipArchive.contents(of: PluginManifest.path, in: file).flatMap({
                PluginManifest($0).coreVersion
            }) == version {
                return file
            }
        }
        throw DriverFailure(
            "no war of Jenkins \(version) is at hand",
            hint: "give it with --core FILE; it is never fetched, for 100 MB are downloaded better once")
    }

    func apply(_ change: ComponentChange, in room: any ShadowRoom) async throws -> AppliedChange {
        let copy = room.copy
        let untried = try notRehearsed(change, copy)
        guard !change.packages.isEmpty else { return AppliedChange(parts: [], findings: untried) }
        let (home, before) = (try home(copy), try core(copy))
        let directory = try plugins(of: copy)
        let installed = try PluginFile.files(in: directory)
        let plan = try plan(change, copy)
        var applied = AppliedChange(parts: [], findings: untried + plan.findings)
        let newWar = try war(of: change, copy)
        let placement = PluginPlacement(plugins: directory, war: newWar ?? copy.staged.root("war")?.staged)
        applied.findings += placement.missing(plan).map { release in
            Finding(
                stage: .static, kind: "resolution", severity: .critical,
                object: ObjectName("plugin", release.id),
                message: "the archive of \(release.id) \(release.version) is not at hand (\(release.origin))",
                advice: "give it with --archives, or let it be fetched from an update centre with --index")
        }
        // A file that is in no shadow keeps no plugin from being tried.
        guard applied.findings.dropFirst(untried.count).allSatisfy({ $0.severity < .critical }) else {
            return applied
        }
        try placement.run(plan)
        if let newWar, let place = copy.staged.root("war") {
            try Files.replaceWithoutSync(place.staged, with: try Files.read(newWar))
            try Files.setMode(place.staged, 0o644)
            applied.parts.append(
                .init(
                    ObjectName("core", PluginsLock.core),
                    detail: "\(before.version) → \(try core(copy).version)"))
        }
        try giveToOwner(of: home, directory)
        applied.parts += plan.parts
        // What the core adds is told as far as it would not do so without the change.
        let own = LoadPrediction(installed, core: before, lastCore: before.version).copies
        applied.parts += plan.prediction.copies.filter { !own.contains($0) }.map {
            .init(ObjectName("plugin", $0.id), detail: "\($0.version), put there by the core: \($0.reason)")
        }
        return applied
    }

    /// The changed files that the candidate has not, or has not as they are to be.
    private func notRehearsed(_ change: ComponentChange, _ copy: ShadowCopy) throws -> [Finding] {
        let files = change.files.filter { $0.root == "home" }
        guard !files.isEmpty else { return [] }
        let replaced = try record(copy).replaced.map { EntryPath($0) }
        let home = try home(copy)
        let hasCode = try PluginFile.files(in: home.appending("plugins")).contains {
            $0.id == "configuration-as-code"
        }
        return try files.filter { file in
            let path = EntryPath(file.path)
            // One that the change removes is in no plan of this copy.
            if Neutraliser.takesOut(path) || replaced.contains(where: { path.isAtOrBelow($0) }) {
                return true
            }
            return try hasCode
                && Neutraliser.isConfigurationAsCode(path, ShadowCopy.contents(file.path, below: home))
        }.map { file in
            .notRehearsed(
                file,
                "a shadow does not have this file, or has one of its own instead, so that nothing of this change can be tried",
                whenStarted: "Jenkins")
        }
    }

    /// What was written anew belongs to whom the home belongs to: Jenkins unpacks it and keeps notes beside it.
    private func giveToOwner(of home: FilePath, _ directory: FilePath) throws {
        guard ThisHost.isRoot, let owner = try Files.status(home) else { return }
        for name in try Files.names(directory) {
            let file = directory.pushing(FilePath(bytes: name))
            guard let status = try Files.status(file), status.owner != owner.owner else { continue }
            try Files.setOwner(file, owner: owner.owner, group: owner.group)
        }
    }
}

extension PluginPlan {
    /// What is other than before, for people.
    fileprivate var parts: [ChangeSummary.Part] {
        steps.map { step in
            let detail =
                switch (step.action, step.from, step.release?.version) {
                case (.enable, _, _): "switched on"
                case (.remove, let from?, _): "\(from) removed"
                case (_, let from?, let to?): from == to ? "\(from) with another archive" : "\(from) → \(to)"
                case (_, nil, let to?): "new: \(to)"
                default: step.action.rawValue
                }
            return .init(ObjectName("plugin", step.id), detail: detail)
        }
    }

    /// Why it cannot be done, and what to know before it is.
    fileprivate var findings: [Finding] {
        refusals.map { refusal in
            let kind =
                switch refusal.kind {
                case .breaks: "plugin-failed"
                case .forged: "forged"
                case .unavailable, .pinned, .removed, .core: "resolution"
                }
            return Finding(
                stage: .static, kind: kind, severity: .critical, object: ObjectName("plugin", refusal.id),
                message: refusal.message, evidence: refusal.because,
                advice: leastCore.map { "it could be done on core \($0)" }
                    ?? "choose other versions, or give the archives that are missing with --archives")
        } + advice.compactMap(Self.finding)
    }

    private static func finding(_ advice: Advice) -> Finding? {
        let (kind, severity): (String, Severity) =
            switch advice.kind {
            case .weaknessAdded: ("weakness", .major)
            case .weaknessFixed: ("weakness-fixed", .note)
            // It is production's already.
            case .weaknessKept: ("weakness-kept", .note)
            case .deprecated: ("deprecation", .note)
            case .incompatibleData: ("newer-data", .minor)
            case .unchecked: ("unchecked", .note)
            }
        return Finding(
            stage: .static, kind: kind, severity: severity,
            object: advice.id.map { ObjectName("plugin", $0) } ?? ObjectName("core", PluginsLock.core),
            message: "\(advice.id ?? "the core"): \(advice.message)",
            advice: advice.kind == .weaknessAdded ? "choose a version that is not affected" : "")
    }
}
