/// A text of UTF-16 that says so by its first character, as programs of Windows write them.
package struct WideText {
    private let isBigEndian: Bool
    /// The text, without its first character.
    package let utf8: [UInt8]

    /// The text that a file holds, nil when it is no such text.
    package init?(_ contents: [UInt8]) {
        guard let isBigEndian = unsafe contents.withUnsafeBytes({ unsafe Self.isBigEndian($0) }) else {
            return nil
        }
        self.isBigEndian = isBigEndian
        let units = (1..<max(1, contents.count / 2)).map { index -> UInt16 in
            let (first, second) = (UInt16(contents[2 * index]), UInt16(contents[2 * index + 1]))
            return isBigEndian ? first << 8 | second : second << 8 | first
        }
        utf8 = Array(String(decoding: units, as: UTF16.self).utf8)
    }

    /// What a file holds whose text is another.
    package func contents(_ utf8: [UInt8]) -> [UInt8] {
        let units: [UInt16] = [0xfeff] + Array(String(decoding: utf8, as: UTF8.self).utf16)
        return units.flatMap { unit -> [UInt8] in
            let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xff))
            return isBigEndian ? [high, low] : [low, high]
        }
    }

    /// Whether the first byte of each character is the high one; nil for what is no such text.
    @unsafe static func isBigEndian(_ bytes: UnsafeRawBufferPointer) -> Bool? {
        if unsafe bytes.starts(with: [0xff, 0xfe]) { return false }
        return unsafe bytes.starts(with: [0xfe, 0xff]) ? true : nil
    }
}
