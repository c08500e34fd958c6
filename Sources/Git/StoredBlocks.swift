/// The blocks of a zlib stream that only stores (RFC 1951, section 3.2.4): what does not compress is written so, and is handed
/// on from where it lies.
///
/// They are not copied: who uses them must have their ``ObjectReader``.
@unsafe struct StoredBlocks {
    private let stream: UnsafeRawBufferPointer
    /// Where the next block begins, nil after the last.
    private var offset: Int? = 2

    /// Nil unless the stream is nothing but stored blocks that hold as many bytes as the object has.
    init?(_ place: ObjectReader.Place) {
        unsafe stream = place.stream
        guard unsafe stream.count > 7, unsafe stream[0] == 0x78, unsafe stream[2] & 0xfe == 0 else {
            return nil
        }
        var size = 0
        while let start = unsafe offset {
            guard unsafe start + 5 <= stream.count else { return nil }
            let count = unsafe count(at: start)
            let complement = unsafe Int(stream[start + 3]) | Int(stream[start + 4]) << 8
            guard unsafe stream[start] & 0xfe == 0, count ^ complement == 0xffff,
                unsafe start + 5 + count <= stream.count
            else { return nil }
            size += count
            unsafe offset = isLast(at: start) ? nil : start + 5 + count
        }
        guard unsafe size == place.size else { return nil }
        unsafe offset = 2
    }

    /// The next block, nil after the last, and where the disk gives something else now than it did a moment ago.
    mutating func next() -> UnsafeRawBufferPointer? {
        guard let start = unsafe offset, unsafe start + 5 <= stream.count else { return nil }
        let end = unsafe start + 5 + count(at: start)
        guard unsafe end <= stream.count else { return nil }
        unsafe offset = isLast(at: start) ? nil : end
        return unsafe UnsafeRawBufferPointer(rebasing: stream[(start + 5)..<end])
    }

    private func count(at start: Int) -> Int {
        unsafe Int(stream[start + 1]) | Int(stream[start + 2]) << 8
    }

    private func isLast(at start: Int) -> Bool { unsafe stream[start] & 1 == 1 }
}
