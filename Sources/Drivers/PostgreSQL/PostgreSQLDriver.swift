internal import FileTree
package import SnapshotModel
package import SystemPackage

/// Databases of a PostgreSQL server: a consistent dump of each, and the roles of its cluster.
///
/// The server must run, for a snapshot as for a restore; it is never stopped or started.
package struct PostgreSQLDriver: Driver {
    package static let name = "postgresql"
    package static let settings: [SettingKey] = [
        SettingKey("url", .database, required: true, help: "the database, as postgresql:///NAME"),
        SettingKey("databases", .texts, help: "more databases of the same server"),
        SettingKey(
            "runAs", .text, help: "the user of this host that the server lets in by peer authentication"),
        SettingKey("passwordFile", .path, help: "a password file of libpq, as ~/.pgpass"),
        SettingKey("programs", .path, help: "the directory of psql and pg_dump, if they are not on the PATH"),
        SettingKey(
            "holds", .text,
            help: "the tool whose state the database of 'url' is, so that its work is held: buildbot"),
        SettingKey("roles", .text, help: "all, without-passwords or none"),
    ]

    /// Which roles are captured.
    private enum Roles: String {
        case all, none
        case withoutPasswords = "without-passwords"
    }

    private let server: PostgreSQLServer
    private let databases: [String]
    /// Where the system file says that the programs are.
    private let programs: String?
    private let roles: Roles
    /// Whether work in the restored database of `url` is ended, so that a restored deployment does not deploy twice.
    private let holdsBuildbot: Bool

    private static let rolesFile = "\(DatabaseDump.directory)/roles.sql"

    package init(_ component: Component) throws {
        server = try PostgreSQLServer(component)
        var names = [server.address.database]
        for name in component.list("databases") where !names.contains(name) { names.append(name) }
        guard !names.contains("") else {
            throw DriverFailure(
                "component '\(component.name)': 'url' names no database", hint: "write postgresql:///NAME")
        }
        databases = names
        programs = component.text("programs")
        guard let roles = Roles(rawValue: component.text("roles") ?? "all") else {
            throw DriverFailure(
                "component '\(component.name)': 'roles' is '\(component.text("roles") ?? "")'",
                hint: "write all, without-passwords or none")
        }
        self.roles = roles
        switch component.text("holds") {
        case nil: holdsBuildbot = false
        case "buildbot": holdsBuildbot = true
        case let other?:
            throw DriverFailure(
                "component '\(component.name)': 'holds' is '\(other)'",
                hint: "write buildbot, or leave it out for any other tool")
        }
    }

    /// Finds nothing by itself: a server is no directory.
    package static func detect(_ path: FilePath) throws -> Detection? { nil }

    package func places() -> [Root] { [] }
    package func roots() throws -> [Root] { [] }
    package var keyFiles: [FilePath] { server.passwordFile.map { [FilePath($0)] } ?? [] }
    package func relocated(to roots: [String: FilePath]) -> PostgreSQLDriver { self }
    package func classification(of root: String) -> Classification {
        Classification([], defaultClass: .database)
    }

    package func version() async throws -> String? {
        // A server that is down is named, database by database, where it is dumped.
        try? await DatabaseSwap(server: server).version()
    }

    package func whereabouts() async throws -> String {
        "version \(try await DatabaseSwap(server: server).version()) at \(server.address.text)"
    }

    package func freeze(scratch: FilePath, cache: FilePath) async throws -> Frozen {
        var frozen = Frozen()
        var inventory = DatabaseInventory()
        let dump = DatabaseDump(server: server)
        for (index, database) in databases.enumerated() {
            let directory = scratch.appending("\(index)")
            let place = "\(DatabaseDump.directory)/\(PostgreSQLAddress.encoded(database))"
            do {
                try Files.makeDirectory(directory, mode: 0o700)
                inventory.add(database, try await dump.write(database, to: directory))
            } catch {
                inventory.addUnreadable(database)
                frozen.unreadable.append(.init(path: place, reason: Self.words(error)))
                continue
            }
            for name in [DatabaseDump.definition, DatabaseDump.contents] {
                frozen.artifacts.append(.init(name: "\(place)/\(name)", file: directory.appending(name)))
            }
        }
        if roles != .none {
            do {
                let text = try await dump.roles(withPasswords: roles == .all, scratch: scratch)
                let file = scratch.appending("roles.sql")
                try Files.replace(file, with: text, mode: 0o600)
                frozen.artifacts.append(.init(name: Self.rolesFile, file: file))
            } catch {
                let hint =
                    roles == .all
                    ? "; only a superuser may read passwords: 'roles: without-passwords' leaves them out" : ""
                frozen.unreadable.append(.init(path: Self.rolesFile, reason: Self.words(error) + hint))
            }
        }
        frozen.locks = [Lock(name: Inventory.lockName, contents: inventory.contents)]
        return frozen
    }

    private static func words(_ error: any Error) -> String {
        guard let failure = error as? DriverFailure else { return "\(error)" }
        return "\(failure.description) (\(failure.hint))"
    }

    package func inventory(of source: any FileSource) throws -> Inventory {
        DatabaseInventory.inventory(try source.lock(Inventory.lockName) ?? [])
    }

    package func cluster(of captured: CapturedComponent) async throws -> PostgreSQLCluster? {
        try await PostgreSQLCluster.find(for: captured, programs: programs)
    }

    package var databaseName: String? { server.address.database }

    package var application: (any Application)? { DatabaseSwap(server: server, holdsBuildbot: holdsBuildbot) }
}
