package import Cryptography

/// The name of a git object: 20 bytes, hexadecimal only at the edges.
///
/// Held as three numbers in big-endian order, so that comparing them compares the bytes.
package struct ObjectID: Hashable, Comparable, Sendable, BitwiseCopyable, CustomStringConvertible {
    let high: UInt64
    let middle: UInt64
    let low: UInt32

    /// Twenty zero bytes, which git uses for "no object".
    package static let none = ObjectID(high: 0, middle: 0, low: 0)

    init(high: UInt64, middle: UInt64, low: UInt32) {
        self.high = high
        self.middle = middle
        self.low = low
    }

    /// The id that 20 bytes in memory spell.
    @unsafe init(_ bytes: UnsafeRawPointer) {
        high = unsafe UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        middle = unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        low = unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
    }

    /// The id that a buffer of 20 bytes spells.
    @unsafe init(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { preconditionFailure("an id has 20 bytes") }
        unsafe self.init(base)
    }

    /// The id that 20 bytes spell, nil for any other count.
    package init?(bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.count == 20 else { return nil }
        self = unsafe bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return ObjectID(high: 0, middle: 0, low: 0) }
            return unsafe ObjectID(base)
        }
    }

    /// The id that 40 hexadecimal digits spell, nil for anything else.
    package init?(hex text: some Collection<UInt8>) {
        guard text.count == 40, let bytes = Cryptography.bytes(hex: text) else { return nil }
        self.init(bytes: bytes)
    }

    /// The 20 bytes.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20)
        append(to: &bytes)
        return bytes
    }

    /// Adds the 20 bytes to `bytes`.
    package func append(to bytes: inout [UInt8]) {
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: high >> UInt64(shift)))
        }
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: middle >> UInt64(shift)))
        }
        for shift in stride(from: 24, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: low >> UInt32(shift)))
        }
    }

    var firstByte: UInt8 { UInt8(truncatingIfNeeded: high >> 56) }
    var secondAndThirdByte: Int { Int(high >> 40 & 0xffff) }

    /// The 40 hexadecimal digits that git prints.
    package var description: String { hex(bytes) }

    /// Orders by bytes.
    package static func < (left: ObjectID, right: ObjectID) -> Bool {
        if left.high != right.high { return left.high < right.high }
        if left.middle != right.middle { return left.middle < right.middle }
        return left.low < right.low
    }
}

/// What kind of object it is, by the number that packs use.
package enum ObjectKind: UInt8, Sendable {
    case commit = 1
    case tree = 2
    case blob = 3
    case tag = 4

    /// The kind that git calls so, nil when it is none.
    package init?(word: some StringProtocol) {
        guard let kind = [Self.commit, .tree, .blob, .tag].first(where: { $0.word == word }) else {
            return nil
        }
        self = kind
    }

    /// The word that git hashes before the contents.
    package var word: String {
        switch self {
        case .commit: "commit"
        case .tree: "tree"
        case .blob: "blob"
        case .tag: "tag"
        }
    }
}

extension ObjectID {
    /// The id of an object with these contents.
    @unsafe static func of(_ kind: ObjectKind, _ contents: UnsafeRawBufferPointer) -> ObjectID {
        var hash = ObjectHash(kind, count: contents.count)
        unsafe hash.update(contents)
        return hash.finish()
    }

    /// The id of an object with these contents.
    package static func of(_ kind: ObjectKind, _ contents: [UInt8]) -> ObjectID {
        unsafe contents.withUnsafeBytes { unsafe of(kind, $0) }
    }
}

extension ObjectID {
    /// The id of a blob with these contents, and their SHA-256.
    @unsafe package static func ofBlob(
        _ contents: UnsafeRawBufferPointer
    ) -> (id: ObjectID, digest: [UInt8]) {
        var digest = SHA256()
        return (unsafe ofBlob(contents, addingTo: &digest), digest.finish())
    }

    /// The id of a blob with these contents, which are added to `digest` in the same pass.
    @unsafe package static func ofBlob(
        _ contents: UnsafeRawBufferPointer, addingTo digest: inout SHA256
    ) -> ObjectID {
        var hash = ObjectHash(.blob, count: contents.count)
        unsafe hash.update(contents, and: &digest)
        return hash.finish()
    }
}

/// The id of an object whose contents come piece by piece.
struct ObjectHash {
    private var hash = SHA1()

    /// A hash of the header: the word, the length in digits, a zero byte.
    init(_ kind: ObjectKind, count: Int) {
        // Written from its end.
        var header = [32 of UInt8](repeating: 0)
        var start = 31
        var rest = count
        repeat {
            start -= 1
            header[start] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        } while rest > 0
        start -= 1
        header[start] = UInt8(ascii: " ")
        for byte in kind.word.utf8.reversed() {
            start -= 1
            header[start] = byte
        }
        unsafe withUnsafeBytes(of: &header) { bytes in
            unsafe hash.update(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
    }

    @unsafe mutating func update(_ bytes: UnsafeRawBufferPointer) { unsafe hash.update(bytes) }

    /// Adds bytes to this hash and to `digest`.
    @unsafe mutating func update(_ bytes: UnsafeRawBufferPointer, and digest: inout SHA256) {
        unsafe Cryptography.update(&hash, &digest, bytes)
    }

    mutating func finish() -> ObjectID {
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digest in
            guard let base = digest.baseAddress else { preconditionFailure("an allocation of 20 bytes") }
            unsafe hash.finish(into: base)
            return unsafe ObjectID(UnsafeRawPointer(base))
        }
    }
}
