import Cryptography
import Testing

@Suite struct HashTests {
    @Test func sha256OfTheStandardsExample() {
        let digest = hex(SHA256.digest(Array("abc".utf8)))
        #expect(digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func sha1InPiecesIsSha1AtOnce() {
        var hash = SHA1()
        hash.update(Array("a".utf8))
        hash.update(Array("bc".utf8))
        #expect(hex(hash.finish()) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    }

    @Test func bothHashesAtOnceAreTheTwoHashes() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 167 >> 3) }
        // Every start within a block, for each hash by itself, and lengths around the ends of blocks.
        for (first, second) in [(0, 0), (9, 0), (10, 63), (63, 1), (64, 40), (1, 127)] {
            for count in [0, 1, 54, 55, 63, 64, 65, 127, 128, 129, 191, 500, 873] {
                var (sha1, sha256) = (SHA1(), SHA256())
                var (aloneSHA1, aloneSHA256) = (SHA1(), SHA256())
                for piece in [count, 0, count / 3] {
                    sha1.update(Array(bytes[..<first]))
                    sha256.update(Array(bytes[..<second]))
                    let added = Array(bytes[(bytes.count - piece)...])
                    unsafe added.withUnsafeBytes { unsafe update(&sha1, &sha256, $0) }
                    aloneSHA1.update(Array(bytes[..<first]) + added)
                    aloneSHA256.update(Array(bytes[..<second]) + added)
                }
                #expect(sha1.finish() == aloneSHA1.finish(), "\(first) \(count)")
                #expect(sha256.finish() == aloneSHA256.finish(), "\(second) \(count)")
            }
        }
    }

    /// Every start within a block, for each text by itself, and lengths around the ends of blocks.
    private static let starts = [(0, 0), (9, 0), (10, 63), (63, 1), (64, 40), (1, 127)]
    private static let counts = [(0, 0), (0, 200), (64, 63), (64, 64), (500, 128), (873, 874), (129, 1)]

    @Test func twoTextsHashedAtOnceHaveTheDigestsOfEachAlone() {
        let bytes = (0..<2000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 6) }
        for (first, second) in Self.starts {
            for (count, otherCount) in Self.counts {
                var (one, other) = (SHA1(), SHA1())
                var (oneAlone, otherAlone) = (SHA1(), SHA1())
                var (one256, other256) = (SHA256(), SHA256())
                var (one256Alone, other256Alone) = (SHA256(), SHA256())
                for _ in 0..<3 {
                    let (added, otherAdded) = (Array(bytes.suffix(count)), Array(bytes.prefix(otherCount)))
                    one.update(Array(bytes[..<first]))
                    other.update(Array(bytes[..<second]))
                    one256.update(Array(bytes[..<first]))
                    other256.update(Array(bytes[..<second]))
                    unsafe added.withUnsafeBytes { added in
                        unsafe otherAdded.withUnsafeBytes { otherAdded in
                            unsafe update(&one, added, &other, otherAdded)
                            unsafe update(&one256, added, &other256, otherAdded)
                        }
                    }
                    oneAlone.update(Array(bytes[..<first]) + added)
                    otherAlone.update(Array(bytes[..<second]) + otherAdded)
                    one256Alone.update(Array(bytes[..<first]) + added)
                    other256Alone.update(Array(bytes[..<second]) + otherAdded)
                }
                #expect(one.finish() == oneAlone.finish(), "\(first) \(count)")
                #expect(other.finish() == otherAlone.finish(), "\(second) \(otherCount)")
                #expect(one256.finish() == one256Alone.finish(), "\(first) \(count)")
                #expect(other256.finish() == other256Alone.finish(), "\(second) \(otherCount)")
            }
        }
    }

    @Test(arguments: ["", "00", "ff10", "deadbeef"]) func hexRoundTrips(_ text: String) {
        #expect(bytes(hex: text.utf8).map { hex($0) } == text)
    }

    @Test(arguments: ["0", "xy", "0g", "abc"]) func whatIsNotHexIsRefused(_ text: String) {
        #expect(bytes(hex: text.utf8) == nil)
    }
}
