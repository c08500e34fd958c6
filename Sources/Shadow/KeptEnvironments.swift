internal import Cryptography
internal import Drivers
internal import FileTree
internal import GitStore
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// What was rebuilt from packages for a shadow, kept for the next one, for making it takes longer than a boot.
///
/// In the store's local directory, two at most, and safe to delete. Shadows get copies: what runs in one never sees what is
/// kept. Whoever uses it holds the workspace's lock; a drill proves the rebuilding itself and does not use it.
struct KeptEnvironments {
    private let directory: FilePath
    /// How many are kept: production's own, and the one before it.
    private static let most = 2
    /// The beginning of the name of one that is not whole yet.
    private static let unfinished = ".new-"

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
        if try Files.exists(kept) {
            for root in roots { try await duplicate(kept.appending(root.root.name), to: root.staged) }
            // The time says which was used last.
            try Files.replaceWithoutSync(kept.appending(".used"), with: [])
            return
        }
        try await driver.rebuild(copy)
        try Files.makeDirectories(directory, mode: 0o700)
        let new = directory.appending(Self.unfinished + (kept.lastComponent?.string ?? ""))
        try Files.removeTree(new)
        try Files.makeDirectory(new, mode: 0o700)
        for root in roots { try await duplicate(root.staged, to: new.appending(root.root.name)) }
        try Files.replaceWithoutSync(new.appending(".used"), with: [])
        // A name must not become durable before what it names.
        try Files.syncFileSystem(new)
        try Files.rename(new, to: kept)
        try removeOldest()
    }

    private func duplicate(_ source: FilePath, to target: FilePath) async throws {
        try await Program(
            "cp", ["--archive", "--reflink=auto", "--no-target-directory", source.string, target.string],
            limit: .seconds(1800)
        ).runSuccessfully()
    }

    private func removeOldest() throws {
        var kept: [(place: FilePath, used: Int64)] = []
        for name in try Files.names(directory) {
            let place = directory.pushing(FilePath(bytes: name))
            guard let mark = try Files.status(place.appending(".used")),
                !name.starts(with: Array(Self.unfinished.utf8))
            else {
                // One that was cut off.
                try Files.removeTree(place)
                continue
            }
            kept.append((place, mark.modified.seconds))
        }
        for (place, _) in kept.sorted(by: { $0.used > $1.used }).dropFirst(Self.most) {
            try Files.removeTree(place)
        }
    }
}
