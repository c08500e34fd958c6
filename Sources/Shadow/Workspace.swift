internal import FileTree
package import GitStore
internal import Glibc
internal import Programs
package import SystemPackage

/// The directory in which shadows lie: fresh, for its owner alone, and gone afterwards.
///
/// Its path is written into the store's local directory before it is made, so that what a killed canary left is found.
package struct Workspace {
    /// The directory.
    package let directory: FilePath
    private let record: FilePath
    /// Held as long as the workspace is: another canary would remove it.
    private let lock: ShadowLock

    /// The file in the store's local directory that names it.
    private static let recordName = "shadow"

    /// Makes the directory; removes what a canary that was killed has left.
    private init(_ store: SnapshotStore, in parent: FilePath) throws {
        record = store.localDirectory.appending(Self.recordName)
        lock = try ShadowLock(store.localDirectory.appending("shadow.lock"))
        try Self.removeLeft(record)
        let suffix = String(UInt32.random(in: .min ... .max), radix: 16)
        directory = parent.appending("understudy-\(suffix)")
        try Files.replace(record, with: directory.byteArray, mode: 0o600)
        try Files.makeDirectory(directory, mode: 0o700)
    }

    /// Removes what a canary, a drill or a promotion that was killed has left; does nothing while one runs.
    package static func clean(_ store: SnapshotStore) throws {
        let record = store.localDirectory.appending(recordName)
        guard try Files.exists(record) else { return }
        do {
            let lock = try ShadowLock(store.localDirectory.appending("shadow.lock"))
            try withExtendedLifetime(lock) { try removeLeft(record) }
        } catch let failure as StoreFailure where failure.code == .locked {
            // It is in use, and goes away with who uses it.
            return
        }
    }

    /// Lets `body` work in a new directory in `parent`, which is gone afterwards, whatever happens.
    package static func with<Result>(
        _ store: SnapshotStore, in parent: FilePath, _ body: (Workspace) async throws -> Result
    ) async throws -> Result {
        let workspace = try Workspace(store, in: parent)
        let result: Result
        do {
            result = try await body(workspace)
        } catch {
            try removeLeft(workspace.record)
            throw error
        }
        try removeLeft(workspace.record)
        return result
    }

    private static func removeLeft(_ record: FilePath) throws {
        guard let bytes = try Files.readIfPresent(record) else { return }
        let left = FilePath(bytes: bytes)
        // Nothing but a directory that we named is removed, whoever wrote the record.
        guard left.lastComponent?.string.hasPrefix("understudy-") == true, left.isAbsolute else {
            throw ShadowFailure(
                "\(record) names \(left), which is no directory of a shadow",
                hint: "look at it, and remove the file")
        }
        try Files.removeTree(left)
        try Files.remove(record)
    }

    /// Gives everything in it to somebody else.
    func give(to user: (owner: UInt32, group: UInt32)) async throws {
        try await Program(
            "chown", ["--no-dereference", "--recursive", "\(user.owner):\(user.group)", directory.string],
            limit: .seconds(600)
        ).runSuccessfully()
    }

    /// A second set of names for the files of a tree, for what replaces files and never writes into them.
    func link(_ source: FilePath, to target: FilePath) async throws {
        try await Program(
            "cp", ["--archive", "--link", source.string, target.string], limit: .seconds(1800)
        ).runSuccessfully()
    }

    /// A copy of a tree, sharing blocks where the file system can.
    package static func copy(_ source: FilePath, to target: FilePath) async throws {
        try await Program(
            "cp", ["--archive", "--reflink=auto", source.string, target.string], limit: .seconds(1800)
        ).runSuccessfully()
    }
}

/// The one place of shadows of a store, held until this goes away or the process dies.
private final class ShadowLock {
    private let descriptor: CInt

    init(_ path: FilePath) throws {
        descriptor = try Files.openLock(path)
        do throws(FileFailure) {
            try Files.lock(descriptor, path)
        } catch {
            close(descriptor)
            guard error.reason == .wouldBlock else { throw error }
            throw StoreFailure(
                .locked, "another canary or drill runs on this store",
                hint: "wait until it is done; two at once would measure each other")
        }
    }

    deinit {
        close(descriptor)
    }
}
