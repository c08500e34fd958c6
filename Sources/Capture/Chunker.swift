/// Cuts a long run of bytes where its content says so, so that a local change changes few chunks.
///
/// A gear hash (Xia et al., "FastCDC", 2016) over the last 64 bytes decides; the table is fixed, because the cuts are
/// part of how alike two nights look, not of what the store means.
package enum Chunker {
    /// No chunk but the last is shorter.
    package static let minimum = 1 << 18
    /// No chunk is longer.
    package static let maximum = 1 << 22
    /// A file that is longer is cut into chunks.
    package static let threshold = 1 << 23
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

    /// The length of the first chunk of `bytes`.
    ///
    /// `bytes` must hold ``maximum`` bytes or all that is left.
    @unsafe package static func firstCut(_ bytes: UnsafeRawBufferPointer) -> Int {
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
