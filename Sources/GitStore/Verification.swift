internal import Cryptography
internal import FileTree
internal import Git
package import Sealing
package import SnapshotModel
internal import Synchronization
internal import SystemPackage
internal import Workers

/// What is wrong with a snapshot.
package struct SnapshotVerdict: Hashable, Sendable {
    /// The snapshot.
    package var id: SnapshotID
    /// What is wrong, with the path that it hits; empty when all is well.
    package var problems: [String]
    /// How many objects were looked at.
    package var objects: Int
    /// Components whose sealed files were looked at as they lie there, since no identity that was given opens them.
    package var unopened: [String] = []

    /// Whether all is well.
    package var isOK: Bool { problems.isEmpty }
}

/// Checks snapshots byte by byte: every object against its id, every file against the manifest's SHA-256, every manifest
/// and lock against `snapshot.json`, and that against the commit.
///
/// Without identities sealed files are checked as they lie there; with them they are opened, and what is in them is
/// compared with its keyed name as well.
package final class Verification: Sendable {
    private let store: SnapshotStore
    private let opened: Mutex<Opened>
    private let hasFoundProblems = Mutex(false)
    /// Files already found whole, by contents and digest: most of a snapshot is that of the night before.
    private let known = Mutex<Set<Known>>([])

    /// Commits that keep objects of repositories, and whose objects were all found whole.
    private let knownSources = Mutex<Set<ObjectID>>([])
    /// Files of repositories that were found whole.
    private let soundSources = ObjectSet()

    private struct Known: Hashable {
        var id: ObjectID
        var digest: [UInt8]
        var sealedDigest: [UInt8]
    }

    /// What one snapshot was found to be.
    final class Findings: Sendable {
        let problems = Mutex<[String]>([])
        let objects = Mutex(0)
        let unopened = Mutex<[String]>([])
        /// Further names of files, by the places of their roots.
        let links = Mutex<[String: [Entry]]>([:])

        func add(_ problem: String) {
            problems.withLock { $0.append(problem) }
        }
    }

    private struct Work: Sendable {
        var place: String
        var root: StoredRoot
        var directory: StoredRoot.Directory
        var isSealed: Bool
        /// What names sealed contents, nil when nothing is opened.
        var sealer: Sealer?
    }

    let identities: [Identity]?

    /// The packs as they were opened, and the names that were there then.
    private struct Opened: Sendable {
        var reader: ObjectReader
        var names: Set<[UInt8]>

        init(_ store: SnapshotStore) throws {
            // The names first: what comes or goes while the packs are opened counts as a change.
            names = try Self.names(of: store)
            reader = try store.reader()
        }

        static func names(of store: SnapshotStore) throws -> Set<[UInt8]> {
            Set(try Files.names(store.path.appending("objects").appending("pack")))
        }
    }

    var reader: ObjectReader { opened.withLock { $0.reader } }

    /// Whether anything was wrong with what was looked at, so that objects may be damaged or missing.
    package var hasFoundDamage: Bool { hasFoundProblems.withLock { $0 } }

    /// Takes note of whether there are problems, and returns them sorted.
    private func noted(_ problems: [String]) -> [String] {
        if !problems.isEmpty { hasFoundProblems.withLock { $0 = true } }
        return problems.sorted()
    }

    /// A verification of snapshots in a store; sealed files are opened with the identities, where there are some.
    package init(_ store: SnapshotStore, identities: [Identity]? = nil) throws {
        self.store = store
        self.identities = identities
        opened = Mutex(try Opened(store))
    }

    /// How often to look at most, where packs come and go all the while.
    private static let mostLooks = 4

    /// What a look finds; when it finds something wrong and packs came or went meanwhile, as they do in a prune, it looks again
    /// at what is there then.
    package func settled<Found>(
        _ isFine: (Found) -> Bool, look: () async throws -> Found
    ) async throws -> Found {
        for _ in 1..<Self.mostLooks {
            do {
                let found = try await look()
                if isFine(found) { return found }
                guard try reopen() else { return found }
            } catch {
                guard try reopen() else { throw error }
            }
        }
        return try await look()
    }

    /// Opens the packs that are there now; false when they are those that were opened.
    private func reopen() throws -> Bool {
        try opened.withLock { opened in
            guard try Opened.names(of: store) != opened.names else { return false }
            opened = try Opened(store)
            return true
        }
    }

    /// What is wrong with the store's own files, its history, evidence and proposed changes; the snapshots are checked one by
    /// one.
    ///
    /// Every pack and index is read whole and compared with its checksum, and everything that a commit of these can reach is
    /// hashed.
    package func verifyStore() throws -> [String] {
        let findings = Findings()
        for problem in try reader.damagedPacks() { findings.add(problem) }
        var seen: Set<ObjectID> = []
        let lane = ReaderLane(reader)
        let prefixes = ["refs/heads/", "refs/evidence/", "refs/changes/"]
        var heads: [Reference] = []
        for prefix in prefixes {
            do {
                heads += try store.references(prefix)
            } catch {
                findings.add("\(error)")
            }
        }
        for head in heads {
            var commits = [head.target]
            while let id = commits.popLast() {
                guard seen.insert(id).inserted else { continue }
                do {
                    // Whatever stock git made: what was pushed is read with more care by who uses it.
                    let commit = try Commit.references(lane.contents(id, .commit), of: id)
                    commits += commit.parents
                    try verifyHistory(commit.tree, lane, &seen)
                } catch {
                    findings.add("history of \(head.name), commit \(id): \(error)")
                }
            }
        }
        return noted(findings.problems.withLock { $0 })
    }

    private func verifyHistory(_ tree: ObjectID, _ lane: ReaderLane, _ seen: inout Set<ObjectID>) throws {
        var trees = [tree]
        while let id = trees.popLast() {
            guard seen.insert(id).inserted else { continue }
            for entry in try Tree.references(lane.contents(id, .tree), of: id) {
                if entry.isTree {
                    trees.append(entry.id)
                } else if seen.insert(entry.id).inserted {
                    try unsafe lane.read(entry.id, .blob, checks: true) { _ in }
                }
            }
        }
    }

    /// Checks one snapshot.
    package func verify(_ reference: SnapshotReference) -> SnapshotVerdict {
        let findings = Findings()
        do {
            try verify(reference, findings)
        } catch {
            findings.add("\(error)")
        }
        return SnapshotVerdict(
            id: reference.id, problems: noted(findings.problems.withLock { $0 }),
            objects: findings.objects.withLock { $0 }, unopened: findings.unopened.withLock { $0.sorted() })
    }

    /// Looks at the objects of the repositories that snapshots hold in one go, so that ``verifySources(_:)`` need not ask again
    /// for each of them when all are whole; what is not, or cannot be read, it says when it is asked.
    package func verifyAllSources(_ references: [SnapshotReference]) {
        var keepAlives: Set<ObjectID> = []
        for reference in references {
            // Whoever looks at this snapshot alone says why it cannot be read.
            if let kept = try? keptAlive(by: reference) { keepAlives.formUnion(kept) }
        }
        guard let damage = try? reader.damage(from: keepAlives.sorted(), sound: soundSources), damage.isEmpty
        else { return }
        knownSources.withLock { $0.formUnion(keepAlives) }
    }

    /// The commits that keep the objects of the repositories that a snapshot holds.
    private func keptAlive(by reference: SnapshotReference) throws -> Set<ObjectID> {
        let reader = reader
        let stored = try store.read(reference, with: reader)
        var keepAlives: Set<ObjectID> = []
        for component in stored.snapshot.components where component.locks[SourcesLock.name] != nil {
            guard let tree = stored.tree(of: component.name),
                let entry = try reader.entry(SourcesLock.name, of: tree)
            else { continue }
            let lock = try SourcesLock(text(entry.id))
            keepAlives.formUnion(lock.keepAliveIDs.compactMap { ObjectID(hex: $0.utf8) })
        }
        return keepAlives
    }

    /// What is wrong with the objects of the repositories that a snapshot holds: each that its commits reach is hashed.
    ///
    /// What the disk does not give is a problem too, beside those of other snapshots.
    package func verifySources(_ reference: SnapshotReference) -> [String] {
        let problems: [String]
        do {
            let keepAlives = try keptAlive(by: reference)
            let isKnown = knownSources.withLock { known in keepAlives.isSubset(of: known) }
            guard !isKnown else { return [] }
            problems = try reader.damage(from: keepAlives.sorted(), sound: soundSources)
            if problems.isEmpty { knownSources.withLock { $0.formUnion(keepAlives) } }
        } catch {
            problems = ["\(error)"]
        }
        return noted(problems).map { "objects of captured repositories: \($0)" }
    }

    private func verify(_ reference: SnapshotReference, _ findings: Findings) throws {
        let stored = try store.read(reference, with: reader)
        let commit = try reader.contents(reference.commit, .commit)
        if ObjectID.of(.commit, commit) != reference.commit {
            findings.add("the commit is not what its id says")
        }
        if stored.commit.trailer("Snapshot-SHA256") != hex(SHA256.digest(stored.json)) {
            findings.add("snapshot.json: its SHA-256 is not the one in the commit's message")
        }
        if stored.snapshot.id != reference.id {
            findings.add("snapshot.json: it describes the snapshot \(stored.snapshot.id)")
        }
        let top = stored.commit.tree
        verifyTree(top, try reader.contents(top, .tree), "the snapshot's tree", findings)
        // The system file and its policies; the components follow, and snapshot.json was compared.
        let others = Set(stored.snapshot.components.map(\.name) + ["snapshot.json"])
        for entry in stored.entries where !others.contains(String(decoding: entry.name, as: UTF8.self)) {
            verifyObjects(entry, printable(entry.name), opens: false, findings)
        }
        for component in stored.snapshot.components {
            guard let tree = stored.tree(of: component.name) else {
                findings.add("\(component.name): the snapshot does not hold it")
                continue
            }
            do {
                try verify(component, tree, findings)
            } catch {
                findings.add("\(component.name): \(error)")
            }
        }
    }

    /// A text that is read whole.
    func text(_ id: ObjectID) throws -> [UInt8] {
        try reader.contents(id, .blob, limit: SnapshotStore.longestText)
    }

    private func verify(_ component: CapturedComponent, _ tree: ObjectID, _ findings: Findings) throws {
        for (name, digest) in component.locks {
            guard let entry = try reader.entry(name, of: tree) else {
                findings.add("\(component.name)/\(name): the snapshot does not hold it")
                continue
            }
            if try hex(SHA256.digest(text(entry.id))) != digest {
                findings.add("\(component.name)/\(name): its SHA-256 is not the one in snapshot.json")
            }
        }
        if let sealing = component.sealing {
            let key = try reader.entry(CapturedComponent.Sealing.keyName, of: tree)
            if try key.map({ hex(SHA256.digest(try text($0.id))) }) != sealing.keyDigest {
                findings.add(
                    "\(component.name)/\(CapturedComponent.Sealing.keyName): it is not there, or its SHA-256 is not the one "
                        + "in snapshot.json")
            }
        }
        let sealer = try openedSealer(component, tree, findings)
        let work = WorkStack<Work>(threads: usualThreads)
        var roots: [StoredRoot] = []
        for root in component.roots where root.kind != .rebuilt {
            do {
                let digest = component.manifests[root.name] ?? "none"
                let stored = try StoredRoot(root.name, in: tree, digest: digest, with: reader)
                try stored.check(root.kind)
                work.push([
                    Work(
                        place: "\(component.name)/\(root.name)", root: stored, directory: stored.directory,
                        isSealed: component.sealing != nil, sealer: sealer)
                ])
                roots.append(stored)
            } catch {
                findings.add("\(component.name)/\(root.name): \(error)")
            }
        }
        try work.run(
            start: { _ in ReaderLane(reader) },
            body: { piece, lane in
                do {
                    work.push(try verify(piece, lane, findings))
                } catch {
                    findings.add("\(piece.place)/\(piece.directory.entry.path): \(error)")
                }
            },
            end: { _ in })
        for root in roots {
            do {
                try root.checkAllWasMet()
                let place = "\(component.name)/\(root.name)"
                try root.checkLinks(findings.links.withLock { $0[place] ?? [] })
            } catch {
                findings.add("\(component.name)/\(root.name): \(error)")
            }
        }
        try verifyArtifacts(tree, component, opens: sealer != nil, findings)
    }

    func verifyTree(_ id: ObjectID, _ contents: [UInt8], _ place: String, _ findings: Findings) {
        findings.objects.withLock { $0 += 1 }
        if ObjectID.of(.tree, contents) != id {
            findings.add("\(place): the tree \(id) is not what its id says")
        }
    }

    /// Checks the files of one directory and returns the directories in it.
    private func verify(_ work: Work, _ lane: ReaderLane, _ findings: Findings) throws -> [Work] {
        var stored = StoredTree.empty
        if let tree = work.directory.tree {
            let contents = try lane.contents(tree, .tree, checks: false)
            verifyTree(tree, contents, work.place, findings)
            stored = try StoredTree(contents, of: tree)
        }
        var next: [Work] = []
        for entry in work.directory.children {
            switch entry.kind {
            case .directory:
                var piece = work
                piece.directory = try work.root.directory(entry, in: work.directory, stored: stored)
                next.append(piece)
            case .link(let target):
                guard let blob = stored.target(of: entry), try reader.contents(blob, .blob) == target else {
                    findings.add(
                        "\(work.place)/\(entry.path): the link in the tree is not that of the manifest")
                    continue
                }
            case .file:
                if entry.hardLink != nil {
                    findings.links.withLock { $0[work.place, default: []].append(entry) }
                }
                guard let contents = stored.contents(of: entry) else {
                    findings.add("\(work.place)/\(entry.path): the tree does not hold its contents")
                    continue
                }
                if work.isSealed, entry.entryClass.isSealed, !entry.isSealed {
                    findings.add(
                        "\(work.place)/\(entry.path): it is of class \(entry.entryClass.rawValue), and not sealed"
                    )
                }
                if let problem = verify(entry, contents, work.sealer, lane) {
                    findings.add("\(work.place)/\(entry.path): \(problem)")
                }
                findings.objects.withLock { $0 += 1 }
            }
        }
        return next
    }

    /// What is wrong with a file's contents, nil when they are those of the manifest.
    private func verify(
        _ entry: Entry, _ contents: StoredRoot.Contents, _ sealer: Sealer?, _ lane: ReaderLane
    ) -> String? {
        let key = Known(id: contents.id, digest: entry.digest, sealedDigest: entry.sealedDigest)
        if known.withLock({ $0.contains(key) }) { return nil }
        let (digest, size): ([UInt8], Int64)
        do {
            (digest, size) = try lane.check(contents)
        } catch {
            return "\(error)"
        }
        if entry.isSealed {
            guard digest == entry.sealedDigest else {
                return "the SHA-256 of the age file is not that of the manifest"
            }
            if let sealer, let problem = verifyOpened(entry, contents, sealer, lane) { return problem }
            known.withLock { _ = $0.insert(key) }
            return nil
        }
        guard size == entry.size else { return "it has \(size) bytes, and the manifest says \(entry.size)" }
        guard digest == entry.digest else { return "its SHA-256 is not that of the manifest" }
        known.withLock { _ = $0.insert(key) }
        return nil
    }

    /// What names the sealed contents of a component, nil when they are not opened.
    private func openedSealer(
        _ component: CapturedComponent, _ tree: ObjectID, _ findings: Findings
    ) throws -> Sealer? {
        guard let identities else { return nil }
        do {
            return try store.sealer(of: component, in: tree, identities: identities, with: reader)
        } catch let error as SealingFailure where error.code == .noKeyFits {
            findings.unopened.withLock { $0.append(component.name) }
            return nil
        }
    }

    /// What is wrong with what is in a sealed file, nil when it is what the manifest says.
    private func verifyOpened(
        _ entry: Entry, _ contents: StoredRoot.Contents, _ sealer: Sealer, _ lane: ReaderLane
    ) -> String? {
        var hash = SHA256()
        var size: Int64 = 0
        do {
            try unsafe lane.open(contents, with: identities ?? [], sealed: { _ in }) { bytes in
                unsafe hash.update(bytes)
                size += Int64(bytes.count)
            }
        } catch {
            return "\(error)"
        }
        guard size == entry.size, sealer.name(digest: hash.finish()) == entry.digest else {
            return "what is sealed in it is not what the manifest says"
        }
        return nil
    }
}
