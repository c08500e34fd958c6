internal import Cfiles
internal import Glibc
package import SystemPackage

/// Directories with all below them.
extension Files {
    /// Removes whatever stands at a path, with all below it, following no link; nothing there is as good.
    ///
    /// What is mounted there or below stays as it is, and is a failure: `resourceBusy`, with its path.
    package static func removeTree(_ path: FilePath) throws(FileFailure) {
        guard let status = try status(path) else { return }
        guard status.kind == .directory else { return try remove(path) }
        let parentPath = path.removingLastComponent()
        let parent = try open(parentPath.isEmpty ? "." : parentPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(parent) }
        let bytes = path.byteArray
        let name = bytes.lastIndex(of: UInt8(ascii: "/")).map { Array(bytes[($0 + 1)...]) } ?? bytes
        try removeDirectory(name, in: parent, path: path)
    }

    /// Bytes that whatever stands at a path takes on its file system, with all below it and following no link; a file of
    /// several names counts once.
    ///
    /// Paths below it may be longer than the system takes: each directory is opened in the one that holds it.
    package static func allocatedSize(_ path: FilePath) throws(FileFailure) -> Int64 {
        guard let status = try status(path) else { return 0 }
        guard status.kind == .directory else { return status.blocks * 512 }
        var size = status.blocks * 512
        var seen: Set<UInt64> = []
        let names = NameList()
        var directory = try OpenDirectory(path)
        var waiting: [(parent: OpenDirectory, name: [UInt8])] = []
        while true {
            try directory.read(into: names)
            for index in 0..<names.count {
                let name = Array(names.name(index))
                guard let status = try directory.statusIfThere(name) else { continue }
                if status.kind != .directory, status.links > 1, !seen.insert(status.inode).inserted {
                    continue
                }
                size += status.blocks * 512
                if status.kind == .directory { waiting.append((directory, name)) }
            }
            guard let next = waiting.popLast() else { return size }
            directory = try next.parent.directory(next.name)
        }
    }

    private static func removeDirectory(
        _ name: [UInt8], in parent: CInt, path: FilePath
    ) throws(FileFailure) {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        let descriptor: CInt
        do {
            descriptor = try openOnSameMount(parent, name, flags, path: path)
        } catch  where error.reason == .permissionDenied {
            // A directory of our own without permission bits: give them and try once more.
            try systemCall("set the mode of", path.byteArray) {
                unsafe withName(name) { unsafe fchmodat(parent, $0, 0o700, 0) }
            }
            descriptor = try openOnSameMount(parent, name, flags, path: path)
        }
        defer { close(descriptor) }
        var status = stat()
        try systemCall("look at", path.byteArray) { unsafe fstat(descriptor, &status) }
        if status.st_mode & 0o700 != 0o700 {
            try systemCall("set the mode of", path.byteArray) { fchmod(descriptor, 0o700) }
        }
        for child in try namesInDirectory(descriptor, path: path.byteArray) {
            let childPath = FilePath(bytes: path.byteArray + [UInt8(ascii: "/")] + child)
            do {
                try systemCall("remove", childPath.byteArray) {
                    unsafe withName(child) { unsafe unlinkat(descriptor, $0, 0) }
                }
            } catch  where error.reason == .isDirectory {
                try removeDirectory(child, in: descriptor, path: childPath)
            } catch  where error.reason == .notPermitted {
                // Some file systems say this of a directory; of all else it is why it stays.
                let notPermitted = error
                do {
                    try removeDirectory(child, in: descriptor, path: childPath)
                } catch  where error.reason == .notDirectory {
                    throw notPermitted
                }
            } catch  where error.reason == .noSuchFileOrDirectory {
                // Somebody else removed it first, which is as good.
            }
        }
        try systemCall("remove", path.byteArray) {
            unsafe withName(name) { unsafe unlinkat(parent, $0, AT_REMOVEDIR) }
        }
    }

    private static func openOnSameMount(
        _ directory: CInt, _ name: [UInt8], _ flags: CInt, path: FilePath
    ) throws(FileFailure) -> CInt {
        do {
            return try systemCall("open", path.byteArray) {
                unsafe withName(name) { unsafe cfiles_open_on_same_mount(directory, $0, flags) }
            }
        } catch  where error.reason == .improperLink {
            throw FileFailure("remove what is mounted at", path, .resourceBusy)
        }
    }
}
