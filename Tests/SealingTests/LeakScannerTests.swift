import Sealing
import Testing

/// What must not be stored in clear is found, and what only looks like it is left readable.
@Suite struct LeakScannerTests {
    private func find(_ text: String) -> LeakScanner.Finding? {
        unsafe Array(text.utf8).withUnsafeBytes { unsafe LeakScanner.find($0) }
    }

    private static let line = "MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF8PbnGy0AHB7MhgwMbRvI0MBZhpI"

    // The texts are put together here, so that no scanner takes this file for a leak.
    @Test(arguments: [
        "-----BEGIN RSA PRIV" + "ATE KEY-----\n\(line)\n",
        "-----BEGIN OPENSSH PRIV" + "ATE KEY-----\r\n\(line)",
        "-----BEGIN PGP PRIV" + "ATE KEY BLOCK-----\nVersion: 1\n\n\(line)",
        "key: \"-----BEGIN PRIV" + "ATE KEY-----\\n\(line)\"",
        "-----BEGIN RSA PRIV" + "ATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123\n\n\(line)",
        "AGE-SECRET-" + "KEY-1QQQ", "id: AK" + "IAIOSFODNN7EXAMPLE",
        "x gh" + "p_0123456789abcdefghijABCDEFGHIJ012345",
        "git" + "hub_pat_11AAAAAAA0123456789abc", "'gl" + "pat-abcdefghij0123456789'",
        "xo" + "xb-123456789012-abcdef",
        "sk_" + "live_0123456789abcdef", "AI" + "zaSyA0123456789abcdefghijklmnopqrstuvw",
        "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
        "url = https://robot:hunter2@git.example.org/x", "postgresql://ci:s3cr3t@db/ci",
        "redis://:hunter2@cache:6379",
        "<password>hunter2</password>", "<authToken>deploy-me</authToken>",
        "<a password=\"hunter2\" b=\"c\"/>",
        "<hudson.plugin.apiToken>0123abcd</hudson.plugin.apiToken>", "password = 'hunter2'",
        "c['password'] = \"hunter2\"",
        "\"db_password\": \"hunter2\",", "DB_PASSWORD=hunter2\n", "export API_TOKEN=abcd1234\n",
        "    password: correcthorse\n", "- client_secret: abcd-efgh   # ours\n",
        "worker.Worker('w1', password='pass-w1')",
        "passphrase=b'hunter2'", "mypassword: \"two words\"", "signing-key = 'kJ8s0dfKq2mN5vB7xZ1cR4tY'",
        "password = !Xk29sLq0Zp", "password: \"$tr0ngP@ss77\"", "db.password=%aK39xxLq", "password=*7dkQpL2m",
        "password: '<9fkQ2mZ7'", "password: '{x9!'", "password = '!secret x'",
        "url=https://ci:$tr0ng!@example.org/",
        "DB_PASS=Tr0ub4dor3x", "export MYSQL_PASS=\"hunter2\"", "smtp_pass: hunter2", "\"pass\":\"hunter2\"",
        "mail.smtp.pass=hunter2", "password: correct horse battery staple",
        "password: correct horse battery staple   # ours",
        "<url>jdbc:mysql://db/ci?user=ci&amp;password=hunter2</url>",
        "url: jdbc:sqlserver://db;user=ci;password=hunter2;encrypt=true",
        "curl https://example.org/x?token=hunter2&y=1",
        "password: $apr1$QhYxYm3O$lFbPVQ8JZ0TJ5CfHkBxa01", "password: '$y$j9T$k3pQx0aL$Zf81mQ0z7bYc'",
        "password = *A4B6157319038724E3560894F7F932C8886EBFCF",
        "password: $ecret-hunter", "password: '*db_password'", "password=*dkQpL2m",
        "AUTH_TOKEN=\"$DIR/9fkQ2mZ7\"", "export X_TOKEN=\"$USER:hunter2\"",
        "AUTH: \"Zm9vYmFy0123QUJDREVGR0hJSktMTQ==\"", "Password := \"hunter2\"",
    ]) func secretsAreFound(_ text: String) {
        #expect(find("some words before it,\n" + text) != nil)
        #expect(find(text + "\nand after") != nil)
        let long = String(repeating: "lorem ipsum dolor 0123 <x/>\n", count: 2_000)
        let found = find(long + text + "\n" + long)
        #expect(found.map { $0.offset >= long.utf8.count - 1 } == true)
    }

    @Test(arguments: LeakCases.secrets) func secretsOfScriptsAndSettingsAreFound(_ text: String) {
        secretsAreFound(text)
    }

    @Test(arguments: LeakCases.harmless) func scriptsAndSettingsWithoutOneStayReadable(_ text: String) {
        whatIsNoSecretStaysReadable(text)
    }

