internal import FileTree

/// Reads single records of packs, one at a time, into a buffer of its own.
///
/// A night reads a few thousand short texts, wherever they lie. The kernel maps a whole folio, up to two megabytes, where one
/// byte of it is touched, so that through a mapping all packs would come to be in memory.
///
/// Who takes one from the list of the ``ObjectReader`` has it alone until it is back: that makes it safe to hand over.
@safe final class RecordReader: @unchecked Sendable {
    /// Most records are shorter.
    private static let firstCount = 1 << 14
    /// A record that may be longer is read through the mapping, which then takes in little else.
    private static let longest = 1 << 20

    private let decompressor = Decompressor()
    private lazy var deltas = DeltaReader()
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: firstCount, alignment: 4096)

    deinit {
        unsafe buffer.deallocate()
    }

    /// The kind and the contents of an object, which may have `limit` bytes at most, and so may what it is made of.
    func object(
        _ id: ObjectID, at position: Int, in pack: ObjectReader.Pack, limit: Int = .max
    ) throws -> (kind: ObjectKind, contents: [UInt8]) {
        let start = try pack.offset(of: id, at: position)
        let readCount = min(Self.firstCount, pack.end - start)
        try read(id, pack, from: start, to: 0..<readCount)
        let first = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<readCount])
        let header = try unsafe pack.header(of: id, at: start, first)
        guard header.size <= limit else { throw GitError.tooLong(id, header.size, limit: limit) }
        guard case .whole(let kind) = header.form else {
            defer { pack.file.forget() }
            return try deltas.object(id, at: start, in: pack, limit: limit)
        }
        let count = min(pack.end - start, header.stream - start + Self.bound(header.size))
        if count <= Self.longest {
            if count > readCount {
                makeRoom(count, keeping: readCount)
                try read(id, pack, from: start + readCount, to: readCount..<count)
            }
            let end = max(count, readCount)
            let stream = unsafe UnsafeRawBufferPointer(rebasing: buffer[(header.stream - start)..<end])
            if let contents = unsafe decompressor.contents(header.size, of: stream) {
                return (kind, contents)
            }
        }
        // Long, or damaged, or a stream that is longer than any compressor makes it.
        defer { pack.file.forget() }
        guard let contents = unsafe decompressor.contents(header.size, of: pack.stream(header)) else {
            throw GitError.damagedStream(of: id, in: pack.file.path)
        }
        return (kind, contents)
    }

    /// Reads a part of a pack into a part of the buffer; what the disk cannot give is damaged.
    private func read(
        _ id: ObjectID, _ pack: ObjectReader.Pack, from offset: Int, to range: Range<Int>
    ) throws(GitError) {
        do {
            try unsafe pack.file.copy(
                from: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[range]))
        } catch {
            throw pack.damaged(id, "\(error.reason)")
        }
    }

    /// No compressor makes more than this of so many bytes.
    private static func bound(_ size: Int) -> Int { size + size / 8 + 64 }

    private func makeRoom(_ count: Int, keeping kept: Int) {
        guard unsafe buffer.count < count else { return }
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 4096)
        unsafe larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<kept]))
        unsafe buffer.deallocate()
        unsafe buffer = larger
    }
}
