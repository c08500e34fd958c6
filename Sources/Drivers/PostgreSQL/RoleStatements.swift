/// The statements that make the roles of a cluster, as `pg_dumpall --roles-only` writes them.
struct RoleStatements {
    /// A statement, with the roles that it is about: one, or for a membership both.
    private struct Statement {
        var bytes: [UInt8]
        var roles: [String]
        /// Whether it makes the role.
        var isMaking: Bool
    }

    private var statements: [Statement] = []

    /// The statements in a dump of roles, without comments and settings of the session.
    ///
    /// Throws a ``DriverFailure`` when the dump ends in the middle of one, or holds what no dump of roles does: what is taken
    /// for a statement then may be what somebody wrote into a setting or a comment.
    init(_ text: [UInt8]) throws {
        var scanner = SQLScanner()
        var bytes: [UInt8] = []
        for byte in text {
            guard byte != 0, !(byte == UInt8(ascii: "\\") && scanner.isInStatement && scanner.isPlain) else {
                throw Self.failure("has in it what is no SQL")
            }
            scanner.take(byte)
            if scanner.isInStatement || scanner.hasEndedStatement { bytes.append(byte) }
            guard scanner.hasEndedStatement else { continue }
            if let statement = try Self.statement(bytes) { statements.append(statement) }
            bytes = []
        }
        guard !scanner.isInStatement, !scanner.isQuoted else {
            throw Self.failure("ends in the middle of a statement")
        }
    }

    /// The statements, as a snapshot keeps them.
    var text: [UInt8] { Self.text(statements) }

    /// Every role that they make.
    var roles: [String] { statements.filter(\.isMaking).flatMap(\.roles) }

    /// The statements about roles that are missing: those that are there stay as they are.
    func making(_ missing: Set<String>) -> [UInt8] {
        Self.text(statements.filter { !missing.isDisjoint(with: $0.roles) })
    }

    private static func text(_ statements: [Statement]) -> [UInt8] {
        statements.flatMap { $0.bytes + [UInt8(ascii: "\n")] }
    }

    /// What a statement is, nil when it is not about roles.
    private static func statement(_ bytes: [UInt8]) throws -> Statement? {
        let words = SQLScanner.words(of: bytes, limit: 12)
        func begins(_ keywords: String...) -> Bool {
            words.count > keywords.count && zip(words, keywords).allSatisfy { $0.isKeyword($1) }
        }
        let roles: [SQLScanner.Word]
        if begins("CREATE", "ROLE") || begins("ALTER", "ROLE") {
            roles = [words[2]]
        } else if begins("COMMENT", "ON", "ROLE") {
            roles = [words[3]]
        } else if begins("GRANT"), words.contains(where: { $0.isKeyword("PARAMETER") }) {
            roles = Array(words.drop { !$0.isKeyword("TO") }.dropFirst().prefix(1))
        } else if begins("GRANT"), words.count > 4, words[2].isKeyword("TO") {
            roles = [words[1], words[3]]
        } else {
            return nil
        }
        // A dump of a version that does not guard its own comments against them would run what is behind one.
        guard roles.allSatisfy({ role in !role.text.utf8.contains { $0 == 0x0a || $0 == 0x0d } }) else {
            throw failure("names a role with a line break in its name")
        }
        return Statement(bytes: bytes, roles: roles.map(\.text), isMaking: begins("CREATE", "ROLE"))
    }

    private static func failure(_ words: String) -> DriverFailure {
        DriverFailure(
            "the dump of the roles \(words)",
            hint: "look at what 'pg_dumpall --roles-only' writes; 'roles: none' leaves the roles out, and "
                + "'understudy restore --to DIR' writes dumps to be loaded by hand")
    }
}
