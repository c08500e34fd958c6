internal import FileTree
package import SystemPackage

/// A whole delivery system on loopback: Buildbot on PostgreSQL, behind nginx, with its repositories.
///
/// There are three of them, one with objects of git-lfs; a push to the first is built.
package struct ReferenceSystem: Sendable {
    /// Master, worker, and the clone that somebody pushes from.
    package let buildbot: BuildbotFixture
    /// The server of its state.
    package let server: PostgreSQLFixture
    /// Runs the binary in the directory of the system file.
    package let runner: CommandLineRunner
    /// The same Buildbot, asked through nginx.
    package let front: BuildbotFixture

    /// The directory that holds all but the server.
    package var directory: FilePath { buildbot.directory }
    /// The bare repositories.
    package var repositories: FilePath { directory.appending("git") }
    /// The names of the repositories.
    package static let names = ["application", "assets", "library"]
    /// The configuration of nginx.
    package var proxy: FilePath { directory.appending("proxy") }
    /// A clone of the repository with objects of git-lfs.
    package var assets: FilePath { directory.appending("assets") }

    private static let nginx: FilePath = "/usr/sbin/nginx"

    /// Whether everything that it needs is installed.
    package static var isAvailable: Bool {
        // What cannot be looked at is not available.
        let tools = [nginx, "/usr/bin/git-lfs"].allSatisfy { (try? Files.exists($0)) == true }
        return tools && BuildbotFixture.isAvailable && PostgreSQLFixture.availablePrograms != nil
    }

    /// What a skipped test says.
    package static let whySkipped =
        "SKIPPED: needs Buildbot, PostgreSQL, nginx and git-lfs; run scripts/setup"

    /// Runs `body` with a system that runs, and takes it away afterwards.
    package static func with<Result>(_ body: (ReferenceSystem) async throws -> Result) async throws -> Result
    {
        try await PostgreSQLFixture.with { server in
            try await server.sql("CREATE ROLE ci LOGIN PASSWORD 'parole-5';")
            try await server.sql("CREATE DATABASE buildbot OWNER ci;")
            return try await BuildbotFixture.with(
                database: "postgresql+psycopg2://ci:parole-5@/buildbot?host=\(server.directory)"
            ) { buildbot in
                let system = try await ReferenceSystem(buildbot, server)
                try await buildbot.start()
                try await system.startProxy()
                return try await body(system)
            }
        }
    }

    private init(_ buildbot: BuildbotFixture, _ server: PostgreSQLFixture) async throws {
        self.buildbot = buildbot
        self.server = server
        runner = try CommandLineRunner(buildbot.directory)
        var front = buildbot
        front.port = try await BuildbotFixture.freePorts(1)[0]
        self.front = front
        try await makeRepositories()
        try makeProxy()
        try Files.makeDirectories(directory.appending("empty"))
        try await runner.initialize("empty", "--name", "acme", "--output", "unused.yaml")
        try Files.replace(directory.appending("understudy.yaml"), with: Array(try description.utf8))
    }

    private func makeRepositories() async throws {
        try Files.makeDirectory(repositories)
        for name in Self.names {
            try await buildbot.git(["init", "-q", "--bare", "-b", "main", repository(name).string])
        }
        let application = repository("application")
        try replaceText(
            "'\(buildbot.repository)'", with: "'\(application)'", in: buildbot.master.appending("master.cfg"))
        try await buildbot.git(["remote", "add", "origin", application.string])
        try await buildbot.git(["push", "-q", "origin", "main"])

        try await buildbot.git(["clone", "-q", repository("assets").string, assets.string])
        try await buildbot.git(["lfs", "install", "--local"], in: assets)
        try await buildbot.git(["lfs", "track", "*.bin"], in: assets)
        let logo = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
        try Files.replace(assets.appending("logo.bin"), with: logo)
        try await buildbot.git(["add", "."], in: assets)
        try await buildbot.git(["commit", "-q", "-m", "Add the logo"], in: assets)
        try await buildbot.git(["push", "-q", "origin", "HEAD:main"], in: assets)

        let library = repository("library").string
        try await buildbot.git(["push", "-q", library, "main", "main:refs/heads/release/1.x"])
        try await buildbot.git(["tag", "-a", "-m", "The first", "v1.0"])
        try await buildbot.git(["push", "-q", library, "v1.0"])
    }

    private func makeProxy() throws {
        try Files.makeDirectory(proxy)
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "    \($0)_temp_path \($0);\n"
        }
        let text = """
            \(Accounts.ownNumbers.user == 0 ? "user root;" : "")
            worker_processes 1;
            pid nginx.pid;
            error_log error.log;
            events {}
            http {
                access_log off;
            \(places.joined())
                map $http_upgrade $connection_upgrade { default upgrade; '' close; }
                server {
                    listen 127.0.0.1:\(front.port);
                    location / {
                        proxy_pass http://127.0.0.1:\(buildbot.port);
                        proxy_http_version 1.1;
                        proxy_set_header Host $http_host;
                        proxy_set_header Upgrade $http_upgrade;
                        proxy_set_header Connection $connection_upgrade;
                    }
                }
            }

            """
        try Files.replace(proxy.appending("nginx.conf"), with: Array(text.utf8))
    }

    /// The command that runs nginx; what it writes is in `run`, which is no part of any component.
    private var proxyCommand: String {
        let run = directory.appending("run")
        return "mkdir -p \(run) && \(Self.nginx) -p \(run) -e \(run)/error.log -c \(proxy)/nginx.conf"
    }

    private func startProxy() async throws {
        try await shell(proxyCommand, in: directory)
    }

    /// A repository of a name.
    package func repository(_ name: String) -> FilePath { repositories.appending("\(name).git") }

    /// The system file.
    private var description: String {
        get throws {
            """
            system: acme
            store: acme.git
            policies: policies
            recipients: [\(try runner.recipient())]
            components:
              proxy:
                driver: files
                paths: [\(proxy)]
                url: \(front.url)
                service: {start: "\(proxyCommand)", stop: "\(proxyCommand) -s stop"}
                after: [ci]
            \(buildbot.component("ci", more: ["database: database", "after: [database, sources]"]))\
            \(server.component("database", database: "buildbot", more: ["holds: buildbot"]))\
              sources: {driver: git-repositories, paths: [\(repositories)]}

            """
        }
    }

    /// Everything that the repositories' references name, a line each.
    package func references() async throws -> [String] {
        var lines: [String] = []
        for name in Self.names {
            lines += try await buildbot.git(
                ["for-each-ref", "--format=%(refname) %(objectname)"], in: repository(name)
            )
            .split(separator: "\n").map { "\(name) \($0)" }
        }
        return lines
    }

    /// Commits a file in the clone and pushes it.
    package func push(_ file: String, _ text: String) async throws {
        try await buildbot.commit(file, text)
        try await buildbot.git(["push", "-q", "origin", "main"])
    }

    /// Destroys nginx, the master, the worker, the repositories and every database; the store and clones of people are left, and
    /// an empty database server.
    package func destroy() async throws {
        try await buildbot.stop()
        for path in [proxy, buildbot.master, repositories] + buildbot.workers { try Files.removeTree(path) }
        try Files.removeTree(directory.appending("run"))
        try await server.lose()
    }
}
