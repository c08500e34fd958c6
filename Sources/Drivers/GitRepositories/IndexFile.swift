internal import Cryptography

/// The index of a working tree, as far as the objects go that it stages.
///
/// Fact: gitformat-index(5), versions 2 to 4.
enum IndexFile {
    /// What an entry that is only announced (`git add -N`) names; nobody need have it.
    static let emptyBlob = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    private static let submodule: UInt32 = 0o160000

    /// The ids of what an index stages, without submodules' commits; nil for what is no index.
    static func objects(_ bytes: [UInt8]) -> Set<String>? {
        guard bytes.starts(with: "DIRC".utf8), bytes.count >= 32 else { return nil }
        let version = number(bytes, 4)
        guard (2...4).contains(version) else { return nil }
        var ids: Set<String> = []
        var offset = 12
        for _ in 0..<number(bytes, 8) {
            guard offset + 62 <= bytes.count else { return nil }
            let start = offset
            if number(bytes, start + 24) != submodule {
                ids.insert(hex(Array(bytes[(start + 40)..<(start + 60)])))
            }
            let isExtended = version >= 3 && bytes[start + 60] & 0x40 != 0
            offset += isExtended ? 64 : 62
            if version == 4 {
                // How much of the last name goes on: seven bits a byte, the last without the high one.
                while offset < bytes.count, bytes[offset] & 0x80 != 0 { offset += 1 }
                offset += 1
            }
            guard let end = bytes[min(offset, bytes.count)...].firstIndex(of: 0) else { return nil }
            // A name ends in one to eight zeros, so that the entry's length is a multiple of eight; version 4 has one.
            offset = version == 4 ? end + 1 : start + ((end - start) / 8 + 1) * 8
        }
        return ids
    }

    private static func number(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        bytes[offset..<(offset + 4)].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
