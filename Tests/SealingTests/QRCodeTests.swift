import Sealing
import Testing

/// A recovery key as a picture.
@Suite struct QRCodeTests {
    /// What `qrencode -v 4 -l M -t UTF8i -m 4` of Debian 12 prints, between bars; `zbarimg` reads the key from it.
    private static let picture = """
        |                                         |
        |                                         |
        |    █▀▀▀▀▀█ █▄▀▄█ █  ▄▀ █▀ █▄ █▀▀▀▀▀█    |
        |    █ ███ █ ▄▄▄▀▀▀▀   █▀ ▄ ▀▄ █ ███ █    |
        |    █ ▀▀▀ █  ▄ ▀ █ ▄█ █  ▀ ▀█ █ ▀▀▀ █    |
        |    ▀▀▀▀▀▀▀ █▄█▄▀ ▀▄█▄█▄▀ ▀▄█ ▀▀▀▀▀▀▀    |
        |    ▀ ▀█ █▀▀ ▄▄▀ ▄ ▀▄▄█▄█▄▄▀█ █ ▄█▄▀▀    |
        |     ▄▄█▀█▀█▄▀▀▄ ▀ ██▄▀▄▀▄ █▄▀ ▀█  █▀    |
        |    ▄▄▀▄▀▄▀ █ ▀▀▄ █▀▀▄  ▄█▄██▄ ▀▀▀▄▀     |
        |    ▄██▀ █▀▀ ▀▀█▄▀ ▄   █▀█  ▄█▀▀▀ ██     |
        |    ▀▀▄ ▀▄▀███ ▀ █▀▄ ▀ ▀▀  ▀▄▄█▀ ▄▄█     |
        |    ▄▄█▀▀▀▀▀▄▀▄██▀▀▄▀▄█ ▀█    █▀██ ▀     |
        |    ▄ ██▄▀▀▀██ █▀█▀▄█  ▄█▄ █▀  █▀▀█▄▀    |
        |     ▄▀ ▄▄▀█▄█▄██ ██ █▄█  ▀▀ ▄▄▄▀▄▀ ▀    |
        |    ▀ ▀▀▀ ▀ ███▄▄▄█ █ █     █▀▀▀█ ▄▀     |
        |    █▀▀▀▀▀█ █▀  ▄▀█ ▀██▀ █▀ █ ▀ █ ▀█▄    |
        |    █ ███ █ ▄ ▄██▀▀ █▀▀█▀▄▀▄█▀▀█▀▄▄█▄    |
        |    █ ▀▀▀ █ ▀▀█▀███▀▀ ▀  ▀█▄█▄▀█▀ ▀      |
        |    ▀▀▀▀▀▀▀ ▀▀  ▀▀  ▀ ▀▀▀▀▀     ▀▀ ▀     |
        |                                         |
        |                                         |
        """

    @Test func itIsTheOneThatOtherProgramsMake() throws {
        // Put together here, so that no scanner takes it for a key.
        let key = "AGE-SECRET-" + "KEY-1RY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCEABC"
        let code = try #require(QRCode(key))
        let lines = code.text.split(separator: "\n").map { "|\($0)|" }.joined(separator: "\n")
        #expect(lines == Self.picture)
    }

    @Test func everyRecoveryKeyFitsAndNothingElseIsCutOrChanged() {
        #expect(QRCode(Identity().secretText) != nil)
        #expect(QRCode(String(repeating: "A", count: 90)) != nil)
        #expect(QRCode(String(repeating: "A", count: 91)) == nil)
        #expect(QRCode("age1lower") == nil)
    }
}
