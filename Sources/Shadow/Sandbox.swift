internal import Drivers
internal import FileTree
internal import Glibc
package import Judge
package import Programs
package import SystemPackage

/// What a program may see of this host: a value from which the call of bubblewrap is made.
///
/// Network, processes, users, mounts, host name and shared memory are its own; of the file system it sees the system's
/// programs, which it cannot change, and the places that are mounted into it. Sources: docs/canary.md and bwrap(1).
package struct Sandbox: Sendable {
    /// A place of the host that stands at a path inside.
    package struct Mount: Hashable, Sendable {
        /// Where it is on the host.
        package var source: FilePath
        /// Where it stands inside.
        package var target: FilePath
        /// Whether it may be changed from inside.
        package var isWritable: Bool

        /// A mount.
        package init(_ source: FilePath, at target: FilePath, isWritable: Bool = false) {
            self.source = source
            self.target = target
            self.isWritable = isWritable
        }
    }

    /// What a program is held to by itself, besides what the whole shadow is held to.
    package struct Limits: Hashable, Sendable {
        /// Address space of each process, in bytes.
        package var addressSpace: UInt64
        /// The largest file, in bytes.
        var fileSize: UInt64 = 8 << 30
        /// Processes and threads of one sandbox.
        var processes: UInt64
        /// The processors that it runs on, by their numbers.
        package var processors: [Int]

        /// The limits of a program in a shadow, on a host of which we may use these processors.
        package init(_ shared: ShadowLimits, usable: [Int]) {
            // What a process only reserves is no memory: no shadow is to fail for that first.
            addressSpace = UInt64(max(8 << 30, shared.memory))
            processes = UInt64(shared.processes)
            // The first ones have the most to do with the host itself.
            processors = usable.suffix(shared.processors)
        }

        var arguments: [String] {
            [
                "--address-space", String(addressSpace), "--file-size", String(fileSize), "--processes",
                String(processes),
            ] + processors.flatMap { ["--processor", String($0)] }
        }
    }

    /// The binary of Understudy, which attests inside and then becomes the program.
    package var launcher: FilePath
    /// What is mounted besides the system's programs.
    package var mounts: [Mount]
    /// The host name inside.
    package var hostName: String
    /// Whom the programs run as when we are root; nil for ourselves.
    package var user: (owner: UInt32, group: UInt32)?
    /// Who the programs are inside, for those that refuse to be user 0; nil for whoever they are outside.
    package var identity: UInt32?

    /// A sandbox.
    package init(
        launcher: FilePath, mounts: [Mount], hostName: String, user: (owner: UInt32, group: UInt32)? = nil
    ) {
        self.launcher = launcher
        self.mounts = mounts
        self.hostName = hostName
        self.user = user
    }

    /// Where the launcher stands inside.
    static let launcherPlace: FilePath = "/run/understudy-launcher"
    /// The home directory inside.
    package static let home: FilePath = "/tmp"

    /// Files of `/etc` that programs need and no secret is in.
    private static let settings = [
        "alternatives", "ca-certificates", "debian_version", "group", "java-11-openjdk", "java-17-openjdk",
        "java-21-openjdk", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types",
        "nsswitch.conf",
        "os-release", "passwd", "protocols", "python3", "services", "ssl/certs", "ssl/openssl.cnf",
        "timezone",
    ]

    /// The environment of a program inside: what it is given, and nothing of ours.
    package func environment(of program: Program) -> [String: String] {
        var environment = program.environment
        environment["HOME"] = Self.home.string
        environment["PATH"] = environment["PATH"] ?? "/usr/bin:/bin"
        return environment
    }

    /// The command that runs a program inside.
    ///
    /// `libraries` are directories that the launcher needs besides the system's.
    func command(_ program: Program, libraries: [FilePath], limits: Limits) -> [String] {
        var arguments: [String] = []
        if let user {
            arguments = [
                "setpriv", "--reuid=\(user.owner)", "--regid=\(user.group)", "--clear-groups", "--",
            ]
        }
        arguments += [
            "bwrap", "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
            "--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname",
            hostName, "--ro-bind", "/usr", "/usr",
        ]
        if SystemCallFilter.program != nil {
            arguments += ["--seccomp", String(SystemCallFilter.descriptor)]
        }
        let local = Self.local
        arguments += local.hidden
        if let identity { arguments += ["--uid", String(identity), "--gid", String(identity)] }
        for name in ["bin", "lib", "lib32", "lib64", "sbin"] {
            arguments += Self.isLink(FilePath("/\(name)")) ? ["--symlink", "usr/\(name)", "/\(name)"] : []
            arguments += Self.isLink(FilePath("/\(name)")) ? [] : ["--ro-bind-try", "/\(name)", "/\(name)"]
        }
        for name in Self.settings { arguments += ["--ro-bind-try", "/etc/\(name)", "/etc/\(name)"] }
        arguments += [
            "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run", "--tmpfs", "/var",
        ]
        arguments += ["--ro-bind", launcher.string, Self.launcherPlace.string]
        for library in libraries { arguments += ["--ro-bind", library.string, library.string] }
        for mount in mounts {
            arguments += [
                mount.isWritable ? "--bind" : "--ro-bind", mount.source.string, mount.target.string,
            ]
        }
        arguments += local.closed
        arguments.append("--clearenv")
        for (name, value) in environment(of: program).sorted(by: { $0.key < $1.key }) {
            arguments += ["--setenv", name, value]
        }
        if let directory = program.directory { arguments += ["--chdir", directory.string] }
        arguments += ["--", Self.launcherPlace.string, "attest"] + limits.arguments
        for mount in mounts { arguments += ["--place", mount.target.string] }
        return arguments + ["--", program.name] + program.arguments
    }

    /// Leaves of `/usr/local` what is there for programs.
    ///
    /// The second part is for when all is mounted: then nobody writes there either.
    private static var local: (hidden: [String], closed: [String]) {
        // What cannot be looked at cannot be hidden, and the look around from inside fails as this one did.
        guard (try? Files.status(SystemPrograms.local))??.kind == .directory else { return ([], []) }
        let place = SystemPrograms.local.string
        return (
            ["--tmpfs", place]
                + SystemPrograms.localDirectories.flatMap { ["--ro-bind-try", $0.string, $0.string] },
            ["--remount-ro", place]
        )
    }

    private static func isLink(_ path: FilePath) -> Bool {
        // What cannot be looked at is not bound, and a program that needs it says so.
        (try? Files.status(path))??.kind == .link
    }
}
