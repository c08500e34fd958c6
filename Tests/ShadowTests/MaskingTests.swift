import Drivers
import FileTree
import Foundation
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Shadow

@Suite struct SecretFormsTests {
    private let secret = Array("t0ken/of+production?9".utf8)

    @Test func aSecretIsFoundInEveryForm() {
        let forms = SecretForms(secret)
        for text in [
            "key = t0ken/of+production?9\n", "74306b656e2f6f662b70726f64756374696f6e3f39",
            "74306B656E2F6F662B70726F64756374696F6E3F39", "?token=t0ken%2Fof%2Bproduction%3F9&x",
            "?token=t0ken%2fof%2bproduction%3f9&x",
        ] {
            #expect(stand(forms, in: text), "\(text)")
        }
        for user in ["", "a", "ab", "abc", "somebody:"] {
            let encoded = Data(Array(user.utf8) + secret + Array("!".utf8)).base64EncodedString()
            #expect(stand(forms, in: "Basic \(encoded)"), "\(encoded)")
        }
        for isBigEndian in [false, true] {
            var bytes: [UInt8] = [0x7f, 0, 3]
            for byte in secret { bytes += isBigEndian ? [0, byte] : [byte, 0] }
            #expect(SecretSearch([forms]).stand(in: bytes[...]))
        }
        #expect(!stand(forms, in: "t0ken/of+production?8"))
        #expect(!stand(forms, in: ""))
    }

    private func stand(_ forms: SecretForms, in text: String) -> Bool {
        SecretSearch([forms]).stand(in: Array(text.utf8)[...])
    }

    @Test func manySecretsAreFoundAtEveryPlaceAndNothingElseIs() {
        let secrets = (0..<300).map { Array("secret-\($0 &* 7919)-\($0)".utf8) }
        let search = SecretSearch(secrets.map { SecretForms($0) })
        let noise = Array("secret-sacret-7919 c2VjcmV0LQ== 7365637265742d ".utf8)
        #expect(!search.stand(in: (noise + noise)[...]))
        for (index, secret) in secrets.enumerated() {
            let before = noise.prefix(index % noise.count)
            #expect(search.stand(in: (before + secret)[...]), "\(index)")
            #expect(
                !search.stand(in: (before + secret.dropLast())[...].dropFirst(before.count + 1)), "\(index)")
        }
    }

    @Test func whatIsPutInItsPlaceHoldsNoForm() {
        let forms = SecretForms(secret)
        var text = Array("a t0ken/of+production?9t0ken/of+production?9 t0ken%2Fof%2Bproduction%3F9".utf8)
        forms.replace(in: &text, with: Array("masked".utf8))
        #expect(String(decoding: text, as: UTF8.self) == "a maskedmasked masked")
    }
}

@Suite struct MaskingTests {
    private func copy(_ directory: FilePath) -> ShadowCopy {
        let root = Root(name: "master", path: "/srv/ci/master")
        return ShadowCopy(
            staged: StagedComponent(
                captured: CapturedComponent(name: "ci", driver: "buildbot", version: nil, roots: []),
                roots: [.init(root: root, staged: directory, live: nil)], artifacts: nil, resumesWork: false,
                capturedHost: "ci"),
            socketDirectory: directory, workspace: directory)
    }

    private let classes = ["master": Classification([.init("secrets/*", .secret)], defaultClass: .config)]

    private func mask(_ copy: ShadowCopy, with masking: inout Masking) throws -> [Fix] {
        try masking.takeSecrets(from: copy.staged.roots, classes) + masking.maskKnown(in: copy.staged.roots)
    }

