internal import Chashes
internal import Clibcrypto

/// A running SHA-1: names git objects.
package struct SHA1 {
    fileprivate var state = clibcrypto_sha1()

    /// Bytes that the block still takes that was begun: each hash fills its own before two are hashed at once.
    fileprivate var missing: Int {
        mutating get { unsafe (64 - clibcrypto_sha1_waiting(&state)) % 64 }
    }

    /// A hash of nothing yet.
    package init() {
        unsafe clibcrypto_sha1_start(&state)
    }

    /// Adds bytes.
    @unsafe package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe clibcrypto_sha1_add(&state, bytes.baseAddress, bytes.count)
    }

    /// Adds bytes.
    package mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    /// Writes the 20 bytes of the digest to `digest` and ends the hash.
    @unsafe package mutating func finish(into digest: UnsafeMutablePointer<UInt8>) {
        unsafe clibcrypto_sha1_finish(&state, digest)
    }

    /// The 20 bytes of the digest; the hash is at its end.
    package mutating func finish() -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 20) { buffer, count in
            if let base = buffer.baseAddress { unsafe finish(into: base) }
            count = 20
        }
    }
}

/// A running SHA-256: what manifests and locks name contents by.
package struct SHA256 {
    fileprivate var state = clibcrypto_sha256()

    /// Bytes that the block still takes that was begun: each hash fills its own before two are hashed at once.
    fileprivate var missing: Int {
        mutating get { unsafe (64 - clibcrypto_sha256_waiting(&state)) % 64 }
    }

    /// A hash of nothing yet.
    package init() {
        unsafe clibcrypto_sha256_start(&state)
    }

    /// Adds bytes.
    @unsafe package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe clibcrypto_sha256_add(&state, bytes.baseAddress, bytes.count)
    }

    /// Adds bytes.
    package mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    /// The 32 bytes of the digest; the hash is at its end.
    package mutating func finish() -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            if let base = buffer.baseAddress { unsafe clibcrypto_sha256_finish(&state, base) }
            count = 32
        }
    }

    /// The digest of `bytes`.
    package static func digest(_ bytes: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }
}

/// Adds bytes to both hashes: as each alone would, in little more time than one takes where the processor helps.
@unsafe package func update(_ sha1: inout SHA1, _ sha256: inout SHA256, _ bytes: UnsafeRawBufferPointer) {
    unsafe update(&sha1, bytes, &sha256, bytes, with: chashes_add_blocks)
}

/// Adds bytes of two texts to a hash of each: as one after the other would, in little more than half the time where the
/// processor helps and both are long.
@unsafe package func update(
    _ one: inout SHA1, _ first: UnsafeRawBufferPointer, _ other: inout SHA1, _ second: UnsafeRawBufferPointer
) {
    unsafe update(&one, first, &other, second, with: chashes_add_blocks_to_two_sha1)
}

/// Adds bytes of two texts to a hash of each: as one after the other would, in little more than half the time where the
/// processor helps and both are long.
@unsafe package func update(
    _ one: inout SHA256, _ first: UnsafeRawBufferPointer, _ other: inout SHA256,
    _ second: UnsafeRawBufferPointer
) {
    unsafe update(&one, first, &other, second, with: chashes_add_blocks_to_two_sha256)
}

/// A hash to which another than libcrypto may add whole blocks.
private protocol BlockHash {
    var missing: Int { mutating get }
    @unsafe mutating func update(_ bytes: UnsafeRawBufferPointer)
    /// Lends the words to who adds so many blocks to them.
    @unsafe mutating func add(blocks: Int, _ body: (UnsafeMutablePointer<UInt32>) -> Void)
}

extension SHA1: BlockHash {
    @unsafe fileprivate mutating func add(blocks: Int, _ body: (UnsafeMutablePointer<UInt32>) -> Void) {
        unsafe withUnsafeMutablePointer(to: &state) { state in
            unsafe body(clibcrypto_sha1_words(state))
            unsafe clibcrypto_sha1_added(state, UInt64(blocks))
        }
    }
}

extension SHA256: BlockHash {
    @unsafe fileprivate mutating func add(blocks: Int, _ body: (UnsafeMutablePointer<UInt32>) -> Void) {
        unsafe withUnsafeMutablePointer(to: &state) { state in
            unsafe body(clibcrypto_sha256_words(state))
            unsafe clibcrypto_sha256_added(state, UInt64(blocks))
        }
    }
}

/// One of the functions of Chashes that add blocks to two hashes.
private typealias AddBlocks = (
    UnsafeMutablePointer<UInt32>?, UnsafeRawPointer?, UnsafeMutablePointer<UInt32>?, UnsafeRawPointer?, Int
) -> Void

/// Each hash fills its own block first; what both have whole blocks of goes to both at once.
@unsafe private func update<One: BlockHash, Other: BlockHash>(
    _ one: inout One, _ first: UnsafeRawBufferPointer, _ other: inout Other,
    _ second: UnsafeRawBufferPointer, with addBlocks: AddBlocks
) {
    let (begun, otherBegun) = (one.missing, other.missing)
    let blocks = min(first.count - begun, second.count - otherBegun) / 64
    guard blocks > 0, hasHashInstructions, let start = first.baseAddress, let otherStart = second.baseAddress
    else {
        unsafe one.update(first)
        return unsafe other.update(second)
    }
    unsafe one.update(UnsafeRawBufferPointer(rebasing: first[..<begun]))
    unsafe other.update(UnsafeRawBufferPointer(rebasing: second[..<otherBegun]))
    unsafe one.add(blocks: blocks) { words in
        unsafe other.add(blocks: blocks) { otherWords in
            unsafe addBlocks(words, start + begun, otherWords, otherStart + otherBegun, blocks)
        }
    }
    unsafe one.update(UnsafeRawBufferPointer(rebasing: first[(begun + 64 * blocks)...]))
    unsafe other.update(UnsafeRawBufferPointer(rebasing: second[(otherBegun + 64 * blocks)...]))
}

private let hasHashInstructions = chashes_has_instructions() != 0

/// The bytes as lower-case hexadecimal digits.
package func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// The bytes that hexadecimal digits spell, nil when `text` is anything else.
package func bytes(hex text: some Sequence<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    var high: UInt8?
    for character in text {
        let digit: UInt8
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = character - UInt8(ascii: "A") + 10
        default: return nil
        }
        if let first = high {
            bytes.append(first << 4 | digit)
            high = nil
        } else {
            high = digit
        }
    }
    return high == nil ? bytes : nil
}
