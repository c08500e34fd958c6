internal import Capture
internal import Drivers
internal import FileTree
internal import Git
package import GitStore
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

/// Finds single items in a snapshot, and says what restoring them into the live system would do; touches nothing.
package struct ItemPlanner {
    private let origin: OpenedStore

    /// A planner of items that come from `origin`.
    package init(_ origin: OpenedStore) {
        self.origin = origin
    }

    /// Where a part of an item is.
    private struct Place {
        var component: CapturedComponent
        var root: Root
        /// The path below the root; the root itself for packages of one that is rebuilt.
        var path: EntryPath
        /// What becomes of what stands there.
        var change = RestorePlan.RootPlan.Single.replace
        /// The packages that come back, of a root that is rebuilt.
        var packages: [String] = []
        var live: FilePath { FilePath(root.path).pushing(FilePath(bytes: path.bytes)) }
    }

    /// Makes the plan.
    ///
    /// Throws a ``RestoreFailure`` when the snapshot does not hold an item, a `SealingFailure` when it is sealed and no
    /// identity opens it.
    package func plan(_ stored: StoredSnapshot, _ request: RestoreRequest) async throws -> RestorePlan {
        var plan = RestorePlan(
            snapshot: stored.snapshot, components: [], roots: [], refusals: [], warnings: [], restarts: [])
        var places: [Place] = []
        let capture = origin.capture
        for asked in request.items {
            let item = try whole(asked, in: stored, capture)
            for found in try await self.places(of: item, in: stored, capture, &plan) {
                // Packages of one environment come back together.
                if !found.packages.isEmpty,
                    let index = places.firstIndex(where: { $0.live == found.live && !$0.packages.isEmpty })
                {
                    places[index].packages += found.packages
                    continue
                }
                guard
                    !places.contains(where: {
                        $0.live.starts(with: found.live) || found.live.starts(with: $0.live)
                    })
                else {
                    throw RestoreFailure(
                        .refused, "\(item) lies in another item, or is given twice",
                        hint: "name the outer one only")
                }
                places.append(found)
            }
        }
        let names = Set(places.map(\.component.name))
        plan.components = stored.snapshot.components.filter { names.contains($0.name) }
        for place in places {
            guard let driver = origin.system.driver(of: place.component.name) else { continue }
            var captured = place.component
            captured.roots.removeAll { $0.name != place.root.name }
            plan.refusals += RestorePlanner.refusals(ofForgottenRootsOf: captured, driver)
        }
        plan.openings = try RestorePlanner(origin)
            .openings(of: plan.components, in: stored)
        let mounts = try MountPoints.all()
        for captured in plan.components {
            let own = places.filter { $0.component.name == captured.name }
            let live =
                try own.contains { try $0.packages.isEmpty && Files.exists($0.live) }
                ? await RestorePlanner(origin).liveState(captured.name, stored, capture) : nil
            if let words = live?.failure { plan.warnings.append("\(captured.name): \(words)") }
            for place in own { try look(at: place, stored, request, mounts, live?.difference, &plan) }
        }
        checkNames(places, &plan)
        try checkWays(places, &plan)
        try checkMounts(mounts, &plan)
        plan.refusals += try RestorePlanner.refusals(
            ofWritingIn: plan.roots.map(\.staging) + places.map { $0.live.removingLastComponent() })
        for captured in plan.components {
            try await lookHowItTakesEffect(
                captured, places.filter { $0.component.name == captured.name }, request, &plan)
        }
        for place in places where !plan.restarts.contains(place.component.name) {
            plan.refusals += try RestorePlanner.refusals(ofHoldersOf: place.live)
        }
        for path in plan.derived where !plan.restarts.contains(path.component) {
            plan.refusals += try RestorePlanner.refusals(ofHoldersOf: path.path)
        }
        return plan
    }

    /// By a reload where the driver can, else by a restart of what runs.
    private func lookHowItTakesEffect(
        _ captured: CapturedComponent, _ places: [Place], _ request: RestoreRequest, _ plan: inout RestorePlan
    ) async throws {
        guard let driver = origin.system.driver(of: captured.name) else { return }
        if request.starts, let reloading = driver.reloading {
            switch try await reloading.way(for: places.map { ($0.root.name, $0.path) }) {
            case .idle: break
            case .reload(let words, let targets):
                plan.reloads.append(.init(component: captured.name, words: words, targets: targets))
                return
            case .restart(let reason):
                plan.warnings.append("\(captured.name) cannot take it up while it runs: \(reason)")
            }
        }
        if try await RestorePlanner.isRunning(captured.name, driver.lifecycle, request, &plan) {
            plan.restarts.append(captured.name)
        }
    }

    // MARK: Finding

    /// An item by its whole name: of a repository the last parts are enough, where only one ends so.
    private func whole(
        _ item: RestoreItem, in stored: StoredSnapshot, _ capture: SystemCapture
    ) throws -> RestoreItem {
        guard item.kind == .repository else { return item }
        let names = try stored.snapshot.components.flatMap { captured -> [String] in
            let lock = try capture.state(captured.name, of: stored, origin.reader)?.source.lock(
                SourcesLock.name)
            return try lock.map { try SourcesLock($0).lines.map(\.repository.name) } ?? []
        }
        guard !names.contains(item.name) else { return item }
        let ends = ["", ".git", "/.git"].map { "/\(item.name)\($0)" }
        let meant = names.filter { name in ends.contains { name.hasSuffix($0) } }
        if meant.count == 1, let whole = RestoreItem("repository:\(meant[0])") { return whole }
        let candidates = meant.isEmpty ? names : meant
        let shown = candidates.sorted().prefix(5).map { "repository:\(printable($0.utf8))" }
        let more = candidates.count > 5 ? ", …" : ""
        throw RestoreFailure(
            .refused,
            meant.isEmpty
                ? "the snapshot \(stored.reference.id) has no \(item)"
                : "the snapshot \(stored.reference.id) has \(meant.count) repositories whose names end so: \(item)",
            hint: shown.isEmpty
                ? "it holds no repository" : "it has \(shown.joined(separator: ", "))\(more)")
    }

    /// Why a file is not to be found in a snapshot, where more is known than that.
    private func reason(ofLacking file: FilePath, in stored: StoredSnapshot) throws -> RestoreFailure? {
        for captured in stored.snapshot.components {
            let roots = captured.roots.map { FilePath($0.path) }
            guard origin.system.driver(of: captured.name) == nil,
                roots.contains(where: { file.starts(with: $0) })
            else { continue }
            return RestoreFailure(
                .refused,
                "\(file) is of the component '\(captured.name)', which the system file does not describe any more",
                hint:
                    "describe it again, as 'understudy show \(stored.reference.id) understudy.yaml' prints it"
            )
        }
        let real = try RestorePlanner.withoutLinks(file)
        let roots = stored.snapshot.components.flatMap { captured -> [Root] in
            origin.system.driver(of: captured.name).map { RestorePlanner.places(captured, $0, nil) } ?? []
        }
        guard real != file, roots.contains(where: { real.starts(with: FilePath($0.path)) }) else {
            return nil
        }
        return RestoreFailure(
            .refused, "\(file) is captured as \(real): a link leads there",
            hint: "give that path: --only file:\(real)")
    }

    private func places(
        of item: RestoreItem, in stored: StoredSnapshot, _ capture: SystemCapture, _ plan: inout RestorePlan
    ) async throws -> [Place] {
        for captured in stored.snapshot.components {
            guard let driver = origin.system.driver(of: captured.name),
                let state = capture.state(captured.name, of: stored, origin.reader)
            else { continue }
            let roots = RestorePlanner.places(captured, driver, nil)
            let directories = roots.filter { $0.kind == .directory }
            let found: (root: Root, path: EntryPath)?
            switch item.kind {
            case .file:
                found = Self.place(ofFile: FilePath(item.name).lexicallyNormalized(), directories)
            case .repository: found = try place(ofRepository: item.name, state.source, directories)
            case .job, .plugin, .builder:
                guard let single = try await driver.item(item.kind.rawValue, item.name, in: state.source),
                    let root = roots.first(where: { $0.name == single.root })
                else { continue }
                plan.warnings += single.warnings
                plan.refusals += single.refusals
                return places(of: single, in: root, captured, &plan)
            }
            if let found, !found.path.isRoot {
                let place = Place(component: captured, root: found.root, path: found.path)
                return try [place] + besides(place, stored, driver)
            }
        }
        if item.kind == .file,
            let failure = try reason(ofLacking: FilePath(item.name).lexicallyNormalized(), in: stored)
        {
            throw failure
        }
        let hint =
            switch item.kind {
            case .file:
                "give a path below what a component captures; a whole component is restored with --component"
            case .job, .plugin, .builder, .repository:
                "'understudy diff \(stored.reference.id)' and 'log' name what there was, and when it went"
            }
        throw RestoreFailure(
            .refused, "the snapshot \(stored.reference.id) has no \(item)", hint: hint)
    }

    /// What SQLite keeps beside a database belongs to it, and would be played into the other: what was captured beside the one
    /// that comes back comes with it, and what stands beside the other goes.
    private func besides(
        _ place: Place, _ stored: StoredSnapshot, _ driver: any Driver
    ) throws -> [Place] {
        let classes = driver.classification(of: place.root.name)
        guard classes.entryClass(of: place.path, isDirectory: false) == .database,
            let tree = stored.tree(of: place.component.name)
        else { return [] }
        let digest = place.component.manifests[place.root.name] ?? "none"
        let content = try StoredRoot(place.root.name, in: tree, digest: digest, with: origin.reader)
        return try Journal.besides.compactMap { suffix in
            let path = EntryPath(place.path.bytes + Array(suffix.utf8))
            var beside = Place(component: place.component, root: place.root, path: path)
            guard try size(of: path, in: content) == nil else { return beside }
            beside.change = .remove
            return try Files.exists(beside.live) ? beside : nil
        }
    }

    private func places(
        of single: SingleItem, in root: Root, _ captured: CapturedComponent, _ plan: inout RestorePlan
    ) -> [Place] {
        var places = single.paths.map { Place(component: captured, root: root, path: $0) }
        places += single.leftovers.map {
            Place(component: captured, root: root, path: $0, change: .remove)
        }
        if !single.packages.isEmpty {
            places.append(
                Place(component: captured, root: root, path: .root, packages: single.packages))
        }
        plan.derived += single.derived.map {
            (captured.name, FilePath(root.path).pushing(FilePath(bytes: $0.bytes)))
        }
        return places
    }

    private static func place(ofFile path: FilePath, _ roots: [Root]) -> (Root, EntryPath)? {
        for root in roots {
            var rest = path
            if rest.removePrefix(FilePath(root.path)) { return (root, EntryPath(rest.byteArray)) }
        }
        return nil
    }

    private func place(
        ofRepository name: String, _ source: any FileSource, _ roots: [Root]
    ) throws -> (Root, EntryPath)? {
        guard let lock = try source.lock(SourcesLock.name) else { return nil }
        let line = try SourcesLock(lock).lines.first { $0.repository.name == name }
        guard let repository = line?.repository else { return nil }
        return roots.first { $0.name == repository.root }.map { ($0, repository.path) }
    }

    // MARK: Looking

    private func look(
        at place: Place, _ stored: StoredSnapshot, _ request: RestoreRequest, _ mounts: [FilePath],
        _ difference: Difference?, _ plan: inout RestorePlan
    ) throws {
        let isThere = try Files.exists(place.live)
        let isMountPoint = try RestorePlan.RootPlan.isMountPoint(place.root, in: mounts)
        guard place.packages.isEmpty, place.change != .remove else {
            plan.roots.append(
                .init(
                    component: place.component.name, root: place.root, create: 0, replace: 0,
                    delete: place.change == .remove ? 1 : 0, keep: 0, bytes: 0, isThere: isThere,
                    isMountPoint: isMountPoint, only: place.packages.isEmpty ? place.path : nil,
                    single: place.change,
                    packages: place.packages))
            return
        }
        guard let tree = stored.tree(of: place.component.name) else { return }
        let digest = place.component.manifests[place.root.name] ?? "none"
        let content = try StoredRoot(place.root.name, in: tree, digest: digest, with: origin.reader)
        let key = "\(place.component.name)/\(place.root.name)"
        plan.contents[key] = content
        plan.owners[key] = OwnerMap(try content.survey())
        let parent = place.live.removingLastComponent()
        guard let size = try size(of: place.path, in: content) else {
            let isText = !FilePath(bytes: place.path.bytes).isNoText
            if let (link, target) = try link(onTheWayTo: place.path, in: content) {
                throw RestoreFailure(
                    .refused,
                    "the snapshot \(stored.reference.id) has nothing at \(place.live): \(place.root.path)/\(link) is a link to "
                        + "\(target)",
                    hint:
                        "give the path that it leads to, or the link itself: --only file:\(place.root.path)/\(link)"
                )
            }
            throw RestoreFailure(
                .refused,
                "the snapshot \(stored.reference.id) has nothing at \(place.live)"
                    + (isText ? "" : ": what was given is not UTF-8, and cannot be looked for"),
                hint: isText
                    ? "'understudy show \(stored.reference.id)' says what it holds"
                    : "restore the whole component: --component \(place.component.name)")
        }
        var root = RestorePlan.RootPlan(
            component: place.component.name, root: place.root, create: isThere ? 0 : size.entries,
            replace: isThere ? size.entries : 0, delete: 0, keep: 0, bytes: size.bytes, isThere: isThere,
            isMountPoint: isMountPoint, only: place.path, single: place.change)
        if isThere, let difference {
            let files = difference.files.filter {
                $0.root == place.root.name && $0.path.isAtOrBelow(place.path)
            }
            root.create = files.count { $0.change == .removed }
            root.delete = files.count { $0.change == .added }
            root.replace = files.count { $0.change == .changed }
            root.keep = size.entries - root.create - root.replace
        }
        try plan.addLeftOut(to: &root, content, in: origin.system)
        let beside = root.staging
        plan.roots.append(root)
        if try !Files.exists(parent) {
            plan.refusals.append(
                Refusal(
                    "\(parent), in which \(place.live) would stand, is not there",
                    hint: "restore that with --only as well, or the whole component"))
        } else if try Set([parent, beside, place.live].compactMap { try Files.status($0)?.device }).count > 1
        {
            plan.refusals.append(
                Refusal(
                    "\(place.live) is on another file system than \(beside), and cannot be exchanged in one step",
                    hint: "restore the component beside production with --to DIR, and copy the item"))
        } else if try RestorePlanner.room(at: parent, origin.store.localDirectory, isBeside: false)
            < size.bytes + 1 << 24
        {
            plan.refusals.append(
                Refusal("\(parent) has too little free space", hint: "free \(size.bytes) bytes there"))
        }
        if let status = try Files.status(place.live), status.kind == .file, status.links > 1 {
            plan.warnings.append(
                "\(place.live) is one of \(status.links) names of a file: it becomes a file of its own, and the others stay as they are"
            )
        } else if let other = size.hardLink {
            plan.warnings.append(
                "\(place.live) is a further name of \(place.root.path)/\(other) in the snapshot, and comes back as a file of its own"
            )
        }
        try checkRepositories(place, stored, &plan)
        let prefix = "\(place.root.name)/\(place.path)"
        let missing = place.component.unreadable.map(\.path) + place.component.torn
        if let first = missing.first(where: { $0 == prefix || $0.hasPrefix(prefix + "/") }),
            !request.allowsPartial
        {
            plan.refusals.append(
                Refusal(
                    "the snapshot lacks \(first): it would be missing afterwards",
                    hint: "restore from a complete snapshot, or accept the loss with --partial"))
        }
    }

    /// The journal holds paths as text: of one that is none, nobody could find back what was exchanged.
    private func checkNames(_ places: [Place], _ plan: inout RestorePlan) {
        let paths =
            places.map { (component: $0.component.name, path: $0.live) } + plan.derived
        for (component, path) in paths where FilePath(path.string) != path {
            plan.refusals.append(
                Refusal(
                    "\(printable(path.byteArray)) is no UTF-8, and cannot be exchanged alone",
                    hint: "restore the whole component: --component \(component)"))
        }
    }

    /// What is replaced through a link lies outside of what was captured.
    private func checkWays(_ places: [Place], _ plan: inout RestorePlan) throws {
        for path in places.map(\.live) + plan.derived.map(\.path) {
            guard let (link, _) = try origin.system.linkOnTheWay(to: [path]) else { continue }
            plan.refusals.append(
                Refusal(
                    "\(link) is a link, and \(path) would be replaced through it",
                    hint: "put a directory back there, or restore the whole component with --component"))
        }
    }

    /// An exchange is between what lies beside a root, or in one that is a mount point, and what lies in it: nothing may be
    /// mounted on the way, nor below.
    private func checkMounts(_ mounts: [FilePath], _ plan: inout RestorePlan) throws {
        let exchanged = plan.roots.map(\.target) + plan.derived.map(\.path)
        plan.refusals += try RestorePlanner.refusals(ofMountsAt: exchanged, in: mounts)
        for root in plan.roots where root.only != nil {
            let top = try RestorePlanner.withoutLinks(FilePath(root.root.path))
            let real = try RestorePlanner.withoutLinks(root.target)
            for mount in mounts
            where mount.starts(with: top) && real.starts(with: mount) && real != mount
                && !(root.isMountPoint && mount == top)
            {
                plan.refusals.append(
                    Refusal(
                        "\(root.target) is below the mount point \(mount), and cannot be exchanged in one step with what "
                            + "lies in \(root.staging)",
                        hint: "restore the component beside production with --to DIR, and copy the item"))
            }
        }
    }

    /// References without the objects that they name would be worse than the ones that are there.
    private func checkRepositories(_ place: Place, _ stored: StoredSnapshot, _ plan: inout RestorePlan) throws
    {
        guard let tree = stored.tree(of: place.component.name),
            let entry = try origin.reader.entry(SourcesLock.name, of: tree)
        else { return }
        for line in try SourcesLock(origin.reader.contents(entry.id, .blob)).lines
        where line.repository.root == place.root.name && line.repository.path != place.path
            && place.path.isAtOrBelow(line.repository.path)
        {
            plan.refusals.append(
                Refusal(
                    "\(place.live) is part of the repository \(line.repository.name)",
                    hint: "restore all of it: --only repository:\(line.repository.name)"))
        }
    }

    /// The first link above a path, and where it leads; nil when there is none.
    private func link(
        onTheWayTo path: EntryPath, in root: StoredRoot
    ) throws -> (link: EntryPath, target: String)? {
        var directory = root.directory
        var here = EntryPath.root
        for name in path.components {
            here = here.appending(name)
            guard let entry = directory.children.first(where: { $0.path == here }) else { return nil }
            if case .link(let target) = entry.kind { return (here, printable(target)) }
            guard entry.kind == .directory else { return nil }
            directory = try root.directory(entry, in: directory, stored: .empty)
        }
        return nil
    }

    /// How much lies at a path and below it, nil when nothing does.
    private func size(
        of path: EntryPath, in root: StoredRoot
    ) throws -> (entries: Int, bytes: Int64, hardLink: EntryPath?)? {
        var directory = root.directory
        var here = EntryPath.root
        for name in path.components {
            here = here.appending(name)
            guard let entry = directory.children.first(where: { $0.path == here }) else { return nil }
            guard entry.kind == .directory else {
                return here == path ? (1, entry.size, entry.hardLink) : nil
            }
            directory = try root.directory(entry, in: directory, stored: .empty)
        }
        var size = (entries: 1, bytes: Int64(0), hardLink: EntryPath?.none)
        var waiting = [directory]
        while let next = waiting.popLast() {
            for child in next.children {
                size.entries += 1
                size.bytes += child.size
                if child.kind == .directory {
                    waiting.append(try root.directory(child, in: next, stored: .empty))
                }
            }
        }
        return size
    }
}
