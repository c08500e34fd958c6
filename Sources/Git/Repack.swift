internal import FileTree
internal import Glibc
package import SystemPackage

/// Frees what no reference reaches: a value that says which packs go, and the way to let them go.
///
/// Objects move only from a pack that stays until they are safe in another, and loose objects are left to `git gc`.
package struct Repack: Sendable {
    /// A pack that goes.
    private struct Source: Sendable {
        /// Its place among the reader's packs.
        var pack: Int
        /// The positions in its index of what must live on.
        var live: [Int]
    }

    private let reader: ObjectReader
    private let live: ObjectSet
    private let sources: [Source]
    /// Which pack holds the copy of an object that lives on, among those that go.
    private let homes: [ObjectID: Int]

    /// Packs that are removed.
    package var packs: Int { sources.count }
    /// Objects that are freed, and the bytes that they take in their packs.
    package let freedObjects: Int, freedBytes: Int64
    /// Objects that are copied to a new pack, and the bytes that they take in their old ones.
    package let copiedObjects: Int, copiedBytes: Int64

    /// A pack is written again when this part of it, or more, is wanted by nobody.
    private static let deadShare = 10
    /// A pack smaller than this, in bytes, is written again for one object: small packs only make looking up slow.
    private static let smallPack = 1 << 25

    /// Decides about the packs that `reader` has open; what is not in `live` is wanted by nobody.
    package init(_ reader: ObjectReader, live: ObjectSet) throws {
        self.reader = reader
        self.live = live
        let packs = reader.packs
        let isPinned = try packs.map { try Self.isPinned($0.file.path) }
        let shares = packs.map { pack in
            (0..<pack.index.count).count { live.contains(pack.index.id(at: $0)) } * 1000
                / max(1, pack.index.count)
        }
        // Of an object that is in several packs, the copy in the pack that stays anyway, else in the liveliest, is the one.
        let order = packs.indices.sorted {
            (isPinned[$0] ? 0 : 1, -shares[$0], $0) < (isPinned[$1] ? 0 : 1, -shares[$1], $1)
        }
        var seen: Set<ObjectID> = []
        var sources: [Source] = []
        var homes: [ObjectID: Int] = [:]
        var freed = (objects: 0, bytes: Int64(0))
        var copied = (objects: 0, bytes: Int64(0))
        for number in order {
            let pack = packs[number]
            let ends = try pack.ends()
            var wanted: [Int] = []
            var wantedBytes: Int64 = 0
            for position in 0..<pack.index.count {
                let id = pack.index.id(at: position)
                guard live.contains(id), seen.insert(id).inserted else { continue }
                wanted.append(position)
                wantedBytes += try Int64(pack.record(at: position, ends).count)
            }
            let size = unsafe Int64(pack.file.bytes.count) - 32
            let deadBytes = size - wantedBytes
            let isMixed = deadBytes * Int64(Self.deadShare) >= size || size < Self.smallPack
            guard !isPinned[number], deadBytes > 0, wanted.isEmpty || isMixed else { continue }
            sources.append(Source(pack: number, live: wanted))
            freed.objects += pack.index.count - wanted.count
            freed.bytes += deadBytes
            copied.objects += wanted.count
            copied.bytes += wantedBytes
            for position in wanted { homes[pack.index.id(at: position)] = number }
        }
        self.sources = sources
        self.homes = homes
        freedObjects = freed.objects
        freedBytes = freed.bytes
        copiedObjects = copied.objects
        copiedBytes = copied.bytes
    }

    /// Packs that somebody else wants as they are: `.keep` by hand or by a running `git fetch`, `.promisor` by partial clones.
    private static func isPinned(_ pack: FilePath) throws -> Bool {
        try ["keep", "promisor"].contains { try Files.exists(sibling(pack, $0)) }
    }

    private static func sibling(_ pack: FilePath, _ ending: String) -> FilePath {
        var path = pack
        path.extension = ending
        return path
    }

    /// Writes what lives on into a new pack, durably, and returns where it is.
    package func copy() throws -> FilePath? {
        guard copiedObjects > 0 else { return nil }
        let file = try PackFile(in: reader.repository.appending("objects").appending("pack"))
        let copy: FilePath?
        do {
            let compressor = Compressor()
            for source in sources {
                let pack = reader.packs[source.pack]
                let ends = try pack.ends()
                // In the order of the pack, which is the order in which the disk gives it fastest.
                let inOrder = try source.live.map { (try pack.record(at: $0, ends).lowerBound, $0) }
                for (_, position) in inOrder.sorted(by: { $0.0 < $1.0 }) {
                    let id = pack.index.id(at: position)
                    let record =
                        try rawRecord(pack, source.pack, position, ends) ?? newRecord(id, compressor)
                    try unsafe record.withUnsafeBytes { bytes in
                        try unsafe file.append(
                            bytes, records: [.init(id: id, crc: unsafe crc32(bytes), offset: 0)])
                    }
                }
            }
            copy = try PackFile.finish([file]).first?.pack
        } catch {
            // The first failure is the one to tell; the next writer removes what is left.
            try? file.abandon()
            throw error
        }
        try Files.syncDirectory(reader.repository.appending("objects").appending("pack"))
        return copy
    }

    /// The record as it lies there; nil for a delta whose base does not come along.
    private func rawRecord(
        _ pack: ObjectReader.Pack, _ number: Int, _ position: Int, _ ends: PackEnds
    ) throws -> [UInt8]? {
        let range = try pack.record(at: position, ends)
        let bytes = unsafe pack.file.bytes
        let header = try pack.header(of: pack.index.id(at: position), at: range.lowerBound)
        let base: ObjectID?
        switch header.form {
        case .whole: return unsafe Array(bytes[range])
        case .deltaOf(let id): base = id
        case .deltaOfRecord(let offset): base = ends.position(offset).map { pack.index.id(at: $0) }
        }
        // A chain of deltas within one pack has an end there; across packs it might have none.
        guard let base, homes[base] == number, header.stream < range.upperBound else { return nil }
        return RecordHeader.bytes(type: 7, count: header.size) + base.bytes
            + (unsafe Array(bytes[header.stream..<range.upperBound]))
    }

    private func newRecord(_ id: ObjectID, _ compressor: Compressor) throws -> [UInt8] {
        let (kind, contents) = try reader.object(id)
        guard ObjectID.of(kind, contents) == id else {
            throw GitError(.damaged, "read \(kind.word) \(id)", "its contents have another id")
        }
        let room = compressor.bound(contents.count)
        let stream = unsafe [UInt8](unsafeUninitializedCapacity: room) { output, count in
            count = unsafe contents.withUnsafeBytes {
                unsafe compressor.compress($0, into: UnsafeMutableRawBufferPointer(output), stores: false)
            }
        }
        return RecordHeader.bytes(type: kind.rawValue, count: contents.count) + stream
    }

    /// Removes the old packs, and before them what stock git derived from them.
    ///
    /// A pack goes before its index: an index alone holds nothing for any reader and can be told from a pack that is just
    /// coming, whose index is always last. A copy of all that was in one of them has its name, and stays; so does what has
    /// `record`, which was written since: of a prune that was killed in the same second the same pack was there already.
    package func removeSources(keeping copy: FilePath?, and record: ObjectID? = nil) throws {
        let sources = sources.filter { source in
            record.map { reader.packs[source.pack].index.position(of: $0) == nil } ?? true
        }
        guard !sources.isEmpty else { return }
        let directory = reader.repository.appending("objects").appending("pack")
        try Self.removeDerived(in: reader.repository)
        let paths = sources.map { reader.packs[$0.pack].file.path }.filter { $0 != copy }
        for path in paths { try Files.remove(path) }
        try Files.syncDirectory(directory)
        for path in paths {
            for ending in Self.companions + ["idx"] {
                let sibling = Self.sibling(path, ending)
                if try Files.exists(sibling) { try Files.remove(sibling) }
            }
        }
        try Files.syncDirectory(directory)
    }

    /// What stock git puts beside a pack and its index, by the endings.
    private static let companions = ["rev", "bitmap", "mtimes"]

    /// Removes what stock git derived from all packs together, durably: it names packs that are about to go.
    private static func removeDerived(in repository: FilePath) throws {
        let objects = repository.appending("objects")
        let directory = objects.appending("pack")
        for name in try Files.names(directory) where name.starts(with: "multi-pack-index".utf8) {
            try Files.removeTree(directory.appending(String(decoding: name, as: UTF8.self)))
        }
        for name in ["commit-graph", "commit-graphs", "packs"] {
            let path = objects.appending("info").appending(name)
            if try Files.exists(path) { try Files.removeTree(path) }
        }
        if try Files.exists(objects.appending("info")) { try Files.syncDirectory(objects.appending("info")) }
        try Files.syncDirectory(directory)
    }

    /// Moves packs with all that belongs to them out of a repository into another directory.
    ///
    /// The index first: git passes over a pack without one, and finds fault with an index without its pack.
    package static func putAside(_ packs: [FilePath], of repository: FilePath, to place: FilePath) throws {
        guard !packs.isEmpty else { return }
        try removeDerived(in: repository)
        for pack in packs {
            for ending in ["idx"] + companions + ["keep", "promisor", "pack"] {
                let path = sibling(pack, ending)
                guard try Files.exists(path), let name = path.lastComponent else { continue }
                try Files.rename(path, to: place.appending(name))
            }
        }
        try Files.syncDirectory(repository.appending("objects").appending("pack"))
    }

    /// The packs of which a killed ``putAside(_:of:to:)`` moved the index to `place` and nothing else yet.
    package static func halfPutAside(of repository: FilePath, in place: FilePath) throws -> [FilePath] {
        guard try Files.isDirectory(place) else { return [] }
        let directory = repository.appending("objects").appending("pack")
        return try Files.names(directory).filter {
            $0.starts(with: "pack-".utf8) && $0.suffix(5).elementsEqual(".pack".utf8)
        }
        .map { directory.appending(String(decoding: $0, as: UTF8.self)) }
        .filter { pack in
            guard let name = pack.lastComponent else { return false }
            let moved = place.appending(name)
            return try !Files.exists(sibling(pack, "idx")) && !Files.exists(moved)
                && Files.exists(sibling(moved, "idx"))
        }
    }

    /// Removes indexes and their companions whose packs are gone: what a killed ``removeSources(keeping:and:)`` left.
    package static func removeOrphans(in repository: FilePath) throws {
        let directory = repository.appending("objects").appending("pack")
        for name in try Files.names(directory) where name.starts(with: "pack-".utf8) {
            let path = directory.appending(String(decoding: name, as: UTF8.self))
            guard let ending = path.extension, (companions + ["idx"]).contains(ending),
                try !Files.exists(sibling(path, "pack"))
            else { continue }
            try Files.remove(path)
        }
    }
}

