/// Base 64 as URLs and `RECORD` files have it: `-` and `_`, no padding.
enum URLBase64 {
    /// The text of bytes.
    static func text(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let group = bytes[index..<min(index + 3, bytes.count)]
            var number = 0
            for offset in 0..<3 {
                number = number << 8 | (offset < group.count ? Int(group[index + offset]) : 0)
            }
            for place in 0...group.count { text.append(alphabet[number >> (18 - 6 * place) & 63]) }
            index += 3
        }
        return String(decoding: text, as: UTF8.self)
    }
}
