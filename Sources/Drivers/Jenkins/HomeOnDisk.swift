internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// The files of a home on disk, without links and what is behind them, which no snapshot has either.
struct HomeOnDisk: FileSource {
    /// The home.
    let home: FilePath
    /// Whether jobs are listed too, of which there may be more than can be looked at every night.
    let listsJobs: Bool

    func names(root: String, directory: EntryPath) throws -> [(name: [UInt8], isDirectory: Bool)] {
        guard listsJobs || directory != EntryPath("jobs"), try !isBehindLink(directory),
            try Files.status(place(directory))?.kind == .directory
        else { return [] }
        return try Files.names(place(directory)).compactMap { name in
            let status = try Files.status(place(directory.appending(name)))
            return status.map { (name, $0.kind == .directory) }
        }
    }

    func contents(root: String, path: EntryPath) throws -> [UInt8]? {
        guard try !isBehindLink(path), try Files.status(place(path))?.kind == .file else { return nil }
        return try Files.readIfPresent(place(path))
    }

    func lock(_ name: String) throws -> [UInt8]? { nil }

    private func isBehindLink(_ path: EntryPath) throws -> Bool {
        try Files.link(on: FilePath(bytes: path.bytes), below: home) != nil
    }

    private func place(_ path: EntryPath) -> FilePath {
        FilePath(bytes: home.byteArray + [UInt8(ascii: "/")] + path.bytes)
    }
}