/// Where the records of a pack end: each where the next begins.
struct PackEnds {
    private var offsets: [(offset: Int, position: Int)]
    private let end: Int

    init(_ offsets: [(offset: Int, position: Int)], end: Int) {
        self.offsets = offsets.sorted { $0.offset < $1.offset }
        self.end = end
    }

    /// The place in the sorted list at which an offset stands, nil when no record begins there.
    private func place(_ offset: Int) -> Int? {
        var low = 0
        var high = offsets.count
        while low < high {
            let middle = (low + high) / 2
            if offsets[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        return low < offsets.count && offsets[low].offset == offset ? low : nil
    }

    /// The position in the index of the record that begins at an offset.
    func position(_ offset: Int) -> Int? { place(offset).map { offsets[$0].position } }

    /// Where the record that begins at an offset ends.
    func end(of offset: Int) -> Int? {
        place(offset).map { $0 + 1 < offsets.count ? offsets[$0 + 1].offset : end }
    }
}

extension ObjectReader.Pack {
    private func damaged(_ reason: String) -> GitError {
        GitError(.damaged, "read the pack \(file.path)", reason)
    }

    /// Where its records end.
    func ends() throws(GitError) -> PackEnds {
        var offsets: [(offset: Int, position: Int)] = []
        let end = unsafe file.bytes.count - 20
        for position in 0..<index.count {
            guard let offset = index.offset(at: position), offset >= 12, offset < end else {
                throw damaged("its index points outside of it")
            }
            offsets.append((offset, position))
        }
        return PackEnds(offsets, end: end)
    }

    /// The bytes of a record, header and all.
    func record(at position: Int, _ ends: PackEnds) throws(GitError) -> Range<Int> {
        guard let start = index.offset(at: position), let end = ends.end(of: start), start < end else {
            throw damaged("two records begin at one place")
        }
        return start..<end
    }
}
