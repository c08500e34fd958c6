/// References to control characters, which XML 1.1 allows and expat does not.
///
/// In the copy that expat reads they refer to U+FDD0 to U+FDEF, 32 code points that Unicode keeps out of all text, and
/// are turned back where text is handed out.
enum ControlReferences {
    /// Whether the document says that it is of version 1.1.
    static func isNeeded(_ bytes: [UInt8]) -> Bool {
        let start = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? bytes.dropFirst(3) : bytes[...]
        guard start.starts(with: "<?xml".utf8), let end = start.firstIndex(of: UInt8(ascii: ">")) else {
            return false
        }
        let header = String(decoding: start[..<end], as: UTF8.self)
        return header.contains("'1.1'") || header.contains("\"1.1\"")
    }

    /// The document with references that expat takes.
    static func replaced(in bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            var next = index + 1
            if byte == UInt8(ascii: "<"), index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "!") {
                // References mean nothing within these.
                if bytes[index...].starts(with: "<![CDATA[".utf8) {
                    next = end(of: "]]>", in: bytes, from: index)
                } else if bytes[index...].starts(with: "<!--".utf8) {
                    next = end(of: "-->", in: bytes, from: index)
                }
            } else if byte == UInt8(ascii: "&"), let (control, end) = reference(bytes, index) {
                result += "&#x\(String(0xfdd0 + Int(control), radix: 16));".utf8
                index = end
                continue
            }
            result += bytes[index..<next]
            index = next
        }
        return result
    }

    /// Text with the control characters themselves.
    static func restored(in bytes: UnsafeRawBufferPointer) -> String {
        // U+FDD0 to U+FDEF are EF B7 90 to EF B7 AF.
        guard unsafe bytes.contains(0xef) else { return unsafe String(decoding: bytes, as: UTF8.self) }
        let text = unsafe String(decoding: bytes, as: UTF8.self)
        var restored = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if (0xfdd0...0xfdef).contains(scalar.value) {
                restored.append(Unicode.Scalar(UInt8(scalar.value - 0xfdd0)))
            } else {
                restored.append(scalar)
            }
        }
        return String(restored)
    }

    /// The control character that a reference at `start` means, and where the reference ends.
    private static func reference(_ bytes: [UInt8], _ start: Int) -> (UInt8, Int)? {
        var index = start + 1
        guard index < bytes.count, bytes[index] == UInt8(ascii: "#") else { return nil }
        index += 1
        var radix = 10
        if index < bytes.count, bytes[index] == UInt8(ascii: "x") {
            radix = 16
            index += 1
        }
        var value = 0
        let digits = index
        while index < bytes.count, value < 0x20, let digit = digit(bytes[index]), digit < radix {
            value = value * radix + digit
            index += 1
        }
        guard index > digits, index < bytes.count, bytes[index] == UInt8(ascii: ";"), value > 0, value < 0x20,
            ![9, 10, 13].contains(value)
        else { return nil }
        return (UInt8(value), index + 1)
    }

    private static func digit(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte) - 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte) - 0x57
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte) - 0x37
        default: nil
        }
    }

    private static func end(of mark: String, in bytes: [UInt8], from start: Int) -> Int {
        let mark = Array(mark.utf8)
        var index = start
        while index + mark.count <= bytes.count {
            if bytes[index] == mark[0], bytes[index..<(index + mark.count)].elementsEqual(mark) {
                return index + mark.count
            }
            index += 1
        }
        return bytes.count
    }
}
