internal import Capture
internal import Configuration
internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Restore
internal import SnapshotModel
internal import SystemPackage

/// A delivery system that comes to this host from a copy of its store, with nothing here but that: `restore --from`.
///
/// Its store is brought to its place, and the system file is taken out of the snapshot, with everything that stands
/// elsewhere here changed in it.
struct Arrival {
    /// What somebody said about it.
    struct Request {
        /// The copy: an address, a directory, or a file that 'export' wrote.
        var source: String
        /// The snapshot, in any spelling.
        var id: String
        /// Where the store should be, nil for where the system file says.
        var store: String?
        /// Which system, nil when there is only one.
        var name: String?
        /// What stands elsewhere here, `old=new`.
        var map: [String]
        /// Where the system file should be, nil for where it stood.
        var systemFile: String?
    }

    /// What the engines work with.
    let session: Session
    /// The store, at its place.
    let store: SnapshotStore
    /// Its one writer.
    let lock: WriterLock
    /// The snapshot.
    let reference: SnapshotReference
    /// Users and groups that are called otherwise here.
    let accounts: [String: String]
    /// What the system file says otherwise than the snapshot's.
    let mapped: [String]
    /// Why the system cannot come here.
    private(set) var refusals: [Refusal] = []
    /// What people should know.
    private(set) var notes: [String] = []
    /// What stands elsewhere here.
    private let relocation: Relocation
    /// The system where it stood.
    private let original: SystemDescription
    /// Whether something is still where the system stood, and that is elsewhere here: a rehearsal, with production beside it.
    private let isBeside: Bool

    /// Brings the store, at least as far as the snapshot needs it.
    init(_ request: Request, _ options: Options) async throws {
        let output = try Output(options)
        try requireLibgit2()
        var relocation = try Relocation(request.map)
        let source = try Self.address(request.source)
        output.progress("looking at \(request.source)")
        let given = try request.store.map { try absolute(FilePath($0)) }
        let place: FilePath
        let system: String
        // What is brought for what cannot be, as a mapping that fits nothing, goes again.
        let made: FilePath?
        if try Files.status(FilePath(source))?.kind == .file {
            let head = try StoreFile.head(of: FilePath(source))
            system = try Self.choose(request.name, among: [head.system], request.source)
            place = try given ?? Self.place(in: head.text, system, relocation)
            made = try Self.outermostMissing(of: place)
            lock = try await ImportCommand.read(FilePath(source), system, into: place, output).lock
        } else {
            let peek = try RemotePeek(source)
            system = try Self.choose(
                request.name, among: try await peek.systems().filter(isName), request.source)
            if let given {
                place = given
            } else {
                place = try Self.place(in: try await peek.systemFile(of: system), system, relocation)
            }
            made = try Self.outermostMissing(of: place)
            let store = try Self.makeStore(at: place, system)
            lock = try store.lock(purpose: "understudy restore --from")
            if store.path.string != source {
                notes += try await Self.pull(request.id, from: source, into: store, system, lock, output)
            }
        }
        do {
            let unsigned = try SnapshotStore.open(at: place)
            reference = try unsigned.snapshot(request.id, of: system)
            let reader = try unsigned.reader()
            let stored = try unsigned.read(reference, with: reader)
            let there = try Self.description(of: stored, reader)
            let stood = stored.snapshot.systemFile.map { FilePath($0) }
            try relocation.resolve(
                for: there, file: stood, host: stored.snapshot.host,
                accounts: try Self.accounts(of: stored, reader))
            var here = relocation.applied(to: there)
            here.store = place
            let signer = try here.signingKey.flatMap { try Files.exists($0) ? CommitSigner(key: $0) : nil }
            if let key = here.signingKey, signer == nil {
                notes.append(
                    "the signing key \(key) is not on this host: the record of this restore is not signed, and no snapshot can be "
                        + "taken here before the key is there, or 'signing-key' in the system file names another that 'signers' has"
                )
            }
            store = try SnapshotStore.open(at: place, signer: signer)
            mapped = relocation.changes(of: there)
            accounts = relocation.accounts
            self.relocation = relocation
            original = there
            let hasOtherStore = place != there.store && SnapshotStore.hasTakenSnapshots(at: there.store)
            isBeside = try hasOtherStore || Self.oldPlace(of: there, relocation) != nil
            if isBeside, let copy = try await Remotes(store).list().first(where: { $0.url == source }) {
                notes.append(
                    "'understudy push' and nights here go to \(copy.shownURL) too, where what stands in the old places could "
                        + "push nothing any more: 'understudy remote remove \(copy.name)' first, if this is a rehearsal"
                )
            }
            if here == there {
                here.text = there.text
            } else {
                here.text = try here.yaml()
            }
            let file =
                try request.systemFile.map { try absolute(FilePath($0)) }
                ?? stood.map { relocation.path($0) } ?? absolute("understudy.yaml")
            let policies = try Self.policies(of: stored, reader)
            let snapshot = reference.id
            let names = here.components.map(\.name)
            let policy = try policies.first { $0.name == SnapshotPolicy.fileName }.map {
                try SnapshotPolicy.parse(
                    String(decoding: $0.contents, as: UTF8.self), path: FilePath("\(snapshot)/\($0.name)"),
                    components: names)
            }
            session = try Session(
                file: file, description: here, policy: policy ?? SnapshotPolicy(), policies: policies,
                names: try Self.rootNames(there), output: output)
            if let bytes = try Files.readIfPresent(file), bytes != Array(here.text.utf8) {
                refusals.append(
                    Refusal(
                        "\(file) exists already and differs from the snapshot's system file",
                        hint: "move it away, or say where the snapshot's should be: --system FILE"))
            }
        } catch {
            if let made { Self.remove(place, madeFrom: made) }
            throw error
        }
    }