    /// What is found is the value, so that nothing else is masked in a shadow.
    @Test(arguments: [
        ("<password>\n  hunter22\n</password>", "hunter22"), ("x: {password: hunter22, user: y}", "hunter22"),
        ("password: >-\n  hunter22\nuser: y", "hunter22"), ("DB_PASSWORD=hunter22&#xd;", "hunter22"),
        ("{&quot;password&quot;: &quot;hunter22&quot;}", "hunter22"), ("curl -u 'ci:hunter22' x", "hunter22"),
        ("PGPASSWORD=hunter22 psql", "hunter22"), ("Worker('n', 'hunter22')", "hunter22"),
        ("UserPasswordAuth({'a': 'hunter22', 'b': 'hunter23'})", "hunter22', 'b': 'hunter23"),
        ("mysql -u x -phunter22 ci", "hunter22"), ("docker login -p \"hunter22\" r", "hunter22"),
        ("[sshpass, -phunter22, ssh]", "hunter22"), ("\"Password=hunter22;Server=db\"", "hunter22"),
        ("amqp://ci:hun/ter22@mq", "hun/ter22"),
        ("A_TOKEN=a=b&c=d&e=f&g=h&i=j&k=hunter22\n", "a=b&c=d&e=f&g=h&i=j&k=hunter22"),
        ("<name>A_TOKEN</name><description>x</description><value>hunter22</value>", "hunter22"),
        ("proxy_set_header Authorization \"Basic Y2k6aHVudGVyMjI=\";", "Y2k6aHVudGVyMjI="),
        ("mysql -p'my secret 1' db", "my secret 1"), ("ENV DB_PASSWORD \"my secret\"", "my secret"),
        ("fastcgi_param DB_PASSWORD hunter22;", "hunter22"), ("requirepass hunter22\r\n", "hunter22"),
        ("define('DB_PASSWORD', 'hunter22')", "hunter22"), ("\"token\":\n \"hunter22\"\n}", "hunter22"),
        ("machine h login ci password hunter22\n", "hunter22"),
        ("\"machine h\\nlogin ci\\npassword hunter22\\n\"", "hunter22"),
        ("\"auth\": \"Y2k6aHVudGVyMjI=\"", "Y2k6aHVudGVyMjI="),
    ]) func theValueIsFound(_ text: String, _ value: String) {
        let secret = find(text)?.secret
        #expect(secret.map { String(decoding: Array(text.utf8)[$0], as: UTF8.self) } == value)
    }

    @Test(arguments: [
        "password: hunter22\r\nx: y", "db.password=correct\n", "- token: correct",
        "password: |\n  hunter22\n",
    ]) func aMarkOfUTF8IsNoPartOfTheFirstLine(_ text: String) {
        #expect(find("\u{feff}" + text) != nil)
    }

