/// The statements that make the roles of a cluster, as `pg_dumpall --roles-only` writes them.
struct RoleStatements {
    private var statements: [String] = []

    /// The statements in a dump of roles, without comments and settings of the session.
    init(_ text: String) {
        var statement = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let begins = ["CREATE ROLE ", "ALTER ROLE ", "GRANT ", "COMMENT ON ROLE "].contains {
                line.hasPrefix($0)
            }
            guard begins || !statement.isEmpty else { continue }
            statement += (statement.isEmpty ? "" : "\n") + line
            if line.hasSuffix(";") {
                statements.append(statement)
                statement = ""
            }
        }
    }

    /// The statements, as a snapshot keeps them.
    var text: String { statements.map { $0 + "\n" }.joined() }

    /// Every role that they make.
    var roles: [String] {
        statements.compactMap { $0.hasPrefix("CREATE ROLE ") ? Self.names(in: $0).first : nil }
    }

    /// The statements about roles that are missing: those that are there stay as they are.
    func making(_ missing: Set<String>) -> String {
        statements.filter { !missing.isDisjoint(with: Self.names(in: $0)) }.map { $0 + "\n" }.joined()
    }

    /// The roles that a statement is about: one, or for a membership both.
    private static func names(in statement: String) -> [String] {
        let words = words(of: statement)
        switch words.first {
        case "GRANT": return words.count > 3 ? [words[1], words[3]] : []
        case "COMMENT": return words.count > 3 ? [words[3]] : []
        default: return words.count > 2 ? [words[2]] : []
        }
    }

    /// The first words, names without their quotes.
    private static func words(of statement: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        for character in statement {
            if character == "\"" {
                // A quote within a name is written twice.
                if !isQuoted, !word.isEmpty { word.append("\"") }
                isQuoted.toggle()
            } else if !isQuoted, character == " " || character == ";" || character == "\n" {
                words.append(word)
                word = ""
                if words.count == 4 { break }
            } else {
                word.append(character)
            }
        }
        return word.isEmpty ? words : words + [word]
    }
}