    /// Writes the system file and the policies, where nothing stands yet; the notes say where.
    ///
    /// `restored` are the components that somebody named; none stand for all.
    func settle(restoring restored: Set<String>) throws -> [String] {
        var notes = elsewhere(without: restored)
        let directory = session.description.policies
        for (name, contents) in session.system.policies {
            guard let path = directory?.appending(name) else { continue }
            guard let old = try Files.readIfPresent(path) else {
                try Files.makeDirectories(path.removingLastComponent())
                try Files.replace(path, with: contents)
                notes.append("wrote \(path)")
                continue
            }
            if old != contents { notes.append("\(path) differs from the snapshot's, and was left as it is") }
        }
        // A system file whose directory of policies is missing would be refused.
        if let directory { try Files.makeDirectories(directory) }
        let notify = directory?.appending(NotifyPolicy.fileName)
        if let notify, try !Files.exists(notify) {
            notes.append(
                "\(notify) is not here, for no snapshot holds it (it names people and secrets): nobody is told of bad "
                    + "nights, and nights hold no drills; write it again, and run 'understudy schedule install'"
            )
        }
        guard try !Files.exists(session.file) else { return notes }
        try Files.makeDirectories(session.file.removingLastComponent())
        try Files.replace(session.file, with: Array(session.description.text.utf8))
        return notes + ["wrote \(session.file)"]
    }

