/// The contents of blobs that follow each other, asked for piece by piece: what a pack stores as it is from where it lies, all
/// else from a buffer.
///
/// For who goes through two files at once; one alone is handed out by ``ReaderLane/read(_:_:checks:_:)``. Ids are not checked: the
/// caller has a digest of his own.
@safe package final class BlobStream {
    /// What is no longer than this is gathered, so that a database's pages need not be written one by one.
    private static let longestGathered = 1 << 16

    private let lane: ReaderLane
    private var rest: ArraySlice<ObjectID> = []
    /// What is left of the blob that is handed out where it lies.
    private var blocks: StoredBlocks?
    private var buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 4 * longestGathered, alignment: 4096)

    /// A stream of nothing yet, of which each lane has some that it uses again and again.
    package init(_ lane: ReaderLane) { self.lane = lane }

    deinit {
        unsafe buffer.deallocate()
    }

    /// Goes to the beginning of other blobs.
    package func begin(_ ids: [ObjectID]) {
        rest = ids[...]
        unsafe blocks = nil
    }

    /// Some of the contents.
    @unsafe package struct Piece {
        /// The bytes.
        package var bytes: UnsafeRawBufferPointer
        /// Whether they stay where they are as long as the ``ObjectReader``; else until the next piece is asked for.
        package var isLasting: Bool

        /// Takes the first bytes away, and returns them.
        package mutating func take(_ count: Int) -> Piece {
            let first = unsafe UnsafeRawBufferPointer(rebasing: bytes[..<count])
            unsafe bytes = UnsafeRawBufferPointer(rebasing: bytes[count...])
            return unsafe Piece(bytes: first, isLasting: isLasting)
        }
    }

    /// The next piece, nil at the end.
    ///
    /// Throws a ``GitError``: `notFound`, or `damaged` for what cannot be read or is no blob.
    package func next() throws(GitError) -> Piece? {
        if let block = unsafe blocks?.next() { return unsafe Piece(bytes: block, isLasting: true) }
        unsafe blocks = nil
        var used = 0
        while let id = rest.first {
            guard let place = try unsafe lane.place(of: id, .blob) else {
                let contents = try lane.other(id, .blob)
                guard makeRoom(for: contents.count, after: used) else { break }
                unsafe contents.withUnsafeBytes {
                    unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[used...]).copyMemory(from: $0)
                }
                used += contents.count
                rest.removeFirst()
                continue
            }
            if unsafe place.size > Self.longestGathered, let stored = unsafe StoredBlocks(place) {
                guard used == 0 else { break }
                rest.removeFirst()
                unsafe blocks = stored
                return try unsafe next()
            }
            guard unsafe makeRoom(for: place.size, after: used) else { break }
            try unsafe lane.decompress(
                id, place, into: UnsafeMutableRawBufferPointer(rebasing: buffer[used..<(used + place.size)]))
            unsafe used += place.size
            rest.removeFirst()
        }
        guard used > 0 else { return nil }
        return unsafe Piece(bytes: UnsafeRawBufferPointer(rebasing: buffer[..<used]), isLasting: false)
    }

    /// Whether so many bytes fit behind those that are gathered; alone, any do.
    private func makeRoom(for count: Int, after used: Int) -> Bool {
        if unsafe used + count <= buffer.count { return true }
        guard used == 0 else { return false }
        unsafe buffer.deallocate()
        unsafe buffer = .allocate(byteCount: count, alignment: 4096)
        return true
    }
}
