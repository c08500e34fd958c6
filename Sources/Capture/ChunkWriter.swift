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
    /// Short chunks make one piece of work when they have so many bytes together.
    private static let stepSize = 1 << 18

    /// The sink did not take a chunk.
    struct SinkFailure: Error {
        var cause: any Error
    }

    /// What a file became.
    struct Written {
        /// The list of the chunks.
        var chunks = NumberedTree()
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
            let chunker = unsafe cuts ?? Chunker(filled, size: size, isSealed: sealer != nil)
            if cuts == nil, case .blocks(let block) = chunker {
                written.chunks = NumberedTree(capacity: (Int(size) + block - 1) / block)
            }
            cuts = chunker
            var ranges = unsafe chunker.cuts(filled, isEnd: isEnd)
            if scans && !isEnd {
                // What the bytes to come may make a secret of is looked at again, and not stored before.
                let border = filled.count - LeakScanner.overlap
                ranges.removeAll { $0.upperBound > border }
            }
            let end = ranges.last?.upperBound ?? 0
            let ids = try unsafe add(filled, ranges, sealer, &written)
            if keepsContents {
                for (id, range) in zip(ids, ranges) {
                    self.kept[id] = unsafe Array(UnsafeRawBufferPointer(rebasing: filled[range]))
                }
            }
            for id in ids { written.chunks.append(id) }
            kept = filled.count - end
            if let base = unsafe window.baseAddress, end > 0 {
                unsafe base.copyMemory(from: base + end, byteCount: kept)
            }
            if isEnd { break }
        }
        return written
    }

    /// A piece of the work on a window, for one thread: some chunks that follow each other, by their numbers.
    private enum Step {
        /// Adds all chunks to the digest.
        case digest
        /// Seals chunks, names what that gives and adds it to the sink.
        case seal(Range<Int>, Sealer)
        /// Names chunks and adds them to the digest, in one pass; the pieces take turns.
        case name(piece: Int)
        /// Adds chunks that have names to the sink.
        case store(Range<Int>)
    }

    /// Chunks by their numbers, in pieces that are worth a thread's waking.
    private static func pieces(_ ranges: [Range<Int>]) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        var start = 0
        var size = 0
        for (index, range) in ranges.enumerated() {
            size += range.count
            guard size >= stepSize || index == ranges.count - 1 else { continue }
            pieces.append(start..<(index + 1))
            start = index + 1
            size = 0
        }
        return pieces
    }

    /// Adds the chunks at `ranges` to the sink, sealed when there is a sealer, and to the digest, from all threads.
    @unsafe private func add(
        _ bytes: UnsafeRawBufferPointer, _ ranges: [Range<Int>], _ sealer: Sealer?,
        _ written: inout Written
    ) throws -> [ObjectID] {
        guard let last = ranges.last else { return [] }
        let slots = sealer.map { self.slots(ranges, $0) } ?? []
        let pieces = Self.pieces(ranges)
        let digest = Mutex(written.digest)
        let results = Mutex([(id: ObjectID, size: Int)](repeating: (.none, 0), count: ranges.count))
        let work = WorkStack<Step>(threads: lanes.count)
        // The last is the first to be taken: the digest is one long piece of work.
        work.push(sealer.map { sealer in pieces.map { .seal($0, sealer) } + [.digest] } ?? [.name(piece: 0)])
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
                    case .seal(let piece, let sealer):
                        for index in piece {
                            var hash = SHA256()
                            unsafe hash.update(chunk(index))
                            let slot = unsafe UnsafeMutableRawBufferPointer(rebasing: sealed[slots[index]])
                            let size = try unsafe sealer.seal(chunk(index), digest: hash.finish(), into: slot)
                            let id = try unsafe lane.add(
                                .blob, UnsafeRawBufferPointer(rebasing: slot[..<size]), stores: true)
                            results.withLock { $0[index] = (id, size) }
                        }
                    case .name(let number):
                        let piece = pieces[number]
                        let ids = digest.withLock { digest in
                            piece.map { unsafe ObjectID.ofBlob(chunk($0), addingTo: &digest) }
                        }
                        results.withLock { results in
                            for (index, id) in zip(piece, ids) { results[index] = (id, ranges[index].count) }
                        }
                        work.push(
                            [.store(piece)] + (number + 1 < pieces.count ? [.name(piece: number + 1)] : []))
                    case .store(let piece):
                        let ids = results.withLock { results in piece.map { results[$0].id } }
                        for (index, id) in zip(piece, ids) {
                            try unsafe lane.add(id, .blob, chunk(index), stores: false)
                        }
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
}
