/// Where a large file is cut into chunks, so that a local change changes few of them.
///
/// The cuts are part of how alike two nights look, not of what the store means: a reader takes chunks as they come.
package enum Chunker {
    /// By content: a gear hash (Xia et al., "FastCDC", 2016) over the last 64 bytes decides, with a fixed table.
    case content
    /// By place, for files whose contents never move: blocks of so many bytes.
    ///
    /// SQLite rewrites pages where they stand; one changed page in a hundred, scattered, would change almost every chunk of a
    /// megabyte.
    case blocks(Int)

    /// A file that is longer is cut into chunks.
    package static let threshold = 1 << 23
    /// No chunk is longer.
    package static let maximum = 1 << 22
    /// No chunk that is cut by content is shorter, but the last.
    package static let minimum = 1 << 18
    /// Few enough for the list of chunks, short enough for scattered changes.
    private static let blockSize = 1 << 14
    /// A cut where these 20 bits are zero: a megabyte past the minimum, on average.
    private static let mask: UInt64 = 0xffff_f000_0000_0000

    private static let gear: [UInt64] = {
        // SplitMix64 from a fixed seed.
        var state: UInt64 = 0x5544_5354_5544_5901
        return (0..<256).map { _ in
            state &+= 0x9e37_79b9_7f4a_7c15
            var value = state
            value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
            return value ^ value >> 31
        }
    }()

    /// The way to cut a file that begins with these bytes.
    @unsafe package init(_ start: UnsafeRawBufferPointer) {
        // https://sqlite.org/fileformat.html, section 1.3: the page size is a power of two up to 64 KiB.
        self = unsafe start.starts(with: Array("SQLite format 3\0".utf8)) ? .blocks(Self.blockSize) : .content
    }

    /// The chunks that `bytes`, which go on where the last chunk ended, can be cut into; what is left over goes before the
    /// bytes that come next.
    @unsafe package func cuts(_ bytes: UnsafeRawBufferPointer, isEnd: Bool) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        while start < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[start...])
            let length: Int
            switch self {
            case .content:
                guard isEnd || rest.count >= Self.maximum else { return ranges }
                length = unsafe Self.firstCut(rest)
            case .blocks(let size):
                guard isEnd || rest.count >= size else { return ranges }
                length = min(size, rest.count)
            }
            ranges.append(start..<(start + length))
            start += length
        }
        return ranges
    }

    /// The length of the first chunk of `bytes`, which are ``maximum`` bytes or all that is left.
    @unsafe private static func firstCut(_ bytes: UnsafeRawBufferPointer) -> Int {
        let end = min(bytes.count, maximum)
        guard end > minimum else { return end }
        return unsafe gear.withUnsafeBufferPointer { gear in
            var hash: UInt64 = 0
            var index = minimum - 64
            while index < end {
                hash = unsafe (hash << 1) &+ gear[Int(bytes[index])]
                index += 1
                if index > minimum, hash & mask == 0 { return index }
            }
            return end
        }
    }
}