    /// A database larger than what was once read whole, most of it a hole; and pieces so small that a secret lies across them.
    @Test func aFileOfAnySizeIsSearchedPieceByPiece() throws {
        try withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("secrets"))
            try Files.replace(directory.appending("secrets/token"), with: Array("k7Jq2mPzX9\n".utf8))
            let small = directory.appending("small.sqlite")
            for offset in 0..<64 {
                try Files.replace(
                    small, with: [UInt8](repeating: 0, count: offset) + Array("k7Jq2mPzX9".utf8) + [0, 1])
                var masking = Masking(pieceSize: 16)
                _ = try mask(copy(directory), with: &masking)
                #expect(throws: ShadowFailure.self, "at \(offset)") {
                    try masking.search(copy(directory).staged.roots)
                }
                try Files.replace(directory.appending("secrets/token"), with: Array("k7Jq2mPzX9\n".utf8))
            }
            try Files.remove(small)
            let large = directory.appending("state.sqlite")
            #expect(FileManager.default.createFile(atPath: large.string, contents: Data()))
            let handle = try #require(FileHandle(forWritingAtPath: large.string))
            try handle.truncate(atOffset: (1 << 30) + (32 << 20))
            var masking = Masking()
            _ = try mask(copy(directory), with: &masking)
            try handle.truncate(atOffset: 17 << 20)
            #expect(try masking.search(copy(directory).staged.roots) == 2)
            try handle.seek(toOffset: (17 << 20) - 10)
            try handle.write(contentsOf: Data("k7Jq2mPzX9".utf8))
            try handle.close()
            #expect(throws: ShadowFailure.self) { try masking.search(copy(directory).staged.roots) }
        }
    }

    @Test func aHugeFileOfSecretsIsRefusedByItsName() throws {
        try withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("secrets"))
            let file = directory.appending("secrets/dump").string
            #expect(FileManager.default.createFile(atPath: file, contents: Data()))
            let handle = try #require(FileHandle(forWritingAtPath: file))
            try handle.truncate(atOffset: 17 << 20)
            try handle.close()
            var masking = Masking()
            do {
                _ = try mask(copy(directory), with: &masking)
                Issue.record("it was masked")
            } catch let failure as ShadowFailure {
                #expect(failure.description.contains("master/secrets/dump"))
            }
        }
    }

    @Test func aSecretIsTakenOutOfEveryFileThatHoldsIt() throws {
        try withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("secrets"))
            try Files.replace(directory.appending("secrets/token"), with: Array("k7Jq2mPzX9\n".utf8))
            try Files.replace(
                directory.appending("master.cfg"),
                with: Array(
                    "greeting = 'hello'\nuse('k7Jq2mPzX9')\nor('\(Data("k7Jq2mPzX9".utf8).base64EncodedString())')\n"
                        .utf8))
            var masking = Masking()
            let fixes = try mask(copy(directory), with: &masking)
            #expect(try masking.search(copy(directory).staged.roots) == 2)
            #expect(Set(fixes.map(\.subject)) == ["master/secrets/token", "master/master.cfg"])
            let text = String(decoding: try Files.read(directory.appending("master.cfg")), as: UTF8.self)
            #expect(text.hasPrefix("greeting = 'hello'\nuse('shadow-masked-"))
            #expect(!text.contains("k7Jq2mPzX9"))
            try #expect(!Files.read(directory.appending("secrets/token")).starts(with: Array("k7".utf8)))
        }
    }

    @Test func whatIsMaskedTwiceStaysAsItIs() throws {
        try withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("secrets"))
            try Files.replace(directory.appending("secrets/token"), with: Array("k7Jq2mPzX9\n".utf8))
            var masking = Masking()
            let fixes = try mask(copy(directory), with: &masking)
            #expect(Set(fixes.map(\.subject)) == ["master/secrets/token"])
            #expect(try mask(copy(directory), with: &masking).isEmpty)
        }
    }

    @Test func aWordThatIsASecretIsToldAndNotReplacedWhereItMeansSomethingElse() throws {
        try withTemporaryDirectory { directory in
            try Files.makeDirectory(directory.appending("secrets"))
            try Files.replace(directory.appending("secrets/password"), with: Array("builders\n".utf8))
            try Files.replace(directory.appending("master.cfg"), with: Array("c['builders'] = []\n".utf8))
            var masking = Masking()
            _ = try mask(copy(directory), with: &masking)
            let failure = #expect(throws: ShadowFailure.self) {
                try masking.search(copy(directory).staged.roots)
            }
            #expect(failure?.description.contains("master/master.cfg") == true)
            try #expect(Files.read(directory.appending("master.cfg")) == Array("c['builders'] = []\n".utf8))
        }
    }

    @Test func secretsOfPlacesThatStayOutAreLookedForToo() throws {
        try withTemporaryDirectory { directory in
            let (worker, master) = (directory.appending("w1"), directory.appending("master"))
            try Files.makeDirectory(worker)
            try Files.makeDirectory(master)
            try Files.replace(
                worker.appending("buildbot.tac"), with: Array("basedir = '.'\npasswd = 'Vq83nTz0pLw'\n".utf8))
            try Files.replace(
                master.appending("master.cfg"),
                with: Array("Worker('w1', 'Vq83nTz0pLw', basedir = '.')\n".utf8))
            var masking = Masking()
            try masking.learn(
                from: .init(root: Root(name: "workers/w1", path: worker.string), staged: worker, live: nil),
                nil)
            _ = try mask(copy(master), with: &masking)
            let text = String(decoding: try Files.read(master.appending("master.cfg")), as: UTF8.self)
            #expect(!text.contains("Vq83nTz0pLw"))
            #expect(text.contains("basedir = '.'"))
        }
    }

    @Test func secretsBetweenANameAndItsValueAreMaskedToo() throws {
        try withTemporaryDirectory { directory in
            try Files.replace(
                directory.appending("x.xml"),
                with: Array(
                    "<name>DB_PASSWORD</name><description><![CDATA[]]></description></x>\n<name>DB_PASSWORD</name><description>password='k7Jq2mPzX9'</description><value>Vq83nTz0pLw</value>\nafter"
                        .utf8))
            var masking = Masking()
            _ = try mask(copy(directory), with: &masking)
            let text = String(decoding: try Files.read(directory.appending("x.xml")), as: UTF8.self)
            #expect(!text.contains("k7Jq2mPzX9") && !text.contains("Vq83nTz0pLw"), "\(text)")
            #expect(text.hasSuffix("</value>\nafter"))
        }
    }

    @Test func secretsBeforeAPasswordInACallAreMaskedToo() throws {
        try withTemporaryDirectory { directory in
            let file = directory.appending("master.cfg")
            try Files.replace(
                file, with: Array("GitLabAuth('https://u:k7Jq2mPzX9@x', 'id', 'Vq83nTz0pLw')\n".utf8))
            var masking = Masking()
            _ = try mask(copy(directory), with: &masking)
            let text = String(decoding: try Files.read(file), as: UTF8.self)
            #expect(!text.contains("k7Jq2mPzX9") && !text.contains("Vq83nTz0pLw"), "\(text)")
            #expect(
                text.hasPrefix("GitLabAuth('https://u:shadow-masked-") && text.hasSuffix("')\n"), "\(text)")
        }
    }

    @Test func secretsInATextOfWindowsAreMaskedAndItStaysOne() throws {
        try withTemporaryDirectory { directory in
            let file = directory.appending("settings.ini")
            let units = "\u{feff}grüße\r\npassword=k7Jq2mPzX9\r\ntoken=Vq83nTz0pLw\r\n".utf16
            try Files.replace(file, with: units.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] })
            try Files.replace(directory.appending("other"), with: Array("use('k7Jq2mPzX9')\n".utf8))
            let known = directory.appending("known")
            let use = "\u{feff}use k7Jq2mPzX9\r\n".utf16
            try Files.replace(known, with: use.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] })
            var masking = Masking()
            #expect(try mask(copy(directory), with: &masking).count == 3)
            func read(_ file: FilePath) throws -> String {
                let bytes = try Files.read(file)
                let units = stride(from: 0, to: bytes.count, by: 2).map {
                    UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8
                }
                return String(decoding: units, as: UTF16.self)
            }
            let used = try read(known)
            #expect(used.hasPrefix("\u{feff}use shadow-masked-"), "\(used)")
            let text = try read(file)
            #expect(text.hasPrefix("\u{feff}grüße\r\npassword=shadow-masked-"), "\(text)")
            #expect(text.hasSuffix("\r\n") && !text.contains("Vq83nTz0pLw"), "\(text)")
            let other = String(decoding: try Files.read(directory.appending("other")), as: UTF8.self)
            #expect(other.hasPrefix("use('shadow-masked-"), "\(other)")
        }
    }

    @Test func whatASecretTextOfWindowsHoldsIsLookedForElsewhere() throws {
        try withTemporaryDirectory { directory in
            let units = "\u{feff}k7Jq2mPzX9\r\nVq83nTz0pLw\r\n".utf16
            try Files.makeDirectory(directory.appending("secrets"))
            try Files.replace(
                directory.appending("secrets/tokens"),
                with: units.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] })
            let file = directory.appending("master.cfg")
            try Files.replace(file, with: Array("use('k7Jq2mPzX9', 'Vq83nTz0pLw')\n".utf8))
            var masking = Masking()
            _ = try mask(copy(directory), with: &masking)
            let text = String(decoding: try Files.read(file), as: UTF8.self)
            #expect(!text.contains("k7Jq2mPzX9") && !text.contains("Vq83nTz0pLw"), "\(text)")
            let binary = directory.appending("state.bin")
            try Files.replace(binary, with: "\0k7Jq2mPzX9".utf16.flatMap { [UInt8($0 & 0xff), 0] })
            #expect(throws: ShadowFailure.self) { try masking.search(copy(directory).staged.roots) }
        }
    }

    @Test func whatOnlyBeginsAsATextOfWindowsIsMaskedToo() throws {
        try withTemporaryDirectory { directory in
            let file = directory.appending("settings.ini")
            try Files.replace(file, with: [0xff, 0xfe] + Array("\npassword=k7Jq2mPzX9\n".utf8))
            let known = directory.appending("known")
            try Files.replace(known, with: [0xff, 0xfe] + Array("use k7Jq2mPzX9\n".utf8))
            var masking = Masking()
            #expect(try mask(copy(directory), with: &masking).count == 2)
            #expect(try Files.read(known).starts(with: [0xff, 0xfe] + Array("use shadow-masked-".utf8)))
            let bytes = try Files.read(file)
            #expect(bytes.prefix(2) == [0xff, 0xfe])
            let text = String(decoding: bytes.dropFirst(2), as: UTF8.self)
            #expect(text.hasPrefix("\npassword=shadow-masked-") && !text.contains("k7Jq2mPzX9"), "\(text)")
        }
    }

    @Test func aSecretOfOneComponentIsTakenOutOfTheOthers() throws {
        try withTemporaryDirectory { directory in
            let (master, proxy) = (directory.appending("master"), directory.appending("nginx"))
            try Files.makeDirectories(master.appending("secrets"))
            try Files.makeDirectory(proxy)
            try Files.replace(master.appending("secrets/token"), with: Array("k7Jq2mPzX9\n".utf8))
            let file = proxy.appending("upstream.conf")
            try Files.replace(file, with: Array("set $upstream k7Jq2mPzX9;\n".utf8))
            var masking = Masking()
            try masking.learn(from: copy(master).staged.roots[0], classes["master"])
            let neighbour = copy(proxy).staged.roots
            let plain = ["master": Classification([], defaultClass: .config)]
            #expect(try masking.takeSecrets(from: neighbour, plain).isEmpty)
            #expect(throws: ShadowFailure.self) { try masking.search(neighbour) }
            #expect(try masking.maskKnown(in: neighbour).count == 1)
            #expect(try masking.search(neighbour) == 1)
            // What is only looked at stays as it is.
            #expect(try Files.read(master.appending("secrets/token")) == Array("k7Jq2mPzX9\n".utf8))
        }
    }
}
