internal import Cryptography

/// The key of a store under which it seals: from it comes everything of a sealed file that would be random otherwise.
///
/// So contents that did not change are the same bytes tomorrow. The key opens nothing: who has it can recognise contents
/// that he knows already, and must still guess those that he does not.
package struct SealingKey: Sendable {
    private static let salt = Array("understudy sealing v1".utf8)

    private let bytes: [UInt8]
    fileprivate let sealing: [UInt8]
    fileprivate let naming: [UInt8]
    /// Tells keys apart and says nothing of them: 16 hexadecimal digits.
    package let id: String

    /// A new one, from random bytes.
    package init() {
        self.init(randomBytes(32))
    }

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
        func derived(_ purpose: String) -> [UInt8] {
            HKDF.derive(secret: bytes, salt: Self.salt, info: Array(purpose.utf8))
        }
        sealing = derived("seal")
        naming = derived("name")
        id = hex(derived("id").prefix(8))
    }

    /// The key that a text spells, nil for anything else.
    package init?(text: [UInt8]) {
        guard text.last == UInt8(ascii: "\n"), let bytes = Cryptography.bytes(hex: text.dropLast()),
            bytes.count == 32
        else { return nil }
        self.init(bytes)
    }

    /// Its text: 64 hexadecimal digits and a newline.
    package var text: [UInt8] { Array((hex(bytes) + "\n").utf8) }
}

extension SealingKey: CustomReflectable, CustomStringConvertible {
    /// Its id.
    package var description: String { "the sealing key \(id)" }
    /// Nothing to look into.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Seals contents to recipients so that equal contents become equal files.
///
/// Key, nonce and ephemeral secrets of a file are HMAC-SHA-256, under the store's ``SealingKey``, of the SHA-256 of the
/// contents and of the recipients. To meet a pair of key and nonce a second time with other contents, two contents would
/// need the same SHA-256. To someone without the sealing key all of it is as good as random.
package struct Sealer: Sendable {
    /// The key that everything is derived from.
    package let key: SealingKey
    /// Who can open what is sealed: in order, each once.
    package let recipients: [Recipient]
    private let context: [UInt8]

    /// A sealer; there must be a recipient.
    package init(_ key: SealingKey, recipients: [Recipient]) {
        precondition(!recipients.isEmpty, "what nobody can open is lost")
        self.key = key
        self.recipients = Set(recipients).sorted { $0.key.lexicographicallyPrecedes($1.key) }
        context = SHA256.digest(self.recipients.flatMap(\.key))
    }

    /// The most bytes that sealing adds to contents of this size.
    package func overhead(_ count: Int) -> Int {
        let stanza = Stanza(
            arguments: [Array("X25519".utf8), [UInt8](repeating: 0, count: 43)],
            body: [UInt8](repeating: 0, count: 32))
        return Header.version.count + 1 + recipients.count * stanza.text.count + 48 + Payload.overhead(count)
    }

    /// Writes the age file of contents to `output` and returns its size; `digest` is the contents' SHA-256.
    ///
    /// `output` has room for ``overhead(_:)`` more than the contents.
    @unsafe package func seal(
        _ contents: UnsafeRawBufferPointer, digest: [UInt8], into output: UnsafeMutableRawBufferPointer
    ) throws -> Int {
        precondition(digest.count == 32, "a SHA-256 has 32 bytes")
        let writer = try AgeWriter(recipients: recipients, secrets(digest))
        var filled = 0
        func append(_ bytes: UnsafeRawBufferPointer) {
            unsafe UnsafeMutableRawBufferPointer(rebasing: output[filled..<(filled + bytes.count)])
                .copyMemory(from: bytes)
            filled += bytes.count
        }
        try unsafe writer.update(contents) { unsafe append($0) }
        try unsafe writer.finish { unsafe append($0) }
        return filled
    }

    /// The age file of contents.
    package func seal(_ contents: [UInt8]) throws -> [UInt8] {
        try AgeWriter(recipients: recipients, secrets(SHA256.digest(contents))).seal(contents)
    }

    /// What names contents in a manifest: equal for equal contents, and useless for guessing without the key.
    package func name(digest: [UInt8]) -> [UInt8] {
        HKDF.expand(key: key.naming, info: Array("contents".utf8) + digest)
    }

    private func secrets(_ digest: [UInt8]) -> SealingSecrets {
        func derived(_ purpose: String, _ more: [UInt8] = []) -> [UInt8] {
            HKDF.expand(key: key.sealing, info: Array(purpose.utf8) + digest + context + more)
        }
        return SealingSecrets(
            fileKey: Array(derived("file key").prefix(FileKey.count)),
            nonce: Array(derived("nonce").prefix(Payload.nonceCount)),
            ephemerals: recipients.map { derived("ephemeral", $0.key) })
    }
}
