/// A JSON object in the one spelling over which an update centre is signed: keys sorted, no blanks, one way to write a text.
///
/// It is that of Jenkins' own JSON library: keys are sorted as UTF-16 and escape more than values do.
struct CanonicalJSON {
    /// Why a text has no such spelling.
    struct Unreadable: Error, Hashable, CustomStringConvertible {
        var description: String
    }

    /// The object without one of its members.
    private(set) var bytes: [UInt8] = []
    /// That member, nil when the object has none of its name.
    private(set) var member: [UInt8]?

    private var rest: ArraySlice<UInt8>

    /// How deep arrays and objects may be nested.
    private static let deepest = 100

    /// The spelling of an object without its member of a name.
    init(_ text: ArraySlice<UInt8>, without name: String) throws(Unreadable) {
        rest = text
        skipBlanks()
        var members = try object(depth: 0)
        skipBlanks()
        guard rest.isEmpty else { throw unexpected("the end") }
        if let index = members.firstIndex(where: { $0.key == name }) {
            member = members.remove(at: index).value
        }
        bytes = Self.written(members)
        rest = []
    }

    private static func written(_ members: [(key: String, value: [UInt8])]) -> [UInt8] {
        var bytes = [UInt8(ascii: "{")]
        let sorted = members.sorted { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }
        for (index, member) in sorted.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += quoted(member.key, isKey: true)
            bytes.append(UInt8(ascii: ":"))
            bytes += member.value
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private mutating func value(depth: Int) throws(Unreadable) -> [UInt8] {
        guard depth < Self.deepest else { throw Unreadable(description: "it is nested too deep") }
        switch rest.first {
        case UInt8(ascii: "{"): return Self.written(try object(depth: depth))
        case UInt8(ascii: "["):
            rest.removeFirst()
            var bytes = [UInt8(ascii: "[")]
            while try goesOn(to: UInt8(ascii: "]"), isFirst: bytes.count == 1) {
                if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
                bytes += try value(depth: depth + 1)
            }
            return bytes + [UInt8(ascii: "]")]
        case UInt8(ascii: "\""): return Self.quoted(try string(), isKey: false)
        default: return try word()
        }
    }

    private mutating func object(depth: Int) throws(Unreadable) -> [(key: String, value: [UInt8])] {
        guard rest.first == UInt8(ascii: "{") else { throw unexpected("an object") }
        rest.removeFirst()
        var members: [(key: String, value: [UInt8])] = []
        var names: Set<String> = []
        while try goesOn(to: UInt8(ascii: "}"), isFirst: members.isEmpty) {
            let key = try string()
            // Readers differ in which of two they believe.
            guard names.insert(key).inserted else {
                throw Unreadable(description: "it has a key twice: \(key.prefix(60))")
            }
            skipBlanks()
            guard rest.popFirst() == UInt8(ascii: ":") else { throw unexpected("a colon") }
            skipBlanks()
            members.append((key, try value(depth: depth + 1)))
        }
        return members
    }

    /// Whether another item follows; passes over what stands before it, and over the end.
    private mutating func goesOn(to end: UInt8, isFirst: Bool) throws(Unreadable) -> Bool {
        skipBlanks()
        if rest.first == end {
            rest.removeFirst()
            return false
        }
        guard !isFirst else { return true }
        guard rest.popFirst() == UInt8(ascii: ",") else { throw unexpected("a comma") }
        skipBlanks()
        return true
    }

    private mutating func skipBlanks() {
        rest = rest.drop { [0x20, 0x09, 0x0a, 0x0d].contains($0) }
    }

    private func unexpected(_ wanted: String) -> Unreadable {
        Unreadable(description: "byte \(rest.startIndex) is not where \(wanted) should be")
    }

    /// A number as it is written, or `true`, `false`, `null`.
    private mutating func word() throws(Unreadable) -> [UInt8] {
        let word = rest.prefix { byte in
            let letter = byte | 0x20
            return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "+-.".utf8.contains(byte)
        }
        rest = rest[word.endIndex...]
        let text = String(decoding: word, as: UTF8.self)
        if ["true", "false", "null"].contains(text) { return Array(word) }
        guard let first = text.utf8.first, "-0123456789".utf8.contains(first), let number = Double(text)
        else {
            throw unexpected("a value")
        }
        if Int64(text) != nil { return Array(word) }
        // As Java writes a Double, but for its exponents: those it would write otherwise make the digest another.
        let plain = "\(number)"
        return Array((plain.hasSuffix(".0") ? String(plain.dropLast(2)) : plain).utf8)
    }

    private mutating func string() throws(Unreadable) -> String {
        guard rest.popFirst() == UInt8(ascii: "\"") else { throw unexpected("a text") }
        var units: [UInt16] = []
        var text = ""
        func flushed(_ units: [UInt16]) throws(Unreadable) -> String {
            guard let part = String(validating: units, as: UTF16.self) else {
                throw Unreadable(description: "it has half a character in a text")
            }
            return part
        }
        while true {
            let plain = rest.prefix { $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") && $0 >= 0x20 }
            if !plain.isEmpty {
                text += try flushed(units)
                units = []
                guard let part = String(validating: plain, as: UTF8.self) else {
                    throw Unreadable(description: "it is not UTF-8")
                }
                text += part
                rest = rest[plain.endIndex...]
            }
            switch rest.popFirst() {
            case UInt8(ascii: "\""): return text + (try flushed(units))
            case UInt8(ascii: "\\"): units.append(try escape())
            default: throw unexpected("the end of a text")
            }
        }
    }

    private mutating func escape() throws(Unreadable) -> UInt16 {
        switch rest.popFirst() {
        case UInt8(ascii: "b"): return 8
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "f"): return 12
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "u"):
            let digits = String(decoding: rest.prefix(4), as: UTF8.self)
            guard digits.utf8.count == 4, digits.allSatisfy(\.isHexDigit),
                let unit = UInt16(digits, radix: 16)
            else { throw unexpected("four hexadecimal digits") }
            rest = rest.dropFirst(4)
            return unit
        case .some(let byte) where "\"\\/".utf8.contains(byte): return UInt16(byte)
        default: throw unexpected("an escape")
        }
    }

    private static func quoted(_ text: String, isKey: Bool) -> [UInt8] {
        var bytes = [UInt8(ascii: "\"")]
        var last: UInt8 = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): bytes += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "/") where isKey && last == UInt8(ascii: "<"): bytes += Array("\\/".utf8)
            case 0..<0x20:
                let short: [UInt8: String] = [8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"]
                let digits = String(byte, radix: 16)
                let long = "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                bytes += Array((isKey ? short[byte] ?? long : long).utf8)
            default: bytes.append(byte)
            }
            last = byte
        }
        return bytes + [UInt8(ascii: "\"")]
    }
}
