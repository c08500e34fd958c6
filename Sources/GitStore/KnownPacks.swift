internal import FileTree
package import Git
package import SystemPackage

/// The packs that the store had when its last snapshot was taken: in `understudy/packs`, a name a line.
///
/// A snapshot takes for granted that the store has what the one before found in it, and git remembers no pack: one that somebody
/// removed, it or its index, would be missed by nobody. The file may be deleted at any time; then none is missed.
extension SnapshotStore {
    private var knownPacks: FilePath { localDirectory.appending("packs") }

    /// Whether there is a store at a path in which snapshots of this host were taken, and not only brought to it; one that cannot
    /// be looked into counts.
    package static func hasTakenSnapshots(at path: FilePath) -> Bool {
        (try? Files.exists(path.appending("understudy/packs"))) ?? true
    }

    /// A reader for who takes for granted what was stored up to a snapshot: packs that went since count as lost, unless all
    /// that the snapshot reaches is in others, as after `git gc`; so does what was found damaged and still is.
    package func reader(takingForGranted last: SnapshotReference?) throws -> ObjectReader {
        let reader = try reader()
        guard let last else { return reader }
        let gone = try packsGone(since: last, reader)
        let damaged = try knownDamage(reader)
        guard !gone.isEmpty || !damaged.isEmpty else { return reader }
        return try ObjectReader(path, withoutPacks: gone, withoutObjects: damaged)
    }

    /// The packs that were there when a snapshot was taken and are not any more, none when it does not miss them.
    private func packsGone(since last: SnapshotReference, _ reader: ObjectReader) throws -> [String] {
        guard let known = try Files.readIfPresent(knownPacks) else { return [] }
        let names = known.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        let gone = Set(names).subtracting(reader.packNames).sorted()
        guard !gone.isEmpty else { return [] }
        do {
            try reader.reach(from: [last.commit], into: ObjectSet())
            return []
        } catch let error as GitError where error.isLoss {
            return gone
        }
    }

    /// Writes down which packs there are now, without waiting for the disk, and those that are `missed` on.
    package func rememberPacks(missing missed: [String] = [], holding lock: WriterLock) throws {
        let names = try ObjectReader.packNames(of: path).union(missed).sorted()
        try Files.replaceWithoutSync(knownPacks, with: names.flatMap { Array("\($0)\n".utf8) })
    }
}