    /// Tells of what the mapping leaves where it stood, and refuses to overwrite or stop it there, unless it is `named`: beside a
    /// system that runs, that would be the one that runs.
    func checkPlaces(_ plan: inout RestorePlan, naming named: Set<String>) {
        guard relocation.movesSystem else { return }
        let components = plan.components
        func stood(_ root: RestorePlan.RootPlan) -> String? {
            let captured = components.first { $0.name == root.component }
            return captured?.roots.first { $0.name == root.root.name }?.path
        }
        var reached: [(component: String, what: String)] = []
        for application in plan.applications {
            guard let component = original.component(application.component) else { continue }
            let database = relocation.unmovedDatabase(of: component)
            let state = database + relocation.unmovedCommands(of: component)
            guard !state.isEmpty else { continue }
            let what = "--map leaves \(state.joined(separator: ", ")) of \(component.name) as it is"
            // Whether a tool is there already nobody knows: on a machine without the old places it is what the system lacks.
            if application.replaces, isBeside || !database.isEmpty {
                reached.append((component.name, "\(what), and what is there is replaced"))
            } else {
                plan.warnings.append(what)
            }
        }
        // A machine that never held the system has none of its old places; what is installed there may be replaced.
        if isBeside {
            for root in plan.roots where root.isThere && stood(root) == root.root.path {
                reached.append(
                    (
                        root.component,
                        "\(root.root.path) of \(root.component) is not mapped, and what is there is replaced"
                    ))
            }
            for component in original.components where plan.restarts.contains(component.name) {
                let service = relocation.unmovedService(of: component).joined(separator: ", ")
                guard !service.isEmpty else { continue }
                reached.append(
                    (
                        component.name,
                        "--map leaves \(service) of \(component.name) as it is, and what runs is stopped by it"
                    ))
            }
        }
        plan.warnings += reached.filter { named.contains($0.component) }.map(\.what)
        let refused = reached.filter { !named.contains($0.component) }
        guard !refused.isEmpty else { return }
        func options(_ names: [String]) -> String { names.map { "--component \($0)" }.joined(separator: " ") }
        // What is stopped and not restored is named too, or nobody could mean it.
        let stopped = plan.dependents.filter { name in refused.contains { $0.component == name } }
        let names = components.map(\.name) + stopped
        let others = names.filter { name in !refused.contains { $0.component == name } }
        plan.refusals.append(
            Refusal(
                "the system is to stand elsewhere here, and this would be done where it stood: "
                    + refused.map(\.what).joined(separator: "; "),
                hint: "map that too, "
                    + (others.isEmpty ? "or restore with --to DIR" : "or leave it out: \(options(others))")
                    + "; if it is to be replaced, name it: \(options(names))"))
    }

    /// Which components that were left out the system file goes on to have where they stood: nothing keeps a later command from
    /// their state there.
    private func elsewhere(without restored: Set<String>) -> [String] {
        guard relocation.movesSystem, !restored.isEmpty else { return [] }
        return original.components.filter { !restored.contains($0.name) }.compactMap { component in
            let state =
                relocation.unmovedDatabase(of: component)
                + (isBeside ? relocation.unmovedCommands(of: component) : [])
            guard !state.isEmpty else { return nil }
            return
                "\(component.name) was left out, and \(session.file) has \(state.joined(separator: ", ")) of it: take it out there, or the next "
                + "'understudy restore' here replaces what is in the old place"
        }
    }

    // MARK: - The store

    /// What is there by its whole path, anything else as it stands.
    private static func address(_ source: String) throws -> String {
        guard try Files.exists(FilePath(source)) else { return source }
        return try Files.resolved(FilePath(source)).string
    }

    private static func choose(_ name: String?, among systems: [String], _ source: String) throws -> String {
        if let name, systems.contains(name) { return name }
        guard name == nil, systems.count == 1, let only = systems.first else {
            throw CommandFailure(
                systems.isEmpty ? .noStore : .usage,
                systems.isEmpty
                    ? "there is no snapshot in \(source)"
                    : "\(source) holds the systems \(systems.joined(separator: ", "))"
                        + (name.map { ", and no '\($0)'" } ?? ""),
                hint: systems.isEmpty
                    ? "give a copy of a store, as 'understudy push' makes it"
                    : "name one of them: --name NAME")
        }
        return only
    }

    /// A place that the system had and has not here, where something still stands: a production, perhaps; nil where there is none.
    private static func oldPlace(of there: SystemDescription, _ relocation: Relocation) throws -> FilePath? {
        for component in there.components {
            for path in try makeDriver(component).places().map({ FilePath($0.path) })
            // Also where nobody can tell: a disk that fails keeps no system from coming up elsewhere.
            where relocation.path(path) != path && (try? Files.exists(path)) ?? true { return path }
        }
        return nil
    }

