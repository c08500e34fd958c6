/// What a request drags in: raises versions until everything that something needs is there.
struct PluginClosure {
    let request: PluginRequest
    private let planner: PluginPlanner
    /// The files that Jenkins would choose, by id.
    private let installed: [String: PluginFile]
    /// What is to be there instead of what is installed.
    private(set) var targets: [String: PluginRelease] = [:]
    private var enabled: Set<String> = []
    /// What stays as it is, and is needed by what does not.
    private var needed: Set<String> = []
    /// How each plugin came into the plan.
    private(set) var chains: [String: [String]] = [:]
    private(set) var refusals: [PluginPlan.Refusal] = []
    /// Cores that would do, of each refusal that is for the core alone.
    private var cores: [String] = []
    /// What was chosen once is not chosen again: versions have no total order, and there must be an end.
    private var tried: Set<[String]> = []

    init(_ planner: PluginPlanner, _ request: PluginRequest) {
        self.planner = planner
        self.request = request
        var winners: [String: PluginFile] = [:]
        for ending in PluginFile.endings {
            for file in planner.installed.sorted(by: {
                $0.name.utf16.lexicographicallyPrecedes($1.name.utf16)
            })
            where file.name.hasSuffix(ending) && file.fault == nil && winners[file.id] == nil {
                winners[file.id] = file
            }
        }
        installed = winners
    }

    /// The plugins that get another archive.
    var coming: Set<String> { Set(targets.keys) }

    /// The greatest of the cores that are missing, when nothing else is in the way.
    var leastCore: String? {
        guard !cores.isEmpty, refusals.allSatisfy({ $0.kind == .core }) else { return nil }
        return cores.dropFirst().reduce(cores[0]) { one, other in
            VersionNumber(one).isOlder(than: VersionNumber(other)) ? other : one
        }
    }

    mutating func run() {
        for id in request.wanted.keys.sorted() { ask(for: id) }
        for id in request.unwanted.sorted() where installed[id] == nil {
            refuse(.unavailable, id, "\(id) is to be removed, and is not there", [])
        }
        var isDone = false
        while !isDone {
            isDone = true
            for id in Set(targets.keys).union(needed).sorted() where serve(id) { isDone = false }
            for id in installed.keys.sorted() where isIn(id) && targets[id] == nil {
                if serveChoices(of: id) { isDone = false }
            }
        }
        for id in targets.keys.sorted() where targets[id]?.isForged == true {
            let origin = targets[id]?.origin ?? ""
            refuse(.forged, id, "\(origin) is not the archive that was published as \(id)", chains[id] ?? [])
        }
    }

    // MARK: - What is asked for

    private mutating func ask(for id: String) {
        guard !request.unwanted.contains(id) else {
            return refuse(.removed, id, "\(id) is asked for, and is to be removed", [])
        }
        guard case .exactly(let version)? = request.wanted[id] else {
            guard let release = planner.catalog.newest(id) else {
                return refuse(.unavailable, id, "nobody has \(id)", ["the latest \(id) is asked for"])
            }
            return choose(release, because: ["the latest \(id) is asked for"])
        }
        let chain = ["\(id) \(version) is asked for"]
        guard let release = planner.catalog.release(id, version) else {
            let others = (planner.catalog.releases[id] ?? []).map(\.version).sorted().suffix(5)
            let known = others.isEmpty ? "" : "; there are \(others.joined(separator: ", "))"
            return refuse(.unavailable, id, "nobody has \(id) \(version)\(known)", [])
        }
        choose(release, because: chain)
    }

    private mutating func choose(_ release: PluginRelease, because chain: [String]) {
        tried.insert([release.id, release.version])
        chains[release.id] = chain
        if !release.runs(on: planner.core.version), let core = release.manifest.requiredCore {
            cores.append(core)
            refuse(
                .core, release.id,
                "\(release.id) \(release.version) needs Jenkins \(core), and \(planner.core.version) is to run",
                chain)
        }
        // The one that is there is asked for: then it only must not be raised.
        if installed[release.id]?.manifest != release.manifest { targets[release.id] = release }
    }

    // MARK: - What that needs

    /// The dependencies of a plugin as it is to be, with those that are implied.
    private func dependencies(of id: String) -> [PluginDependency] {
        guard let manifest = targets[id]?.manifest ?? installed[id]?.manifest else { return [] }
        do throws(PluginDependency.Malformed) {
            return try manifest.dependencies()
                + planner.core.detached.implied(for: id, builtFor: manifest.requiredCore)
        } catch {
            // The prediction tells that such a plugin vanishes.
            return []
        }
    }

    /// Whether a plugin is to be there and switched on.
    private func isIn(_ id: String) -> Bool {
        guard !request.unwanted.contains(id) else { return false }
        guard let file = installed[id] else { return targets[id] != nil }
        return !file.isDisabled || enabled.contains(id)
    }

    private func version(of id: String) -> String? {
        guard !request.unwanted.contains(id) else { return nil }
        return targets[id]?.version ?? installed[id]?.version
    }

    /// Serves what a plugin of the plan needs, and says whether that changed the plan.
    private mutating func serve(_ id: String) -> Bool {
        guard isIn(id) else { return false }
        let chain = chains[id] ?? []
        var hasChanged = serveChoices(of: id)
        for dependency in dependencies(of: id) where !dependency.isOptional {
            let other = dependency.id
            if let version = version(of: other),
                !VersionNumber(version).isOlder(than: VersionNumber(dependency.version))
            {
                if needed.insert(other).inserted {
                    if chains[other] == nil { chains[other] = chain + ["\(id) needs \(other)"] }
                    hasChanged = true
                }
                if installed[other]?.isDisabled == true { enabled.insert(other) }
                continue
            }
            if raise(dependency, for: id) { hasChanged = true }
            if installed[other]?.isDisabled == true, targets[other] != nil { enabled.insert(other) }
        }
        return hasChanged
    }

