internal import FileTree
internal import Git
internal import Glibc
internal import SystemPackage

extension SnapshotStore {
    /// Takes away what killed writers left; the caller is the one writer.
    ///
    /// `wasCut` says that the last writer did not come to its end: only then can a reference's lock file be its own, for
    /// stock git makes files of the same name and may be at work right now.
    func clearLeftovers(wasCut: Bool) throws {
        let packs = path.appending("objects").appending("pack")
        try remove(in: packs) { name in
            PackWriter.temporaryPrefixes.contains { name.starts(with: $0.utf8) }
        }
        try remove(in: localDirectory) { $0.starts(with: "artifacts-".utf8) }
        for directory in [localDirectory, localDirectory.appending("cache")] {
            try remove(in: directory, where: Files.isTemporary)
        }
        for directory in [localDirectory, localDirectory.appending("staged")] {
            try Scratch.removeAbandoned(in: directory)
        }
        try removeCutPacks(in: packs)
        for reference in try references(Pull.incoming) {
            try removeReference(reference.name, expecting: reference.target)
        }
        if wasCut {
            try removeLocks(below: path.appending("refs"))
            // Removing a reference rewrites the file of the packed ones.
            try Files.remove(path.appending("packed-refs.lock"))
        }
    }

    /// Takes away packs that a killed git left half written, which its own prune does after two weeks.
    ///
    /// The lock keeps out our own writers alone, and somebody may push into the store right now: what was written to in the
    /// last hour stays, all of it while any process has a file open beside it, and what belongs to somebody else, into whose
    /// processes we cannot look.
    private func removeCutPacks(in directory: FilePath) throws {
        guard try Files.isDirectory(directory) else { return }
        let own = Accounts.ownNumbers.user
        let hourAgo = Int64(time(nil)) - 3600
        let cut = try Files.names(directory).filter { name in
            ["tmp_pack_", "tmp_idx_", "tmp_rev_"].contains { name.starts(with: $0.utf8) }
        }.map { FilePath(bytes: directory.byteArray + [UInt8(ascii: "/")] + $0) }.filter { file in
            guard let status = try Files.status(file), status.kind == .file else { return false }
            return status.modified.seconds < hourAgo && (own == 0 || status.owner == own)
        }
        guard !cut.isEmpty, try OpenFiles.holders(of: directory).isEmpty else { return }
        for file in cut { try Files.remove(file) }
    }

    private func remove(in directory: FilePath, where isLeft: ([UInt8]) -> Bool) throws {
        guard try Files.isDirectory(directory) else { return }
        for name in try Files.names(directory) where isLeft(name) {
            try Files.removeTree(FilePath(bytes: directory.byteArray + [UInt8(ascii: "/")] + name))
        }
    }

    private func removeLocks(below directory: FilePath) throws {
        for name in try Files.names(directory) {
            let path = FilePath(bytes: directory.byteArray + [UInt8(ascii: "/")] + name)
            if name.suffix(5).elementsEqual(".lock".utf8) {
                try Files.remove(path)
            } else if try Files.status(path)?.kind == .directory {
                try removeLocks(below: path)
            }
        }
    }
}
