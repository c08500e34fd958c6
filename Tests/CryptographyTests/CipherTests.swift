import Cryptography
import Testing

@Suite struct CipherTests {
    @Test func hmacOfTheStandardsExample() {
        // RFC 4231, test case 2.
        let digest = HMAC.sha256(key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8))
        #expect(hex(digest) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test func codebookOfTheStandardsExample() throws {
        // FIPS 197, appendix B; the second block is the padding.
        let key = try #require(bytes(hex: "2b7e151628aed2a6abf7158809cf4f3c".utf8))
        let plain = try #require(bytes(hex: "3243f6a8885a308d313198a2e0370734".utf8))
        let encrypted = try #require(AES128.encrypted(plain, key: key, mode: .electronicCodebook))
        #expect(hex(encrypted.prefix(16)) == "3925841d02dc09fbdc118597196a0b32")
        #expect(AES128.decrypted(encrypted, key: key, mode: .electronicCodebook) == plain)
    }

    @Test(arguments: [0, 1, 15, 16, 17, 1000]) func chainingRoundTrips(_ size: Int) throws {
        let mode = AES128.Mode.cipherBlockChaining(vector: Array(0..<16))
        let plain = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        let key = [UInt8](repeating: 7, count: 16)
        let encrypted = try #require(AES128.encrypted(plain, key: key, mode: mode))
        #expect(AES128.decrypted(encrypted, key: key, mode: mode) == plain)
        #expect(AES128.decrypted(encrypted, key: [UInt8](repeating: 8, count: 16), mode: mode) != plain)
    }

    @Test func whatIsNoCiphertextIsRefused() {
        let key = [UInt8](repeating: 7, count: 16)
        #expect(AES128.decrypted([], key: key, mode: .electronicCodebook) == nil)
        #expect(AES128.decrypted([1, 2, 3], key: key, mode: .electronicCodebook) == nil)
        #expect(
            AES128.decrypted([UInt8](repeating: 0, count: 16), key: [1], mode: .electronicCodebook) == nil)
        #expect(
            AES128.encrypted([1], key: key, mode: .cipherBlockChaining(vector: [1])) == nil)
    }
}
