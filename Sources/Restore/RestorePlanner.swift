internal import Capture
internal import Drivers
internal import FileTree
internal import Git
package import GitStore
internal import Sealing
package import SnapshotModel
internal import SystemPackage

/// Looks at a snapshot and at what is there now, and says what a restore would do; touches nothing.
package struct RestorePlanner: Sendable {
    private let origin: OpenedStore

    /// A planner of restores from `origin`.
    package init(_ origin: OpenedStore) {
        self.origin = origin
    }

    /// Makes the plan.
    ///
    /// Throws a ``RestoreFailure`` when the snapshot lacks a component that was asked for, a `SealingFailure` when it is
    /// sealed and no identity opens it.
    package func plan(_ stored: StoredSnapshot, _ request: RestoreRequest) async throws -> RestorePlan {
        let components = try chosen(stored, request)
        var plan = RestorePlan(
            snapshot: stored.snapshot, components: components, roots: [], refusals: [], warnings: [],
            restarts: [])
        plan.openings = try openings(of: components, in: stored)
        plan.accounts = request.accounts
        let capture = origin.capture
        for captured in components {
            guard let driver = origin.system.driver(of: captured.name),
                let state = capture.state(captured.name, of: stored, origin.reader)
            else { continue }
            plan.refusals += try await driver.preflight(state.source, captured: captured)
            plan.warnings += warnings(captured)
            if request.destination == nil {
                try lookAtGaps(of: captured, driver, request, &plan)
                let refusals = Self.refusals(ofForgottenRootsOf: captured, driver)
                guard refusals.isEmpty else {
                    plan.refusals += refusals
                    continue
                }
                guard !captured.roots.isEmpty || driver.application != nil else {
                    // Nothing of it changes places, so it goes on as it is.
                    plan.components.removeAll { $0.name == captured.name }
                    guard request.components.contains(captured.name) else { continue }
                    plan.refusals.append(
                        Refusal(
                            "the snapshot holds nothing of \(captured.name) that could be restored",
                            hint: "restore another snapshot: 'understudy snapshots' lists them"))
                    continue
                }
            }
            let places = Self.places(captured, driver, request.destination)
            // What is no directory is told by its driver: a database is not dumped to plan its restore.
            let absent = try places.filter { try !Files.exists(FilePath($0.path)) }.map(\.name)
            let isCompared = request.destination == nil && absent.count < places.count
            let live = isCompared ? await liveState(captured.name, stored, capture) : nil
            for place in places {
                try look(
                    at: place, captured, state.tree, live?.difference, isBeside: request.destination != nil,
                    &plan)
            }
            // It goes all the same, and is not counted.
            let unread = (live?.difference?.unreadLater ?? []).filter { words in
                !absent.contains { words.hasPrefix("\($0): ") || words.hasPrefix("\($0)/") }
            }
            plan.warnings += unread.prefix(3).map {
                "\(captured.name): what is there now cannot be compared with the snapshot: \($0)"
            }
            if let words = live?.failure { plan.warnings.append("\(captured.name): \(words)") }
            try await look(driver.application, captured, state.source, request.destination, &plan)
            guard request.destination == nil else { continue }
            let isRunning = try await Self.isRunning(captured.name, driver.lifecycle, request, &plan)
            if isRunning {
                plan.restarts.append(captured.name)
                continue
            }
            for place in places { plan.refusals += try Self.refusals(ofHoldersOf: FilePath(place.path)) }
            if request.starts, let lifecycle = driver.lifecycle {
                plan.refusals += try await lifecycle.obstacles(to: captured)
            }
        }
        plan.refusals = try plan.refusals.filter { try !isLifted($0, by: plan) }
        if request.destination == nil {
            try checkMounts(&plan)
            plan.refusals += try Self.refusals(ofWritingIn: plan.roots.map(\.staging))
            checkAccounts(&plan)
        }
        try checkSpace(&plan, isBeside: request.destination != nil)
        if request.destination == nil { try await addDependents(&plan, request) }
        return plan
    }

    /// Whether a component runs; with `--no-start` one that cannot be asked, as its host may be gone, counts as down.
    static func isRunning(
        _ component: String, _ lifecycle: (any Lifecycle)?, _ request: RestoreRequest,
        _ plan: inout RestorePlan
    ) async throws -> Bool {
        guard let lifecycle else { return false }
        do {
            return try await lifecycle.isRunning()
        } catch let failure as DriverFailure where !request.starts {
            plan.warnings.append("\(component) is taken for stopped: \(failure)")
            return false
        }
    }

    /// Whether the restore itself brings what a refusal says is missing.
    private func isLifted(_ refusal: Refusal, by plan: RestorePlan) throws -> Bool {
        for root in plan.roots {
            guard let stored = plan.contents["\(root.component)/\(root.root.name)"] else { continue }
            for path in refusal.liftedBy {
                var below = path
                guard below.removePrefix(FilePath(root.root.path)) else { continue }
                var directory: StoredRoot.Directory? = stored.directory
                for name in below.components {
                    let entry = directory?.children.first { $0.path.name.elementsEqual(name.string.utf8) }
                    guard let entry else {
                        directory = nil
                        break
                    }
                    directory = try directory.map { try stored.directory(entry, in: $0, stored: .empty) }
                }
                if directory != nil { return true }
            }
        }
        return false
    }

    private func look(
        _ application: (any Application)?, _ captured: CapturedComponent, _ source: any FileSource,
        _ destination: FilePath?, _ plan: inout RestorePlan
    ) async throws {
        guard let application else { return }
        if let place = destination?.appending(captured.name) {
            plan.applications.append(
                (captured.name, ["its dumps and exports are written to \(place)"], false))
            guard try Files.exists(place) else { return }
            plan.refusals.append(isInTheWay(place))
        } else {
            let wanted = try await application.plan(source, captured: captured)
            plan.applications.append((captured.name, wanted.words, wanted.replaces))
            plan.refusals += wanted.refusals
        }
    }

    /// Adds what runs on something that is exchanged below it: sessions with a database, say, would end in the middle.
    private func addDependents(_ plan: inout RestorePlan, _ request: RestoreRequest) async throws {
        let restored = Set(plan.components.map(\.name))
        let down = plan.staysDown(in: origin.system, for: request)
        for name in origin.system.dependents(of: Set(plan.applications.map(\.component)))
        where !restored.contains(name) {
            let lifecycle = origin.system.driver(of: name)?.lifecycle
            guard try await Self.isRunning(name, lifecycle, request, &plan) else { continue }
            plan.dependents.append(name)
            plan.restarts.append(name)
            plan.warnings.append(
                down.contains(name)
                    ? "\(name) is not restored; it stops because it needs what is (after:), and stays down as that does (--no-start)"
                    : "\(name) is not restored; it stops and starts because it needs what is (after:)")
        }
    }

    /// What opens each of the components that is sealed: asked for before anything is looked at.
    package func openings(
        of components: [CapturedComponent], in stored: StoredSnapshot
    ) throws -> [String: SealedOpening] {
        var openings: [String: SealedOpening] = [:]
        for captured in components where captured.sealing != nil {
            guard let tree = stored.tree(of: captured.name) else { continue }
            guard let identities = origin.identities else {
                throw SealingFailure(
                    .noKeyFits,
                    "the snapshot \(stored.reference.id) is sealed, and there is no identity to open it with",
                    hint:
                        "give the recovery key that 'understudy init' showed: --identity FILE, or $UNDERSTUDY_IDENTITY"
                )
            }
            let sealer = try origin.store.sealer(
                of: captured, in: tree, identities: identities, with: origin.reader)
            if let sealer {
                openings[captured.name] = SealedOpening(identities: identities, sealer: sealer)
            }
        }
        return openings
    }

    /// A process that has files open in what is exchanged would go on with the old ones: a Jenkins, say, whose service the
    /// system file does not name.
    static func refusals(ofHoldersOf path: FilePath) throws -> [Refusal] {
        try OpenFiles.holders(of: withoutLinks(path)).prefix(3).map { holder in
            Refusal(
                "process \(holder.process) (\(holder.name)) has \(path) open, or something in it",
                hint: "stop it, or say in the system file how it is stopped: service: {systemd: UNIT}")
        }
    }

    /// A root that is a mount point is exchanged name by name; nothing else may be one, nor have one in it.
    private func checkMounts(_ plan: inout RestorePlan) throws {
        let mounts = try MountPoints.all()
        for index in plan.roots.indices {
            let root = plan.roots[index]
            guard try RestorePlan.RootPlan.isMountPoint(root.root, in: mounts) else { continue }
            plan.roots[index].isMountPoint = true
            plan.warnings.append(
                "\(root.root.path) is a mount point: it stays, and what is in it is exchanged name by name")
            let stored = plan.contents["\(root.component)/\(root.root.name)"]?.directory.children ?? []
            plan.refusals += try Journal.MountedRoot.refusals(
                ofNamesIn: FilePath(root.root.path), and: stored.map { Array($0.path.name) })
        }
        plan.refusals += try Self.refusals(
            ofMountsAt: plan.roots.map(\.target), in: mounts,
            passingOver: Set(plan.roots.filter(\.isMountPoint).map(\.target)))
    }

    /// What is mounted at a place that is exchanged, or below it, would go away with what stood there; not at those that stay.
    static func refusals(
        ofMountsAt places: [FilePath], in mounts: [FilePath], passingOver staying: Set<FilePath> = []
    ) throws -> [Refusal] {
        try places.flatMap { place in
            let real = try Self.withoutLinks(place)
            let found = mounts.filter { $0.starts(with: real) && !($0 == real && staying.contains(place)) }
            return found.prefix(3).map { mount in
                Refusal(
                    mount == real
                        ? "\(place) is a mount point, and a mount point cannot be exchanged in one step"
                        : "something is mounted at \(mount), in \(place), and would be moved away with it",
                    hint: mount == real
                        ? "capture and restore a directory below it, or restore with --to DIR and copy"
                        : "unmount it for the restore, or restore with --to DIR and copy")
            }
        }
    }

    /// A path as the kernel knows it: the directories above are followed through links, what stands there is not.
    static func withoutLinks(_ path: FilePath) throws -> FilePath {
        let parent = path.removingLastComponent()
        guard let name = path.lastComponent, try Files.exists(parent) else { return path }
        return try Files.resolved(parent).appending(name)
    }

    /// Roots that the system file does not name today: nobody captures, starts or undoes what would be put there.
    static func refusals(
        ofForgottenRootsOf captured: CapturedComponent, _ driver: any Driver
    ) -> [Refusal] {
        let today = Set(driver.places().map(\.name))
        return captured.roots.filter { !today.contains($0.name) }.map { root in
            Refusal(
                "\(root.path) of \(captured.name) is in the snapshot, and not in the system file any more",
                hint: "add it to the system file again, or restore with --to DIR and copy what you need; "
                    + "after a move: 'understudy restore SNAPSHOT --from STORE --map OLD=NEW', with all that moved"
            )
        }
    }

    /// The components to restore, in the order in which they start.
    private func chosen(_ stored: StoredSnapshot, _ request: RestoreRequest) throws -> [CapturedComponent] {
        let all = stored.snapshot.components
        for name in request.components.sorted() where !all.contains(where: { $0.name == name }) {
            throw RestoreFailure(
                .refused, "the snapshot \(stored.reference.id) has no component '\(name)'",
                hint: "it has \(all.map(\.name).joined(separator: ", "))")
        }
        for captured in all where origin.system.driver(of: captured.name) == nil {
            guard request.components.isEmpty || request.components.contains(captured.name) else { continue }
            throw RestoreFailure(
                .refused,
                "the system file does not describe the component '\(captured.name)' of the snapshot",
                hint: "describe it, or choose components with --component")
        }
        let wanted = all.filter { request.components.isEmpty || request.components.contains($0.name) }
        let order = origin.system.startOrder(of: Set(wanted.map(\.name)))
        return order.compactMap { name in wanted.first { $0.name == name } }
    }

    /// Where each captured root will stand: by the system file of today, or below another directory.
    static func places(
        _ captured: CapturedComponent, _ driver: any Driver, _ destination: FilePath?
    ) -> [Root] {
        let today = driver.places()
        return captured.roots.map { root in
            if let destination {
                var path = destination.appending(captured.name).appending(root.name)
                // A root that is one file is captured under its own name, and verified under it.
                if root.kind == .file, let name = FilePath(root.path).lastComponent { path.append(name) }
                return Root(name: root.name, path: path.string, kind: root.kind)
            }
            let path = today.first { $0.name == root.name }?.path ?? root.path
            return Root(name: root.name, path: path, kind: root.kind)
        }
    }

    /// What the snapshot has not of a component: what is no part of what is exchanged stays as it is, all else would be missing.
    private func lookAtGaps(
        of captured: CapturedComponent, _ driver: any Driver, _ request: RestoreRequest,
        _ plan: inout RestorePlan
    ) throws {
        var missing = captured.unreadable.map(\.path)
        func refuse(_ what: String, _ fate: String) {
            guard !request.allowsPartial else { return }
            plan.refusals.append(
                Refusal(
                    "the snapshot lacks \(what) of \(captured.name), which could not be read: \(fate)",
                    hint: "restore a complete snapshot, or accept that with --partial"))
        }
        let staying = "it would stay as it is now, beside what comes back"
        let held = Set(captured.roots.map(\.name))
        for place in driver.places() where !held.contains(place.name) {
            let isThere = try Files.exists(FilePath(place.path))
            let isUnread = missing.contains("\(place.name)/.")
            missing.removeAll { $0 == "\(place.name)/." }
            if isUnread, !request.allowsPartial {
                refuse(place.path, isThere ? staying : "it would be missing afterwards")
            } else {
                plan.warnings.append(
                    "\(place.path) of \(captured.name) is not in the snapshot, and \(isThere ? "stays as it is" : "not there now")"
                )
            }
        }
        // Of a database all is restored or nothing; a part of an export is another one.
        for path in missing where path.hasPrefix("database/") && path.split(separator: "/").count == 2 {
            guard driver.application != nil else { continue }
            refuse(path, staying)
            missing.removeAll { $0 == path }
        }
        guard let first = missing.first else { return }
        if missing.count == 1 {
            refuse(first, "it would be missing afterwards")
        } else {
            refuse("\(missing.count) paths, the first is \(first),", "they would be missing afterwards")
        }
    }

    private func warnings(_ captured: CapturedComponent) -> [String] {
        (captured.torn.map { "\(captured.name)/\($0) was changing while it was captured" })
            + captured.unreadable.map { "\(captured.name)/\($0.path) is not in the snapshot: \($0.reason)" }
    }

    /// How what is there now of a component differs from a snapshot, or why nobody can tell.
    func liveState(
        _ component: String, _ stored: StoredSnapshot, _ capture: SystemCapture
    ) async -> (difference: Difference?, failure: String?) {
        do {
            return (try await capture.drift(since: stored, component: component, reader: origin.reader), nil)
        } catch {
            // A lost system cannot be compared, and a restore is for lost systems: everything counts as new.
            return (nil, "what is there now cannot be compared with the snapshot: \(error)")
        }
    }

    private func look(
        at place: Root, _ captured: CapturedComponent, _ tree: ObjectID, _ difference: Difference?,
        isBeside: Bool, _ plan: inout RestorePlan
    ) throws {
        let path = FilePath(place.path)
        var root = RestorePlan.RootPlan(
            component: captured.name, root: place, create: 0, replace: 0, delete: 0, keep: 0, bytes: 0,
            isThere: try Files.exists(path))
        if place.kind == .rebuilt {
            plan.warnings.append(
                "\(captured.name)/\(place.name) is rebuilt at \(place.path) from locks and archives")
        } else {
            let stored = try StoredRoot(
                place.name, in: tree, digest: captured.manifests[place.name] ?? "none", with: origin.reader)
            try stored.check(place.kind)
            let survey = try stored.survey()
            plan.contents["\(captured.name)/\(place.name)"] = stored
            plan.owners["\(captured.name)/\(place.name)"] = OwnerMap(
                survey, calling: plan.accounts)
            root.bytes = survey.bytes
            if let difference, root.isThere {
                let files = difference.files.filter { $0.root == place.name }
                // The difference leads from the snapshot to what is there: what was added since goes away.
                root.create = files.filter { $0.change == .removed }.count
                root.delete = files.filter { $0.change == .added }.count
                root.replace = files.filter { $0.change == .changed }.count
                root.keep = survey.entries - root.create - root.replace
            } else {
                root.create = survey.entries
            }
            if !isBeside { try plan.addLeftOut(to: &root, stored, in: origin.system) }
        }
        plan.roots.append(root)
        try checkPlace(path, place, isThere: root.isThere, isBeside: isBeside, &plan)
    }

    private func isInTheWay(_ path: FilePath) -> Refusal {
        Refusal(
            "\(path) exists already",
            hint: "name another directory with --to, or remove it if it is what an interrupted restore left")
    }

    private func checkPlace(
        _ path: FilePath, _ place: Root, isThere: Bool, isBeside: Bool, _ plan: inout RestorePlan
    ) throws {
        guard isThere, let status = try Files.status(path) else { return }
        guard !isBeside else {
            plan.refusals.append(isInTheWay(path))
            return
        }
        let expected: FileStatus.Kind = place.kind == .file ? .file : .directory
        if status.kind != expected {
            plan.refusals.append(
                Refusal(
                    "\(path) is a \(status.kind), and the snapshot holds a \(expected)",
                    hint: "move it away, or name the right path in the system file"))
        }
    }

    /// Who owns files by name, and is not known here: a service would run as nobody, and numbers may be somebody else's.
    private func checkAccounts(_ plan: inout RestorePlan) {
        let users = plan.owners.values.reduce(into: Set<String>()) { $0.formUnion($1.unknownUsers) }
        let groups = plan.owners.values.reduce(into: Set<String>()) { $0.formUnion($1.unknownGroups) }
        for name in users.sorted() {
            plan.refusals.append(
                Refusal(
                    "files belong to the user '\(printable(name.utf8))', which does not exist on this host",
                    hint:
                        "install the package that makes it, or run: useradd --system --user-group \(printable(name.utf8))"
                ))
        }
        for name in groups.subtracting(users).sorted() {
            plan.refusals.append(
                Refusal(
                    "files belong to the group '\(printable(name.utf8))', which does not exist on this host",
                    hint:
                        "install the package that makes it, or run: groupadd --system \(printable(name.utf8))"
                ))
        }
    }

    private func checkSpace(_ plan: inout RestorePlan, isBeside: Bool) throws {
        var needed: [UInt64: (bytes: Int64, path: FilePath)] = [:]
        for root in plan.roots {
            let path = try Files.nearest(to: root.staging)
            guard let status = try Files.status(path) else { continue }
            // A survey says a petabyte at most; a made-up snapshot may name thousands of roots.
            let others = needed[status.device]?.bytes ?? 0
            needed[status.device, default: (0, path)].bytes = min(others + root.bytes, 1 << 50)
        }
        for (bytes, path) in needed.values {
            let room = try Self.room(at: path, origin.store.localDirectory, isBeside: isBeside)
            guard room < bytes + 1 << 24 else { continue }
            plan.refusals.append(
                Refusal(
                    "\(path) has \(room >> 20) MB free\(isBeside ? "" : ", with what is kept for undo"), and the restore "
                        + "needs \((bytes >> 20) + 16) MB beside what is there",
                    hint: "free some space, or restore parts with --component"))
        }
    }

    /// Bytes that a restore can write on the file system that holds a path: what is free, and what is kept for `undo` of
    /// the last restore, which it gives up first; of that what can be counted.
    static func room(at path: FilePath, _ local: FilePath, isBeside: Bool) throws -> Int64 {
        let free = try Files.freeSpace(path)
        var left: [String] = []
        guard !isBeside, let last = try Journal.readToGiveUp(local, &left), last.phase == .done else {
            return free
        }
        let device = try Files.status(path)?.device
        return try last.stagingDirectories.map { FilePath($0) }.reduce(free) { room, directory in
            guard try Files.status(directory)?.device == device else { return room }
            // What cannot be counted makes no room, and is no reason to restore nothing.
            return room + ((try? Files.allocatedSize(directory)) ?? 0)
        }
    }
}
