/// The form of an age file that survives mail and paper: strict PEM (C2SP age.md, "ASCII armor").
package enum Armor {
    private static let begin = Array("-----BEGIN AGE ENCRYPTED FILE-----".utf8)
    private static let end = Array("-----END AGE ENCRYPTED FILE-----".utf8)

    /// The armored text of a file.
    package static func encode(_ file: [UInt8]) -> [UInt8] {
        let text = Base64.encode(file, isPadded: true)
        var lines = begin + [UInt8(ascii: "\n")]
        for start in stride(from: 0, to: text.count, by: 64) {
            lines += text[start..<min(start + 64, text.count)] + [UInt8(ascii: "\n")]
        }
        return lines + end + [UInt8(ascii: "\n")]
    }

    /// Whether a text begins as armor, white space apart.
    package static func isArmored(_ text: [UInt8]) -> Bool {
        text.drop(while: isSpace).starts(with: begin)
    }

    /// The file in an armored text.
    ///
    /// White space before and after it, and CRLF at the ends of lines, are allowed; all else that ``encode(_:)`` does
    /// not write is refused.
    package static func decode(_ text: [UInt8]) throws(SealingFailure) -> [UInt8] {
        var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
        while let first = lines.first, first.allSatisfy(isSpace) { lines.removeFirst() }
        while let last = lines.last, last.allSatisfy(isSpace) { lines.removeLast() }
        guard lines.count >= 3, lines[0].drop(while: isSpace).elementsEqual(begin),
            trimmed(lines[lines.count - 1]).elementsEqual(end)
        else { throw .damaged("its armor does not begin and end as it must") }
        let body = lines[1..<(lines.count - 1)]
        guard let last = body.last, body.dropLast().allSatisfy({ $0.count == 64 }), !last.isEmpty,
            last.count <= 64, last.count % 4 == 0
        else { throw .damaged("the lines of its armor have wrong lengths") }
        let padding = last.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        let unpadded = Array(body.joined().dropLast(padding))
        guard padding <= 2, let file = Base64.decode(unpadded), (file.count + padding) % 3 == 0 else {
            throw .damaged("its armor is not canonical base 64")
        }
        return file
    }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var line = line
        while let last = line.last, isSpace(last) { line.removeLast() }
        return line
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        [0x20, 0x09, 0x0a, 0x0d].contains(byte)
    }
}
