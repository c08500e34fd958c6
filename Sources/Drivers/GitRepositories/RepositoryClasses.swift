internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// The classes of what is in a git directory.
enum RepositoryClasses {
    /// The rows for the repository at `path` below `root`.
    ///
    /// Class `state` is what names objects: capture keeps the bytes of these files to take the objects that they name.
    static func rules(_ path: EntryPath, in root: FilePath) -> [Classification.Rule] {
        let place = String(decoding: path.bytes, as: UTF8.self)
        let directory = path.isRoot ? root : root.appending(place)
        let config: EntryClass = holdsSecret(self.config(directory)) ? .secret : .config
        return table(config).map { Classification.Rule(path.isRoot ? $0.0 : "\(place)/\($0.0)", $0.1) }
    }

    private static func table(_ config: EntryClass) -> [(String, EntryClass)] {
        [
            // What a process that is at work leaves would be in the way of the next one after a restore.
            ("*.lock", .derived), ("refs/**/*.lock", .derived), ("logs/**/*.lock", .derived),
            ("worktrees/**/*.lock", .derived), ("packed-refs.new", .derived), ("gc.pid", .derived),
            ("lfs/tmp/**", .derived), ("lfs/incomplete/**", .derived),
            // The objects are captured as objects; where else git looks for some is configuration.
            ("objects/info/alternates", .config), ("objects/info/http-alternates", .config),
            ("objects/info/", .config), ("objects/info/*", .derived), ("objects/*", .derived),
            ("HEAD", .state), ("*_HEAD", .state), ("packed-refs", .state), ("refs/**", .state),
            ("logs/**", .state), ("index", .state), ("sharedindex.*", .state), ("worktrees/**", .state),
            ("config", config), ("config.worktree", config), ("description", .config), ("hooks/**", .config),
            ("info/**", .config),
        ]
    }

    /// The configuration of a repository in lower case, empty when it cannot be read: the walk tells of that.
    static func config(_ directory: FilePath) -> String {
        let bytes = (try? Files.readIfPresent(directory.appending("config"), limit: 1 << 20)) ?? nil
        return String(decoding: bytes ?? [], as: UTF8.self).lowercased()
    }

    /// Whether a configuration holds what opens something: a password in an address, a header, a token.
    private static func holdsSecret(_ config: String) -> Bool {
        config.split(whereSeparator: \.isNewline).contains { line in
            ["extraheader", "password", "token", "secret"].contains { line.contains($0) }
                || (line.contains("://") && line.contains("@"))
        }
    }
}
