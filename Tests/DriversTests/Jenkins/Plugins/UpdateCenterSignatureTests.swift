import Cryptography
import FileTree
import Foundation
import Programs
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// Update centres that are signed, by whom, and over what: with certificates and signatures that `openssl` makes.
struct UpdateCenterSignatureTests {
    /// A root, an authority that it signed, and a signer of that authority; and a stranger with a root of his own.
    private struct Keys {
        let directory: FilePath

        static func with(_ body: (Keys) async throws -> Void) async throws {
            try await withTemporaryDirectory { directory in
                let keys = Keys(directory: directory)
                let script = """
                    make() {
                        openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
                    }
                    self() { make "$1"; openssl x509 -req -in "$1.csr" -signkey "$1.key" -out "$1.pem" -days 9 \
                        -extfile <(echo basicConstraints=critical,CA:true) 2>/dev/null; }
                    self root; self stranger
                    make authority
                    openssl x509 -req -in authority.csr -CA root.pem -CAkey root.key -CAcreateserial -days 9 \
                        -extfile <(echo basicConstraints=critical,CA:true) -out authority.pem 2>/dev/null
                    make signer
                    openssl x509 -req -in signer.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 9 \
                        -out signer.pem 2>/dev/null
                    openssl x509 -req -in signer.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days -1 \
                        -out expired.pem 2>/dev/null
                    """
                try await Program(
                    "/bin/bash", ["-uc", script], directory: directory, limit: .seconds(120)
                ).runSuccessfully()
                try await body(keys)
            }
        }

        func certificate(_ name: String) throws -> Certificate {
            try #require(Certificate(try Files.read(directory.appending("\(name).pem"))))
        }

        /// What `openssl` says of a certificate, as an update centre writes it.
        private func base64(_ name: String) throws -> String {
            String(decoding: try Files.read(directory.appending("\(name).pem")), as: UTF8.self)
                .split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
        }

        /// A file that is signed over `canonical` by a key, with a chain of certificates.
        func file(
            _ text: String, canonical: String, by key: String, chain: [String], inHex: Bool = true
        ) async throws -> [UInt8] {
            let plain = directory.appending("plain")
            try Files.replace(plain, with: Array(canonical.utf8))
            let signature = directory.appending("signature")
            try await Program(
                "openssl",
                ["dgst", "-sha512", "-sign", "\(key).key", "-out", signature.string, plain.string],
                directory: directory
            ).runSuccessfully()
            let bytes = try Files.read(signature)
            let written = inHex ? hex(bytes) : Data(bytes).base64EncodedString()
            let certificates = try chain.map { "\"\(try base64($0))\"" }.joined(separator: ", ")
            return Array(
                "updateCenter.post(\n{\"signature\": {\"certificates\": [\(certificates)], \"correct_signature512\": \"\(written)\"}, \(text)\n);"
                    .utf8)
        }
    }

    private static let text =
        "\"plugins\": {\"b\": 1, \"a</b\": \"x</y\\u00e9\\n\\\"\"}, \"id\": \"default\", \"n\": [true, null, 2.50, -3]}"
    private static let canonical =
        "{\"id\":\"default\",\"n\":[true,null,2.5,-3],\"plugins\":{\"a<\\/b\":\"x</yé\\u000a\\\"\",\"b\":1}}"

    private func refusal(_ file: [UInt8], _ roots: [Certificate]) -> String {
        do {
            try UpdateCenterSignature.check(file, roots: roots)
            return "believed"
        } catch {
            return "\(error)"
        }
    }

    @Test func whatIsSignedByAChainToARootIsBelievedAndNothingElse() async throws {
        try await Keys.with { keys in
            let chain = ["signer", "authority"]
            let (root, stranger) = (try keys.certificate("root"), try keys.certificate("stranger"))
            for inHex in [true, false] {
                let file = try await keys.file(
                    Self.text, canonical: Self.canonical, by: "signer", chain: chain, inHex: inHex)
                #expect(refusal(file, [stranger, root]) == "believed")
                #expect(refusal(file, [stranger]).contains("no root that is trusted"))
                #expect(refusal(file, []).contains("no root that is trusted"))
            }
            let good = try await keys.file(Self.text, canonical: Self.canonical, by: "signer", chain: chain)
            // What somebody changed, added, or said twice.
            let words = String(decoding: good, as: UTF8.self)
            for (old, new, reason) in [
                ("\"b\": 1", "\"b\": 2", "not what the holder"), ("[true,", "[false,", "not what the holder"),
                ("\"id\":", "\"more\": 0, \"id\":", "not what the holder"),
                ("\"id\":", "\"id\": \"other\", \"id\":", "twice"),
                ("correct_signature512", "correct_signature", "not signed with SHA-512"),
                ("\"signature\": {", "\"other\": {", "not signed"),
            ] {
                let changed = words.replacing(old, with: new)
                #expect(changed != words)
                #expect(refusal(Array(changed.utf8), [root]).contains(reason), "\(new)")
            }
            // The authority is missing; the key is another's; somebody signed for himself.
            let short = try await keys.file(
                Self.text, canonical: Self.canonical, by: "signer", chain: ["signer"])
            #expect(refusal(short, [root]).contains("no root that is trusted"))
            let foreign = try await keys.file(
                Self.text, canonical: Self.canonical, by: "stranger", chain: chain)
            #expect(refusal(foreign, [root]).contains("not what the holder"))
            let own = try await keys.file(
                Self.text, canonical: Self.canonical, by: "stranger",
                chain: ["stranger", "signer", "authority"])
            #expect(refusal(own, [root]).contains("no root that is trusted"))
            let old = try await keys.file(
                Self.text, canonical: Self.canonical, by: "signer", chain: ["expired", "authority"])
            #expect(refusal(old, [root]).contains("has expired"))
            #expect(refusal(Array("{}".utf8), [root]) == "it is not signed")
            #expect(refusal(Array("nonsense".utf8), [root]).contains("begins neither"))
        }
    }

    @Test(arguments: [
        "{\"a\":1", "{\"a\":1}}", "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}", "[1]", "{\"a\":nope}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\ud800\"}", "{\"a\":\"\u{1}\"}", "{\"a\":[1,,2]}",
    ])
    func whatIsNoJSONHasNoSpelling(_ text: String) {
        #expect(throws: CanonicalJSON.Unreadable.self) {
            try CanonicalJSON(Array(text.utf8)[...], without: "signature")
        }
    }

    @Test func nestingHasAnEnd() {
        let deep = "{\"a\":" + String(repeating: "[", count: 100_000)
        #expect(throws: CanonicalJSON.Unreadable.self) {
            try CanonicalJSON(Array(deep.utf8)[...], without: "signature")
        }
    }

    @Test func charactersOutsideTheFirstPlaneSortAsJavaSortsThem() throws {
        let text = "{\"\u{ff5e}\": 1, \"\u{1f600}\": 2, \"\\ud83d\\ude01\": 3}"
        let canonical = try CanonicalJSON(Array(text.utf8)[...], without: "signature")
        #expect(
            String(decoding: canonical.bytes, as: UTF8.self)
                == "{\"\u{1f600}\":2,\"\u{1f601}\":3,\"\u{ff5e}\":1}")
    }
}
