internal import Cryptography
internal import FileTree
internal import Git
internal import Sealing
internal import Synchronization
internal import SystemPackage
internal import Workers

/// Gives a large file to a sink as chunks, with several threads for each window of it; memory does not grow with the file.
@safe final class ChunkWriter {
    /// Bytes that are worked on at once.
    private static let windowSize = 1 << 24

    /// The sink did not take a chunk.
    struct SinkFailure: Error {
        var cause: any Error
    }

    /// What a file became.
    struct Written {
        var chunks: [TreeEntry] = []
        var digest = SHA256()
        /// Of the sealed chunks, one after the other.
        var sealedDigest = SHA256()
        var size: Int64 = 0
        /// What looks like a secret; then the chunks before it are all that was written.
        var finding: LeakScanner.Finding?
    }

    private let lanes: [any ObjectLane]
    private let window: UnsafeMutableRawBufferPointer
    /// The chunks of a window, sealed; made for the first sealed file.
    private var sealed = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)

    /// Whether the chunks are kept in ``kept`` too.
    var keepsContents = false
    /// Chunks whose bytes are needed again before the sink can be read.
    var kept: [ObjectID: [UInt8]] = [:]

    init(_ sink: any ObjectSink) {
        lanes = (0..<usualThreads).map { _ in sink.makeLane() }
        unsafe window = .allocate(byteCount: Self.windowSize, alignment: 4096)
    }

    deinit {
        unsafe window.deallocate()
        unsafe sealed.deallocate()
    }

    /// Hands on what the lanes still gather.
    func flush() throws {
        for lane in lanes { try lane.flush() }
    }

    /// Reads up to `size` bytes; throws a ``SinkFailure``, or the ``FileFailure`` of the file.
    ///
    /// With `scans` each window is looked through before it is stored, and the writing stops where something looks like a
    /// secret.
    func write(_ file: borrowing OpenFile, size: Int64, _ sealer: Sealer?, scans: Bool = false) throws
        -> Written
    {
        var written = Written()
        var scans = scans
        var cuts: Chunker?
        // The start of the window holds what was not cut yet.
        var kept = 0
        while written.size < size {
            let wanted = min(Self.windowSize - kept, Int(size - written.size))
            let count = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: window[kept..<(kept + wanted)]))
            written.size += Int64(count)
            let isEnd = count < wanted || written.size == size
            let filled = unsafe UnsafeRawBufferPointer(rebasing: window[..<(kept + count)])
            if unsafe cuts == nil && LeakScanner.isArchive(filled) { scans = false }
            if scans {
                let start = max(0, kept - LeakScanner.overlap)
                written.finding = unsafe LeakScanner.find(
                    UnsafeRawBufferPointer(rebasing: filled[start...]))
                if written.finding != nil { return written }
            }
            let chunker = unsafe cuts ?? Chunker(filled)
            cuts = chunker
            let ranges = unsafe chunker.cuts(filled, isEnd: isEnd)
            let end = ranges.last?.upperBound ?? 0
            let ids = try unsafe add(filled, ranges, sealer, &written)
            if keepsContents {
                for (id, range) in zip(ids, ranges) {
                    self.kept[id] = unsafe Array(UnsafeRawBufferPointer(rebasing: filled[range]))
                }
            }
            for id in ids {
                written.chunks.append(TreeEntry(name: name(written.chunks.count), mode: .file, id: id))
            }
            kept = filled.count - end
            if let base = unsafe window.baseAddress, end > 0 {
                unsafe base.copyMemory(from: base + end, byteCount: kept)
            }
            if isEnd { break }
        }
        return written
    }

    /// A piece of the work on a window, for one thread.
    private enum Step {
        /// Adds all chunks to the digest.
        case digest
        /// Seals a chunk, names what that gives and adds it to the sink.
        case seal(Int, Sealer)
        /// Names a chunk and adds it to the digest, in one pass; the chunks take turns.
        case name(Int)
        /// Adds a chunk that has a name to the sink.
        case store(Int)
    }

    /// Adds the chunks at `ranges` to the sink, sealed when there is a sealer, and to the digest, from all threads.
    @unsafe private func add(
        _ bytes: UnsafeRawBufferPointer, _ ranges: [Range<Int>], _ sealer: Sealer?,
        _ written: inout Written
    ) throws -> [ObjectID] {
        guard let last = ranges.last else { return [] }
        let slots = sealer.map { self.slots(ranges, $0) } ?? []
        let digest = Mutex(written.digest)
        let results = Mutex([(id: ObjectID, size: Int)](repeating: (.none, 0), count: ranges.count))
        let work = WorkStack<Step>(threads: lanes.count)
        // The last is the first to be taken: the digest is one long piece of work.
        work.push(sealer.map { sealer in ranges.indices.map { .seal($0, sealer) } + [.digest] } ?? [.name(0)])
        nonisolated(unsafe) let (bytes, lanes, sealed) = unsafe (bytes, lanes, sealed)
        let chunk = { @Sendable (index: Int) in
            unsafe UnsafeRawBufferPointer(rebasing: bytes[ranges[index]])
        }
        do {
            try work.run(
                start: { unsafe lanes[$0] },
                body: { step, lane in
                    switch step {
                    case .digest:
                        digest.withLock {
                            unsafe $0.update(UnsafeRawBufferPointer(rebasing: bytes[..<last.upperBound]))
                        }
                    case .seal(let index, let sealer):
                        var hash = SHA256()
                        unsafe hash.update(chunk(index))
                        let slot = unsafe UnsafeMutableRawBufferPointer(rebasing: sealed[slots[index]])
                        let size = try unsafe sealer.seal(chunk(index), digest: hash.finish(), into: slot)
                        let id = try unsafe lane.add(
                            .blob, UnsafeRawBufferPointer(rebasing: slot[..<size]), stores: true)
                        results.withLock { $0[index] = (id, size) }
                    case .name(let index):
                        let id = digest.withLock { unsafe ObjectID.ofBlob(chunk(index), addingTo: &$0) }
                        results.withLock { $0[index] = (id, ranges[index].count) }
                        work.push([.store(index)] + (index + 1 < ranges.count ? [.name(index + 1)] : []))
                    case .store(let index):
                        let id = results.withLock { $0[index].id }
                        try unsafe lane.add(id, .blob, chunk(index), stores: false)
                    }
                },
                end: { _ in })
        } catch {
            throw SinkFailure(cause: error)
        }
        written.digest = digest.withLock { $0 }
        let done = results.withLock { $0 }
        for (slot, result) in zip(slots, done) {
            let start = slot.lowerBound
            unsafe written.sealedDigest.update(
                UnsafeRawBufferPointer(rebasing: sealed[start..<(start + result.size)]))
        }
        return done.map(\.id)
    }

    /// Where the sealed chunks go, side by side in ``sealed``, which is made large enough.
    private func slots(_ ranges: [Range<Int>], _ sealer: Sealer) -> [Range<Int>] {
        var end = 0
        let slots = ranges.map { range in
            let start = end
            end += range.count + sealer.overhead(range.count)
            return start..<end
        }
        if unsafe sealed.count < end {
            unsafe sealed.deallocate()
            unsafe sealed = .allocate(byteCount: end, alignment: 4096)
        }
        return slots
    }

    /// Eight digits, so that the order of names is the order of chunks.
    private func name(_ number: Int) -> [UInt8] {
        let digits = String(number)
        return Array((String(repeating: "0", count: max(0, 8 - digits.count)) + digits).utf8)
    }
}
