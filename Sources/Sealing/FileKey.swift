internal import Cryptography

/// The key of one age file, sealed to recipients or under a passphrase, and opened again.
enum FileKey {
    static let count = 16
    private static let x25519 = Array("X25519".utf8)
    private static let scrypt = Array("scrypt".utf8)
    private static let x25519Info = Array("age-encryption.org/v1/X25519".utf8)
    private static let scryptInfo = Array("age-encryption.org/v1/scrypt".utf8)
    /// Every wrap key is used once.
    private static let nonce = [UInt8](repeating: 0, count: 12)
    /// A work factor of 2^22 takes 4 GiB: a file that asks for more is refused and not obeyed.
    private static let workFactorLimit = 22

    /// A stanza for a recipient; the ephemeral secret must be used for this file and recipient alone.
    static func wrapped(_ fileKey: [UInt8], for recipient: Recipient, ephemeral: [UInt8])
        throws(SealingFailure) -> Stanza
    {
        let share = X25519.publicKey(of: ephemeral)
        guard let shared = X25519.sharedSecret(ephemeral, with: recipient.key) else {
            throw SealingFailure(
                .malformed, "the recipient \(recipient) is a point of low order, which everybody can open",
                hint: "make another key with 'understudy key add --generate'")
        }
        let key = HKDF.derive(secret: shared, salt: share + recipient.key, info: x25519Info)
        return Stanza(
            arguments: [x25519, Base64.encode(share)], body: ChaChaPoly(key: key).seal(fileKey, nonce: nonce))
    }

    /// A stanza for a passphrase; 2^`workFactor` decides how long a guess takes.
    static func wrapped(_ fileKey: [UInt8], passphrase: [UInt8], workFactor: Int)
        throws(SealingFailure) -> Stanza
    {
        let salt = randomBytes(16)
        let key = try key(passphrase, salt, workFactor)
        return Stanza(
            arguments: [scrypt, Base64.encode(salt), Array(String(workFactor).utf8)],
            body: ChaChaPoly(key: key).seal(fileKey, nonce: nonce))
    }

    /// The file key that one of the identities opens, nil when none of them fits.
    static func opened(_ stanzas: [Stanza], _ identities: [Identity]) throws(SealingFailure) -> [UInt8]? {
        guard !isForPassphrase(stanzas) else {
            try checkAlone(stanzas)
            return nil
        }
        for stanza in stanzas where stanza.arguments.first == x25519 {
            guard stanza.arguments.count == 2, let share = Base64.decode(stanza.arguments[1]),
                share.count == 32,
                stanza.body.count == count + ChaChaPoly.tagCount
            else { throw .damaged("an X25519 stanza is not one") }
            for identity in identities {
                guard let shared = X25519.sharedSecret(identity.secret, with: share) else {
                    throw .damaged("an X25519 stanza holds a point of low order")
                }
                let key = HKDF.derive(secret: shared, salt: share + identity.recipient.key, info: x25519Info)
                if let fileKey = ChaChaPoly(key: key).open(stanza.body, nonce: nonce) { return fileKey }
            }
        }
        return nil
    }

    /// The file key that a passphrase opens, nil when it is the wrong one or the file is not for one.
    static func opened(_ stanzas: [Stanza], passphrase: [UInt8]) throws(SealingFailure) -> [UInt8]? {
        guard isForPassphrase(stanzas) else { return nil }
        try checkAlone(stanzas)
        let stanza = stanzas[0]
        guard stanza.arguments.count == 3, let salt = Base64.decode(stanza.arguments[1]), salt.count == 16,
            let workFactor = workFactor(stanza.arguments[2]), stanza.body.count == count + ChaChaPoly.tagCount
        else { throw .damaged("a scrypt stanza is not one") }
        guard workFactor <= workFactorLimit else {
            throw .damaged("it asks for a work factor of \(workFactor), more than \(workFactorLimit)")
        }
        return ChaChaPoly(key: try key(passphrase, salt, workFactor)).open(stanza.body, nonce: nonce)
    }

    static func isForPassphrase(_ stanzas: [Stanza]) -> Bool {
        stanzas.contains { $0.arguments.first == scrypt }
    }

    /// Whoever knows the passphrase may be taken for who wrote the file: so nobody else may be able to open it.
    private static func checkAlone(_ stanzas: [Stanza]) throws(SealingFailure) {
        guard stanzas.count == 1 else { throw .damaged("a scrypt stanza is not alone") }
    }

    private static func workFactor(_ text: [UInt8]) -> Int? {
        guard let first = text.first, first != UInt8(ascii: "0"), text.count <= 3,
            text.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return Int(String(decoding: text, as: UTF8.self))
    }

    private static func key(
        _ passphrase: [UInt8], _ salt: [UInt8], _ workFactor: Int
    ) throws(SealingFailure) -> [UInt8] {
        let key = Scrypt.derive(passphrase: passphrase, salt: scryptInfo + salt, workFactor: workFactor)
        guard let key else {
            throw SealingFailure(
                .noKeyFits, "there is not the memory for a work factor of \(workFactor)",
                hint: "open it on a host with more memory")
        }
        return key
    }
}
