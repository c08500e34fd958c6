internal import Cryptography

/// A field of a configuration, by whose name its value is a secret or not.
struct SecretField {
    private enum Kind {
        case none
        case text
        case privateKey
        /// Bytes in base 64, under a key of their own.
        case bytes
        /// A hash that whoever has it may try passwords against.
        case passwordHash
        case tokenHash
    }

    private let kind: Kind

    /// The field of a name, in elements of these names.
    init(_ name: String, in path: [String]) {
        let word = (name.split(separator: ".").last.map(String.init) ?? name).filter(\.isLetter).lowercased()
        let endings = [
            "password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "secretkey", "accesskey",
        ]
        kind =
            if word.hasSuffix("passwordhash") {
                .passwordHash
            } else if word == "hash", path.contains(where: { $0.hasSuffix("HashedToken") }) {
                .tokenHash
            } else if word.hasSuffix("secretbytes") {
                .bytes
            } else if word.hasSuffix("privatekey") {
                .privateKey
            } else if endings.contains(where: { word.hasSuffix($0) }) {
                .text
            } else {
                .none
            }
    }

    /// Whether the name says that the value is a secret.
    var isSecret: Bool { kind != .none }

    /// What takes the place of a value, nil when it may stay.
    func replacement(of text: String, _ keys: ShadowKeys, at place: String) -> String? {
        let value = text.trimmed
        switch kind {
        case .passwordHash:
            return keys.passwordHash(place)
        case .tokenHash:
            // The one we made ourselves stays.
            return value == keys.tokenHash ? nil : hex(keys.derived("hash \(place)"))
        case .bytes:
            // base64("shadow-masked"): what cannot be decrypted is taken for base 64.
            return "c2hhZG93LW1hc2tlZA=="
        case .privateKey:
            guard !Self.isReference(value) else { return nil }
            return keys.encrypted(keys.privateKey(like: value), at: place)
        case .text:
            guard !Self.isReference(value), !Self.isSetting(value) else { return nil }
            return keys.encrypted(keys.mask(place), at: place)
        case .none:
            guard value.hasPrefix("{AQAAA"), value.hasSuffix("}") else { return nil }
            return keys.encrypted(keys.mask(place), at: place)
        }
    }

    /// Whether a value names another: `${TOKEN}`.
    private static func isReference(_ value: String) -> Bool { value.hasPrefix("${") && value.hasSuffix("}") }

    /// Whether a value cannot be a secret: `<useToken>true</useToken>`.
    private static func isSetting(_ value: String) -> Bool {
        value == "true" || value == "false" || (value.count < 4 && value.allSatisfy(\.isNumber))
    }
}

extension String {
    /// Without white space at its ends.
    fileprivate var trimmed: String {
        let start = drop(while: \.isWhitespace)
        guard let end = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...end])
    }
}
