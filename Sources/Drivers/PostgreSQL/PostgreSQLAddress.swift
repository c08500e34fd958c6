internal import SnapshotModel

/// Where a PostgreSQL server answers, as libpq spells it: `postgresql://ci@db.example:5433/buildbot?sslmode=require`.
///
/// Never with a password: addresses are in the system file, in snapshots and in the list of processes.
package struct PostgreSQLAddress: Hashable, Sendable {
    /// What stands before the database's name: `postgresql://ci@db.example:5433`.
    private var server: String
    /// The database's name, empty when the address has none.
    private(set) var database: String
    /// What follows the name, with its `?`: `?host=/run/postgresql`; empty when nothing does.
    private var parameters: String

    /// The address in `text`, nil when it is none or holds a password.
    init?(_ text: String) {
        guard let scheme = ["postgresql://", "postgres://"].first(where: { text.hasPrefix($0) }) else {
            return nil
        }
        let rest = text.dropFirst(scheme.count)
        let query = rest.firstIndex(of: "?") ?? rest.endIndex
        let slash = rest[..<query].firstIndex(of: "/")
        let authority = rest[..<(slash ?? query)]
        if let at = authority.lastIndex(of: "@"), authority[..<at].contains(":") { return nil }
        guard !rest[query...].lowercased().contains("password=") else { return nil }
        server = "postgresql://" + authority
        parameters = String(rest[query...])
        guard let name = Self.decoded(slash.map { rest[$0..<query].dropFirst() } ?? "") else { return nil }
        database = name
    }

    /// The address of another database of the same server.
    func with(database name: String) -> PostgreSQLAddress {
        var address = self
        address.database = name
        return address
    }

    /// The address as libpq reads it.
    var text: String {
        server + "/" + Self.encoded(database) + parameters
    }

    /// Letters, digits, `-` and `_` as they are, all other bytes as `%XX`: also how a database is spelled as a file name.
    static func encoded(_ name: String) -> String {
        percentEncoded(name.utf8) { isUnreserved($0) && $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "~") }
    }

    /// What ``encoded(_:)`` made of a name, nil when it is nothing that it makes.
    package static func decoded(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit),
                let value = UInt8(digits, radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
