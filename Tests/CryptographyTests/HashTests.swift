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

    @Test(arguments: ["", "00", "ff10", "deadbeef"]) func hexRoundTrips(_ text: String) {
        #expect(bytes(hex: text.utf8).map { hex($0) } == text)
    }

    @Test(arguments: ["0", "xy", "0g", "abc"]) func whatIsNotHexIsRefused(_ text: String) {
        #expect(bytes(hex: text.utf8) == nil)
    }
}
