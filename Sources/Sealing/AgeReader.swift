internal import Cryptography

/// Opens an age file piece by piece; memory does not grow with its size.
///
/// What is handed out is authentic, but only ``finish(_:)`` says that nothing is missing at the end.
@safe package final class AgeReader {
    private enum State {
        case header([UInt8], lineStart: Int, lines: [Range<Int>])
        case nonce(fileKey: [UInt8], [UInt8])
        case payload(ChaChaPoly)
    }

    private var state = State.header([], lineStart: 0, lines: [])
    private let key: ([Stanza]) throws(SealingFailure) -> [UInt8]?
    private let sealed: UnsafeMutableRawBufferPointer
    private let plain: UnsafeMutableRawBufferPointer
    private var filled = 0
    private var number: UInt64 = 0

    private init(_ key: @escaping ([Stanza]) throws(SealingFailure) -> [UInt8]?) {
        self.key = key
        unsafe sealed = .allocate(byteCount: Payload.sealedPieceCount, alignment: 16)
        unsafe plain = .allocate(byteCount: Payload.pieceCount, alignment: 16)
    }

    deinit {
        unsafe sealed.deallocate()
        unsafe plain.deallocate()
    }

    /// A file that one of the identities opens.
    package convenience init(identities: [Identity]) {
        self.init { (stanzas) throws(SealingFailure) in try FileKey.opened(stanzas, identities) }
    }

    /// A file that the passphrase opens.
    package convenience init(passphrase: [UInt8]) {
        self.init { (stanzas) throws(SealingFailure) in
            guard FileKey.isForPassphrase(stanzas) else {
                throw SealingFailure(
                    .noKeyFits, "it is sealed to keys, and not under a passphrase",
                    hint: "open it with 'age -d -i KEY', and give what comes out")
            }
            guard let key = try FileKey.opened(stanzas, passphrase: passphrase) else {
                throw SealingFailure(
                    .noKeyFits, "the passphrase does not open it", hint: "type the passphrase again")
            }
            return key
        }
    }

    /// Takes more of the file, and hands its contents to `body`.
    ///
    /// Throws a ``SealingFailure``: `noKeyFits`, or `damaged` for whatever is not exactly an age file.
    @unsafe package func update(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var taken = 0
        while taken < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[taken...])
            switch state {
            case .header: taken += try unsafe takeHeader(rest)
            case .nonce(let fileKey, var nonce):
                let count = min(Payload.nonceCount - nonce.count, rest.count)
                unsafe nonce.append(contentsOf: rest[..<count])
                taken += count
                state =
                    nonce.count < Payload.nonceCount
                    ? .nonce(fileKey: fileKey, nonce) : .payload(Payload.cipher(fileKey, nonce: nonce))
            case .payload(let cipher):
                // A full piece waits until there is more: only then it is known not to be the last.
                if filled == Payload.sealedPieceCount { try unsafe openPiece(cipher, isLast: false, body) }
                let count = min(Payload.sealedPieceCount - filled, rest.count)
                unsafe UnsafeMutableRawBufferPointer(rebasing: sealed[filled..<(filled + count)])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
                filled += count
                taken += count
            }
        }
    }

    /// Hands the rest of the contents to `body`; throws a ``SealingFailure`` when the file has no proper end.
    @unsafe package func finish(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard case .payload(let cipher) = state, filled > 0 else {
            throw SealingFailure.damaged("it ends too early")
        }
        guard filled > ChaChaPoly.tagCount || number == 0 else {
            throw SealingFailure.damaged("its last piece is empty")
        }
        try unsafe openPiece(cipher, isLast: true, body)
    }

    @unsafe private func openPiece(
        _ cipher: ChaChaPoly, isLast: Bool, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let count = max(0, filled - ChaChaPoly.tagCount)
        let output = unsafe UnsafeMutableRawBufferPointer(rebasing: plain[..<count])
        let isOpen = unsafe cipher.open(
            UnsafeRawBufferPointer(rebasing: sealed[..<filled]), nonce: Payload.nonce(number, isLast: isLast),
            into: output)
        guard isOpen else {
            throw SealingFailure.damaged(
                "piece \(number) was changed, is at the wrong place, or what comes after it is missing")
        }
        number += 1
        filled = 0
        try unsafe body(UnsafeRawBufferPointer(output))
    }

    /// Takes as much as belongs to the header, and opens the file key when that is complete.
    @unsafe private func takeHeader(_ bytes: UnsafeRawBufferPointer) throws(SealingFailure) -> Int {
        guard case .header(var header, var lineStart, var lines) = state else { return 0 }
        for index in bytes.indices {
            let byte = unsafe bytes[index]
            header.append(byte)
            guard header.count <= Header.limit else { throw .damaged("its header is too long") }
            if lines.isEmpty, header.count <= Header.version.count, byte != Header.version[header.count - 1] {
                throw .damaged("it does not begin with \(String(decoding: Header.version, as: UTF8.self))")
            }
            guard byte == UInt8(ascii: "\n") else { continue }
            let line = lineStart..<(header.count - 1)
            lines.append(line)
            lineStart = header.count
            if header[line].starts(with: "---".utf8) {
                state = .nonce(fileKey: try fileKey(lines.map { header[$0] }), [])
                return index + 1
            }
        }
        state = .header(header, lineStart: lineStart, lines: lines)
        return bytes.count
    }

    private func fileKey(_ lines: [ArraySlice<UInt8>]) throws(SealingFailure) -> [UInt8] {
        let header = try Header(lines: lines)
        guard let fileKey = try key(header.stanzas) else {
            throw SealingFailure(
                .noKeyFits,
                FileKey.isForPassphrase(header.stanzas)
                    ? "it is sealed under a passphrase, which no identity opens"
                    : "none of the identities given opens it",
                hint: header.stanzas.count == 1
                    ? "it was sealed to 1 recipient: give the identity of that one"
                    : "it was sealed to \(header.stanzas.count) recipients: give the identity of one of them")
        }
        guard header.isAuthentic(fileKey) else { throw .damaged("its header was changed") }
        return fileKey
    }

    /// The whole contents of a file that is not large.
    package func open(_ file: [UInt8]) throws -> [UInt8] {
        var contents: [UInt8] = []
        try unsafe file.withUnsafeBytes { try unsafe update($0) { unsafe contents.append(contentsOf: $0) } }
        try unsafe finish { unsafe contents.append(contentsOf: $0) }
        return contents
    }
}
