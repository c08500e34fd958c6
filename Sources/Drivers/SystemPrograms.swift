package import SystemPackage

/// What every sandbox has of this host's own programs, and what it lacks of others.
///
/// Of `/usr/local` only the directories that are for programs: people put servers there too, whose directories hold passwords
/// and sockets.
package enum SystemPrograms {
    /// Where people put what is no program, too.
    package static let local: FilePath = "/usr/local"
    /// The directories there that a sandbox has.
    package static let localDirectories = [
        "bin", "games", "include", "lib", "lib64", "libexec", "sbin", "share",
    ]
    .map { local.appending($0) }

    /// Whether a path below `/usr` is one that every sandbox has.
    package static func has(_ path: FilePath) -> Bool {
        path.starts(with: local)
            ? localDirectories.contains { path.starts(with: $0) } : path.starts(with: "/usr")
    }

    /// Where a program is installed, with what belongs to it; empty when a sandbox has it by itself.
    static func places(of program: FilePath) -> [FilePath] {
        let directory = program.removingLastComponent()
        let prefix = directory.removingLastComponent()
        guard !has(directory), !prefix.components.isEmpty else { return [] }
        return [prefix == local ? directory : prefix]
    }
}
