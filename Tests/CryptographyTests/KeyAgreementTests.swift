import Cryptography
import Testing

/// Key agreement, derivation and sealing against the vectors of the RFCs.
@Suite struct KeyAgreementTests {
    private func decoded(_ text: String) throws -> [UInt8] {
        try #require(bytes(hex: text.utf8.filter { $0 != UInt8(ascii: " ") }))
    }

    @Test func curve25519AgreesWithRFC7748() throws {
        let alice = try decoded("77076d0a7318a57d3c16c17251b26645df4c2f92ebc099f70a1c2b7c1b1a0b6c")
        let bob = try decoded("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
        let bobPublic = try decoded("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        #expect(X25519.publicKey(of: bob) == bobPublic)
        let shared = X25519.sharedSecret(alice, with: bobPublic)
        #expect(shared != nil && shared == X25519.sharedSecret(bob, with: X25519.publicKey(of: alice)))
        // Section 5.2, first vector.
        let scalar = try decoded("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
        let point = try decoded("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
        let product = try decoded("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
        #expect(X25519.sharedSecret(scalar, with: point) == product)
    }

    @Test(arguments: [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]) func pointsOfLowOrderShareNothing(_ point: String) throws {
        #expect(X25519.sharedSecret(randomBytes(32), with: try decoded(point)) == nil)
    }

    @Test func chaCha20Poly1305AgreesWithRFC8439AndNoticesEveryChange() throws {
        // Appendix A.5 has associated data; without it the tag is another, so this is section 2.4.2's key stream.
        let key = Array(UInt8(0)...31)
        let nonce = try decoded("000000000000004a00000000")
        let text = Array(
            "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
                .utf8)
        let sealed = ChaChaPoly(key: key).seal(text, nonce: nonce)
        #expect(hex(sealed.prefix(16)) == "6e2e359a2568f98041ba0728dd0d6981")
        #expect(ChaChaPoly(key: key).open(sealed, nonce: nonce) == text)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(ChaChaPoly(key: key).open(changed, nonce: nonce) == nil)
        }
        #expect(ChaChaPoly(key: key).open([1, 2, 3], nonce: nonce) == nil)
    }

    @Test func hkdfAgreesWithRFC5869() throws {
        let key = HKDF.derive(
            secret: [UInt8](repeating: 0x0b, count: 22), salt: Array(UInt8(0)...12),
            info: Array(UInt8(0xf0)...0xf9))
        #expect(hex(key) == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
        let plain = HKDF.derive(secret: [UInt8](repeating: 0x0b, count: 22), salt: [], info: [])
        #expect(hex(plain) == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
    }

    @Test func scryptAgreesWithRFC7914() {
        let key = Scrypt.derive(
            passphrase: Array("pleaseletmein".utf8), salt: Array("SodiumChloride".utf8), workFactor: 14)
        #expect(key.map(hex) == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2")
    }
}
