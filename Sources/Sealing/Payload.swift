internal import Cryptography

/// The sealed contents of an age file: pieces of 64 KiB, each with a number and a mark on the last (C2SP age.md, "Payload").
enum Payload {
    static let pieceCount = 1 << 16
    static let nonceCount = 16
    static let sealedPieceCount = pieceCount + ChaChaPoly.tagCount

    /// Bytes that sealing adds to contents of this size; the header comes before.
    static func overhead(_ count: Int) -> Int {
        nonceCount + max(1, (count + pieceCount - 1) / pieceCount) * ChaChaPoly.tagCount
    }

    static func cipher(_ fileKey: [UInt8], nonce: [UInt8]) -> ChaChaPoly {
        ChaChaPoly(key: HKDF.derive(secret: fileKey, salt: nonce, info: Array("payload".utf8)))
    }

    static func nonce(_ number: UInt64, isLast: Bool) -> [UInt8] {
        [0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) } + [
            isLast ? 1 : 0
        ]
    }
}

/// Everything of an age file that must be random, or come from a key that nobody knows.
struct SealingSecrets {
    var fileKey: [UInt8]
    var nonce: [UInt8]
    /// One for each recipient.
    var ephemerals: [[UInt8]]

    /// New random ones.
    static func random(recipients: Int) -> SealingSecrets {
        SealingSecrets(
            fileKey: randomBytes(FileKey.count), nonce: randomBytes(Payload.nonceCount),
            ephemerals: (0..<recipients).map { _ in randomBytes(32) })
    }
}

/// Writes an age file piece by piece; memory does not grow with its size.
@safe package final class AgeWriter {
    private let cipher: ChaChaPoly
    private var number: UInt64 = 0
    private let plain: UnsafeMutableRawBufferPointer
    private let sealed: UnsafeMutableRawBufferPointer
    private var filled = 0
    private var start: [UInt8]?

    init(_ stanzas: [Stanza], _ secrets: SealingSecrets) {
        start = Header(stanzas, fileKey: secrets.fileKey).text + secrets.nonce
        cipher = Payload.cipher(secrets.fileKey, nonce: secrets.nonce)
        unsafe plain = .allocate(byteCount: Payload.pieceCount, alignment: 16)
        unsafe sealed = .allocate(byteCount: Payload.sealedPieceCount, alignment: 16)
    }

    deinit {
        unsafe plain.deallocate()
        unsafe sealed.deallocate()
    }

    /// A file that each of the recipients can open.
    package convenience init(recipients: [Recipient]) throws(SealingFailure) {
        try self.init(recipients: recipients, .random(recipients: recipients.count))
    }

    convenience init(recipients: [Recipient], _ secrets: SealingSecrets) throws(SealingFailure) {
        precondition(!recipients.isEmpty, "what nobody can open is lost")
        var stanzas: [Stanza] = []
        for (recipient, ephemeral) in zip(recipients, secrets.ephemerals) {
            stanzas.append(try FileKey.wrapped(secrets.fileKey, for: recipient, ephemeral: ephemeral))
        }
        self.init(stanzas, secrets)
    }

    /// A file that whoever knows the passphrase can open; each guess takes 2^`workFactor` steps.
    package convenience init(passphrase: [UInt8], workFactor: Int = 18) throws(SealingFailure) {
        let secrets = SealingSecrets.random(recipients: 0)
        self.init(
            [try FileKey.wrapped(secrets.fileKey, passphrase: passphrase, workFactor: workFactor)], secrets)
    }

    /// Takes more of the contents, and hands what is sealed to `body`.
    @unsafe package func update(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var taken = 0
        while taken < bytes.count {
            // A full piece waits until there is more: only then it is known not to be the last.
            if filled == Payload.pieceCount { try unsafe writePiece(isLast: false, body) }
            let count = min(Payload.pieceCount - filled, bytes.count - taken)
            unsafe UnsafeMutableRawBufferPointer(rebasing: plain[filled..<(filled + count)])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[taken..<(taken + count)]))
            filled += count
            taken += count
        }
    }

    /// Hands the end of the file to `body`.
    @unsafe package func finish(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try unsafe writePiece(isLast: true, body)
    }

    @unsafe private func writePiece(isLast: Bool, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        if let start {
            try unsafe start.withUnsafeBytes { try unsafe body($0) }
            self.start = nil
        }
        let output = unsafe UnsafeMutableRawBufferPointer(rebasing: sealed[..<(filled + ChaChaPoly.tagCount)])
        unsafe cipher.seal(
            UnsafeRawBufferPointer(rebasing: plain[..<filled]),
            nonce: Payload.nonce(number, isLast: isLast), into: output)
        number += 1
        filled = 0
        try unsafe body(UnsafeRawBufferPointer(output))
    }

    /// The whole file of small contents.
    package func seal(_ contents: [UInt8]) throws -> [UInt8] {
        var file: [UInt8] = []
        try unsafe contents.withUnsafeBytes { try unsafe update($0) { unsafe file.append(contentsOf: $0) } }
        try unsafe finish { unsafe file.append(contentsOf: $0) }
        return file
    }
}
