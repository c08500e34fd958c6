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

    /// Where a program is installed, with what belongs to it; empty when a sandbox has it by itself.
    static func places(of program: FilePath) -> [FilePath] {
        let directory = program.removingLastComponent()
        let isSeen =
            directory.starts(with: local)
            ? localDirectories.contains { directory.starts(with: $0) } : directory.starts(with: "/usr")
        let prefix = directory.removingLastComponent()
        guard !isSeen, !prefix.components.isEmpty else { return [] }
        return [prefix == local ? directory : prefix]
    }
}
