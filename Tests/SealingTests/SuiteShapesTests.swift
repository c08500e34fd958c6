import Cryptography
import Testing

@testable import Sealing

/// The shapes of files that the public age test suite has (C2SP, CCTV, directory `age`, read in June 2026), each made anew
/// here by its name and the specification alone.
///
/// Left out are the suite's 17 shapes named `hybrid…` and `armor_hybrid`: they are of a kind of recipient that C2SP age.md
/// added later, with ML-KEM, and that Understudy neither writes nor reads; such a stanza is passed over as any unknown one.
@Suite struct SuiteShapesTests {
    /// What opening a file must come to.
    enum Outcome: Sendable { case opens, damaged, noKeyFits }

    /// One shape, by the suite's name for it.
    struct Shape: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var outcome: Outcome
        var passphrase: String?
        var make: @Sendable (inout FileParts) throws -> Void

        init(
            _ name: String, _ outcome: Outcome, passphrase: String? = nil,
            _ make: @escaping @Sendable (inout FileParts) throws -> Void
        ) {
            testDescription = name
            self.outcome = outcome
            self.passphrase = passphrase
            self.make = make
        }
    }

    @Test(
        arguments: armorShapes + macShapes + stanzaShapes + recipientShapes + passphraseShapes
            + streamShapes)
    func aFileOfThisShapeComesToWhatTheSuiteSays(_ shape: Shape) throws {
        var parts = FileParts()
        try shape.make(&parts)
        let outcome: Outcome
        do {
            let isArmored = Armor.isArmored(parts.bytes) || shape.testDescription.hasPrefix("armor")
            let file = isArmored ? try Armor.decode(parts.bytes) : parts.bytes
            let reader =
                shape.passphrase.map { AgeReader(passphrase: Array($0.utf8)) }
                ?? AgeReader(identities: [FileParts.identity])
            #expect(try reader.open(file) == parts.contents)
            outcome = .opens
        } catch let failure as SealingFailure {
            outcome = failure.code == .noKeyFits ? .noKeyFits : .damaged
        }
        #expect(outcome == shape.outcome)
    }

    // MARK: - Armor

    private static func armor(
        _ name: String, _ outcome: Outcome, contents: String = "age",
        _ change: @escaping @Sendable (String) -> String = { $0 }
    ) -> Shape {
        Shape(name, outcome) { parts in
            try parts.whole(contents)
            let text = change(String(decoding: Armor.encode(parts.bytes), as: UTF8.self))
            parts.bytes = Array(text.utf8)
        }
    }

    /// How many bytes of contents leave this rest when the whole file is divided by 48, a line of armor.
    private static func contents(_ rest: Int) throws -> String {
        for count in 1...48 {
            var parts = FileParts()
            let contents = String(repeating: "a", count: count)
            try parts.whole(contents)
            if parts.bytes.count % 48 == rest { return contents }
        }
        preconditionFailure("the sizes follow one another")
    }

    private static let begin = "-----BEGIN AGE ENCRYPTED FILE-----\n"
    private static let end = "-----END AGE ENCRYPTED FILE-----\n"

    /// The text with its line `number` from the end changed.
    private static func line(_ number: Int, _ text: String, _ change: (String) -> String) -> String {
        var lines = text.split(separator: "\n").map(String.init)
        lines[lines.count - number] = change(lines[lines.count - number])
        return lines.joined(separator: "\n") + "\n"
    }

    static let armorShapes: [Shape] = [
        armor("armor_x25519", .opens),
        Shape("armor_scrypt", .opens, passphrase: "password") { parts in
            try parts.passphrase("password")
            parts.finish("age")
            parts.bytes = Armor.encode(parts.bytes)
        },
        armor("armor_crlf", .opens) { $0.replacing("\n", with: "\r\n") },
        armor("armor_empty", .damaged) { _ in begin + end },
        Shape("armor_empty_last_line", .damaged) { parts in
            try parts.whole(contents(0))
            let text = String(decoding: Armor.encode(parts.bytes), as: UTF8.self)
            parts.bytes = Array(text.replacing(end, with: "\n" + end).utf8)
        },
        armor("armor_empty_line_begin", .damaged) { $0.replacing(begin, with: begin + "\n") },
        armor("armor_empty_line_end", .damaged) { $0.replacing(end, with: "\n" + end) },
        Shape("armor_eol_between_padding", .damaged) { parts in
            try parts.whole(contents(1))
            let text = String(decoding: Armor.encode(parts.bytes), as: UTF8.self)
            #expect(text.contains("=="))
            parts.bytes = Array(text.replacing("==", with: "=\n=").utf8)
        },
        Shape("armor_full_last_line", .opens) { parts in
            try parts.whole(contents(0))
            parts.bytes = Armor.encode(parts.bytes)
        },
        Shape("armor_garbage_encoded", .damaged) { parts in
            try parts.whole("age")
            parts.bytes = Armor.encode(parts.bytes + randomBytes(20))
        },
        armor("armor_garbage_leading", .damaged) { "garbage\n" + $0 },
        armor("armor_garbage_trailing", .damaged) { $0 + "garbage\n" },
        Shape("armor_header_crlf", .damaged) { parts in
            try parts.recipient()
            parts.useCarriageReturns()
            parts.bytes = Armor.encode(parts.bytes)
        },
        armor("armor_headers", .damaged) {
            $0.replacing(begin, with: begin + "Headers: are\nNot: allowed\n\n")
        },
        armor("armor_invalid_character_header", .damaged) {
            $0.replacing(begin + "YWdl", with: begin + "YWd*")
        },
        armor("armor_invalid_character_payload", .damaged) { line(2, $0) { "*" + $0.dropFirst() } },
        armor("armor_long_line", .damaged) { text in
            begin
                + text.split(separator: "\n").dropFirst().dropLast().joined() + "\n" + end
        },
        armor("armor_lowercase", .damaged) { $0.replacing(" AGE ", with: " age ") },
        armor("armor_no_end_line", .damaged) { $0.replacing(end, with: "") },
        armor("armor_no_eol", .opens) { String($0.dropLast()) },
        Shape("armor_no_match", .noKeyFits) { parts in
            try parts.recipient(Identity().recipient)
            parts.finish("age")
            parts.bytes = Armor.encode(parts.bytes)
        },
        Shape("armor_no_padding", .damaged) { parts in
            try parts.whole(contents(1))
            let text = String(decoding: Armor.encode(parts.bytes), as: UTF8.self)
            parts.bytes = Array(text.replacing("=", with: "").utf8)
        },
        Shape("armor_not_canonical", .damaged) { parts in
            try parts.whole(contents(1))
            let text = String(decoding: Armor.encode(parts.bytes), as: UTF8.self)
            parts.bytes = Array(
                line(2, text) { FileParts.notCanonical(String($0.dropLast(2))) + "==" }.utf8)
        },
        armor("armor_pgp_checksum", .damaged) { $0.replacing(end, with: "=njUN\n" + end) },
        armor("armor_short_line", .damaged) { line(3, $0) { $0.prefix(16) + "\n" + $0.dropFirst(16) } },
        armor("armor_whitespace_begin", .damaged) {
            $0.replacing("-----BEGIN AGE ENCRYPTED FILE-----", with: "----- BEGIN AGE ENCRYPTED FILE -----")
        },
        armor("armor_whitespace_end", .damaged) {
            $0.replacing("-----END AGE ENCRYPTED FILE-----", with: "----- END AGE ENCRYPTED FILE -----")
        },
        armor("armor_whitespace_eol", .damaged) { line(3, $0) { $0 + " " } },
        armor("armor_whitespace_last_line", .damaged) { line(2, $0) { $0 + " " } },
        armor("armor_whitespace_line_start", .damaged) { line(3, $0) { " " + $0 } },
        armor("armor_whitespace_outside", .opens) { "\n\r   \t\n" + $0 + "\n\r   \t\n" },
        armor("armor_wrong_type", .damaged) {
            $0.replacing("ENCRYPTED FILE", with: "ENCRYPTED MESSAGE")
        },
    ]

    // MARK: - Header

    private static func mac(
        _ name: String, _ change: @escaping @Sendable (String) -> String
    ) -> Shape {
        Shape(name, .damaged) { parts in
            try parts.recipient()
            let line = parts.macLine()
            parts.line(change(line))
            parts.payload([3])
        }
    }

    static let macShapes: [Shape] = [
        Shape("empty", .damaged) { $0.bytes = [] },
        Shape("version_unsupported", .damaged) { parts in
            parts.bytes = Array("age-encryption.org/v1234\n".utf8)
            try parts.recipient()
            parts.finish("age")
        },
        Shape("header_crlf", .damaged) { parts in
            try parts.recipient()
            parts.useCarriageReturns()
        },
        Shape("hmac_bad", .damaged) { parts in
            try parts.recipient()
            let line = parts.macLine([UInt8](repeating: 0, count: 16))
            parts.line(line)
            parts.payload([3])
        },
        mac("hmac_extra_space") { $0.replacing("--- ", with: "---  ") },
        mac("hmac_garbage") { $0 + "AAA" },
        mac("hmac_missing") { _ in "---" },
        mac("hmac_no_space") { $0.replacing("--- ", with: "---") },
        mac("hmac_not_canonical", FileParts.notCanonical),
        mac("hmac_trailing_space") { $0 + " " },
        mac("hmac_truncated") { String($0.prefix(8)) },
    ]

    /// A stanza beside that of the recipient, in lines.
    private static func stanza(_ name: String, _ outcome: Outcome, _ lines: String...) -> Shape {
        Shape(name, outcome) { parts in
            try parts.recipient()
            for line in lines { parts.line(line) }
            parts.finish("age")
        }
    }

    private static let body50 = String(
        decoding: Base64.encode([UInt8](repeating: 65, count: 50)), as: UTF8.self)
    private static func `as`(_ count: Int) -> String { String(repeating: "A", count: count) }

    static let stanzaShapes: [Shape] = [
        stanza("stanza_bad_start", .damaged, "-- stanza", ""),
        stanza(
            "stanza_base64_padding", .damaged, "-> stanza", String(body50.prefix(64)),
            body50.dropFirst(64) + "="),
        stanza("stanza_empty_argument", .damaged, "-> stanza  argument", ""),
        stanza("stanza_empty_body", .opens, "-> empty", ""),
        stanza("stanza_empty_last_line", .opens, "-> stanza", `as`(64), `as`(64), ""),
        stanza("stanza_invalid_character", .damaged, "-> stanza è", ""),
        stanza("stanza_long_line", .damaged, "-> stanza", `as`(68), ""),
        stanza("stanza_missing_body", .damaged, "-> empty"),
        stanza("stanza_missing_final_line", .damaged, "-> stanza", `as`(64)),
        stanza("stanza_multiple_short_lines", .damaged, "-> stanza", `as`(32), `as`(32)),
        stanza("stanza_no_arguments", .damaged, "->", ""),
        stanza(
            "stanza_not_canonical", .damaged, "-> stanza", String(body50.prefix(64)),
            FileParts.notCanonical(String(body50.dropFirst(64)))),
        stanza("stanza_spurious_cr", .damaged, "-> stanza", `as`(32) + "\r" + `as`(31)),
        Shape("stanza_valid_characters", .opens) { parts in
            let printable = (UInt8(0x21)...0x7e).map { String(UnicodeScalar($0)) }
            parts.line("-> " + printable[..<47].joined())
            parts.line("")
            parts.line("-> " + printable[47...].joined(separator: " "))
            parts.line("")
            try parts.recipient()
            parts.finish("age")
        },
    ]

    // MARK: - Recipients

    /// A stanza for the identity, changed.
    private static func changed(
        _ name: String, _ outcome: Outcome, _ change: @escaping @Sendable (inout Stanza) -> Void
    ) -> Shape {
        Shape(name, outcome) { parts in
            var stanza = try parts.stanza()
            change(&stanza)
            parts.bytes += stanza.text
            parts.finish("age")
        }
    }

    /// A stanza for the identity with its lines changed.
    private static func spelled(
        _ name: String, _ change: @escaping @Sendable (_ arguments: String, _ body: String) -> [String]
    ) -> Shape {
        Shape(name, .damaged) { parts in
            let lines = String(decoding: try parts.stanza().text, as: UTF8.self).split(separator: "\n")
            for line in change(String(lines[0]), String(lines[1])) { parts.line(line) }
            parts.finish("age")
        }
    }

    static let recipientShapes: [Shape] = [
        Shape("x25519", .opens) { try $0.whole("age") },
        changed("x25519_bad_tag", .noKeyFits) { $0.body[$0.body.count - 1] ^= 0xff },
        changed("x25519_extra_argument", .damaged) { $0.arguments.append(Array("1234".utf8)) },
        Shape("x25519_grease", .opens) { parts in
            parts.line("-> grease")
            parts.line("")
            try parts.recipient()
            parts.line("-> grease")
            parts.line("")
            parts.finish("age")
        },
        Shape("x25519_identity", .damaged) { parts in
            parts.bytes += parts.stanza(lowOrder: [UInt8](repeating: 0, count: 32)).text
            parts.finish("age")
        },
        Shape("x25519_long_file_key", .damaged) { parts in
            parts.fileKey = Array("A LONGER KEY THAN SIXTEEN".utf8)
            try parts.whole("age")
        },
        changed("x25519_long_share", .damaged) {
            $0.arguments[1] = Base64.encode((Base64.decode($0.arguments[1]) ?? []) + [0])
        },
        Shape("x25519_low_order", .damaged) { parts in
            parts.bytes += parts.stanza(lowOrder: FileParts.pointOfOrderEight).text
            parts.finish("age")
        },
        changed("x25519_lowercase", .noKeyFits) { $0.arguments[0] = Array("x25519".utf8) },
        Shape("x25519_multiple_recipients", .opens) { parts in
            try parts.recipient(Identity().recipient)
            try parts.recipient()
            parts.finish("age")
        },
        Shape("x25519_no_match", .noKeyFits) { parts in
            try parts.recipient(Identity().recipient)
            parts.finish("age")
        },
        spelled("x25519_not_canonical_body") { [$0, FileParts.notCanonical($1)] },
        spelled("x25519_not_canonical_share") { [FileParts.notCanonical($0), $1] },
        Shape("x25519_short_share", .damaged) { parts in
            var stanza = try parts.stanza(endingInZero: true)
            stanza.arguments[1] = Base64.encode((Base64.decode(stanza.arguments[1]) ?? []).dropLast())
            parts.bytes += stanza.text
            parts.finish("age")
        },
    ]

    // MARK: - Passphrases

    private static func scrypt(
        _ name: String, _ outcome: Outcome, passphrase: String = "password",
        _ change: @escaping @Sendable (inout Stanza) -> Void = { _ in }
    ) -> Shape {
        Shape(name, outcome, passphrase: passphrase) { parts in
            var stanza = try parts.stanza(passphrase: "password")
            change(&stanza)
            parts.bytes += stanza.text
            parts.finish("age")
        }
    }

    private static func factor(_ name: String, _ text: String, _ outcome: Outcome = .damaged) -> Shape {
        scrypt("scrypt_work_factor_\(name)", outcome) { $0.arguments[2] = Array(text.utf8) }
    }

    private static func salt(_ name: String, _ bytes: [UInt8]?) -> Shape {
        scrypt("scrypt_salt_\(name)", .damaged) { stanza in
            if let bytes {
                stanza.arguments[1] = Base64.encode(bytes)
            } else {
                stanza.arguments.remove(at: 1)
            }
        }
    }

    static let passphraseShapes: [Shape] = [
        scrypt("scrypt", .opens),
        Shape("scrypt_and_x25519", .damaged, passphrase: "password") { parts in
            try parts.recipient()
            try parts.passphrase("password")
            parts.finish("age")
        },
        scrypt("scrypt_bad_tag", .noKeyFits) { $0.body[$0.body.count - 1] ^= 0xff },
        Shape("scrypt_double", .damaged, passphrase: "password") { parts in
            try parts.passphrase("password")
            try parts.passphrase("hunter2")
            parts.finish("age")
        },
        scrypt("scrypt_extra_argument", .damaged) { $0.arguments.append(Array("10".utf8)) },
        Shape("scrypt_long_file_key", .damaged, passphrase: "password") { parts in
            parts.fileKey = Array("A LONGER KEY THAN SIXTEEN".utf8)
            try parts.passphrase("password")
            parts.finish("age")
        },
        scrypt("scrypt_no_match", .noKeyFits, passphrase: "wrong"),
        Shape("scrypt_not_canonical_body", .damaged, passphrase: "password") { parts in
            let lines = String(decoding: try parts.stanza(passphrase: "password").text, as: UTF8.self)
                .split(separator: "\n")
            parts.line(String(lines[0]))
            parts.line(FileParts.notCanonical(String(lines[1])))
            parts.finish("age")
        },
        scrypt("scrypt_not_canonical_salt", .damaged) { stanza in
            let salt = FileParts.notCanonical(String(decoding: stanza.arguments[1], as: UTF8.self))
            stanza.arguments[1] = Array(salt.utf8)
        },
        salt("long", randomBytes(20)), salt("missing", nil), salt("short", randomBytes(12)),
        scrypt("scrypt_uppercase", .noKeyFits) { $0.arguments[0] = Array("Scrypt".utf8) },
        factor("23", "23"), factor("hex", "0x4"), factor("leading_garbage", "aaaa4"),
        factor("leading_plus", "+4"),
        factor("leading_zero_decimal", "04"), factor("leading_zero_octal", "012"),
        scrypt("scrypt_work_factor_missing", .damaged) { $0.arguments.removeLast() },
        factor("negative", "-4"), factor("overflow", "18446744073709551620"),
        factor("trailing_garbage", "4aaaa"),
        factor("wrong", "5", .noKeyFits), factor("zero", "0"),
    ]

    // MARK: - Contents

    /// A payload of pieces by their sizes, then bytes that belong to none.
    private static func stream(
        _ name: String, _ outcome: Outcome, _ pieces: [Int], last: Set<Int>? = nil, garbage: Int = 0,
        _ change: @escaping @Sendable (inout [UInt8]) -> Void = { _ in }
    ) -> Shape {
        Shape("stream_\(name)", outcome) { parts in
            try parts.recipient()
            let line = parts.macLine()
            parts.line(line)
            parts.payload(pieces, last: last)
            parts.bytes += randomBytes(garbage)
            change(&parts.bytes)
        }
    }

    private static let full = Payload.pieceCount
    private static let many = [Int](repeating: full, count: 256)

    static let streamShapes: [Shape] = [
        stream("257_chunks", .opens, many + [1]), stream("257_chunks_full", .opens, many + [full]),
        stream("258_chunks", .opens, many + [full, 1]),
        stream("bad_tag", .damaged, [3]) { $0[$0.count - 1] ^= 0x20 },
        stream("bad_tag_second_chunk", .damaged, [full, 1]) { $0[$0.count - 1] ^= 0x20 },
        stream("bad_tag_second_chunk_full", .damaged, [full, full]) { $0[$0.count - 1] ^= 0x20 },
        stream("empty_payload", .opens, [0]), stream("last_chunk_empty", .damaged, [full, 0]),
        stream("last_chunk_full", .opens, [full]), stream("last_chunk_full_second", .opens, [full, full]),
        stream("missing_tag", .damaged, [3]) { $0.removeLast(16) },
        stream("no_chunks", .damaged, []), stream("no_final", .damaged, [1], last: []),
        stream("no_final_full", .damaged, [full], last: []),
        stream("no_final_two_chunks", .damaged, [full, 1], last: []),
        stream("no_final_two_chunks_full", .damaged, [full, full], last: []),
        stream("no_nonce", .damaged, []) { $0.removeLast(16) },
        stream("short_chunk", .damaged, [], garbage: 12),
        stream("short_nonce", .damaged, []) { $0.removeLast(4) },
        stream("short_second_chunk", .damaged, [full], last: [], garbage: 12),
        stream("three_chunks", .opens, [full, full, full]),
        stream("trailing_garbage_long", .damaged, [full], garbage: 20),
        stream("trailing_garbage_short", .damaged, [full], garbage: 12),
        stream("two_chunks", .opens, [full, full]),
        stream("two_final_chunks", .damaged, [full, 1], last: [0, 1]),
        stream("two_final_chunks_full", .damaged, [full, full], last: [0, 1]),
        stream("two_final_chunks_second", .damaged, [full, full, 1], last: [1, 2]),
        stream("two_final_chunks_short", .damaged, [1, 1], last: [0, 1]),
    ]
}
