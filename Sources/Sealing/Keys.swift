internal import Cryptography

/// Who can open what is sealed: a public key, `age1…`.
package struct Recipient: Hashable, Sendable, CustomStringConvertible {
    let key: [UInt8]

    init(key: [UInt8]) { self.key = key }

    /// The recipient that a text spells, nil for anything else.
    package init?(_ text: String) {
        guard text.hasPrefix("age1"), let key = Bech32.decode(prefix: "age", text), key.count == 32 else {
            return nil
        }
        self.key = key
    }

    /// Its text.
    package var description: String { Bech32.encode(prefix: "age", key) }
}

/// What opens: the secret half of a ``Recipient``, `AGE-SECRET-KEY-1…`.
///
package struct Identity: Hashable, Sendable {
    let secret: [UInt8]
    /// The public half.
    package let recipient: Recipient

    private init(secret: [UInt8]) {
        self.secret = secret
        recipient = Recipient(key: X25519.publicKey(of: secret))
    }

    /// A new one, from random bytes.
    package init() {
        self.init(secret: randomBytes(32))
    }

    /// The identity that a text spells, nil for anything else.
    package init?(secretText text: String) {
        guard text.hasPrefix("AGE-SECRET-KEY-1"),
            let secret = Bech32.decode(prefix: "age-secret-key-", text), secret.count == 32
        else { return nil }
        self.init(secret: secret)
    }

    /// Its text, for whoever keeps it.
    package var secretText: String { Bech32.encode(prefix: "age-secret-key-", secret).uppercased() }
}

extension Identity: CustomReflectable, CustomStringConvertible {
    /// Names the public half.
    package var description: String { "the identity of \(recipient)" }
    /// Nothing to look into.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