    private static func wide(_ text: String, _ isBigEndian: Bool) -> [UInt8] {
        text.utf16.flatMap { unit -> [UInt8] in
            let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xff))
            return isBigEndian ? [high, low] : [low, high]
        }
    }

    @Test(arguments: [false, true]) func textsOfWindowsAreLookedThrough(_ isBigEndian: Bool) {
        func found(_ text: String) -> [UInt8]? {
            let bytes = Self.wide("\u{feff}grüße\r\n" + text + "\r\nafter", isBigEndian)
            let finding = unsafe bytes.withUnsafeBytes { unsafe LeakScanner.find($0) }
            return finding.map { Array(bytes[$0.secret]) }
        }
        #expect(found("DB_PASSWORD=hunter22") == Self.wide("hunter22", isBigEndian))
        #expect(found("user=ci\r\nDB_PASSWORD=%X%") == nil)
        let bytes = Self.wide("\u{feff}grüße\n", isBigEndian)
        let text = WideText(bytes)
        #expect(text.map { String(decoding: $0.utf8, as: UTF8.self) } == "grüße\n")
        #expect(text.map { $0.contents($0.utf8) } == bytes)
        #expect(WideText(Array("grüße".utf8)) == nil)
    }

    @Test func whatOnlyBeginsAsATextOfWindowsIsLookedThroughAsItIs() {
        func found(_ text: String) -> String? {
            let bytes = [0xff, 0xfe] + Array(text.utf8)
            let finding = unsafe bytes.withUnsafeBytes { unsafe LeakScanner.find($0) }
            return finding.map { String(decoding: bytes[$0.secret], as: UTF8.self) }
        }
        let key = String(repeating: "kJ8s0dfKq2mN5vB7", count: 4)
        let block = "-----BEGIN " + "PRIVATE KEY-----\n\(key)\n-----END PRIVATE KEY-----"
        #expect(found("\nDB_PASSWORD=hunter22\n") == "hunter22")
        #expect(found("\0\0\0\0\n\(block)\n") == block)
    }

    /// A line that a patch takes away begins with a hyphen.
    @Test(arguments: [
        "", "-", "\n-", " -", "x=-", "session-", "-eyJ0b28iOjF9\n-", "x: eyJhIjoxfQ==\nsession-",
    ])
    func tokensOfTheWebAreFoundBehind(_ before: String) {
        let token = "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
        let text = "\(before)\(token)\n"
        let secret = find(text)?.secret
        #expect(secret.map { String(decoding: Array(text.utf8)[$0], as: UTF8.self) } == token)
    }

    /// Whoever makes a text of names alone must not keep a night busy.
    @Test(arguments: [
        "password=", "password:", "token=&", " -pabcd", "-eyJ", "https://a:b/", " -p\"", "password abcd ",
        "password!",
    ])
    func aTextOfNothingButNamesTakesNoTime(_ piece: String) {
        let text = String(repeating: piece, count: 200_000 / piece.utf8.count)
        let clock = ContinuousClock()
        let start = clock.now
        _ = find(text)
        // A debug build takes a second where one that looks at thousands of bytes for each name takes minutes.
        #expect(clock.now - start < .seconds(30))
    }

    /// The search looks at sixteen places at once, and at the last few one by one.
    @Test func secretsAreFoundWhereverTheyStand() {
        let secret = "gh" + "p_0123456789abcdefghijABCDEFGHIJ012345"
        for before in 0..<40 {
            for after in 0..<20 {
                let dots = String(repeating: ".", count: before)
                #expect(find(dots + secret + String(repeating: "\n", count: after))?.offset == before)
            }
        }
    }

    @Test(arguments: [
        "", "password", "if line == '-----BEGIN RSA PRIV" + "ATE KEY-----': return",
        "-----BEGIN CERTIFICATE-----\nMIIE", "-----BEGIN PUBLIC KEY-----",
        "<password>{AQAAABAAAAAQabcdefghijklmnop}</password>", "<password></password>", "<password/>",
        "<passwordHash>#jbcrypt:$2a$10$abcdefghijklmnopqrstuv</passwordHash>", "password = None",
        "password = os.environ['X']", "password: ${DB_PASSWORD}", "password='{{ vault.password }}'",
        "password = getpass.getpass()", "def login(user, password: str): pass", "token = self.token",
        "if password == other: pass", "password=Secret('x')", "https://example.org/a:b@c",
        "https://user@example.org/",
        "https://ci:${TOKEN}@example.org/", "https://ci:****@example.org/", "ssh://git@example.org:22/x",
        "the password: is what you were told by the others", "password_file: /etc/x", "passwords.py",
        "tokenizer = 'abcdefgh'",
        "key = 'da39a3ee5e6b4b0d3255bfef95601890afd80709'", "monkey = 'banana-banana-banana-1234'",
        "<credentialsId>0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0</credentialsId>", "authorization: Bearer $TOKEN",
        "<useToken>true</useToken>", "\"usePassword\": \"false\",",
        "<description>Token for the deploy job</description>", "AKIA", "eyJhbGciOiJIUzI1NiJ9",
        "password: null\n",
        "password: $DB_PASSWORD", "password: \"$(cat /run/secret)\"",
        "f'https://{user}:{password}@example.org'",
        "password: '<your password>'", "password: \"%DB_PASSWORD%\"", "'password': '%(password)s'",
        "'https://%s:%s@example.org'", "password: !vault |", "password: !secret db_password",
        "password: '%{PASSWORD}'", "compass = 'north'", "password: str = None", "token: read it in the wiki",
        "https://example.org/x?token=${TOKEN}", "x?password=hunter2", "https://example.org/x?token=token",
        "    password: string | null;",
        "password: *db_password", "password: *db-password", "AUTH_TOKEN=\"$ID:$KEY\"",
        "export X_TOKEN=$DIR/token", "password: \"$USER-$HOST\"", "token: \"$HOME/.config/my-token\"",
        "AUTH_TOKEN=\"$(id -u):$KEY\"",
        "# password = ask the lead\n", "keys: [a, b]", "assert secret",
    ]) func whatIsNoSecretStaysReadable(_ text: String) {
        #expect(find("lorem ipsum\n" + text) == nil)
        #expect(find(text + "\nlorem ipsum") == nil)
    }

    @Test func binaryFilesAreOnlyLookedThroughForKeys() {
        let key = "-----BEGIN PRIV" + "ATE KEY-----\n\(Self.line)"
        let program = "\u{7f}ELF\u{0}\u{0}password='hunter2'"
        #expect(find(program) == nil && find(program + key) != nil)
        #expect(find("PK\u{3}\u{4}\u{0}\u{0}" + key) == nil, "an archive is other people's code")
    }

    @Test func anyBytesAreLookedAtWithoutATrap() {
        var state: UInt64 = 1
        for count in 0..<2_000 {
            let bytes = (0..<(count % 97)).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return "passwordkeytoken:=/@'\"<>-eyJAKIA\n"
                    .utf8.map { $0 }[Int(state >> 33) % 33]
            }
            _ = unsafe bytes.withUnsafeBytes { unsafe LeakScanner.find($0) }
        }
    }
}