    /// Where the system file puts the store on this host.
    ///
    /// The store of a production beside is refused before anything is brought there: its journal, and what `undo` keeps, are in it.
    private static func place(
        in text: [UInt8], _ system: String, _ relocation: Relocation
    ) throws -> FilePath {
        // A relative path starts where the file stood, which history does not say.
        let nowhere: FilePath = "/understudy-does-not-know-where"
        let there = try SystemFile.parse(
            String(decoding: text, as: UTF8.self), path: "understudy.yaml", directory: nowhere)
        let store = there.store
        guard !store.starts(with: nowhere) else {
            throw CommandFailure(
                .usage,
                "the system file of '\(system)' gives a relative path for its store, but not what it is relative to",
                hint: "say where it should be on this host: --store DIR")
        }
        let place = relocation.path(store)
        // One that only a restore was begun from, as by a dry run, is nobody else's.
        if place == store, SnapshotStore.hasTakenSnapshots(at: store),
            let old = try oldPlace(of: there, relocation)
        {
            throw CommandFailure(
                .refused,
                "the system is to stand elsewhere here, and \(old) is still there: if \(store), in which "
                    + "snapshots were taken, is the store of that, its 'undo' would take this restore for its own",
                hint:
                    "give this one a store of its own, --store DIR; or, where only this very restore took them and is to go on, "
                    + "--store \(store)"
            )
        }
        return place
    }

    /// The outermost directory that is made when a store is made at a place; nil where something is there.
    private static func outermostMissing(of place: FilePath) throws -> FilePath? {
        var missing: FilePath?
        var path = place
        while try !Files.exists(path), path.lastComponent != nil {
            missing = path
            path.removeLastComponent()
        }
        return missing
    }

    /// Removes a store that was made, with the directories that were made for it.
    private static func remove(_ place: FilePath, madeFrom outermost: FilePath) {
        // The failure for which it goes is the one to tell.
        try? Files.removeTree(place)
        var directory = place.removingLastComponent()
        while directory.starts(with: outermost) {
            // As above; what somebody else put there stays.
            try? Files.removeDirectoryIfEmpty(directory)
            directory.removeLastComponent()
        }
    }

    /// Opens the store at a place, or makes one where nothing is.
    static func makeStore(at place: FilePath, _ system: String) throws -> SnapshotStore {
        let isEmpty = try !Files.exists(place) || (Files.isDirectory(place) && Files.names(place).isEmpty)
        guard isEmpty else { return try SnapshotStore.open(at: place) }
        do {
            return try SnapshotStore.create(at: place, system: system)
        } catch let error as FileFailure {
            throw CommandFailure(
                .refused, "the store cannot be made at its old place: \(error)",
                hint: "say where it should be on this host: --store DIR", path: place.string)
        }
    }

