package import Capture
internal import Drivers
internal import FileTree
package import Git
package import GitStore
package import Sealing
internal import SnapshotModel
internal import SystemPackage

/// Finds single items in a snapshot, and says what restoring them into the live system would do; touches nothing.
package struct ItemPlanner {
    private let system: DeliverySystem
    private let store: SnapshotStore
    private let reader: ObjectReader
    private let identities: [Identity]?

    /// A planner for a system and its store; `identities` open what is sealed.
    package init(
        _ system: DeliverySystem, store: SnapshotStore, reader: ObjectReader, identities: [Identity]?
    ) {
        self.system = system
        self.store = store
        self.reader = reader
        self.identities = identities
    }

    /// Where an item is.
    private struct Place {
        var component: CapturedComponent
        var root: Root
        var path: EntryPath
        var live: FilePath { FilePath(root.path).pushing(FilePath(bytes: path.bytes)) }
    }

    /// Makes the plan.
    ///
    /// Throws a ``RestoreFailure`` when the snapshot does not hold an item, a `SealingFailure` when it is sealed and no
    /// identity opens it.
    package func plan(_ stored: StoredSnapshot, _ request: RestoreRequest) async throws -> RestorePlan {
        var places: [Place] = []
        let capture = SystemCapture(system, store: store, identities: identities)
        for item in request.items {
            let found = try place(of: item, in: stored, capture)
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
        let names = Set(places.map(\.component.name))
        let components = stored.snapshot.components.filter { names.contains($0.name) }
        var plan = RestorePlan(
            snapshot: stored.snapshot, components: components, roots: [], refusals: [], warnings: [],
            restarts: [])
        plan.openings = try RestorePlanner(system, store: store, reader: reader, identities: identities)
            .openings(of: components, in: stored)
        for place in places { try look(at: place, stored, request, &plan) }
        for captured in components {
            guard let lifecycle = system.driver(of: captured.name)?.lifecycle else { continue }
            if try await lifecycle.isRunning() { plan.restarts.append(captured.name) }
        }
        for place in places where !plan.restarts.contains(place.component.name) {
            plan.refusals += try RestorePlanner.refusals(ofHoldersBelow: place.live)
        }
        return plan
    }

    // MARK: Finding

    private func place(
        of item: RestoreItem, in stored: StoredSnapshot, _ capture: SystemCapture
    ) throws -> Place {
        for captured in stored.snapshot.components {
            guard let driver = system.driver(of: captured.name),
                let state = capture.state(captured.name, of: stored, reader)
            else { continue }
            let roots = RestorePlanner.places(captured, driver, nil).filter { $0.kind == .directory }
            let found: (root: Root, path: EntryPath)?
            switch item.kind {
            case .file: found = Self.place(ofFile: FilePath(item.name).lexicallyNormalized(), roots)
            case .repository: found = try place(ofRepository: item.name, state.source, roots)
            case .job:
                let file = try driver.inventory(of: state.source).items
                    .first { $0.kind == "job" && $0.name == item.name }?.files.first
                found = try file.flatMap { file in
                    try roots.first { try state.source.contents(root: $0.name, path: file) != nil }
                        .map { ($0, file.parent) }
                }
            }
            if let found, !found.path.isRoot {
                return Place(component: captured, root: found.root, path: found.path)
            }
        }
        throw RestoreFailure(
            .refused, "the snapshot \(stored.reference.id) has no \(item)",
            hint: item.kind == .file
                ? "give a path below what a component captures; a whole component is restored with --component"
                : "'understudy diff \(stored.reference.id)' and 'log' name what there was, and when it went")
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
        at place: Place, _ stored: StoredSnapshot, _ request: RestoreRequest, _ plan: inout RestorePlan
    ) throws {
        guard let tree = stored.tree(of: place.component.name) else { return }
        let digest = place.component.manifests[place.root.name] ?? "none"
        let content = try StoredRoot(place.root.name, in: tree, digest: digest, with: reader)
        let key = "\(place.component.name)/\(place.root.name)"
        plan.contents[key] = content
        plan.owners[key] = OwnerMap(try content.survey())
        let parent = place.live.removingLastComponent()
        guard let size = try size(of: place.path, in: content) else {
            throw RestoreFailure(
                .refused, "the snapshot \(stored.reference.id) has nothing at \(place.live)",
                hint: "'understudy show \(stored.reference.id)' says what it holds")
        }
        let beside = FilePath(place.root.path).removingLastComponent()
        let isThere = try Files.exists(place.live)
        plan.roots.append(
            .init(
                component: place.component.name, root: place.root, create: isThere ? 0 : size.entries,
                replace: isThere ? size.entries : 0, delete: 0, keep: 0, bytes: size.bytes, isThere: isThere,
                only: place.path))
        if try !Files.isDirectory(parent) {
            plan.refusals.append(
                Refusal(
                    "\(parent), in which \(place.live) would stand, is not there",
                    hint: "restore that with --only as well, or the whole component"))
        } else if try Set([parent, beside, place.live].compactMap { try Files.status($0)?.device }).count > 1
        {
            // What is kept for undo must not lie in what the next snapshot captures.
            plan.refusals.append(
                Refusal(
                    "\(place.live) is on another file system than \(beside), and cannot be exchanged in one step",
                    hint: "restore the component beside production with --to DIR, and copy the item"))
        } else if try Files.freeSpace(parent) < size.bytes + 1 << 24 {
            plan.refusals.append(
                Refusal("\(parent) has too little room", hint: "make room for \(size.bytes) bytes"))
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

    /// References without the objects that they name would be worse than the ones that are there.
    private func checkRepositories(_ place: Place, _ stored: StoredSnapshot, _ plan: inout RestorePlan) throws
    {
        guard let tree = stored.tree(of: place.component.name),
            let entry = try reader.entry(SourcesLock.name, of: tree)
        else { return }
        for line in try SourcesLock(reader.contents(entry.id, .blob)).lines
        where line.repository.root == place.root.name && line.repository.path != place.path
            && place.path.isAtOrBelow(line.repository.path)
        {
            plan.refusals.append(
                Refusal(
                    "\(place.live) is part of the repository \(line.repository.name)",
                    hint: "restore all of it: --only repository:\(line.repository.name)"))
        }
    }

    /// How much lies at a path and below it, nil when nothing does.
    private func size(of path: EntryPath, in root: StoredRoot) throws -> (entries: Int, bytes: Int64)? {
        var directory = root.directory
        var here = EntryPath.root
        for name in path.components {
            here = here.appending(name)
            guard let entry = directory.children.first(where: { $0.path == here }) else { return nil }
            guard entry.kind == .directory else { return here == path ? (1, entry.size) : nil }
            directory = try root.directory(
                entry, in: directory, contents: StoredRoot.contents(directory, with: reader))
        }
        var size = (entries: 1, bytes: Int64(0))
        var waiting = [directory]
        while let next = waiting.popLast() {
            let contents = try StoredRoot.contents(next, with: reader)
            for child in next.children {
                size.entries += 1
                size.bytes += child.size
                if child.kind == .directory {
                    waiting.append(try root.directory(child, in: next, contents: contents))
                }
            }
        }
        return size
    }
}
