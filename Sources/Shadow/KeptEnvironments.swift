internal import Cryptography
internal import Drivers
internal import FileTree
internal import GitStore
internal import SnapshotModel
internal import SystemPackage

/// What was rebuilt from packages for a shadow, kept for the next one, for making it takes longer than a boot.
///
/// In the store's local directory, two at most, and safe to delete. Kept and used are two sets of names for the same files:
/// what runs in a shadow cannot write there, and the installer, which can, replaces files. Whoever uses it holds the
/// workspace's lock; a drill proves the rebuilding itself and does not use it.
struct KeptEnvironments {
    private let directory: FilePath
    /// How many are kept: production's own, and the one before it.
    private static let most = 2
    /// The file that says during which run of the kernel one was made and what it then was, and by its time when it was used last.
    private static let mark = ".made"

    init(_ store: SnapshotStore) {
        directory = store.localDirectory.appending("environments")
    }

    /// Makes what is rebuilt in a copy, out of what is kept where that was made by the same recipe.
    func rebuild(_ copy: ShadowCopy, by driver: any ShadowDriver) async throws {
        let roots = copy.staged.roots.filter { $0.root.kind == .rebuilt }
        guard let recipe = try await driver.recipe(copy), !roots.isEmpty else {
            return try await driver.rebuild(copy)
        }
        let kept = directory.appending(hex(SHA256.digest(recipe)))
        // Nothing here is synced: after a crash of the host files may be empty, so what an earlier run has left is not used.
        let run = try Files.read("/proc/sys/kernel/random/boot_id")
        if let mark = try Files.readIfPresent(kept.appending(Self.mark)),
            mark == run + (try Self.listing(kept))
        {
            for root in roots { try await Workspace.link(kept.appending(root.root.name), to: root.staged) }
            return try Files.replaceWithoutSync(kept.appending(Self.mark), with: mark)
        }
        try await driver.rebuild(copy)
        try Files.makeDirectories(directory, mode: 0o700)
        try Files.removeTree(kept)
        try Files.makeDirectory(kept, mode: 0o700)
        for root in roots { try await Workspace.link(root.staged, to: kept.appending(root.root.name)) }
        // Last: one that was cut off has no mark.
        try Files.replaceWithoutSync(kept.appending(Self.mark), with: run + Self.listing(kept))
        try removeOthers(of: run)
    }

    /// A digest of what is kept: every path with what its file looks like from outside.
    ///
    /// A file that somebody changed, cut or removed gives another.
    private static func listing(_ directory: FilePath) throws -> [UInt8] {
        var hash = SHA256()
        func list(_ place: FilePath, _ path: String) throws {
            for name in try Files.names(place).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                let file = place.pushing(FilePath(bytes: name))
                guard name != Array(mark.utf8), let status = try Files.status(file) else { continue }
                let inside = "\(path)/\(hex(name))"
                var words = "\(inside) \(status.kind) \(status.mode)"
                if status.kind == .file { words += " \(status.size) \(status.modified)" }
                hash.update(Array("\(words)\n".utf8))
                if status.kind == .directory { try list(file, inside) }
            }
        }
        try list(directory, "")
        return hash.finish()
    }

    /// Removes what is of no use any more: cut off, of an earlier run of the kernel, or one too many.
    private func removeOthers(of run: [UInt8]) throws {
        var kept: [(place: FilePath, used: Int64)] = []
        for name in try Files.names(directory) {
            let place = directory.pushing(FilePath(bytes: name))
            let mark = place.appending(Self.mark)
            if try Files.readIfPresent(mark)?.starts(with: run) == true, let status = try Files.status(mark) {
                kept.append((place, status.modified.seconds))
            } else {
                try Files.removeTree(place)
            }
        }
        for (place, _) in kept.sorted(by: { $0.used > $1.used }).dropFirst(Self.most) {
            try Files.removeTree(place)
        }
    }
}
