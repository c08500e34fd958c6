import Configuration
import FileTree
import Sealing
import SnapshotModel
import SystemPackage
import Testing

@Suite struct SystemFileTextTests {
    @Test func theTextIsWrittenForReaders() throws {
        let description = SystemDescription(
            name: "acme", store: "/srv/acme.git", recipients: [],
            components: [
                Component(
                    name: "ci", driver: "tool",
                    settings: ["service": .map(["systemd": "ci"]), "home": .text("/var/lib/ci")]),
                Component(
                    name: "proxy", driver: "files", settings: ["paths": .list(["/etc/a"])], after: ["ci"]),
            ], policies: "policies")
        #expect(
            try description.yaml(kinds: stubKinds) == """
                # The delivery system that Understudy snapshots and restores.
                # Check it with `understudy doctor`; take a snapshot with `understudy snapshot`.

                system: acme

                # A bare git repository, readable by its owner alone.
                store: /srv/acme.git

                # A directory with snapshot.yaml: what is captured in which class.
                policies: policies

                # What the system consists of. `after` names what must be up before a component starts.
                components:
                  ci:
                    driver: tool
                    # where it lives
                    home: /var/lib/ci
                    # how it starts
                    service:
                      systemd: ci
                  proxy:
                    driver: files
                    # the directories
                    paths:
                      - /etc/a
                    after: [ci]

                """)
    }

    @Test(
        arguments: [
            "plain", "two words", " padded ", "a: b", "a #b", "#", "'", "\"", "\\", "- x", "? x", "[x]",
            "{x}",
            "&x", "*x", "!x", "|", ">", "%x", "@x", "`x`", "true", "no", "null", "~", "123", "1.5", "1e3",
            ".inf",
            "0x1f", "2026-11-23", "12:30:45", "ünïcödé", "日本", "e\u{301}", "tab\u{e9}", "a:", "a,b", "<<",
            "=",
            "---", "...", "x\u{feff}", "\u{202e}x", "x\u{85}y", "x\u{2028}y", "\u{1f600}", "${HOME}", "%{x}",
        ])
    func anyTextComesBackAsItWas(_ text: String) throws {
        let description = SystemDescription(
            name: "123", store: FilePath("/s/" + text),
            components: [
                Component(
                    name: "no", driver: "tool",
                    settings: [
                        "home": .text("/h/\(text)\n"), "label": .text(text),
                        "service": .map(["start": text, "stop": text]),
                    ]),
                Component(
                    name: "1", driver: "files", settings: ["paths": .list(["/" + text])], after: ["no"]),
            ], policies: "/p")
        // YAML and terminals treat U+0085 as a control character, and so does the reader.
        var back = try parse(try description.yaml(kinds: stubKinds))
        back.text = ""
        #expect(back == description)
    }

    @Test func randomTextsComeBackAsTheyWere() throws {
        let alphabet = Array(" #:-?,[]{}&*!|>'\"%@`\\/~=<.abNy019éß\u{a0}\u{ad}\u{200b}日\u{1f600}").map(
            String.init)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let length = Int.random(in: 1...12, using: &generator)
            let text = (0..<length).compactMap { _ in alphabet.randomElement(using: &generator) }.joined()
            let description = SystemDescription(
                name: "s", store: "/s",
                components: [
                    Component(
                        name: "c", driver: "tool",
                        settings: ["home": .text("/" + text), "label": .text(text)])
                ])
            guard !text.split(separator: "/").contains(where: { $0 == "." || $0 == ".." }) else { continue }
            var back = try parse(try description.yaml(kinds: stubKinds))
            back.text = ""
            #expect(back == description, "\(text)")
        }
    }

    @Test func aPathThatIsNotTextIsRefused() {
        let description = SystemDescription(
            name: "s", store: FilePath(bytes: [UInt8(ascii: "/"), 0xff]), components: [])
        let failure = #expect(throws: TextFailure.self) { try description.yaml(kinds: stubKinds) }
        #expect(
            failure?.description == "the path of the store, /\\xff, is not UTF-8, and a system file is text")
    }

    @Test func signersAreWrittenAndReadBack() throws {
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMHe50HjMqSqEmxUAG+MMeCI4NHSZXLNcJMHxedvrDFx ci@host: 1"
        let description = SystemDescription(
            name: "acme", store: "/srv/acme.git", signers: [try #require(SignerKey(key))],
            signingKey: "/etc/key",
            components: [Component(name: "a", driver: "files", settings: ["paths": .list(["/etc/a"])])])
        var read = try SystemFile.parse(description.yaml(), path: "x", directory: "/")
        read.text = ""
        #expect(read == description && read.signers.first?.comment == "ci@host: 1")
        for bad in ["signers: [ssh-rsa AAAA]", "signers: ssh-ed25519 AAAA", "signing-key: []"] {
            #expect(throws: SystemFileFailure.self) {
                try SystemFile.parse(description.yaml() + bad + "\n", path: "x", directory: "/")
            }
        }
    }

    @Test func whatIsSaidOfRecipientsStaysWithThem() throws {
        let keys = (0..<3).map { _ in Identity().recipient }
        let head = "system: acme\nstore: /srv/acme.git\n"
        let tail = "\n# what there is\ncomponents:\n  a: {driver: files, paths: [/etc/a]}\n"
        let list = """
            recipients: # who may open it
            # on call
            - \(keys[0]) # Ada

            # the safe
            - "\(keys[1])"

            """
        let added = try #require(SystemDescription.text(head + list + tail, with: keys))
        #expect(added == head + list + "- \(keys[2])\n" + tail)
        #expect(try SystemFile.parse(added, path: "x", directory: "/").recipients == keys)
        let removed = try #require(SystemDescription.text(added, with: [keys[1], keys[2]]))
        #expect(
            removed == head
                + "recipients: # who may open it\n\n# the safe\n- \"\(keys[1])\"\n- \(keys[2])\n"
                + tail)
        let flow = "recipients: [\(keys[0])] # ours\n"
        let rotated = try #require(SystemDescription.text(head + flow + tail, with: [keys[1]]))
        #expect(rotated == head + "recipients: # ours\n  - \(keys[1])\n" + tail)
    }

    @Test func aFileWithLineEndsOfWindowsKeepsThem() throws {
        let keys = [Identity().recipient, Identity().recipient]
        let head = "# ours\r\nsystem: acme\r\nstore: /srv/acme.git\r\n"
        let tail = "components:\r\n  a: {driver: files, paths: [/etc/a]} # all\r\n"
        for list in ["", "recipients: [\(keys[0])]\r\n", "recipients:\r\n  - \(keys[0])\r\n"] {
            let text = try #require(SystemDescription.text(head + list + tail, with: keys))
            #expect(text.hasPrefix(head) && text.hasSuffix(tail), "\(text)")
            #expect(text.unicodeScalars.count { $0 == "\n" } == text.unicodeScalars.count { $0 == "\r" })
            #expect(try SystemFile.parse(text, path: "x", directory: "/").recipients == keys)
        }
    }
}
