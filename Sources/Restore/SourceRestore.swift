internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// Gives staged repositories their objects, and checks that none is missing.
struct SourceRestore {
    private let transfer: SourceTransfer
    private let reader: ObjectReader
    private let scratch: FilePath

    init(_ store: SnapshotStore, reader: ObjectReader) {
        transfer = SourceTransfer(store, reader: reader)
        self.reader = reader
        scratch = store.localDirectory.appending("scratch-restore.git")
    }

    /// Completes the repositories of a component whose files are staged in `roots`.
    func run(
        _ captured: CapturedComponent, in tree: ObjectID, _ roots: [StagedComponent.StagedRoot]
    ) async throws {
        guard captured.locks[SourcesLock.name] != nil,
            let entry = try reader.entry(SourcesLock.name, of: tree)
        else { return }
        // Left by a restore that was killed.
        try Files.removeTree(scratch)
        for line in try SourcesLock(reader.contents(entry.id, .blob)).lines {
            let repository = line.repository
            guard
                let root = roots.first(where: {
                    $0.root.name == repository.root && $0.only.map(repository.path.isAtOrBelow) ?? true
                }),
                let keepAlive = ObjectID(hex: line.keepAlive.utf8), keepAlive != .none
            else { continue }
            do {
                try await give(keepAlive, to: try directory(line.repository, in: root.staged))
            } catch let error as ProgramFailure where error.isDiskFull {
                throw RestoreFailure(
                    .failed, "the disk is full: \(error)",
                    hint:
                        "nothing was changed; free some space beside \(root.root.path) and run the restore again"
                )
            } catch let error as ProgramFailure {
                throw RestoreFailure(
                    .verification, "the objects of \(line.repository.name) cannot be restored: \(error)",
                    hint: "nothing was changed; 'understudy verify --all' says what is whole; restore that")
            }
        }
        try Files.removeTree(scratch)
    }

    /// The staged git directory; a store that was tampered with must not lead us out of what is staged.
    private func directory(_ repository: SourceRepository, in staged: FilePath) throws -> FilePath {
        var path = staged
        for name in repository.path.components + [Array("objects".utf8)[...]] {
            path = path.pushing(FilePath(bytes: Array(name)))
            guard try Files.status(path)?.kind == .directory else {
                throw RestoreFailure(
                    .verification,
                    "\(SourcesLock.name) names \(repository.name), which is no repository in the snapshot",
                    hint: "the store was tampered with: restore another snapshot")
            }
        }
        return path.removingLastComponent()
    }

    /// The objects get the owner of the directory that they are in, which keeps its time.
    private func give(_ keepAlive: ObjectID, to repository: FilePath) async throws {
        let objects = try OpenDirectory(repository.appending("objects"))
        let status = try objects.status()
        let attributes = try objects.attributes()
        try await transfer.give(keepAlive, to: repository, checkingIn: scratch)
        let packs = repository.appending("objects").appending("pack")
        for path in [packs] + (try Files.names(packs).map { packs.pushing(FilePath(bytes: $0)) }) {
            try Files.setOwner(path, owner: status.owner, group: status.group)
        }
        try Files.setMode(packs, status.mode)
        try objects.set(
            FileMetadata(
                owner: status.owner, group: status.group, mode: status.mode, attributes: attributes,
                modified: status.modified))
    }
}
