internal import FileTree
package import Git
internal import SnapshotModel
internal import Synchronization
package import SystemPackage

/// A bare git repository that holds snapshots, history and evidence: store format 2, docs/design.md section 4.
///
/// Many may read at once; who writes holds a ``WriterLock``.
package final class SnapshotStore: Sendable {
    /// Where the store is.
    package let path: FilePath
    private let references: References
    /// Opened for the first thing that only libgit2 can do.
    private let repository: Mutex<Repository?>
    /// Whether its configuration was not made by us: it is a mirror, which the first writer makes a store of.
    private let lacksSettings: Bool
    /// What signs snapshots and evidence, nil when nothing does.
    package let signer: CommitSigner?

    private init(
        _ path: FilePath, _ repository: consuming sending Repository? = nil, lacksSettings: Bool = false,
        signer: CommitSigner? = nil
    ) {
        self.lacksSettings = lacksSettings
        self.signer = signer
        self.path = path
        references = References(path)
        self.repository = Mutex(repository)
        StoreOwner.note(path)
    }

    private func withRepository<Result: Sendable>(
        _ body: (borrowing Repository) throws(GitError) -> Result
    ) throws(GitError) -> Result {
        try repository.withLock { (repository) throws(GitError) in
            switch repository {
            case .some(let opened): return try body(opened)
            case .none: break
            }
            let opened = try Repository(opening: path)
            let result = try body(opened)
            repository = consume opened
            return result
        }
    }

    /// What is local and can be made again: the lock, caches, the journal of a restore.
    package var localDirectory: FilePath { path.appending("understudy") }

    /// Makes a store in a directory that is not there yet, or is empty; only its owner may enter it.
    package static func create(at path: FilePath, system: String) throws -> SnapshotStore {
        try checkIsFree(path)
        let isNew = try !Files.exists(path)
        try Files.makeDirectories(path.removingLastComponent())
        do {
            return try fill(path, system)
        } catch {
            // The first failure is the one to tell; half a store would be in the way of the next try.
            if isNew { try? Files.removeTree(path) }
            throw error
        }
    }

    /// Refuses a place for a new store at which something is.
    package static func checkIsFree(_ path: FilePath) throws {
        guard try !Files.exists(path) || Files.names(path).isEmpty else {
            throw StoreFailure(
                .noStore, "cannot make a store at \(path): something is there already",
                hint: "choose another path, or use the store that is there")
        }
    }

    private static func fill(_ path: FilePath, _ system: String) throws -> SnapshotStore {
        try Files.makeDirectory(path, mode: 0o700)
        try Files.setMode(path, 0o700)
        let repository = try Repository(creatingBareAt: path)
        for (key, value) in settings { try repository.configure(key, value) }
        try repository.setHead("refs/heads/\(system)")
        try Files.makeDirectory(path.appending("info"))
        try Files.replace(path.appending("info").appending("attributes"), with: Array(attributes.utf8))
        try Files.makeDirectory(path.appending("understudy"), mode: 0o700)
        try Files.syncFileSystem(path)
        return SnapshotStore(path, repository)
    }

    /// What a stock `git gc` must know: not to look for deltas between archives, and not to begin by itself.
    private static let settings = [
        ("core.bigFileThreshold", "1m"), ("gc.auto", "0"), ("gc.autoDetach", "false"),
        ("receive.denyNonFastForwards", "true"), (StoreFormat.key, "\(Snapshot.currentFormat)"),
    ]

    private static let attributes = """
        *.jpi -delta
        *.hpi -delta
        *.war -delta
        *.whl -delta
        **/*.chunks/* -delta

        """

    /// Opens the store at `path`.
    ///
    /// Throws a ``StoreFailure`` with code `noStore` when there is none, `newerFormat` when this version is too old.
    package static func open(at path: FilePath, signer: CommitSigner? = nil) throws -> SnapshotStore {
        guard try Files.isDirectory(path) else {
            throw StoreFailure(
                .noStore, "there is no store at \(path)",
                hint: missingHint)
        }
        StoreOwner.expect(path)
        if let format = try StoreFormat.plain(path) {
            try check(format, path)
            return SnapshotStore(path, signer: signer)
        }
        let repository: Repository
        do {
            repository = try Repository(opening: path)
        } catch {
            throw StoreFailure(
                .noStore, "\(path) is not a store: \(error.reason)",
                hint: missingHint)
        }
        for (key, usual) in StoreFormat.extensions {
            guard let value = try repository.configuration(key), value.lowercased() != usual else { continue }
            throw StoreFailure(
                .noStore, "\(path) is a repository of a kind that no store is: its \(key) is \(value)",
                hint: "name the store's own path in the system file")
        }
        guard let format = try repository.configuration(StoreFormat.key) else {
            // 'git clone --mirror' copies references and objects, and no configuration: each snapshot says its own format,
            // and the first writer sets the rest.
            guard try References(path).list("refs/snapshots/").isEmpty else {
                return SnapshotStore(path, repository, lacksSettings: true, signer: signer)
            }
            throw StoreFailure(
                .noStore,
                "\(path) is a git repository, but no store of Understudy: it has neither understudy.format nor snapshots",
                hint: "name the store's own path in the system file")
        }
        try check(format, path)
        return SnapshotStore(path, repository, signer: signer)
    }

    private static let missingHint =
        "when it is lost, 'understudy restore --from COPY' brings it back from a copy, and 'understudy init' without a path "
        + "makes an empty one there; else name the right one in the system file"

    private static func check(_ format: String, _ path: FilePath) throws(StoreFailure) {
        guard let number = Int(format), number <= Snapshot.currentFormat else {
            throw StoreFailure(
                .newerFormat,
                "the store \(path) has format \(format), and this version reads formats up to \(Snapshot.currentFormat)",
                hint: "use the version of Understudy that made it, or a newer one")
        }
    }

    /// Reads objects as they are now.
    package func reader() throws -> ObjectReader {
        try ObjectReader(path)
    }

    /// Takes the one place of a writer, and clears what a killed writer left.
    ///
    /// Throws a ``StoreFailure`` with code `locked` that says who has the place, or with `failed` on a read-only or full file
    /// system.
    package func lock(purpose: String) throws -> WriterLock {
        let lock: WriterLock
        do {
            try Files.makeDirectory(localDirectory, mode: 0o700)
            lock = try WriterLock(localDirectory.appending("lock"), purpose: purpose, store: path)
        } catch let failure as FileFailure where failure.reason == .readOnlyFileSystem {
            throw StoreFailure.readOnly(failure, path)
        } catch let failure as FileFailure
            where failure.reason == .noSpace || failure.reason == .diskQuotaExceeded
        {
            throw StoreFailure(
                .failed, "the disk of the store is full: \(failure)",
                hint:
                    "free some space; '\(localDirectory.appending("cache"))' may be removed, and the next snapshot reads every file "
                    + "once more")
        }
        try clearLeftovers(wasCut: lock.followsCut)
        guard lacksSettings else { return lock }
        try withRepository { (repository) throws(GitError) in
            guard try repository.configuration(StoreFormat.key) == nil else { return }
            for (key, value) in Self.settings { try repository.configure(key, value) }
        }
        return lock
    }

    /// Who has the place of the writer, as `understudy restore, process 4711`, and since when in seconds since 1970; nil when it
    /// is free.
    package func writer() throws -> (name: String, since: Int64)? {
        try WriterLock.holder(of: localDirectory.appending("lock"))
    }

    /// The place of the writer, as soon as who has it now is done, or after `limit`; `progress` is told who that is.
    ///
    /// For what must not be lost because a night happens to write its snapshot.
    package func lock(
        purpose: String, waiting limit: Duration, progress: (String) -> Void
    ) async throws -> WriterLock {
        let end = ContinuousClock.now + limit
        var told: String?
        while true {
            do {
                return try lock(purpose: purpose)
            } catch let failure as StoreFailure where failure.code == .locked && ContinuousClock.now < end {
                if told != failure.description {
                    progress("waiting, for \(failure)")
                    told = failure.description
                }
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    /// What a reference points to, nil when there is none.
    package func reference(_ name: String) throws -> ObjectID? {
        try references.target(of: name)
    }

    /// The references below a prefix, sorted by name.
    package func references(_ prefix: String) throws -> [Reference] {
        try references.list(prefix)
    }

    /// The names right in a directory of references, some twice.
    func referenceNames(in directory: String) throws -> [String] {
        try references.names(in: directory)
    }

    /// What everything that must live on hangs on.
    func tips() throws -> [Reference] {
        try references.tips()
    }

    /// Removes a reference if nobody moved it since it was `expected`.
    func removeReference(_ name: String, expecting expected: ObjectID) throws {
        try telling(name) {
            try withRepository { (repository) throws(GitError) in
                try repository.removeReference(name, expecting: expected)
            }
        }
    }

    /// Points a reference at an object if nobody moved it since it was `expected`.
    package func setReference(_ name: String, to target: ObjectID, expecting expected: ObjectID?) throws {
        try telling(name) { try references.set(name, to: target, expecting: expected) }
    }

    /// Says what to do when somebody else was faster.
    private func telling(_ name: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as GitError where [.modified, .exists, .notFound].contains(error.code) {
            throw StoreFailure(
                .raced, "somebody else moved \(name) meanwhile: \(error.reason)",
                hint: "run the command again")
        }
    }
}
