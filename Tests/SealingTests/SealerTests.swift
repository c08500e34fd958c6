import Cryptography
import Testing

@testable import Sealing

/// Sealing that says the same tomorrow, and nothing to who has no key.
@Suite struct SealerTests {
    private let key = SealingKey()
    private let alice = Identity()
    private let bob = Identity()

    @Test func equalContentsAreEqualFilesAndEveryRecipientOpensThem() throws {
        let sealer = Sealer(key, recipients: [alice.recipient, bob.recipient])
        let again = Sealer(
            try #require(SealingKey(text: key.text)),
            recipients: [bob.recipient, alice.recipient, bob.recipient])
        for count in [0, 1, 65_536, 65_537, 300_000] {
            let contents = [UInt8](repeating: 5, count: count)
            let file = try sealer.seal(contents)
            #expect(try again.seal(contents) == file)
            for identity in [alice, bob] {
                #expect(try AgeReader(identities: [identity]).open(file) == contents)
            }
            #expect(file.count <= contents.count + sealer.overhead(contents.count))
        }
    }

    @Test func sealingIntoABufferIsTheSame() throws {
        let sealer = Sealer(key, recipients: [alice.recipient])
        let contents = randomBytes(100_000)
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: contents.count + sealer.overhead(contents.count), alignment: 16)
        defer { unsafe buffer.deallocate() }
        let count = try unsafe contents.withUnsafeBytes {
            try unsafe sealer.seal($0, digest: SHA256.digest(contents), into: buffer)
        }
        #expect(unsafe Array(buffer[..<count]) == (try sealer.seal(contents)))
        #expect(count == buffer.count)
    }

    @Test func otherContentsRecipientsOrKeysShareNothing() throws {
        let sealer = Sealer(key, recipients: [alice.recipient])
        let contents = Array("hunter2".utf8)
        let files = [
            try sealer.seal(contents), try sealer.seal(Array("hunter3".utf8)),
            try Sealer(key, recipients: [bob.recipient]).seal(contents),
            try Sealer(key, recipients: [alice.recipient, bob.recipient]).seal(contents),
            try Sealer(SealingKey(), recipients: [alice.recipient]).seal(contents),
        ]
        // Version, kind and newlines are the same in all; what is sealed is in the last lines and the payload.
        let shares = files.map { file in file.split(separator: UInt8(ascii: "\n"))[1] }
        let payloads = files.map { $0.suffix(16 + 7 + 16) }
        #expect(Set(shares).count == files.count && Set(payloads).count == files.count)
        #expect(Set(payloads.map { $0.prefix(16) }).count == files.count)
    }

    @Test func namesOfContentsNeedTheKey() {
        let digest = SHA256.digest(Array("1234".utf8))
        let name = Sealer(key, recipients: [alice.recipient]).name(digest: digest)
        #expect(name == Sealer(key, recipients: [bob.recipient]).name(digest: digest))
        #expect(name != Sealer(SealingKey(), recipients: [alice.recipient]).name(digest: digest))
        #expect(name != digest && name.count == 32)
    }
}
