import Cryptography

@testable import Sealing

/// An age file on its way, part by part, so that any part can be wrong.
struct FileParts: Sendable {
    /// Who opens it.
    static let identity = Identity()
    /// The key that everything is sealed under.
    var fileKey = Array("0123456789abcdef".utf8)
    /// What is written so far.
    var bytes = Array("age-encryption.org/v1\n".utf8)
    /// What is sealed in it.
    private(set) var contents: [UInt8] = []

    mutating func line(_ text: String) { bytes += Array(text.utf8) + [UInt8(ascii: "\n")] }

    /// A whole file that opens.
    mutating func whole(_ text: String) throws {
        try recipient()
        finish(text)
    }

    /// The MAC over what is written, and contents.
    mutating func finish(_ text: String) {
        let mac = macLine()
        line(mac)
        payload([text.utf8.count])
    }

    // MARK: - Header

    mutating func recipient(_ recipient: Recipient = identity.recipient) throws {
        bytes += try FileKey.wrapped(fileKey, for: recipient, ephemeral: randomBytes(32)).text
    }

    mutating func passphrase(_ text: String) throws { bytes += try stanza(passphrase: text).text }

    func stanza(passphrase: String) throws -> Stanza {
        try FileKey.wrapped(fileKey, passphrase: Array(passphrase.utf8), workFactor: 4)
    }

    /// A stanza for the identity, on demand with a share that ends in a byte of zeros.
    func stanza(endingInZero: Bool = false) throws -> Stanza {
        var ephemeral = randomBytes(32)
        while endingInZero, X25519.publicKey(of: ephemeral).last != 0 { ephemeral = randomBytes(32) }
        return try FileKey.wrapped(fileKey, for: Self.identity.recipient, ephemeral: ephemeral)
    }

    /// A stanza that would open if a shared secret of zeros were taken: its share is a point of low order.
    func stanza(lowOrder share: [UInt8]) -> Stanza {
        let key = HKDF.derive(
            secret: [UInt8](repeating: 0, count: 32), salt: share + Self.identity.recipient.key,
            info: Array("age-encryption.org/v1/X25519".utf8))
        return Stanza(
            arguments: [Array("X25519".utf8), Base64.encode(share)],
            body: ChaChaPoly(key: key).seal(fileKey, nonce: [UInt8](repeating: 0, count: 12)))
    }

    /// A point of order eight on Curve25519, with the highest bit set that nobody reads: one of those that
    /// https://cr.yp.to/ecdh.html#validate lists.
    static let pointOfOrderEight: [UInt8] = [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
        0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0xd7,
    ]

    /// The last line of the header; under another key it is wrong.
    func macLine(_ key: [UInt8]? = nil) -> String {
        let macKey = HKDF.derive(secret: key ?? fileKey, salt: [], info: Array("header".utf8))
        let mac = HMAC.sha256(key: macKey, message: bytes + Array("---".utf8))
        return "--- " + String(decoding: Base64.encode(mac), as: UTF8.self)
    }

    /// Ends the lines so far with CRLF, and the file with a MAC that is right for that.
    mutating func useCarriageReturns() {
        bytes = bytes.flatMap { $0 == UInt8(ascii: "\n") ? [UInt8(ascii: "\r"), $0] : [$0] }
        let mac = macLine()
        line(mac + "\r")
        payload([3])
    }

    /// The same base 64 with a bit set that stands for nothing.
    static func notCanonical(_ text: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        guard let last = text.last, let value = alphabet.firstIndex(of: last) else { return text }
        return text.dropLast() + String(alphabet[value ^ 1])
    }

    // MARK: - Contents

    /// A nonce and pieces; `last` are those that carry the mark, nil for the last one.
    mutating func payload(_ pieces: [Int], last: Set<Int>? = nil) {
        let nonce = randomBytes(Payload.nonceCount)
        let cipher = Payload.cipher(fileKey, nonce: nonce)
        bytes += nonce
        for (number, count) in pieces.enumerated() {
            let plain = [UInt8](repeating: UInt8(truncatingIfNeeded: number + 97), count: count)
            let isLast = last?.contains(number) ?? (number == pieces.count - 1)
            bytes += cipher.seal(plain, nonce: Payload.nonce(UInt64(number), isLast: isLast))
            contents += plain
        }
    }
}
