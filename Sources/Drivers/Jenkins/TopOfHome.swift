internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// The files at the top of a live home and in its `secrets/`, and no more: what can be looked at every night.
struct TopOfHome: FileSource {
    /// The home.
    let home: FilePath

    func names(root: String, directory: EntryPath) throws -> [(name: [UInt8], isDirectory: Bool)] {
        guard directory.isRoot else { return [] }
        return try Files.names(home).compactMap { name in
            let status = try Files.status(place(EntryPath(name)))
            return status.map { (name, $0.kind == .directory) }
        }
    }

    func contents(root: String, path: EntryPath) throws -> [UInt8]? {
        guard try Files.status(place(path))?.kind == .file else { return nil }
        return try Files.readIfPresent(place(path))
    }

    func lock(_ name: String) throws -> [UInt8]? { nil }

    private func place(_ path: EntryPath) -> FilePath {
        FilePath(bytes: home.byteArray + [UInt8(ascii: "/")] + path.bytes)
    }
}
