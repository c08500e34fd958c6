internal import Cryptography

/// One way to a file's key: `-> X25519 …` and a body.
struct Stanza: Hashable {
    /// The kind, then what it needs.
    var arguments: [[UInt8]]
    /// The sealed file key.
    var body: [UInt8]

    /// The lines of the stanza: the body in lines of 64 characters, the last one shorter, even if it is empty.
    var text: [UInt8] {
        var text = Array("->".utf8)
        for argument in arguments { text += [UInt8(ascii: " ")] + argument }
        text.append(UInt8(ascii: "\n"))
        let encoded = Base64.encode(body)
        for start in stride(from: 0, through: encoded.count, by: 64) {
            text += encoded[start..<min(start + 64, encoded.count)] + [UInt8(ascii: "\n")]
        }
        return text
    }
}

/// What an age file begins with: the stanzas, and a MAC under the file's key (C2SP age.md, "Header").
struct Header {
    static let version = Array("age-encryption.org/v1".utf8)
    /// No header of ours comes near; a longer one is refused before it fills the memory.
    static let limit = 1 << 18

    /// The ways to the file key.
    var stanzas: [Stanza]
    private var mac: [UInt8]
    /// The bytes that the MAC is over.
    private var authenticated: [UInt8]

    /// A header under a new file key.
    init(_ stanzas: [Stanza], fileKey: [UInt8]) {
        self.stanzas = stanzas
        authenticated = Self.version + [UInt8(ascii: "\n")] + stanzas.flatMap(\.text) + Array("---".utf8)
        mac = Self.mac(of: authenticated, fileKey)
    }

    /// The bytes.
    var text: [UInt8] { authenticated + [UInt8(ascii: " ")] + Base64.encode(mac) + [UInt8(ascii: "\n")] }

    /// Whether the header was written by who knows the file key, and not changed since.
    func isAuthentic(_ fileKey: [UInt8]) -> Bool {
        let expected = Self.mac(of: authenticated, fileKey)
        return zip(expected, mac).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0 && expected.count == mac.count
    }

    private static func mac(of bytes: [UInt8], _ fileKey: [UInt8]) -> [UInt8] {
        HMAC.sha256(
            key: HKDF.derive(secret: fileKey, salt: [], info: Array("header".utf8)), message: bytes)
    }

    /// Takes a header apart; `lines` are all of its lines, the last one that of the MAC, without their newlines.
    init(lines: [ArraySlice<UInt8>]) throws(SealingFailure) {
        guard lines.first.map({ $0.elementsEqual(Self.version) }) ?? false else {
            throw .damaged("it does not begin with \(String(decoding: Self.version, as: UTF8.self))")
        }
        stanzas = []
        var index = 1
        while index < lines.count - 1 {
            stanzas.append(try Self.stanza(lines, &index))
        }
        guard let last = lines.last, lines.count > 1, last.starts(with: "--- ".utf8), !stanzas.isEmpty,
            let mac = Base64.decode(last.dropFirst(4)), mac.count == 32
        else { throw .damaged("its header does not end in a MAC") }
        self.mac = mac
        authenticated = []
        for line in lines.dropLast() { authenticated += line + [UInt8(ascii: "\n")] }
        authenticated += "---".utf8
    }

    private static func stanza(
        _ lines: [ArraySlice<UInt8>], _ index: inout Int
    ) throws(SealingFailure) -> Stanza {
        let first = lines[index]
        guard first.starts(with: "-> ".utf8) else { throw .damaged("a line of its header is no stanza") }
        let arguments = first.dropFirst(3).split(
            separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard arguments.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0 > 0x20 && $0 < 0x7f } }) else {
            throw .damaged("an argument of a stanza is empty or not printable")
        }
        var body: [UInt8] = []
        while true {
            index += 1
            guard index < lines.count - 1, lines[index].count <= 64 else {
                throw .damaged("the body of a stanza has no short last line")
            }
            body += lines[index]
            if lines[index].count < 64 { break }
        }
        index += 1
        guard let bytes = Base64.decode(body) else {
            throw .damaged("the body of a stanza is not canonical base 64")
        }
        return Stanza(arguments: arguments.map { Array($0) }, body: bytes)
    }
}
