internal import Cryptography
internal import FoundationEssentials
internal import Synchronization

/// Private keys for the shadows of one experiment, of the kinds that credentials hold: they parse, and open nothing.
final class ThrowAwayKeys: Sendable {
    private let seed: [UInt8]
    /// The one that takes long to find.
    private let pair = Mutex<RSA.KeyPair?>(nil)

    init(seed: [UInt8]) {
        self.seed = seed
    }

    /// A key in the form of another, which may be encrypted so that nothing shows: then the form that every program reads.
    func key(like pem: String) -> String {
        if pem.contains("BEGIN EC PRIVATE KEY") { return Self.pem("EC PRIVATE KEY", curve) }
        if pem.contains("BEGIN OPENSSH PRIVATE KEY") { return Self.pem("OPENSSH PRIVATE KEY", openSSH) }
        if pem.contains("BEGIN PRIVATE KEY") { return Self.pem("PRIVATE KEY", wrapped(numbers)) }
        return Self.pem("RSA PRIVATE KEY", numbers)
    }

    /// PKCS #1.
    private var numbers: [UInt8] {
        let pair = pair.withLock { known in
            let pair = known ?? RSA.keyPair(seed: seed)
            known = pair
            return pair
        }
        return Self.item(0x30, ([[0]] + pair.numbers).flatMap(Self.integer))
    }

    /// PKCS #8 of an RSA key.
    private func wrapped(_ key: [UInt8]) -> [UInt8] {
        let algorithm = Self.item(0x06, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01]) + [0x05, 0]
        return Self.item(0x30, Self.integer([0]) + Self.item(0x30, algorithm) + Self.item(0x04, key))
    }

    /// RFC 5915, on P-256, without the public key, which follows from the private one.
    private var curve: [UInt8] {
        // A zero in front keeps the number below the order of the curve.
        let secret = [0] + HKDF.derive(secret: seed, salt: [], info: Array("curve".utf8)).prefix(31)
        let name = Self.item(0x06, [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07])
        return Self.item(0x30, Self.integer([1]) + Self.item(0x04, secret) + Self.item(0xa0, name))
    }

    /// `openssh-key-v1`, Ed25519, not encrypted.
    private var openSSH: [UInt8] {
        let secret = HKDF.derive(secret: seed, salt: [], info: Array("ed25519".utf8))
        let open = Ed25519.publicKey(of: secret)
        let kind = Self.text(Array("ssh-ed25519".utf8))
        let check = Array(secret.prefix(4))
        var inner = check + check + kind + Self.text(open) + Self.text(secret + open) + Self.text([])
        inner += (1...8).prefix((8 - inner.count % 8) % 8).map { UInt8($0) }
        let none = Self.text(Array("none".utf8))
        return Array("openssh-key-v1\0".utf8) + none + none + Self.text([]) + [0, 0, 0, 1]
            + Self.text(kind + Self.text(open)) + Self.text(inner)
    }

    // MARK: - Encodings

    private static func pem(_ title: String, _ bytes: [UInt8]) -> String {
        var text = Data(bytes).base64EncodedString()[...]
        var lines: [Substring] = []
        while !text.isEmpty {
            lines.append(text.prefix(64))
            text = text.dropFirst(64)
        }
        return "-----BEGIN \(title)-----\n\(lines.joined(separator: "\n"))\n-----END \(title)-----\n"
    }

    /// A DER item.
    private static func item(_ tag: UInt8, _ contents: [UInt8]) -> [UInt8] {
        let count = contents.count
        guard count >= 0x80 else { return [tag, UInt8(count)] + contents }
        let length = withoutZeros(be(count))
        return [tag, 0x80 | UInt8(length.count)] + length + contents
    }

    /// A DER integer that is not negative.
    private static func integer(_ bytes: [UInt8]) -> [UInt8] {
        item(0x02, bytes[0] >= 0x80 ? [0] + bytes : bytes)
    }

    /// A string of SSH.
    private static func text(_ bytes: [UInt8]) -> [UInt8] { be(bytes.count) + bytes }

    private static func be(_ number: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    private static func withoutZeros(_ bytes: [UInt8]) -> [UInt8] { Array(bytes.drop { $0 == 0 }) }
}
