internal import FileTree
package import Git
internal import SystemPackage

/// Objects that a verification found damaged or missing: in `understudy/damaged-objects`, an id a line.
///
/// A snapshot takes for stored what a pack has a name of, and does not read it. What is named here it stores again where that is
/// still live, until it can be read. The file may be deleted at any time; then all of it is taken for stored.
extension SnapshotStore {
    private var damagedObjects: FilePath { localDirectory.appending("damaged-objects") }

    /// Writes down objects that cannot be read, durably.
    ///
    /// The next snapshot reads every file then: in the lists of what was unchanged is not all that hangs on it.
    package func rememberDamage(_ objects: some Sequence<ObjectID>, holding lock: WriterLock) throws {
        let known = try notedDamage()
        let all = known.union(objects)
        guard all != known else { return }
        // First the lists: one that outlives a kill here would hide what is written down from that snapshot, and from the next
        // verification that there is anything left to do.
        try Files.removeTree(localDirectory.appending("cache"))
        try Files.syncDirectory(localDirectory)
        try write(all)
    }

    /// Those of the objects written down that a reader still cannot read.
    func knownDamage(_ reader: ObjectReader) throws -> Set<ObjectID> {
        try notedDamage().filter { try !reader.isWhole($0) }
    }

    /// A reader to whom what was found damaged and still is counts as missing.
    func readerWithoutDamage() throws -> ObjectReader {
        let reader = try reader()
        let damaged = try knownDamage(reader)
        return damaged.isEmpty ? reader : try ObjectReader(path, withoutObjects: damaged)
    }

    /// Takes those off the list that can be read again.
    package func forgetHealed(holding lock: WriterLock) throws {
        guard try Files.exists(damagedObjects) else { return }
        try write(knownDamage(reader()))
    }

    /// Takes those off the list that can be read again, and those that nothing needs any more.
    func forgetDamage(outside live: ObjectSet, holding lock: WriterLock) throws {
        guard try Files.exists(damagedObjects) else { return }
        try write(knownDamage(reader()).filter { live.contains($0) })
    }

    /// Takes objects off the list that were on it before everything that is still wanted was found whole.
    package func forgetDamage(_ objects: Set<ObjectID>, holding lock: WriterLock) throws {
        try write(notedDamage().subtracting(objects))
    }

    /// The objects that are written down.
    package func notedDamage() throws -> Set<ObjectID> {
        guard let text = try Files.readIfPresent(damagedObjects) else { return [] }
        return Set(text.split(separator: UInt8(ascii: "\n")).compactMap { ObjectID(hex: $0) })
    }

    private func write(_ objects: Set<ObjectID>) throws {
        guard !objects.isEmpty else { return try Files.remove(damagedObjects) }
        let text = objects.sorted().map { "\($0)\n" }.joined()
        // Ids are no secret: where root verifies, the user who takes the snapshots must be able to read them.
        try Files.replace(damagedObjects, with: Array(text.utf8))
    }
}
