internal import Cryptography
internal import FileTree
internal import Git
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
        var size: Int64 = 0
    }

    private let lanes: [any ObjectLane]
    private let window: UnsafeMutableRawBufferPointer

    init(_ sink: any ObjectSink) {
        lanes = (0..<usualThreads).map { _ in sink.makeLane() }
        unsafe window = .allocate(byteCount: Self.windowSize, alignment: 4096)
    }

    deinit {
        unsafe window.deallocate()
    }

    /// Hands on what the lanes still gather.
    func flush() throws {
        for lane in lanes { try lane.flush() }
    }

    /// Reads up to `size` bytes; throws a ``SinkFailure``, or the ``FileFailure`` of the file.
    func write(_ file: borrowing OpenFile, size: Int64) throws -> Written {
        var written = Written()
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
            let chunker = unsafe cuts ?? Chunker(filled)
            cuts = chunker
            let ranges = unsafe chunker.cuts(filled, isEnd: isEnd)
            let end = ranges.last?.upperBound ?? 0
            let ids = try unsafe add(
                filled, ranges, hashing: UnsafeRawBufferPointer(rebasing: filled[kept...]), &written.digest)
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

    /// Adds the chunks at `ranges`, and `new` to the digest, from all threads.
    @unsafe private func add(
        _ bytes: UnsafeRawBufferPointer, _ ranges: [Range<Int>], hashing new: UnsafeRawBufferPointer,
        _ digest: inout SHA256
    ) throws -> [ObjectID] {
        let hash = Mutex(digest)
        let ids = Mutex([ObjectID](repeating: .none, count: ranges.count))
        // The digest is one long piece of work, so it is the first to be taken.
        let next = Atomic<Int>(-1)
        nonisolated(unsafe) let (bytes, new, lanes) = unsafe (bytes, new, lanes)
        do {
            try unsafe onThreads(lanes.count) { thread in
                while true {
                    let index = next.add(1, ordering: .relaxed).oldValue
                    guard index < ranges.count else { return }
                    guard index >= 0 else {
                        hash.withLock { unsafe $0.update(new) }
                        continue
                    }
                    let chunk = unsafe UnsafeRawBufferPointer(rebasing: bytes[ranges[index]])
                    let id = try unsafe lanes[thread].add(.blob, chunk, stores: false)
                    ids.withLock { $0[index] = id }
                }
            }
        } catch {
            throw SinkFailure(cause: error)
        }
        digest = hash.withLock { $0 }
        return ids.withLock { $0 }
    }

    /// Eight digits, so that the order of names is the order of chunks.
    private func name(_ number: Int) -> [UInt8] {
        let digits = String(number)
        return Array((String(repeating: "0", count: max(0, 8 - digits.count)) + digits).utf8)
    }
}