    /// Raises what a plugin can do without, and does not work with as it is.
    private mutating func serveChoices(of id: String) -> Bool {
        var hasChanged = false
        for dependency in dependencies(of: id) where dependency.isOptional && isIn(dependency.id) {
            guard let version = version(of: dependency.id),
                VersionNumber(version).isOlder(than: VersionNumber(dependency.version))
            else { continue }
            // What was wrong before, and nobody touches, is not this plan's.
            guard targets[id] != nil || targets[dependency.id] != nil || enabled.contains(id) else {
                continue
            }
            if raise(dependency, for: id) { hasChanged = true }
        }
        return hasChanged
    }

    private mutating func raise(_ dependency: PluginDependency, for id: String) -> Bool {
        let other = dependency.id
        let verb = dependency.isOptional ? "works only with" : "needs"
        let chain = (chains[id] ?? ["\(id) is installed"]) + ["\(id) \(verb) \(other) \(dependency.version)"]
        guard !request.unwanted.contains(other) else {
            refuse(.removed, other, "\(other) is to be removed, and \(id) needs it", chain)
            return false
        }
        if case .exactly(let version)? = request.wanted[other] {
            refuse(
                .pinned, other, "\(other) \(version) is asked for, and \(id) needs \(dependency.version)",
                chain)
            return false
        }
        let candidates = (planner.catalog.releases[other] ?? []).filter { release in
            floors(of: other, dependency).allSatisfy { release.satisfies($0) }
        }
        guard !candidates.isEmpty else {
            refuse(.unavailable, other, "nobody has \(other) \(dependency.version) or newer", chain)
            return false
        }
        let usable = candidates.filter { $0.runs(on: planner.core.version) }
        guard !usable.isEmpty else {
            let required = candidates.compactMap(\.manifest.requiredCore)
            let core = required.dropFirst().reduce(required[0]) { one, other in
                VersionNumber(other).isOlder(than: VersionNumber(one)) ? other : one
            }
            if !cores.contains(core) { cores.append(core) }
            refuse(
                .core, other,
                "every \(other) from \(dependency.version) on needs Jenkins \(core) or newer, and "
                    + "\(planner.core.version) is to run", chain)
            return false
        }
        guard let release = Self.least(usable), tried.insert([other, release.version]).inserted else {
            return false
        }
        chains[other] = chain
        targets[other] = release
        return true
    }

    /// Versions that a plugin must not be older than.
    private func floors(of id: String, _ dependency: PluginDependency) -> [String] {
        let others = Set(targets.keys).union(installed.keys).filter(isIn)
        return others.flatMap(dependencies).filter { $0.id == id }.map(\.version) + [dependency.version]
    }

    /// The release that changes least: the one that is newer than no other, ties by text.
    private static func least(_ releases: [PluginRelease]) -> PluginRelease? {
        let all = releases.sorted { $0.version < $1.version }
        let first = all.first { candidate in
            let version = VersionNumber(candidate.version)
            return all.allSatisfy { version.compared(to: VersionNumber($0.version)) <= 0 }
        }
        return first ?? all.first
    }

    private mutating func refuse(
        _ kind: PluginPlan.Refusal.Kind, _ id: String, _ message: String, _ chain: [String]
    ) {
        let refusal = PluginPlan.Refusal(kind: kind, id: id, message: message, because: chain)
        if !refusals.contains(refusal) { refusals.append(refusal) }
    }

    // MARK: - What comes of it

    /// What is to be done, in order.
    func steps() -> [PluginPlan.Step] {
        let ids = Set(targets.keys).union(enabled).sorted()
        var search = CircleSearch(
            edges: ids.map { id in dependencies(of: id).compactMap { ids.firstIndex(of: $0.id) } })
        search.run()
        let changes = search.order.flatMap { steps(for: ids[$0]) }
        let removals = request.unwanted.sorted().compactMap { id -> PluginPlan.Step? in
            guard let file = installed[id] else { return nil }
            return .init(
                action: .remove, id: id, from: file.version, release: nil,
                because: ["its removal is asked for"])
        }
        return changes + removals
    }

    private func steps(for id: String) -> [PluginPlan.Step] {
        var steps: [PluginPlan.Step] = []
        let old = installed[id]?.version
        if let release = targets[id] {
            let action: PluginPlan.Step.Action
            if let old {
                let order = VersionNumber(release.version).compared(to: VersionNumber(old))
                action = order > 0 ? .upgrade : order < 0 ? .downgrade : .replace
            } else {
                action = .add
            }
            steps.append(
                .init(action: action, id: id, from: old, release: release, because: chains[id] ?? []))
        }
        if enabled.contains(id) {
            steps.append(
                .init(action: .enable, id: id, from: old, release: nil, because: chains[id] ?? []))
        }
        return steps
    }

    /// The directory of plugins as it is to be.
    func files() -> [PluginFile] {
        var files = planner.installed.filter { file in
            !request.unwanted.contains(file.id) && targets[file.id] == nil
        }
        for index in files.indices where enabled.contains(files[index].id) { files[index].isDisabled = false }
        for (id, release) in targets where !request.unwanted.contains(id) {
            let isDisabled = installed[id]?.isDisabled == true && !enabled.contains(id)
            files.append(PluginFile("\(id).jpi", release.manifest, isDisabled: isDisabled))
        }
        return files
    }
}
