internal import Cryptography
internal import Git
internal import SnapshotModel
internal import Synchronization

/// What no manifest names: artifacts beside the roots, the system file and its policies.
extension Verification {
    /// What lies beside the roots (wheels, dumps) has no manifest: locks name its digests; here its ids are checked.
    func verifyArtifacts(
        _ tree: ObjectID, _ component: CapturedComponent, opens: Bool, _ findings: Findings
    ) throws {
        if component.locks[DatabaseLock.name] != nil,
            let entry = try reader.entry(DatabaseLock.name, of: tree)
        {
            for line in try DatabaseLock(text(entry.id)).lines {
                try verify(line, in: tree, "\(component.name)/\(printable(line.name.utf8))", findings)
            }
        }
        for entry in try reader.tree(tree)
        where !["files", "manifest"].contains(String(decoding: entry.name, as: UTF8.self)) {
            verifyObjects(entry, "\(component.name)/\(printable(entry.name))", opens: opens, findings)
        }
    }

    /// Compares what is stored of a dump with the lock that names it.
    private func verify(
        _ line: DatabaseLock.Line, in tree: ObjectID, _ place: String, _ findings: Findings
    ) throws {
        var directory = tree
        var names = line.name.split(separator: "/").map { StoredName.escaped(Array($0.utf8)) }
        guard var last = names.popLast() else { return }
        if !line.sealedDigest.isEmpty { last += StoredName.sealedSuffix }
        for name in names {
            guard let next = try reader.tree(directory).first(where: { $0.name == name && $0.mode == .tree })
            else { return findings.add("\(place): the snapshot does not hold it") }
            directory = next.id
        }
        let chunks = last + StoredName.chunksSuffix
        guard let entry = try reader.tree(directory).first(where: { $0.name == last || $0.name == chunks })
        else { return findings.add("\(place): the snapshot does not hold it") }
        let contents = StoredRoot.Contents(
            id: entry.id, isChunked: entry.name == chunks, isSealed: !line.sealedDigest.isEmpty)
        let digest = try ReaderLane(reader).check(contents).digest
        let wanted = line.sealedDigest.isEmpty ? line.digest : line.sealedDigest
        if hex(digest) != wanted {
            findings.add("\(place): its SHA-256 is not the one in \(DatabaseLock.name)")
        }
    }

    /// An object as it was met; what is met again is not looked at again.
    private struct Met: Hashable {
        var id: ObjectID
        var mode: TreeEntry.Mode
        var isSealed: Bool
    }

    /// Checks an object and all below it.
    func verifyObjects(_ entry: TreeEntry, _ place: String, opens: Bool, _ findings: Findings) {
        // Not by recursion, and nothing twice: whoever made the store says how deep it is, and how often a tree is in it.
        var met: Set<Met> = []
        var open = [(entry: entry, place: place)]
        let lane = ReaderLane(reader)
        while let (entry, place) = open.popLast() {
            let isSealed = StoredName.withoutSuffixes(
                entry.name, isTree: entry.mode == .tree, hasSealed: opens
            ).isSealed
            guard met.insert(Met(id: entry.id, mode: entry.mode, isSealed: isSealed)).inserted
            else { continue }
            do {
                open += try verifyObject(entry, place, lane, opens: opens, findings).map {
                    ($0, "\(place)/\(printable($0.name))")
                }
            } catch {
                findings.add("\(place): \(error)")
            }
        }
    }

    /// Checks one object, and returns what is in it.
    private func verifyObject(
        _ entry: TreeEntry, _ place: String, _ lane: ReaderLane, opens: Bool, _ findings: Findings
    ) throws -> [TreeEntry] {
        let parts = StoredName.withoutSuffixes(
            entry.name, isTree: entry.mode == .tree, hasSealed: opens)
        if parts.isSealed, let identities {
            let contents = StoredRoot.Contents(
                id: entry.id, isChunked: parts.isChunked, isSealed: true)
            try unsafe lane.open(contents, with: identities, sealed: { _ in }) { _ in }
        }
        guard entry.mode == .tree else {
            try unsafe lane.read(entry.id, .blob, checks: true) { _ in }
            findings.objects.withLock { $0 += 1 }
            return []
        }
        let contents = try reader.contents(entry.id, .tree)
        verifyTree(entry.id, contents, place, findings)
        return try Tree.entries(contents, of: entry.id)
    }
}
