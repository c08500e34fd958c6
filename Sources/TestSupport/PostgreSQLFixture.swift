internal import Drivers
internal import FileTree
internal import Glibc
internal import Programs
package import SystemPackage

/// A real PostgreSQL server of its own, on a Unix socket in a directory of its own, without any port.
package struct PostgreSQLFixture: Sendable {
    /// The directory of the socket and the cluster; below `/tmp`, owned by the user that the server runs as.
    package let directory: FilePath
    /// The directory of the server's programs.
    package let programs: FilePath
    /// The user that the server runs as and that it lets in as its superuser; nil when that is ours.
    package let user: String?

    /// The name of the server's superuser.
    private var superuser: String { user ?? Accounts.userName(Accounts.ownNumbers.user) }

    /// Where Debian puts the programs, nil when there is no server to test with.
    package static var availablePrograms: FilePath? {
        let versions: FilePath = "/usr/lib/postgresql"
        // What cannot be looked at is not available.
        let names = (try? Files.names(versions)) ?? []
        return names.map { String(decoding: $0, as: UTF8.self) }
            .sorted { (Int($0) ?? 0) < (Int($1) ?? 0) }
            .map { versions.appending($0).appending("bin") }
            .last { (try? Files.exists($0.appending("initdb"))) == true }
    }

    /// Runs `body` with a server, and takes the server away afterwards.
    package static func with<Result>(
        _ body: (PostgreSQLFixture) async throws -> Result
    ) async throws -> Result {
        let server = try await PostgreSQLFixture()
        do {
            let result = try await body(server)
            try await server.remove()
            return result
        } catch {
            try await server.remove()
            throw error
        }
    }

    private init() async throws {
        guard let programs = Self.availablePrograms else {
            throw FixtureFailure("there is no PostgreSQL server: scripts/setup installs one")
        }
        self.programs = programs
        // The server refuses to run as root.
        user = Accounts.ownNumbers.user == 0 ? "postgres" : nil
        directory = FilePath("/tmp/understudy-pg-\(String(UInt32.random(in: 0...UInt32.max), radix: 36))")
        try Files.makeDirectory(directory, mode: 0o755)
        do {
            if let user, let owner = Accounts.userNumber(user), let group = Accounts.groupNumber(user) {
                try Files.setOwner(directory, owner: owner, group: group)
            }
            try await makeCluster()
        } catch {
            try await remove()
            throw error
        }
    }

    private func makeCluster() async throws {
        try await run(
            "initdb", ["-D", "\(directory)/data", "--auth=peer", "--no-sync", "--username=\(superuser)"])
        // The one role that has to say a password.
        let rules = directory.appending("data/pg_hba.conf")
        try Files.replace(
            rules, with: Array("local all ci scram-sha-256\nlocal all all peer\n".utf8), mode: 0o644)
        try await start()
    }

    /// Starts it.
    package func start() async throws {
        let options =
            "-c listen_addresses='' -c unix_socket_directories=\(directory) -c fsync=off -c max_wal_senders=0"
        try await run(
            "pg_ctl",
            ["-D", "\(directory)/data", "-w", "-s", "-l", "\(directory)/log", "-o", options, "start"])
    }

    /// Stops it at once.
    package func stop() async throws {
        try await run("pg_ctl", ["-D", "\(directory)/data", "-w", "-s", "-m", "immediate", "stop"])
    }

    /// Loses every database and role, and starts an empty server, as on a new machine.
    package func lose() async throws {
        try await stop()
        try Files.removeTree(directory.appending("data"))
        try await makeCluster()
    }

    private func remove() async throws {
        if let text = try Files.readIfPresent(directory.appending("data/postmaster.pid")) {
            do {
                try await stop()
            } catch {
                // Its first line is the server's number; what belongs to the server ends with it.
                let line = String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
                if let process = Int32(line), process > 1 { kill(process, SIGKILL) }
            }
        }
        try Files.removeTree(directory)
    }

    /// Runs SQL in a database, and returns what it prints: rows of fields with `|` between them.
    @discardableResult
    package func sql(_ text: String, in database: String = "postgres") async throws -> String {
        try await run(
            "psql",
            [
                "-h", directory.string, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c",
                text,
            ])
    }

    /// The lines that describe a component for it in a system file.
    package func component(_ name: String, database: String, more: [String] = []) -> String {
        var lines = [
            "  \(name):", "    driver: postgresql",
            "    url: \"postgresql:///\(database)?host=\(directory)&user=\(superuser)\"",
            "    programs: \(programs)",
        ]
        if let user { lines.append("    runAs: \(user)") }
        return (lines + more.map { "    \($0)" }).joined(separator: "\n") + "\n"
    }

    /// Runs one of its programs as the user that it runs as, and returns what that prints.
    @discardableResult
    package func run(_ name: String, _ arguments: [String]) async throws -> String {
        var program = Program(
            programs.appending(name).string, arguments, directory: "/", limit: .seconds(60))
        if let user, let owner = Accounts.userNumber(user), let group = Accounts.groupNumber(user) {
            program.user = (owner, group)
        }
        return try await program.runSuccessfully().output
    }
}
