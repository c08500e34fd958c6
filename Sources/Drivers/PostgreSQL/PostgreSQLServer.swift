internal import FileTree
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// A PostgreSQL server, spoken to by its own programs.
///
/// A password is read by libpq from a password file: it is in no argument, no environment and no message of ours. Messages of
/// the server are asked for without the statement or row that they are about.
struct PostgreSQLServer: Sendable {
    /// Where it answers.
    let address: PostgreSQLAddress
    let passwordFile: String?
    private let programs: String?
    /// The user of this host that peer authentication sees, nil for ours.
    private let user: (owner: UInt32, group: UInt32)?

    /// How long a dump or a restore of one database may take.
    private static let longLimit = Duration.seconds(12 * 3600)

    init(_ component: Component) throws {
        guard let text = component.text("url"), let address = PostgreSQLAddress(text) else {
            throw DriverFailure(
                "component '\(component.name)': 'url' is not the address of a database without a password",
                hint: "write postgresql:///NAME, and put a password into a file that 'passwordFile' names")
        }
        self.address = address
        passwordFile = component.text("passwordFile")
        programs = component.text("programs")
        user = try component.text("runAs").map { name in
            guard let number = Accounts.userNumber(name), let group = Accounts.groupNumber(name) else {
                throw DriverFailure(
                    "component '\(component.name)': this host has no user and group '\(name)'",
                    hint: "name the user whose peer authentication the server accepts, as runAs: postgres")
            }
            return (number, group)
        }
    }

    // MARK: Statements

    /// What psql prints between two fields of a row.
    static let fieldSeparator = "\u{1f}"

    /// Runs SQL in a database, as a session of the name, and returns the fields of the rows that it prints.
    ///
    /// Names without a schema are the server's own: whoever may make functions in the database could have theirs found instead,
    /// and run with the rights of who asks.
    @discardableResult
    func run(_ sql: String, in database: String, as name: String = "understudy") async throws -> [[String]] {
        var program = psql(database, [:], isOneTransaction: false)
        program.input = Array(("SET search_path = pg_catalog;\n" + sql).utf8)
        program.environment["PGAPPNAME"] = name
        program.outputLimit = 1 << 26
        let outcome = try await told { try await program.runSuccessfully() }
        // No value holds a zero, and any may hold a line break.
        return outcome.output.split(separator: "\0").map {
            $0.split(separator: Self.fieldSeparator, omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// Runs statements that came out of a store, all or none when `isOneTransaction`: of psql's own commands none is obeyed.
    ///
    /// `variables` are psql's: `:"database"` in the text.
    func runRestricted(
        _ file: FilePath, in database: String, _ variables: [String: String] = [:], isOneTransaction: Bool
    ) async throws {
        var program = psql(database, variables, isOneTransaction: isOneTransaction)
        program.limit = Self.longLimit
        let key = (0..<48).map { _ in String("abcdefghijklmnopqrstuvwxyz0123456789".randomElement() ?? "x") }
        program.arguments += ["--command", "\\restrict \(key.joined())", "--file", "-"]
        try await told { try await program.runSuccessfully(reading: file, writing: nil) }
    }

    private func psql(_ database: String, _ variables: [String: String], isOneTransaction: Bool) -> Program {
        var arguments = [
            "--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align", "--field-separator",
            Self.fieldSeparator, "--record-separator-zero", "--set", "ON_ERROR_STOP=1",
            "--set", "VERBOSITY=terse",
        ]
        for (name, value) in variables.sorted(by: { $0.key < $1.key }) {
            arguments += ["--set", "\(name)=\(value)"]
        }
        if isOneTransaction { arguments.append("--single-transaction") }
        return program("psql", arguments + ["--dbname", address.with(database: database).text])
    }

    // MARK: Dumps

    /// Writes a dump of a database, in SQL, from one moment of it.
    ///
    /// `key` is the word by which the dump's first and last command are found again.
    func dump(_ database: String, to file: FilePath, key: String) async throws {
        var program = program(
            "pg_dump",
            ["--no-password", "--lock-wait-timeout=60s"] + (try await restriction("pg_dump", key))
                + ["--dbname", address.with(database: database).text])
        program.limit = Self.longLimit
        try await told { try await program.runSuccessfully(reading: nil, writing: file) }
    }

    /// The statements that make the roles of the cluster.
    func roles(withPasswords: Bool, to file: FilePath, key: String) async throws {
        let program = program(
            "pg_dumpall",
            ["--no-password", "--roles-only"] + (withPasswords ? [] : ["--no-role-passwords"])
                + (try await restriction("pg_dumpall", key)) + ["--dbname", address.text])
        try await told { try await program.runSuccessfully(reading: nil, writing: file) }
    }

    /// Versions of 2025 and later guard their dumps with a key, which is another each time unless it is given.
    private func restriction(_ name: String, _ key: String) async throws -> [String] {
        let help = try await told { try await program(name, ["--help"]).runSuccessfully().output }
        return help.contains("--restrict-key") ? ["--restrict-key=\(key)"] : []
    }

    // MARK: Programs

    private func program(_ name: String, _ arguments: [String]) -> Program {
        // These win over the settings of databases and roles, which a restore loads before the rows.
        let options = [
            "client_min_messages=warning", "statement_timeout=0", "lock_timeout=60s",
            "default_transaction_read_only=off", "standard_conforming_strings=on",
        ]
        var environment = [
            "PGCONNECT_TIMEOUT": "10",
            "PGOPTIONS": options.map { "-c \($0)" }.joined(separator: " "),
        ]
        environment["PGPASSFILE"] = passwordFile
        return Program(
            programs.map { "\($0)/\(name)" } ?? name, arguments, environment: environment, directory: "/",
            user: user, limit: .seconds(120))
    }

    private func told<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let failure as ProgramFailure {
            throw DriverFailure(
                "the server of \(address.text): \(failure)",
                hint: "make sure that it runs and accepts connections: psql '\(address.text)'"
                    + (user == nil ? "" : ", as the user that 'runAs' names"))
        }
    }
}
