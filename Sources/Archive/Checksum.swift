/// The CRC-32 of zip archives, eight bytes a step.
struct Checksum {
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for index in 0..<256 {
            var value = UInt32(index)
            for _ in 0..<8 {
                value = value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1
            }
            tables[index] = value
        }
        for index in 256..<(8 * 256) {
            let previous = tables[index - 256]
            tables[index] = tables[Int(previous & 0xff)] ^ (previous >> 8)
        }
        return tables
    }()

    /// The checksum of `bytes`.
    static func of(_ bytes: [UInt8]) -> UInt32 {
        unsafe tables.withUnsafeBufferPointer { tables in
            unsafe bytes.withUnsafeBytes { bytes in
                var value: UInt32 = 0xffff_ffff
                var index = 0
                while index + 8 <= bytes.count {
                    let low = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self)
                    let high = unsafe bytes.loadUnaligned(fromByteOffset: index + 4, as: UInt32.self)
                    let first = UInt32(littleEndian: low) ^ value
                    let second = UInt32(littleEndian: high)
                    value = unsafe tables[7 * 256 + Int(first & 0xff)]
                    value ^= unsafe tables[6 * 256 + Int(first >> 8 & 0xff)]
                    value ^= unsafe tables[5 * 256 + Int(first >> 16 & 0xff)]
                    value ^= unsafe tables[4 * 256 + Int(first >> 24)]
                    value ^= unsafe tables[3 * 256 + Int(second & 0xff)]
                    value ^= unsafe tables[2 * 256 + Int(second >> 8 & 0xff)]
                    value ^= unsafe tables[256 + Int(second >> 16 & 0xff)]
                    value ^= unsafe tables[Int(second >> 24)]
                    index += 8
                }
                while index < bytes.count {
                    value = unsafe tables[Int((value ^ UInt32(bytes[index])) & 0xff)] ^ (value >> 8)
                    index += 1
                }
                return ~value
            }
        }
    }
}
