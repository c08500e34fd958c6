internal import FileTree
internal import Git
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
        if wasCut {
            try removeLocks(below: path.appending("refs"))
            // Removing a reference rewrites the file of the packed ones.
            try Files.remove(path.appending("packed-refs.lock"))
        }
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
