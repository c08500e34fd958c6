internal import FileTree
package import Programs
package import SystemPackage

/// A machine with nothing on it: a root directory in memory, processes and network of its own.
///
/// On it are the binary with its run-time libraries, the distribution's libraries, git, Python, curl, ssh and a shell, and
/// what somebody carries there: no Swift, no Buildbot, no package index, no accounts but root's. What it runs ends with it.
package struct EmptyMachine: Sendable {
    /// Files and directories of this host that are on it, read-only, and where.
    package var media: [(here: FilePath, there: FilePath)]
    /// Where files of its own are written: its accounts.
    private let directory: FilePath

    /// A machine with these media; `directory` is this host's, for what describes the machine.
    package init(_ directory: FilePath, media: [(here: FilePath, there: FilePath)]) throws {
        self.directory = directory
        self.media = media
        try Files.replace(
            directory.appending("machine.passwd"), with: Array("root:x:0:0:root:/root:/bin/sh\n".utf8))
        try Files.replace(directory.appending("machine.group"), with: Array("root:x:0:\n".utf8))
    }

    /// What a Buildbot, its builds and a restore call by name.
    private static let programs = [
        "bash", "cat", "chmod", "cp", "curl", "date", "echo", "env", "git", "hostname", "id", "ls", "mkdir",
        "rm",
        "sh",
        "sleep", "ssh", "tail", "uname", "uptime", "wc",
    ]

    /// Runs a script on it; `vault` is one that another machine runs first, with all that this host has and the loopback
    /// that both are on.
    package func run(_ script: String, after vault: String? = nil) async throws -> Program.Outcome {
        let inside = try await arguments(hasNetworkOfItsOwn: vault == nil) + ["bash", "-euc", script]
        guard let vault else { return try await program(inside) }
        return try await program(
            [
                "bwrap", "--dev-bind", "/", "/", "--unshare-net", "--unshare-pid", "--proc", "/proc",
                "--die-with-parent", "--tmpfs", "/run", "--dir", "/run/sshd", "bash", "-euc",
                vault + "\nexec \"$@\"", "vault",
            ] + inside)
    }

    private func program(_ words: [String]) async throws -> Program.Outcome {
        try await Program(
            words[0], Array(words.dropFirst()), directory: directory, limit: .seconds(240),
            outputLimit: 1 << 22
        ).run()
    }

    private func arguments(hasNetworkOfItsOwn: Bool) async throws -> [String] {
        let binary = try CommandLineRunner.builtBinary()
        var places = [
            "/usr/lib64", "/usr/lib/git-core", "/usr/share/git-core/templates", "/usr/lib/python3",
            "/usr/share/python-wheels",
        ]
        let listed = try Files.names("/usr/lib").map { String(decoding: $0, as: UTF8.self) }
        places += listed.filter { $0.hasSuffix("-linux-gnu") || $0.hasPrefix("python3.") }.map {
            "/usr/lib/\($0)"
        }
        let pythons = try Files.names("/usr/bin").map { String(decoding: $0, as: UTF8.self) }.filter {
            $0.hasPrefix("python3")
        }
        places += (Self.programs + pythons).map { "/usr/bin/\($0)" }
        // What a debugging binary needs of Swift; a release binary needs none of it.
        let libraries = try await Program("ldd", [binary.string]).runSuccessfully().output
            .split(whereSeparator: \.isWhitespace).filter { $0.hasPrefix("/") && !$0.hasPrefix("/lib") }
        places += libraries.map(String.init)
        var arguments = [
            "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--hostname", "spare",
            "--die-with-parent",
            "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--symlink", "usr/lib", "/lib",
            "--symlink",
            "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin", "--clearenv", "--setenv", "PATH",
            "/usr/local/bin:/usr/bin", "--setenv", "HOME", "/root", "--chdir", "/",
        ]
        if hasNetworkOfItsOwn { arguments.append("--unshare-net") }
        for place in places { arguments += ["--ro-bind-try", place, place] }
        let own = [
            (binary, "/usr/local/bin/understudy"), (directory.appending("machine.passwd"), "/etc/passwd"),
            (directory.appending("machine.group"), "/etc/group"),
        ].map { (here: $0.0, there: FilePath($0.1)) }
        for (here, there) in own + media { arguments += ["--ro-bind", here.string, there.string] }
        return arguments
    }
}
