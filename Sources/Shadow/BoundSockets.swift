internal import Drivers
internal import FileTree
internal import SystemPackage

/// Sockets that processes of this host have bound to paths, as the kernel lists them.
///
/// What a sandbox shows of the host's own programs is too much to look through from inside each time, and that it is read-only
/// keeps nobody from connecting to a socket there.
struct BoundSockets {
    /// The paths, as they were given; those that are not absolute are not among them.
    let paths: [FilePath]

    /// Those in a text of `/proc/net/unix`.
    init(list: [UInt8]) {
        let paths = list.split(separator: UInt8(ascii: "\n")).dropFirst().compactMap { line -> FilePath? in
            // Seven columns, and then the path, in which blanks may be.
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 7)
            guard fields.count == 8, fields[7].first == UInt8(ascii: "/") else { return nil }
            return FilePath(bytes: fields[7])
        }
        self.paths = Set(paths).sorted { $0.string < $1.string }
    }

    /// Those of the network that this process is in.
    init() throws {
        self.init(list: try Files.read("/proc/net/unix", limit: 64 << 20))
    }

    /// Those that a sandbox with these mounts shows, and does not look for itself.
    func shown(by mounts: [Sandbox.Mount]) throws -> [String] {
        let programs = try mounts.filter { $0.source == $0.target }.map { try Files.resolved($0.source) }
        return try paths.compactMap(Self.place).filter { place in
            // Below /usr/local it looks itself.
            place.starts(with: "/usr") && !place.starts(with: SystemPrograms.local)
                || programs.contains { place.starts(with: $0) }
        }.map(\.string)
    }

    /// Where a socket stands; nil when none stands there any more, or nobody like us can come there.
    private static func place(of path: FilePath) throws -> FilePath? {
        do {
            let place = try Files.resolved(path)
            return try Files.status(place)?.kind == .socket ? place : nil
        } catch  where [.noSuchFileOrDirectory, .notDirectory, .permissionDenied].contains(error.reason) {
            return nil
        }
    }
}
