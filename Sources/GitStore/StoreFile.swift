internal import Archive
internal import Cryptography
internal import FileTree
internal import Git
internal import Programs
internal import SnapshotModel
package import SystemPackage

/// One file that holds a whole store for some snapshots: a `.tar.zst` of a bare git repository, which stock `tar` unpacks.
///
/// Its members, all below `<system>.git/`, are the system file of the newest snapshot first, then `HEAD`, `config`,
/// `packed-refs` and the directories that git wants, the packs, and at the end `SHA256SUMS` of all of them: without that it
/// is cut off.
package enum StoreFile {
    static let sums = "SHA256SUMS"
    static let systemFile = "understudy.yaml"
    static let references = "packed-refs"
    static let directories = ["objects", "objects/info", "objects/pack", "refs"]

    /// What was written.
    package struct Written: Sendable {
        /// How many bytes the file has.
        package var bytes: Int64
        /// SHA-256 of the whole file, in hex.
        package var digest: String
    }

    /// Writes snapshots of a system, with the history that they stand on, into a new file.
    ///
    /// What is sealed stays sealed. Throws a ``StoreFailure`` when something is at the path already, or where another export is
    /// writing it.
    package static func write(
        _ snapshots: [SnapshotReference], of system: String, in store: SnapshotStore, to path: FilePath,
        progress: @Sendable (String) -> Void
    ) async throws -> Written {
        guard try !Files.exists(path) else {
            throw StoreFailure(.failed, "\(path) exists already", hint: "name a file that is not there yet")
        }
        let reader = try store.reader()
        guard let newest = snapshots.max(by: { $0.id < $1.id }) else {
            preconditionFailure("somebody asked for at least one snapshot")
        }
        let stored = try store.read(newest, with: reader)
        guard let history = stored.commit.parents.first, let file = stored.blob(systemFile) else {
            throw StoreFailure(
                .damaged, "the snapshot \(newest.id) has no history or no system file",
                hint: "'understudy verify --all' says what is whole")
        }
        let names =
            ["\(history) refs/heads/\(system)"]
            + snapshots.map { "\($0.commit) refs/snapshots/\(system)/\($0.id)" }
        progress("packing \(counted(snapshots.count, "snapshot"))")
        let scratch = try Scratch(in: store.localDirectory)
        defer { withExtendedLifetime(scratch) {} }
        do {
            try await SourceTransfer.pack(
                snapshots.map(\.commit.description), of: store.path, into: scratch.path
            ).runSuccessfully()
        } catch let failure as ProgramFailure where !failure.isDiskFull {
            // Its words do not tell damage from other trouble.
            let damage = try reader.damage(from: snapshots.map(\.commit), sound: ObjectSet())
            guard !damage.isEmpty else { throw failure }
            throw StoreFailure(
                .damaged, "the store is damaged: \(damage.prefix(3).joined(separator: "; "))",
                hint: "'understudy verify --all --heal' fetches what is damaged from the store's remotes")
        }
        progress("writing \(path)")
        let text = [
            (systemFile, try reader.contents(file, .blob)),
            ("HEAD", Array("ref: refs/heads/\(system)\n".utf8)),
            ("config", Array(configuration.utf8)),
            (
                references,
                Array(
                    ("# pack-refs with: peeled fully-peeled sorted \n"
                        + names.sorted { $0.dropFirst(41) < $1.dropFirst(41) }.joined(separator: "\n") + "\n")
                        .utf8)
            ),
        ]
        let packs = try Files.names(scratch.path).map { String(decoding: $0, as: UTF8.self) }
            .filter { $0.hasSuffix(".pack") || $0.hasSuffix(".idx") }.sorted().map {
                ("objects/pack/\($0)", scratch.path.appending($0))
            }
        return try write(text, packs, below: "\(system).git", to: path, time: stored.commit.time)
    }

    /// Removes what an export left that was cut off; throws for what another one is writing, and for what none began.
    private static func removeCut(_ part: FilePath) throws {
        guard let status = try Files.status(part) else { return }
        var first: ArraySlice<UInt8> = []
        if status.kind == .file {
            try Files.readPieces(part, size: 4, overlap: 0) { bytes in
                first = bytes
                return false
            }
        }
        // What every file of zstd begins with.
        guard status.kind == .file, [0x28, 0xb5, 0x2f, 0xfd].starts(with: first) else {
            throw StoreFailure(
                .failed, "\(part) is in the way, and is no part of an export", hint: "name another file")
        }
        guard try !Files.isLocked(part) else {
            throw StoreFailure(
                .failed, "\(part) is being written by another export",
                hint: "wait until it is done, or name another file")
        }
        try Files.remove(part)
    }

    private static let configuration = """
        [core]
        \trepositoryformatversion = 0
        \tbare = true
        [understudy]
        \tformat = \(Snapshot.currentFormat)

        """

    /// Writes beside the path, and gives the file its name when all of it is on the disk.
    private static func write(
        _ text: [(String, [UInt8])], _ packs: [(String, FilePath)], below top: String, to path: FilePath,
        time: Int64
    ) throws -> Written {
        let part = FilePath(path.string + ".part")
        try removeCut(part)
        let file = FileDescriptor(rawValue: try Files.createExclusively(part, mode: 0o600))
        do {
            try Files.lock(file.rawValue, part)
            var sums = ""
            var writer = try TarWriter.begin(file, path: part, time: time)
            try writer.addDirectory(top)
            for (name, contents) in text {
                try writer.add("\(top)/\(name)", contents: contents)
                sums += "\(hex(SHA256.digest(contents)))  \(name)\n"
            }
            for name in directories { try writer.addDirectory("\(top)/\(name)") }
            for (name, source) in packs {
                var hash = SHA256()
                try unsafe writer.add("\(top)/\(name)", file: source) { unsafe hash.update($0) }
                sums += "\(hex(hash.finish()))  \(name)\n"
            }
            try writer.add("\(top)/\(Self.sums)", contents: Array(sums.utf8))
            try writer.finish()
            try Files.syncFileSystem(absolute(part).removingLastComponent())
            let digest = try digest(of: part)
            try Files.renameWithoutReplacing(part, to: path)
            try Files.syncDirectory(path.removingLastComponent())
            // Not before it has its name: its lock goes with that.
            try file.close()
            return Written(bytes: try Files.status(path)?.size ?? 0, digest: digest)
        } catch {
            // The first failure is the one to tell.
            try? Files.remove(part)
            throw error
        }
    }

    private static func absolute(_ path: FilePath) throws -> FilePath {
        path.isAbsolute ? path : try Files.resolved(".").pushing(path)
    }

    private static func digest(of path: FilePath) throws -> String {
        let file = try OpenFile(path)
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
            guard count > 0 else { return hex(hash.finish()) }
            unsafe buffer.withUnsafeBytes {
                unsafe hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count]))
            }
        }
    }
}
