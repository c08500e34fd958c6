import Cryptography
import Testing

@testable import Sealing

/// Every shape of a broken age file that the C2SP test suite has, made anew here: each is refused, none is half accepted.
@Suite struct HostileFileTests {
    private let identity = Identity()

    private func file(_ count: Int = 100) throws -> [UInt8] {
        try AgeWriter(recipients: [identity.recipient]).seal([UInt8](repeating: 7, count: count))
    }

    /// A file with a right MAC around any stanzas.
    private func file(_ change: (inout [Stanza]) -> Void) throws -> [UInt8] {
        let secrets = SealingSecrets.random(recipients: 1)
        var stanzas = [
            try FileKey.wrapped(secrets.fileKey, for: identity.recipient, ephemeral: secrets.ephemerals[0])
        ]
        change(&stanzas)
        return try AgeWriter(stanzas, secrets).seal([1, 2, 3])
    }

    private func refusal(_ file: [UInt8]) -> SealingFailure.Code? {
        do {
            _ = try AgeReader(identities: [identity]).open(file)
            return nil
        } catch let error as SealingFailure {
            return error.code
        } catch {
            Issue.record("another failure: \(error)")
            return nil
        }
    }

    private func text(_ file: [UInt8], _ change: (String) -> String) -> [UInt8] {
        // The header is text, the payload is not: one character for each byte keeps it.
        let latin = String(String.UnicodeScalarView(file.map { Unicode.Scalar($0) }))
        return change(latin).unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    }

    @Test func everyBitAndEveryLengthCounts() throws {
        let good = try file(20)
        for index in good.indices {
            for bit in [UInt8(1), 0x10, 0x80] {
                var changed = good
                changed[index] ^= bit
                #expect(refusal(changed) != nil, "byte \(index)")
            }
            #expect(refusal(Array(good[..<index])) == .damaged, "cut at \(index)")
        }
        #expect(refusal(good + [0]) == .damaged)
        #expect(refusal(good) == nil)
    }

    @Test(arguments: [
        ("age-encryption.org/v1\n", "age-encryption.org/v2\n"),
        ("age-encryption.org/v1\n", "age-encryption.org/v1\r\n"),
        ("-> X25519 ", "->X25519 "), ("-> X25519 ", "->  X25519 "), ("-> X25519 ", "-> X25519  "),
        ("-> X25519 ", "-> X25519\t"), ("\n--- ", "\n---"), ("\n--- ", "\n---  "), ("\n--- ", "\n\n--- "),
        ("\n--- ", "\n-- "), ("-> X25519 ", "-> X25519 extra "), ("\n--- ", "\n-> grease\n--- "),
        ("\n--- ", "\nAAAA\n--- "),
    ]) func headersThatAreNotSpelledExactlyAreRefused(_ old: String, _ new: String) throws {
        let good = try file()
        let changed = text(good) { header in
            guard let range = header.firstRange(of: old) else { return header }
            return header.replacingCharacters(in: range, with: new)
        }
        #expect(changed != good)
        #expect(refusal(changed) == .damaged)
    }

    @Test func basesThatAreNotCanonicalAreRefused() throws {
        // A share of 32 bytes ends in a character with two bits to spare.
        let good = try file()
        let header = text(good) { $0 }
        let end = try #require(header.firstIndex(of: UInt8(ascii: "\n"), after: 22))
        var changed = good
        changed[end - 1] += 1
        #expect(refusal(changed) == .damaged)
        var padded = good
        padded.insert(UInt8(ascii: "="), at: end)
        #expect(refusal(padded) == .damaged)
        #expect(Base64.decode("AA".utf8) == [0])
        for wrong in ["A", "AB", "AAA=", "AA=", "A-", "AAB", "=", "AA AA"] {
            #expect(Base64.decode(wrong.utf8) == nil, "\(wrong)")
        }
    }

    @Test func stanzasOfOtherKindsArePassedOver() throws {
        let grease = Stanza(arguments: [Array("a!b-grease".utf8), Array("x".utf8)], body: randomBytes(100))
        let empty = Stanza(arguments: [Array("x25519".utf8)], body: [])
        let full = Stanza(arguments: [Array("full".utf8)], body: randomBytes(48))
        let mixed = try file { $0 = [grease, empty] + $0 + [full] }
        #expect(refusal(mixed) == nil)
        #expect(refusal(try file { $0 = [grease] }) == .noKeyFits)
    }

    @Test func stanzasOfOursThatAreWrongAreRefused() throws {
        let share = Base64.encode(randomBytes(32))
        let kind = Array("X25519".utf8)
        let wrong: [Stanza] = [
            Stanza(arguments: [kind], body: randomBytes(32)),
            Stanza(arguments: [kind, share, share], body: randomBytes(32)),
            Stanza(arguments: [kind, Base64.encode(randomBytes(31))], body: randomBytes(32)),
            Stanza(arguments: [kind, share], body: randomBytes(31)),
            Stanza(arguments: [kind, share], body: randomBytes(33)),
            Stanza(
                arguments: [kind, Base64.encode([UInt8](repeating: 0, count: 32))], body: randomBytes(32)),
            Stanza(
                arguments: [kind, Base64.encode([1] + [UInt8](repeating: 0, count: 31))],
                body: randomBytes(32)),
        ]
        for stanza in wrong {
            #expect(refusal(try file { $0.insert(stanza, at: 0) }) == .damaged, "\(stanza)")
        }
    }

