internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import SnapshotModel
internal import SystemPackage

/// Captures the objects of the repositories among the captured files, after the files.
///
/// What to take is said by the captured references and not by the live ones: whatever is pushed meanwhile, each repository
/// has the objects that its captured references name.
struct SourceCapture {
    /// What became of the repositories.
    struct Result {
        var lock: SourcesLock
        /// The lists of references, by their names in the component's tree.
        var listings: [(name: String, id: ObjectID)] = []
        var newTexts: [ObjectID: [UInt8]] = [:]
        var damaged: [CapturedComponent.Problem] = []
        var notes: [String] = []
    }

    let driver: any Driver
    let files: CapturedFiles
    /// Nil when nothing is written.
    let transfer: SourceTransfer?
    /// The repositories of the last snapshot.
    let previous: SourcesLock

    func run(_ repositories: [SourceRepository], _ lane: any ObjectLane) async throws -> Result {
        var result = Result(lock: SourcesLock())
        try transfer?.removeLeftovers()
        let before = Dictionary(previous.lines.map { ($0.repository, $0) }) { first, _ in first }
        var changed: [(line: SourcesLock.Line, tips: SourceTips)] = []
        for repository in repositories {
            let tree = try files.tree(of: repository)?.description ?? SourcesLock.none
            if let old = before[repository], old.tree == tree, let id = ObjectID(hex: old.references.utf8) {
                result.lock.lines.append(old)
                result.listings.append((repository.referencesName, id))
                continue
            }
            let tips = try driver.tips(of: repository, in: files)
            let listing = try lane.add(.blob, tips.listing)
            result.newTexts[listing] = tips.listing
            result.listings.append((repository.referencesName, listing))
            var line = SourcesLock.Line(
                repository: repository, tree: tree, keepAlive: SourcesLock.none,
                references: listing.description)
            // Nothing is written and so nothing looked for; of what was damaged then the store has what there is.
            if transfer == nil, let old = before[repository], old.tree == SourcesLock.none,
                old.references == line.references
            {
                line = old
            }
            changed.append((line, tips))
        }
        result.lock.lines += try await take(changed, before, lane, &result)
        result.lock = SourcesLock(lines: result.lock.lines)
        return result
    }

    /// Brings the objects of changed repositories into the store, and completes their lines.
    private func take(
        _ changed: [(line: SourcesLock.Line, tips: SourceTips)],
        _ before: [SourceRepository: SourcesLock.Line], _ lane: any ObjectLane, _ result: inout Result
    ) async throws -> [SourcesLock.Line] {
        guard let transfer, !changed.isEmpty else { return changed.map(\.line) }
        // A repository that is new may be a fork of any other.
        let isAnyNew = changed.contains { before[$0.line.repository] == nil }
        let known =
            isAnyNew ? previous : SourcesLock(lines: changed.compactMap { before[$0.line.repository] })
        let requests = changed.map { line, tips in
            let root = files.places[line.repository.root] ?? FilePath()
            let directory =
                line.repository.path.isRoot ? root : root.pushing(FilePath(bytes: line.repository.path.bytes))
            return SourceTransfer.Request(tips, from: directory.appending("objects"))
        }
        let taken = try await transfer.take(requests, known: known.keepAlives, into: lane)
        return zip(changed, taken).map { change, taken in
            var line = change.line
            line.keepAlive = taken.keepAlive.description
            result.damaged += change.tips.problems
            result.damaged += taken.damaged.map {
                .init(path: "\(line.repository.name)/\($0.name)", reason: $0.reason)
            }
            if !change.tips.problems.isEmpty || !taken.damaged.isEmpty { line.tree = SourcesLock.none }
            if taken.forgotten > 0 {
                result.notes.append(
                    "\(line.repository.name): its reflogs name \(taken.forgotten) objects that it does not have any more"
                )
            }
            return line
        }
    }
}

/// The files that were just captured, as they were captured: the live ones may have changed since.
struct CapturedFiles: FileSource {
    let sink: any ObjectSink
    /// The trees of the roots, by their names.
    let roots: [String: ObjectID]
    /// Contents that are not in the repository yet.
    let kept: [ObjectID: [UInt8]]
    /// Where the roots are.
    let places: [String: FilePath]
    /// Whether some of them are sealed: what looks like a secret is, whatever its class.
    let hasSealed: Bool

    /// The tree of a captured git directory, nil when nothing of it was captured.
    func tree(of repository: SourceRepository) throws -> ObjectID? {
        try entry(repository.root, repository.path)?.id
    }

    func names(root: String, directory: EntryPath) throws -> [(name: [UInt8], isDirectory: Bool)] {
        guard let entry = try entry(root, directory), entry.mode == .tree else { return [] }
        return try tree(entry.id).map { entry in
            let name = StoredName.withoutSuffixes(
                entry.name, isTree: entry.mode == .tree, hasSealed: hasSealed)
            return (StoredName.decoded(name.name), entry.mode == .tree && !name.isChunked)
        }
        .sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    func contents(root: String, path: EntryPath) throws -> [UInt8]? {
        guard let parent = try entry(root, path.parent), parent.mode == .tree else { return nil }
        let name = StoredName.escaped(Array(path.name))
        for sibling in try tree(parent.id) where sibling.name.starts(with: name) {
            let stored = StoredName.withoutSuffixes(
                sibling.name, isTree: sibling.mode == .tree, hasSealed: hasSealed)
            guard stored.name == name else { continue }
            if stored.isSealed, kept[sibling.id] == nil, let place = places[root] {
                // Unchanged since a night that sealed it, a reflog with a password in it say, and nobody here can open it. It was
                // captured: where it went away since, nobody knows what it named.
                return try Files.read(place.pushing(FilePath(bytes: path.bytes)))
            }
            if stored.isChunked { return try tree(sibling.id).flatMap { try blob($0.id) } }
            if sibling.mode == .file || sibling.mode == .executable { return try blob(sibling.id) }
        }
        return nil
    }

    func lock(_ name: String) throws -> [UInt8]? { nil }

    private func entry(_ root: String, _ path: EntryPath) throws -> TreeEntry? {
        guard let id = roots[root] else { return nil }
        var entry = TreeEntry("", .tree, id)
        for name in path.components {
            let stored = StoredName.escaped(Array(name))
            guard entry.mode == .tree, let next = try tree(entry.id).first(where: { $0.name == stored })
            else {
                return nil
            }
            entry = next
        }
        return entry
    }

    private func tree(_ id: ObjectID) throws -> [TreeEntry] {
        if let new = try sink.newTree(id) { return new }
        return try existing(id, .tree) { try Tree.entries($0, of: id) }
    }

    private func blob(_ id: ObjectID) throws -> [UInt8] {
        if let contents = kept[id] { return contents }
        return try existing(id, .blob) { $0 }
    }

    private func existing<Value>(_ id: ObjectID, _ kind: ObjectKind, _ body: ([UInt8]) throws -> Value) throws
        -> Value
    {
        guard let reader = sink.existing else {
            throw GitError(.notFound, "read \(kind.word) \(id)", "it was captured and is not kept")
        }
        return try body(reader.contents(id, kind))
    }
}

extension SourcesLock {
    /// The commits that keep the objects.
    var keepAlives: [ObjectID] { keepAliveIDs.compactMap { ObjectID(hex: $0.utf8) } }
}
