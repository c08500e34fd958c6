internal import FileTree
internal import Glibc
internal import SystemPackage

/// Owner, mode and time of a file, to be given back after its contents were changed.
struct KeptMetadata {
    private let path: FilePath
    private let status: FileStatus

    /// What the file at a path has now.
    init(_ path: FilePath) throws {
        self.path = path
        guard let status = try Files.status(path) else {
            throw FileFailure("look at", path, .noSuchFileOrDirectory)
        }
        self.status = status
    }

    /// The mode.
    var mode: UInt16 { status.mode }

    /// Gives them back to what stands at the path now.
    func restore() throws {
        if let now = try Files.status(path), now.owner != status.owner || now.group != status.group {
            try Files.setOwner(path, owner: status.owner, group: status.group)
        }
        // After the owner: a change of owner takes set-user-id bits away.
        try Files.setMode(path, status.mode)
        let modified = timespec(
            tv_sec: Int(status.modified.seconds), tv_nsec: Int(status.modified.nanoseconds))
        let times = [modified, modified]
        try systemCall("set the time of", path.byteArray) {
            unsafe path.withPlatformString { path in
                unsafe times.withUnsafeBufferPointer { unsafe utimensat(AT_FDCWD, path, $0.baseAddress, 0) }
            }
        }
    }
}