    /// Brings what the snapshot needs; the rest can come later.
    private static func pull(
        _ id: String, from source: String, into store: SnapshotStore, _ system: String, _ lock: WriterLock,
        _ output: Output
    ) async throws -> [String] {
        let remotes = Remotes(store)
        let known = try await remotes.list()
        let remote = known.first { $0.url == source } ?? Remote(name: freeName(known), url: source)
        if !known.contains(remote) { try await remotes.add(remote) }
        let pull = Pull(store, system: system)
        let plan = try await pull.plan(remote, now: Clock.now.seconds)
        guard plan.conflicts.isEmpty else {
            throw CommandFailure(
                .refused, plan.conflicts.joined(separator: "\n       "),
                hint:
                    "\(store.path) is not a copy of the same store: say where this one should be, --store DIR"
            )
        }
        // Before the first of them comes, so that nothing that stays there is taken for dropped when the remote is taken away.
        try store.keepAbsent(elsewhere: plan.snapshots, of: system, holding: lock)
        let reader = { try store.reader() }
        var brought: Set<SnapshotID> = []
        // History and evidence come with the first.
        var hasAsked = false
        func bring(_ isWanted: (SnapshotID) -> Bool) async throws {
            var part = pull.part(plan) { !brought.contains($0) && isWanted($0) }
            guard !part.snapshots.isEmpty || !hasAsked else { return }
            if hasAsked { (part.bringsHistory, part.evidence) = (false, []) }
            hasAsked = true
            try await pull.run(part, holding: lock) { output.progress($0) }
            brought.formUnion(part.snapshots)
        }
        let there = plan.view.snapshots.keys.compactMap { SnapshotID($0) }.sorted()
        if id == "latest" {
            // The newest that is no safety snapshot, which only the snapshot itself says.
            for candidate in there.reversed() {
                try await bring { $0 == candidate }
                let found = try store.snapshots(of: system).first { $0.id == candidate }
                if let found, try !store.isSafety(found, with: reader()) { break }
            }
        } else if plan.snapshots.contains(where: { $0.description.hasPrefix(id) }) {
            try await bring { $0.description.hasPrefix(id) }
        } else {
            try await bring { _ in true }
        }
        if plan.snapshots.isEmpty { try await bring { _ in true } }
        let left = plan.snapshots.count - brought.count
        let others = left == 1 ? "1 other snapshot is" : "\(left) other snapshots are"
        let words =
            "\(others) still at \(remote.shownURL): 'understudy pull \(remote.name)' brings what is left"
        return plan.lost.map { "\($0): it was there when this host looked last" } + (left == 0 ? [] : [words])
    }

    private static func freeName(_ known: [Remote]) -> String {
        let names = ["source"] + (2...(known.count + 2)).map { "source-\($0)" }
        return names.first { name in !known.contains { $0.name == name } } ?? "source"
    }

    // MARK: - The snapshot

    private static func description(of stored: StoredSnapshot, _ reader: ObjectReader) throws
        -> SystemDescription
    {
        guard let file = stored.blob("understudy.yaml") else {
            throw CommandFailure(
                .verification, "the snapshot \(stored.reference.id) has no system file",
                hint: "restore another snapshot, or write a system file and restore without --from")
        }
        let directory = stored.snapshot.systemFile.map { FilePath($0).removingLastComponent() } ?? "/"
        return try SystemFile.parse(
            String(
                decoding: try reader.contents(file, .blob, limit: SnapshotStore.longestText), as: UTF8.self),
            path: FilePath("\(stored.reference.id)/understudy.yaml"), directory: directory)
    }

    private static func policies(
        of stored: StoredSnapshot, _ reader: ObjectReader
    ) throws -> [(name: String, contents: [UInt8])] {
        guard let tree = stored.tree(of: Snapshot.policiesName) else { return [] }
        return try reader.tree(tree).filter { $0.mode == .file }.compactMap { entry in
            let name = String(decoding: entry.name, as: UTF8.self)
            guard Session.carriedPolicies.contains(name) else { return nil }
            return (name, try reader.contents(entry.id, .blob, limit: SnapshotStore.longestText))
        }
    }

    /// What the snapshot calls the roots of each component.
    private static func rootNames(_ description: SystemDescription) throws -> [String: [String]] {
        var names: [String: [String]] = [:]
        for component in description.components {
            names[component.name] = try makeDriver(component).places().map(\.name)
        }
        return names
    }

    /// The users and groups that own anything in the snapshot.
    private static func accounts(of stored: StoredSnapshot, _ reader: ObjectReader) throws -> Set<String> {
        var accounts: Set<String> = []
        for component in stored.snapshot.components {
            guard let tree = stored.tree(of: component.name) else { continue }
            for root in component.roots where root.kind != .rebuilt {
                let survey = try StoredRoot(
                    root.name, in: tree, digest: component.manifests[root.name] ?? "none", with: reader
                ).survey()
                accounts.formUnion(survey.users.union(survey.groups))
            }
        }
        return accounts.filter { !$0.isEmpty }
    }
}
