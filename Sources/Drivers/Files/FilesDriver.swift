internal import FileTree
package import SnapshotModel
package import SystemPackage

/// Any directories: the proxy in front of the CI, unit files, definitions of agents.
package struct FilesDriver: Driver {
    package static let name = "files"
    package static let settings: [SettingKey] = [
        SettingKey("paths", .paths, required: true, help: "directories to capture with all in them"),
        SettingKey("service", .service, help: "how to start and stop what serves by them, as a proxy"),
        SettingKey("url", .url, help: "where that answers"),
    ]

    /// How to start, stop and probe what serves by the files, nil when nothing does.
    package let lifecycle: (any Lifecycle)?
    private var directories: [(name: String, path: FilePath)]

    package init(_ component: Component) throws {
        lifecycle = try FilesLifecycle(component)
        directories = []
        for text in component.list("paths") {
            let path = FilePath(text).lexicallyNormalized()
            guard path.isAbsolute, path.lastComponent != nil else {
                throw DriverFailure(
                    "component '\(component.name)': '\(text)' is not an absolute path below /",
                    hint: "write whole paths, as /etc/nginx")
            }
            for other in directories where path.starts(with: other.path) || other.path.starts(with: path) {
                throw DriverFailure(
                    "component '\(component.name)': \(path) and \(other.path) are the same or lie in one another",
                    hint: "keep the outer one only")
            }
            directories.append((String(path.string.dropFirst()), path))
        }
        guard !directories.isEmpty else {
            throw DriverFailure(
                "component '\(component.name)' has no paths", hint: "list at least one directory in 'paths'")
        }
    }

    /// Finds nothing by itself: any directory could be one.
    package static func detect(_ path: FilePath) throws -> Detection? { nil }

    package func places() -> [Root] {
        directories.map { Root(name: $0.name, path: $0.path.string) }
    }

    package func roots() throws -> [Root] {
        if let fault = faults().first { throw fault.failure }
        return places()
    }

    package func faults() -> [RootFault] {
        RootFault.all(of: places()) { root in
            guard let status = try Files.status(FilePath(root.path)) else {
                throw DriverFailure("\(root.path) is not there", hint: "make it, or take it out of 'paths'")
            }
            guard status.kind == .directory else {
                throw DriverFailure(
                    "\(root.path) is not a directory",
                    hint: status.kind == .link
                        ? "give the directory that it links to" : "give the directory that it lies in")
            }
        }
    }

    package func classification(of root: String) -> Classification { Self.classes }

    package func relocated(to roots: [String: FilePath]) -> FilesDriver {
        var driver = self
        driver.directories = roots.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return driver
    }

    package func calling(roots names: [String]) -> FilesDriver {
        var driver = self
        driver.directories = zip(names, directories).map { ($0, $1.path) }
        return driver
    }

    private static let classes = Classification(
        [
            // A bare repository: what git made is one thing, HEAD, config and hooks are what people write.
            .init("**/*.git/objects/**", .source), .init("**/.git/objects/**", .source),
            .init("objects/pack/**", .source), .init("objects/info/**", .source),
            .init("objects/??/**", .source),
        ] + secretRules + databaseRules,
        defaultClass: .config)

    /// Databases of SQLite in one file and what it keeps beside them, by names alone: they are read as they lie.
    static let databaseRules: [Classification.Rule] = [".db", ".sqlite", ".sqlite3"].flatMap { name in
        ["", "-wal", "-shm", "-journal"].map { .init("**/*\(name)\($0)", .database) }
    }

    /// Where secrets usually are, in any tree of files.
    static let secretRules: [Classification.Rule] =
        [
            .init("**/htpasswd", .secret), .init("**/.env", .secret), .init("**/shadow", .secret),
            .init("**/gshadow", .secret), .init("**/*.tfstate", .secret),
            .init("**/*.tfstate.backup", .secret),
        ] + homeRules + keyRules

    /// What programs keep for a user that opens something, by names that mean nothing else in any tree.
    static let homeRules: [Classification.Rule] = [
        ".ssh/**", ".gnupg/**", ".aws/**", ".kube/config", ".docker/config.json", ".gem/credentials",
        ".nuget/NuGet/NuGet.Config", ".config/gcloud/**", ".local/share/keyrings/**", ".password-store/**",
    ].map { .init("**/\($0)", .secret) }

    /// Keys and passwords by names that nobody gives to a directory: they hold also where directories have the names of jobs.
    static let keyRules: [Classification.Rule] = [
        ".netrc", ".pgpass", ".npmrc", ".pypirc", ".git-credentials", ".htpasswd", ".my.cnf", ".mylogin.cnf",
        ".cvspass", ".vault_pass", ".vault-token", ".curlrc", ".mysql_history", ".psql_history", "id_rsa",
        "id_dsa", "id_ecdsa", "id_ed25519", "ssh_host_*_key", "*.key", "*.pem", "*.p12", "*.pfx", "*.jks",
        "*.keystore", "*.ppk", "*.kdb", "*.kdbx", "*.keytab", "*.pkcs12", "*.jceks", "*.bcfks", "*.psafe3",
        "secring.gpg", "secrets.tdb",
    ].map { .init("**/\($0)", .secret) }
}
