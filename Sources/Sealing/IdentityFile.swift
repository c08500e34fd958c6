/// A file of identities as `age-keygen` writes it: one a line, comments, or all of that in an age file under a passphrase.
package enum IdentityFile {
    /// The largest file that is read, in bytes.
    package static let limit = 1 << 20

    /// The identities in the bytes of a file; `name` is what messages call it.
    ///
    /// `passphrase` is asked when the file is sealed. Throws a ``SealingFailure`` that repeats nothing of the file.
    package static func identities(
        _ bytes: [UInt8], name: String, passphrase: () throws -> [UInt8]
    ) throws -> [Identity] {
        if Armor.isArmored(bytes) {
            let file = try opened(name) { try Armor.decode(bytes) }
            return try identities(file, name: name, passphrase: passphrase)
        }
        if bytes.starts(with: Header.version) {
            let word = try passphrase()
            return try plain(opened(name) { try AgeReader(passphrase: word).open(bytes) }, name)
        }
        return try plain(bytes, name)
    }

    /// What a step towards the identities gives; one that fails says that it is their file which cannot be opened, and no
    /// part of a store.
    private static func opened(_ name: String, _ step: () throws -> [UInt8]) throws -> [UInt8] {
        do {
            return try step()
        } catch let failure as SealingFailure {
            let isDamaged = failure.code == .damaged
            throw SealingFailure(
                .noKeyFits, "the identity in \(name) cannot be had: \(failure.description)",
                hint: isDamaged ? "use another copy of the identity's file" : failure.hint)
        }
    }

    private static func plain(_ bytes: [UInt8], _ name: String) throws(SealingFailure) -> [Identity] {
        let hint = "give the file with the AGE-SECRET-KEY-1… that 'understudy init' showed"
        var identities: [Identity] = []
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            let text = String(
                decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
            if text.isEmpty || text.hasPrefix("#") { continue }
            guard let identity = Identity(secretText: text) else {
                let what =
                    Recipient(text) == nil ? "is not an identity" : "is a public key, which opens nothing"
                throw SealingFailure(.malformed, "line \(index + 1) of \(name) \(what)", hint: hint)
            }
            identities.append(identity)
        }
        guard !identities.isEmpty else {
            throw SealingFailure(.malformed, "\(name) holds no identity", hint: hint)
        }
        return identities
    }

    /// What a file of one identity says; `created` is a time for people.
    package static func text(_ identity: Identity, created: String) -> String {
        "# created: \(created)\n# public key: \(identity.recipient)\n\(identity.secretText)\n"
    }
}
