import Testing

@testable import Cryptography

/// Key pairs out of seeds.
@Suite struct RSATests {
    @Test func equalSeedsGiveEqualPairsAndOthersDoNot() {
        let one = RSA.keyPair(seed: [1])
        #expect(one.numbers == RSA.keyPair(seed: [1]).numbers)
        #expect(one.numbers[0] != RSA.keyPair(seed: [2]).numbers[0])
        #expect(one.numbers[0].count == 256 && one.numbers[0][0] >= 0x80)
        #expect(one.numbers[1] == [1, 0, 1])
    }

    @Test func publicKeysOfEd25519AreThoseOfTheStandard() {
        // RFC 8032, section 7.1, test 1.
        let secret = bytes(hex: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60".utf8) ?? []
        #expect(
            hex(Ed25519.publicKey(of: secret))
                == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    }
}
