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
    ///
    /// The size of the blocks depends on the database's page size, on whether it is sealed, and, where the list of blocks
    /// would become too long, on the power of two that the file's size is below. So it is the same from night to night, but
    /// for a night in which a database of gigabytes grew past such a power: that night stores it anew.
    case blocks(Int)

    /// A file that is longer is cut into chunks.
    package static let threshold = 1 << 23
    /// No chunk is longer.
    package static let maximum = 1 << 22
    /// No chunk that is cut by content is shorter, but the last.
    package static let minimum = 1 << 18
    /// Blocks are not shorter, though pages may be: with blocks of 4 KiB one changed page in a hundred would add 1.3 % instead of
    /// 1.6 % of a database of 4 GiB, but the list of them 25 MB each night instead of 13, and a restore would take a third more of
    /// the processor, most of it for tables to decompress with.
    private static let shortestBlock = 1 << 13
    /// Blocks that are sealed are not shorter: each is an age file, whose header has 200 bytes and costs a key agreement.
    private static let shortestSealedBlock = 1 << 14
    /// A file has no more blocks, so that the list of them does not grow beyond 37 MB: blocks become longer before.
    package static let mostBlocks = 1 << 20
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

    /// The way to cut a file of so many bytes that begins with `start`.
    @unsafe package init(_ start: UnsafeRawBufferPointer, size: Int64, isSealed: Bool) {
        guard let pageSize = unsafe Self.pageSize(start) else {
            self = .content
            return
        }
        var block = max(pageSize, isSealed ? Self.shortestSealedBlock : Self.shortestBlock)
        while block < Self.maximum, size > Int64(block) * Int64(Self.mostBlocks) { block *= 2 }
        self = .blocks(block)
    }

    /// The page size of the SQLite database that begins with these bytes, nil for another file; for a header that names none,
    /// the usual one.
    @unsafe private static func pageSize(_ start: UnsafeRawBufferPointer) -> Int? {
        // https://sqlite.org/fileformat.html, section 1.3: a power of two from 512 on, where 1 stands for 65536.
        guard start.count >= 18, unsafe start.starts(with: Array("SQLite format 3\0".utf8)) else {
            return nil
        }
        let number = unsafe Int(start[16]) << 8 | Int(start[17])
        let size = number == 1 ? 1 << 16 : number
        return size >= 512 && size & (size - 1) == 0 ? size : 1 << 12
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
            for index in (minimum - 64)..<minimum { hash = unsafe (hash << 1) &+ gear[Int(bytes[index])] }
            var index = minimum
            // Eight bytes at a time: to ask after each whether it was the last took a third of the time.
            while index + 8 <= end {
                for ahead in 0..<8 {
                    hash = unsafe (hash << 1) &+ gear[Int(bytes[index + ahead])]
                    if hash & mask == 0 { return index + ahead + 1 }
                }
                index += 8
            }
            while index < end {
                hash = unsafe (hash << 1) &+ gear[Int(bytes[index])]
                index += 1
                if hash & mask == 0 { return index }
            }
            return end
        }
    }
}
