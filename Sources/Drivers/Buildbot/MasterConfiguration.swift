internal import FileTree
internal import SystemPackage

/// What can be read from a master's configuration without running it.
///
/// `master.cfg` is a program; only plain literals are believed, and everything else is unknown.
struct MasterConfiguration {
    /// Where a master keeps its state.
    enum StateStore: Equatable {
        /// A SQLite file; a relative path is below the base directory.
        case sqlite(String)
        /// A server; only the scheme and the database's name are kept, for the rest may hold a password.
        case server(scheme: String, database: String?)
        /// Said by an expression, not by a literal.
        case unknown
    }

    /// The file, absolute.
    var path: FilePath
    /// Its text, empty when there is no such file.
    var source: String

    /// The configuration that a tac file names.
    init(_ tac: TacFile, directory: FilePath) throws {
        path = directory.pushing(FilePath(tac.configurationFile))
        source =
            try Files.readIfPresent(path, limit: 16 << 20).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    init(source: String) {
        path = "master.cfg"
        self.source = source
    }

    /// Where the master keeps its state.
    var stateStore: StateStore {
        let values = PythonText.values(of: "db_url", in: source)
        guard let value = values.last else { return .sqlite("state.sqlite") }
        guard let url = PythonText.string(value) else { return .unknown }
        guard let colon = url.firstIndex(of: ":") else { return .unknown }
        let scheme = String(url[..<colon])
        guard scheme.prefix(while: { $0 != "+" }) == "sqlite" else {
            return .server(scheme: scheme, database: Self.database(String(url[colon...].dropFirst())))
        }
        // sqlite:///relative, sqlite:////absolute; what follows `?` are settings of the connection.
        let rest = url[colon...].dropFirst()
        guard rest.starts(with: "///") else { return .unknown }
        var file = String(rest.dropFirst(3).prefix { $0 != "?" })
        if file.starts(with: "%(basedir)s/") { file = String(file.dropFirst("%(basedir)s/".count)) }
        return file.isEmpty || file.contains("%(") ? .unknown : .sqlite(file)
    }

    /// The database in what follows the scheme: `//ci:word@host/buildbot?sslmode=require`.
    private static func database(_ rest: String) -> String? {
        guard rest.hasPrefix("//") else { return nil }
        let path = rest.dropFirst(2).prefix { $0 != "?" }
        guard let slash = path.lastIndex(of: "/") else { return nil }
        return PostgreSQLAddress.decoded(path[slash...].dropFirst()).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The port of the web interface, where it is said as a literal in the `www` dictionary.
    var webPort: UInt16? {
        let lines = PythonText.lines(source)
        guard let start = lines.lastIndex(where: { $0.contains("'www'") || $0.contains("\"www\"") }) else {
            return nil
        }
        let block = lines[start...].prefix(20).joined(separator: "\n")
        for value in PythonText.values(of: "port", in: block) {
            if let port = UInt16(value.prefix { $0.isASCII && $0.isNumber }) { return port }
            guard let text = PythonText.string(value) else { continue }
            let parts = text.split(separator: ":")
            if let port = parts.first.flatMap({ UInt16($0) }) { return port }
            if parts.first == "tcp", let port = parts.dropFirst().first.flatMap({ UInt16($0) }) {
                return port
            }
        }
        return nil
    }
}