    @Test func aPassphraseIsAloneAndDoesNotCostMoreThanItMay() throws {
        let passphrase = Array("horse".utf8)
        let secrets = SealingSecrets.random(recipients: 1)
        let good = try FileKey.wrapped(secrets.fileKey, passphrase: passphrase, workFactor: 4)
        func refusal(_ stanzas: [Stanza]) throws -> SealingFailure.Code? {
            let file = try AgeWriter(stanzas, secrets).seal([1])
            do {
                return try AgeReader(passphrase: passphrase).open(file) == [1] ? nil : .damaged
            } catch let error as SealingFailure {
                return error.code
            }
        }
        #expect(try refusal([good]) == nil)
        let other = try FileKey.wrapped(
            secrets.fileKey, for: identity.recipient, ephemeral: secrets.ephemerals[0])
        #expect(try refusal([good, other]) == .damaged)
        #expect(try refusal([good, good]) == .damaged)
        #expect(self.refusal(try AgeWriter([other, good], secrets).seal([1])) == .damaged)
        for factor in ["23", "04", "+4", "4 ", "0x4", "", "4294967300"] {
            var changed = good
            changed.arguments[2] = Array(factor.utf8)
            #expect(try refusal([changed]) == .damaged, "\(factor)")
        }
        var longSalt = good
        longSalt.arguments[1] = Base64.encode(randomBytes(17))
        #expect(try refusal([longSalt]) == .damaged)
    }

    @Test func piecesCannotBeSwappedDroppedOrAdded() throws {
        let plain = [UInt8](repeating: 1, count: 65_536) + [UInt8](repeating: 2, count: 65_536) + [3]
        let good = try AgeWriter(recipients: [identity.recipient]).seal(plain)
        let start = good.count - 2 * Payload.sealedPieceCount - 17
        let first = start..<(start + Payload.sealedPieceCount)
        let second = first.upperBound..<(first.upperBound + Payload.sealedPieceCount)
        let head = Array(good[..<start])
        let last = Array(good[second.upperBound...])
        #expect(refusal(head + good[second] + good[first] + last) == .damaged)
        #expect(refusal(head + good[first] + last) == .damaged)
        #expect(refusal(head + good[first] + good[second]) == .damaged)
        #expect(refusal(head + good[first] + good[first] + good[second] + last) == .damaged)
        #expect(refusal(head) == .damaged)
        #expect(refusal(good + last) == .damaged)
        #expect(refusal(good) == nil)
    }

    @Test func anEmptyLastPieceIsOnlyForEmptyContents() throws {
        let secrets = SealingSecrets.random(recipients: 1)
        let stanza = try FileKey.wrapped(
            secrets.fileKey, for: identity.recipient, ephemeral: secrets.ephemerals[0])
        let head = Header([stanza], fileKey: secrets.fileKey).text + secrets.nonce
        let cipher = Payload.cipher(secrets.fileKey, nonce: secrets.nonce)
        let empty = cipher.seal([], nonce: Payload.nonce(0, isLast: true))
        #expect(try AgeReader(identities: [identity]).open(head + empty) == [])
        let full = cipher.seal(
            [UInt8](repeating: 0, count: Payload.pieceCount), nonce: Payload.nonce(0, isLast: false))
        #expect(refusal(head + full + cipher.seal([], nonce: Payload.nonce(1, isLast: true))) == .damaged)
        let whole = cipher.seal(
            [UInt8](repeating: 0, count: Payload.pieceCount), nonce: Payload.nonce(0, isLast: true))
        #expect(refusal(head + whole) == nil)
    }

    @Test func aHeaderWithoutEndDoesNotFillTheMemory() {
        #expect(
            refusal(Array("age-encryption.org/v1\n-> X25519 ".utf8) + [UInt8](repeating: 65, count: 1 << 20))
                == .damaged)
        #expect(refusal(Array("PK\u{3}\u{4}".utf8)) == .damaged)
        #expect(refusal([]) == .damaged)
    }

    @Test(arguments: [
        ("-----BEGIN AGE", "x\n-----BEGIN AGE"), ("FILE-----\n", "FILE----- \nextra\n"),
        ("BEGIN AGE", "BEGIN PGP"),
        ("BEGIN AGE", "begin age"), ("-----END AGE ENCRYPTED FILE-----\n", ""), ("=\n", "\n"),
        ("=\n", "==\n"),
        ("FILE-----\nY", "FILE-----\n\nY"), ("FILE-----\nY", "FILE-----\n Y"),
        ("FILE-----\nYW", "FILE-----\nY\nW"),
        ("-----END AGE ENCRYPTED FILE-----\n", "-----END AGE ENCRYPTED FILE-----\nmore\n"),
    ]) func armorIsStrict(_ old: String, _ new: String) throws {
        // 98 bytes of contents make a file that is one byte short of a multiple of three.
        var count = 1
        while try file(count).count % 3 != 2 { count += 1 }
        let armored = String(decoding: Armor.encode(try file(count)), as: UTF8.self)
        #expect(armored.contains(old))
        let range = try #require(armored.firstRange(of: old))
        let changed = armored.replacingCharacters(in: range, with: new)
        #expect(throws: SealingFailure.self) { try Armor.decode(Array(changed.utf8)) }
    }

    @Test func armorMayHaveWhiteSpaceAroundAndCarriageReturns() throws {
        let file = try file()
        let text = String(decoding: Armor.encode(file), as: UTF8.self)
        #expect(try Armor.decode(Array(("\n \t\n" + text + "\n\n").utf8)) == file)
        #expect(try Armor.decode(Array(text.replacing("\n", with: "\r\n").utf8)) == file)
    }
}

extension [UInt8] {
    fileprivate func firstIndex(of byte: UInt8, after start: Int) -> Int? {
        self[start...].firstIndex(of: byte)
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<Index>, with text: String) -> String {
        self[..<range.lowerBound] + text + self[range.upperBound...]
    }
}
