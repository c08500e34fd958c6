internal import Cryptography
internal import FoundationEssentials

/// The keys of the shadows of one experiment: all of them from one secret, so that both arms have the same and nothing of
/// production's.
package struct ShadowKeys: Sendable {
    private let secret: [UInt8]
    private let throwAway: ThrowAwayKeys

    /// Keys from a secret that nobody else has and that is used for one experiment.
    package init(experiment secret: [UInt8]) {
        let secret = HKDF.derive(secret: secret, salt: [], info: Array("understudy jenkins shadow".utf8))
        self.secret = secret
        throwAway = ThrowAwayKeys(seed: HKDF.expand(key: secret, info: Array("throw-away keys".utf8)))
    }

    /// 32 bytes for a purpose.
    func derived(_ purpose: String) -> [UInt8] {
        HKDF.expand(key: secret, info: Array(purpose.utf8))
    }

    // MARK: - Jenkins' own key chain

    /// What goes into `secrets/master.key`.
    var masterKey: [UInt8] { Array((0..<8).map { hex(derived("master \($0)")) }.joined().utf8) }

    /// What `secrets/hudson.util.Secret` holds: the first 16 bytes are the key.
    private var payload: [UInt8] { (0..<8).flatMap { derived("payload \($0)") } }

    /// What goes into `secrets/hudson.util.Secret`.
    var wrappedSecret: [UInt8] {
        KeyChain.wrapped(payload, KeyChain.masterKey(masterKey))
    }

    /// A text as Jenkins keeps it, `{AQAAA…}`: for one place always the same.
    func encrypted(_ text: String, at place: String) -> String {
        let vector = Array(derived("vector \(place)").prefix(16))
        return
            "{\(Data(KeyChain.closed(Array(text.utf8), Array(payload.prefix(16)), vector: vector)).base64EncodedString())}"
    }

    /// What stands for a secret at a place: eight digits that tell the places apart, and nothing of what was there.
    func mask(_ place: String) -> String {
        "shadow-masked-\(hex(SHA256.digest(Array(place.utf8)).prefix(4)))"
    }

    /// A private key in the form of another, which opens nothing.
    func privateKey(like pem: String) -> String { throwAway.key(like: pem) }

    /// The hash of a password that nobody knows, in the form of bcrypt.
    func passwordHash(_ place: String) -> String {
        let digits = Array("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
        let bytes = derived("bcrypt one \(place)") + derived("bcrypt two \(place)")
        return "#jbcrypt:$2a$10$" + String(bytes.prefix(53).map { digits[Int($0 & 63)] })
    }

    // MARK: - Who may talk to the shadow

    /// The user that the shadow knows.
    package var user: String { "understudy" }

    /// That user's API token: what whoever probes the shadow logs in with.
    package var token: String { "11" + tokenSecret }

    private var tokenSecret: String { hex(derived("token").prefix(16)) }

    /// What Jenkins keeps of the token.
    var tokenHash: String { hex(SHA256.digest(Array(tokenSecret.utf8))) }

    /// A UUID that is always the same.
    var tokenIdentifier: String {
        var bytes = Array(derived("uuid").prefix(16))
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        let text = hex(bytes)
        var parts: [Substring] = []
        var rest = text[...]
        for count in [8, 4, 4, 4, 12] {
            parts.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        return parts.joined(separator: "-")
    }
}
