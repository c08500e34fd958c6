internal import SnapshotModel

/// What the paths of a master and of a worker are: see docs/buildbot.md.
enum BuildbotClasses {
    /// Files that open something, and databases of others, wherever they lie.
    private static let secrets: [Classification.Rule] =
        [
            .init("**/htpasswd", .secret), .init("**/passwords.py", .secret), .init("**/passwords", .secret),
            .init("**/ssh_host_*", .secret),
        ] + FilesDriver.homeRules + FilesDriver.keyRules + FilesDriver.databaseRules

    /// What a running process leaves behind, and what Python makes by itself.
    private static let remains: [Classification.Rule] = [
        .init("twistd.pid", .derived), .init("twistd.hostname", .derived), .init("twistd.log*", .derived),
        .init("http.log*", .derived), .init("buildbot.tac.new", .derived),
        .init("**/__pycache__/**", .derived), .init("**/*.pyc", .derived), .init("**/*.sock.lock", .derived),
    ]

    /// A master's base directory; `database` is its SQLite file, below it.
    static func master(database: String?) -> Classification {
        var rules: [Classification.Rule] = []
        if let database {
            rules = [
                .init(database, .database), .init("\(database)-wal", .derived),
                .init("\(database)-shm", .derived),
                .init("\(database)-journal", .derived),
            ]
        }
        rules += [
            .init("secrets/**", .secret), .init("master.cfg.sample", .derived),
            .init("gitpoller-work*/**", .derived), .init("gitpoller-*/**", .derived),
            .init("hgpoller*/**", .derived), .init("workers/**", .derived),
        ]
        return Classification(rules + remains + secrets, defaultClass: .config)
    }

    /// A worker's base directory: the directories of its builders are made again, plain files are kept.
    static let worker = Classification(
        [
            .init("buildbot.tac", .secret), .init("buildbot.tac.*", .secret),
            .init("secrets/**", .secret),
        ] + remains + secrets + [.init("info/**", .config), .init("*/", .derived)],
        defaultClass: .config)

    /// A Python environment, when it is not made again from its lock.
    static let environment = Classification(
        [.init("**/__pycache__/**", .derived), .init("**/*.pyc", .derived)], defaultClass: .plugin)
}
