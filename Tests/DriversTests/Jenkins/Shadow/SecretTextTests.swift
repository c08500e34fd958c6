import Testing

@testable import Drivers

/// Secrets found in texts by how they look.
@Suite struct SecretTextTests {
    private let keys = ShadowKeys(experiment: [1])

    private func masked(_ text: String) -> String {
        let bytes = Array(text.utf8)
        let splices = SecretText(bytes, keys: keys, place: "file").splices()
        return String(decoding: NeutralisationPlan.spliced(bytes, splices), as: UTF8.self)
    }

    @Test(arguments: [
        ("a https://u:p4ss@h/x b", "a https://u:****@h/x b"), ("key=AKIAABCDEFGHIJKLMNOP;", "key=****;"),
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\nrest", "****\nrest"),
        ("<a>-----BEGIN PRIVATE KEY-----\nabc</a>", "<a>****</a>"),
        ("t eyJhbGciOi.eyJzdWIiOi.0123456789abcdefghijk!", "t ****!"),
        ("'ghp_0123456789abcdefghijklmnopqrstuvwxyz'", "'****'"),
    ])
    func whatLooksLikeASecretIsMasked(_ text: String, _ expected: String) {
        #expect(masked(text) == expected)
        #expect(masked(expected) == expected)
    }

    @Test(arguments: [
        "https://user@host/", "https://u:${PASSWORD}@h/", "git://host:9418/x",
        "-----BEGIN CERTIFICATE-----\nabc",
        "MAKIAABCDEFGHIJKLMNOP", "ghp_short", "{AQAAA not closed", "eyJ.eyJ.x", "", "-", "{", "://",
    ])
    func whatDoesNotStays(_ text: String) {
        #expect(masked(text) == text)
    }

    @Test func encryptedValuesAreEncryptedAnew() {
        let once = masked("password: '{AQAAABAAAAAQabcdefghijklmnop=}' # why")
        #expect(once.hasPrefix("password: '{AQAAABAAAAA") && once.hasSuffix("}' # why"))
        #expect(!once.contains("abcdefghijklmnop"))
        #expect(masked(once) == once)
    }

    @Test(.timeLimit(.minutes(1)))
    func aTextMadeToTakeLongDoesNot() {
        for part in ["eyJ-", "{AQAAA", "-----BEGIN ", "a://b:", "ghp_-"] {
            _ = masked(String(repeating: part, count: 20_000))
        }
    }
}
