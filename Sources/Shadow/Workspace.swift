internal import FileTree
package import GitStore
internal import Glibc
internal import Programs
internal import Synchronization
package import SystemPackage

/// The directory in which shadows lie: fresh, for its owner alone, and gone afterwards.
///
/// Its path is written into the store's local directory before it is made, and so is that of the control group of what runs in
/// it, so that what a killed canary left is found.
package struct Workspace {
    /// The directory.
    package let directory: FilePath
    /// What holds the shadows in it to their limits.
    package let limitKeeper: LimitKeeper
    private let records: Records
    fileprivate static let left = Mutex<[String]>([])

    /// What stays of the workspaces of this process, in words, for the end of a command: progress is gone by then.
    package static func leftBehind() -> [String] { left.withLock(\.self) }

    /// Files in the store's local directory that name what is to be gone afterwards.
    fileprivate struct Records {
        /// The file that names the directory.
        var directory: FilePath
        /// The file that names the control group.
        var group: FilePath

        init(_ store: SnapshotStore) {
            directory = store.localDirectory.appending("shadow")
            group = store.localDirectory.appending("shadow-group")
        }

        /// Removes what they name, and then them: first what could still write into the directory.
        func removeLeft() throws {
            if let bytes = try Files.readIfPresent(group) {
                try ControlGroup.remove(FilePath(bytes: bytes))
                try Files.remove(group)
            }
            guard let bytes = try Files.readIfPresent(directory) else { return }
            let left = FilePath(bytes: bytes)
            // Nothing but a directory that we named is removed, whoever wrote the record.
            guard left.lastComponent?.string.hasPrefix("understudy-") == true, left.isAbsolute else {
                throw ShadowFailure(
                    "\(directory) names \(left), which is no directory of a shadow",
                    hint: "look at it, and remove the file")
            }
            try Files.removeTree(left)
            try Files.remove(directory)
        }
    }

    /// Makes the directory; removes what a canary that was killed has left.
    fileprivate init(_ records: Records, in parent: FilePath) throws {
        self.records = records
        try records.removeLeft()
        let name = "understudy-\(String(UInt32.random(in: .min ... .max), radix: 16))"
        directory = parent.appending(name)
        try Files.replace(records.directory, with: directory.byteArray, mode: 0o600)
        try Files.makeDirectory(directory, mode: 0o700)
        do {
            limitKeeper = try LimitKeeper(name, disk: Disk(place: parent)) { path in
                try Files.replace(records.group, with: path.byteArray, mode: 0o600)
            }
        } catch {
            try records.removeLeft()
            throw error
        }
    }

    /// Removes what a canary, a drill or a promotion that was killed has left; does nothing while one runs.
    package static func clean(_ store: SnapshotStore) throws {
        let records = Records(store)
        guard try Files.exists(records.directory) || Files.exists(records.group) else { return }
        do {
            let lock = try ShadowLock(store.localDirectory.appending("shadow.lock"))
            try withExtendedLifetime(lock) { try records.removeLeft() }
        } catch let failure as StoreFailure where failure.code == .locked {
            // It is in use, and goes away with who uses it.
            return
        }
    }

    /// Lets `body` work in a new directory in `parent`, as ``ShadowPlace/with(_:)`` does.
    package static func with<Result>(
        _ store: SnapshotStore, in parent: FilePath,
        _ body: (Workspace) async throws -> Result
    ) async throws -> Result {
        try await ShadowPlace(store, in: parent).with(body)
    }

    /// Gives everything in it to somebody else.
    func give(to user: (owner: UInt32, group: UInt32)) async throws {
        try await Program(
            "chown", ["--no-dereference", "--recursive", "\(user.owner):\(user.group)", directory.string],
            limit: .seconds(600)
        ).runSuccessfully()
    }

    /// A second set of names for the files of a tree, for what replaces files and never writes into them.
    ///
    /// A copy where no file can have a name in both places.
    static func link(_ source: FilePath, to target: FilePath) async throws {
        let way =
            try canLink(source, into: target.removingLastComponent()) ? "--link" : "--reflink=auto"
        try await Program(
            "cp", ["--archive", way, "--no-target-directory", source.string, target.string],
            limit: .seconds(1800)
        ).runSuccessfully()
    }

    /// Whether the files of a tree can have second names in a directory, by trying with one of them.
    ///
    /// The number of a device does not tell: two mounts of one file system have the same, and no file has a name in both.
    private static func canLink(_ tree: FilePath, into directory: FilePath) throws -> Bool {
        guard let file = try firstFile(at: tree) else { return true }
        let name = directory.appending(".understudy-link")
        // What a killed one left.
        try Files.remove(name)
        do {
            try Files.addName(name, to: file)
        } catch  where error.reason == .improperLink {
            return false
        }
        try Files.remove(name)
        return true
    }

    /// Some file of a tree, which may be one itself; nil when it has none.
    private static func firstFile(at place: FilePath) throws -> FilePath? {
        switch try Files.status(place)?.kind {
        case .file: return place
        case .directory:
            for name in try Files.names(place) {
                if let file = try firstFile(at: place.pushing(FilePath(bytes: name))) { return file }
            }
            return nil
        default: return nil
        }
    }

    /// A copy of a tree, sharing blocks where the file system can.
    package static func copy(_ source: FilePath, to target: FilePath) async throws {
        try await Program(
            "cp", ["--archive", "--reflink=auto", source.string, target.string], limit: .seconds(1800)
        ).runSuccessfully()
    }
}

/// The one place of shadows of a store, for several workspaces one after the other: nobody else's come between.
package final class ShadowPlace {
    private let records: Workspace.Records
    private let parent: FilePath
    /// Held as long as the place is: another canary would remove what lies in it.
    private let lock: ShadowLock

    /// Takes the place; its workspaces lie in `parent`.
    ///
    /// Throws a ``StoreFailure`` with code `locked` when somebody has it.
    package init(_ store: SnapshotStore, in parent: FilePath) throws {
        records = Workspace.Records(store)
        self.parent = parent
        lock = try ShadowLock(store.localDirectory.appending("shadow.lock"))
    }

    /// Lets `body` work in a new directory, which is gone afterwards, whatever happens.
    ///
    /// One that cannot be removed changes nothing about what `body` did: ``Workspace/leftBehind()`` says it, and whoever comes next
    /// tries again.
    package func with<Result>(_ body: (Workspace) async throws -> Result) async throws -> Result {
        let workspace = try Workspace(records, in: parent)
        defer {
            do {
                try records.removeLeft()
            } catch {
                let words =
                    "copies of production may still be in \(workspace.directory), which cannot be removed: \(error); "
                    + "the next canary, drill or restore tries again"
                Workspace.left.withLock { $0.append(words) }
            }
        }
        return try await body(workspace)
    }
}

/// The lock on the one place of shadows of a store, held until this goes away or the process dies.
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
