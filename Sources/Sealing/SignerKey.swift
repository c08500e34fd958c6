internal import Cryptography

/// Who may sign snapshots: the public half of an Ed25519 key, as OpenSSH writes it.
package struct SignerKey: Hashable, Sendable, CustomStringConvertible {
    /// The key in OpenSSH's own encoding.
    private let bytes: [UInt8]
    /// The same in base 64.
    package let encoded: String
    /// What its owner calls it; empty when nobody said.
    package let comment: String

    /// The key that a line of a `.pub` file spells: `ssh-ed25519 AAAA… comment`; nil when it is none of this kind.
    package init?(_ text: String) {
        let words = text.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0] == "ssh-ed25519" else { return nil }
        // A name and a key of 32 bytes, each behind its length; 51 bytes need no padding.
        let head = [0, 0, 0, 11] + Array("ssh-ed25519".utf8) + [0, 0, 0, 32]
        guard let bytes = Base64.decode(words[1].utf8), bytes.count == 51, bytes.starts(with: head) else {
            return nil
        }
        self.bytes = bytes
        encoded = String(words[1])
        comment = words.count > 2 ? String(words[2]) : ""
    }

    /// The line of a `.pub` file.
    package var description: String { "ssh-ed25519 \(encoded)" + (comment.isEmpty ? "" : " \(comment)") }

    /// The comment does not count.
    package static func == (left: SignerKey, right: SignerKey) -> Bool { left.encoded == right.encoded }

    /// The comment does not count.
    package func hash(into hasher: inout Hasher) { hasher.combine(encoded) }

    /// The key's fingerprint as `ssh-keygen -l` prints it: `SHA256:…`.
    package var fingerprint: String {
        "SHA256:" + String(decoding: Base64.encode(SHA256.digest(bytes)), as: UTF8.self)
    }
}
