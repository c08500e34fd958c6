import Testing

@testable import Sealing

/// How keys are spelled.
@Suite struct KeyTests {
    @Test func theKeysOfTheSpecificationAreRead() throws {
        let text = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
        let identity = try #require(Identity(secretText: text))
        #expect(identity.secretText == text)
        #expect("\(identity.recipient)" == "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj")
        #expect(Recipient("\(identity.recipient)") == identity.recipient)
    }

    @Test func aKeyThatSignsIsReadAndNamedAsOpenSSHNamesIt() throws {
        let text =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMHe50HjMqSqEmxUAG+MMeCI4NCZXLNcJMHxedvrDFxR ci@host"
        let key = try #require(SignerKey(text))
        #expect("\(key)" == text && key.comment == "ci@host")
        #expect(SignerKey(String(text.dropLast(8))) == key)
        #expect(key.fingerprint == "SHA256:/A/m941Q5QkOCsNfvFhiv+rvTMkxUFXXnv3QtqlN/PM")
    }

    @Test(arguments: [
        "", "ssh-ed25519", "ssh-ed25519 AAAA",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIMHe50HjMqSqEmxUAG+MMeCI4NCZXLNcJMHxedvrDFxR",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMHe50HjMqSqEmxUAG+MMeCI4NHSZXLNcJMHxedvrDF",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE4AAAAIMHe50HjMqSqEmxUAG+MMeCI4NHSZXLNcJMHxedvrDFx",
        "command=\"x\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMHe50HjMqSqEmxUAG+MMeCI4NCZXLNcJMHxedvrDFxR",
    ]) func whatCannotSignIsRefused(_ text: String) {
        #expect(SignerKey(text) == nil)
    }

    @Test func newKeysAreReadBackAndAreNotTheSame() throws {
        let one = Identity()
        #expect(Identity(secretText: one.secretText) == one)
        #expect(Identity() != one)
        #expect(SealingKey(text: SealingKey().text) != nil)
        #expect(SealingKey().id != SealingKey().id)
    }

    @Test(arguments: [
        "", "age1", "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujw",
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwq",
        "Age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
        "AGE1ZVKYG2LQZRAA2LNJVQEJ32NKUU0UES2S82HZRYE869XEEXVN73EQUNUJWJ",
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj ", "age1b", "ssh-ed25519 AAAA",
    ]) func whatIsNoRecipientIsRefused(_ text: String) {
        #expect(Recipient(text) == nil)
    }

    @Test func anIdentityIsNeverInAMessage() {
        let identity = Identity()
        var dumped = ""
        dump(identity, to: &dumped)
        for text in ["\(identity)", String(reflecting: identity), "\([identity])", dumped, "\(SealingKey())"]
        {
            #expect(!text.contains(identity.secretText) && !text.contains("\(identity.secret[0]), "))
        }
    }

    @Test func aFileOfIdentitiesMayHoldCommentsAndBeSealedUnderAPassphrase() throws {
        let one = Identity()
        let other = Identity()
        let text = Array(
            (IdentityFile.text(one, created: "today") + "\r\n\n" + IdentityFile.text(other, created: "later"))
                .utf8)
        let none: () throws -> [UInt8] = {
            Issue.record("nobody must be asked")
            return []
        }
        #expect(try IdentityFile.identities(text, name: "keys", passphrase: none) == [one, other])
        let sealed = try AgeWriter(passphrase: Array("horse".utf8), workFactor: 5).seal(text)
        for file in [sealed, Armor.encode(sealed)] {
            #expect(try IdentityFile.identities(file, name: "keys") { Array("horse".utf8) } == [one, other])
            #expect(throws: SealingFailure.self) {
                try IdentityFile.identities(file, name: "keys") { Array("cow".utf8) }
            }
        }
    }

    @Test func aPublicKeyIsNotTakenForAnIdentityAndToldAsWhatItIs() {
        let failure = #expect(throws: SealingFailure.self) {
            try IdentityFile.identities(Array("\(Identity().recipient)\n".utf8), name: "keys") { [] }
        }
        #expect(failure?.description == "line 1 of keys is a public key, which opens nothing")
    }

    @Test(arguments: ["", "# only a comment\n", "\(Identity().recipient)\n", "AGE-SECRET-KEY-1XX\n"])
    func whatIsNoFileOfIdentitiesIsRefusedWithoutBeingRepeated(_ text: String) {
        let failure = #expect(throws: SealingFailure.self) {
            try IdentityFile.identities(Array(text.utf8), name: "keys") { [] }
        }
        #expect(failure?.code == .malformed)
        #expect(text.count < 3 || failure?.description.contains(text.dropLast(1)) == false)
    }
}
