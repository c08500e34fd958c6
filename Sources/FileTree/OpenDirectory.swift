internal import Cfiles
internal import Glibc
package import SystemPackage

/// An open directory: every operation is relative to it, and none follows a link.
///
/// So nobody can exchange a directory on the way for a link while we work below it. The descriptor closes with the last
/// reference.
package final class OpenDirectory: Sendable {
    private let descriptor: CInt
    /// The path it was opened by, for messages.
    private let path: [UInt8]

    private init(descriptor: CInt, path: [UInt8]) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        close(descriptor)
    }

    /// Opens a directory by its path; links on the way to it are followed, a link at its end is not.
    package convenience init(_ path: FilePath) throws(FileFailure) {
        let descriptor = try openWithoutTrace(O_DIRECTORY | O_NOFOLLOW) { (flags) throws(FileFailure) in
            try Files.open(path, flags)
        }
        self.init(descriptor: descriptor, path: path.byteArray)
    }

    /// Opens a directory in this one.
    package func directory(_ name: [UInt8]) throws(FileFailure) -> OpenDirectory {
        let child = try openWithoutTrace(O_DIRECTORY | O_NOFOLLOW) { (flags) throws(FileFailure) in
            try open(name, flags)
        }
        return OpenDirectory(descriptor: child, path: self.path(name))
    }

    /// Opens a directory below this one by a path of names; empty for this one itself.
    ///
    /// In one step where the kernel has `openat2` and the path is not too long for it, else name by name.
    package func descend(_ names: [UInt8]) throws(FileFailure) -> OpenDirectory {
        guard !names.isEmpty else { return self }
        do throws(FileFailure) {
            let child = try openWithoutTrace(O_DIRECTORY | O_NOFOLLOW) { (flags) throws(FileFailure) in
                try systemCall("open", path(names)) {
                    unsafe withName(names) { unsafe cfiles_open_below(descriptor, $0, flags) }
                }
            }
            return OpenDirectory(descriptor: child, path: path(names))
        } catch {
            guard [.noFunction, .notPermitted, .fileNameTooLong].contains(error.reason) else { throw error }
            var directory = self
            for name in names.split(separator: UInt8(ascii: "/")) {
                directory = try directory.directory(Array(name))
            }
            return directory
        }
    }

    /// Reads the names in the directory into a list.
    package func read(into names: NameList) throws(FileFailure) {
        try names.read(descriptor, path: path)
    }

    /// The status of what stands at a path of names below this one, which ends in a zero byte.
    ///
    /// A link on the way is followed: so this is only for asking whether something is still what it was, by device,
    /// inode and times, which a link cannot forge.
    package func look(at names: borrowing ZeroTerminatedPath) throws(FileFailure) -> FileStatus {
        var status = stat()
        let result = unsafe names.bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return CInt(-1) }
            return unsafe fstatat(
                descriptor, base.assumingMemoryBound(to: CChar.self), &status, AT_SYMLINK_NOFOLLOW)
        }
        guard result == 0 else {
            throw FileFailure("look at", path(names.bytes.dropLast()), Errno(rawValue: errno))
        }
        return FileStatus(status)
    }

    /// The status of the directory itself.
    package func status() throws(FileFailure) -> FileStatus {
        var status = stat()
        try systemCall("look at", path) { unsafe fstat(descriptor, &status) }
        return FileStatus(status)
    }

    /// What the file system that it is on says of itself.
    func fileSystem() throws(FileFailure) -> statvfs {
        var status = statvfs()
        try systemCall("ask for the space of", path) { unsafe fstatvfs(descriptor, &status) }
        return status
    }

    /// The status of what stands at a name.
    package func status(_ name: [UInt8]) throws(FileFailure) -> FileStatus {
        var status = stat()
        try systemCall("look at", self.path(name)) {
            unsafe withName(name) { unsafe fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) }
        }
        return FileStatus(status)
    }

    /// The status of what stands at a name, nil when nothing does.
    package func statusIfThere(_ name: [UInt8]) throws(FileFailure) -> FileStatus? {
        do {
            return try status(name)
        } catch  where error.reason == .noSuchFileOrDirectory {
            return nil
        }
    }

    /// What the symbolic link of a name points to.
    package func linkTarget(_ name: [UInt8]) throws(FileFailure) -> [UInt8] {
        var buffer = [CChar](repeating: 0, count: 4097)
        let count = try systemCall("read the link", self.path(name)) {
            unsafe buffer.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return -1 }
                return unsafe withName(name) { unsafe readlinkat(descriptor, $0, base, buffer.count) }
            }
        }
        return buffer[..<count].map { UInt8(bitPattern: $0) }
    }

    /// Opens a regular file for reading.
    ///
    /// Does not wait for a fifo that took the file's place.
    package func file(_ name: [UInt8]) throws(FileFailure) -> OpenFile {
        let opened = try openWithoutTrace(O_NOFOLLOW | O_NONBLOCK) { (flags) throws(FileFailure) in
            try open(name, flags)
        }
        return OpenFile(descriptor: opened, path: path(name))
    }

    /// Makes a new file; the process's umask applies to `mode`, of which only the permission bits count.
    package func createFile(_ name: [UInt8], mode: UInt16 = 0o600) throws(FileFailure) -> OpenFile {
        let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let created = try systemCall("create", self.path(name)) {
            unsafe withName(name) { unsafe cfiles_openat(descriptor, $0, flags, UInt32(mode & 0o777)) }
        }
        return OpenFile(descriptor: created, path: path(name))
    }

    /// Makes a directory, which only we may enter until its mode is set, and opens it.
    ///
    /// Of another `mode` only the permission bits count, the process's umask applies, and we may always enter.
    package func createDirectory(_ name: [UInt8], mode: UInt16 = 0o700) throws(FileFailure) -> OpenDirectory {
        try systemCall("make the directory", path(name)) {
            unsafe withName(name) { unsafe mkdirat(descriptor, $0, mode_t(mode & 0o777 | 0o700)) }
        }
        return try directory(name)
    }

    /// Removes a file or link; nothing there is as good.
    package func remove(_ name: [UInt8]) throws(FileFailure) {
        do {
            try systemCall("remove", path(name)) {
                unsafe withName(name) { unsafe unlinkat(descriptor, $0, 0) }
            }
        } catch  where error.reason == .noSuchFileOrDirectory {}
    }

    /// Makes a symbolic link with its owner and time.
    package func createLink(
        _ name: [UInt8], target: [UInt8], owner: UInt32, group: UInt32, modified: (Int64, Int64)
    ) throws(FileFailure) {
        try systemCall("make the link", path(name)) {
            unsafe withName(target) { target in
                unsafe withName(name) { unsafe symlinkat(target, descriptor, $0) }
            }
        }
        try systemCall("set the owner of", path(name)) {
            unsafe withName(name) { unsafe fchownat(descriptor, $0, owner, group, AT_SYMLINK_NOFOLLOW) }
        }
        let times = changeTime(modified)
        try systemCall("set the time of", path(name)) {
            unsafe withName(name) { name in
                unsafe times.span.withUnsafeBufferPointer {
                    unsafe utimensat(descriptor, name, $0.baseAddress, AT_SYMLINK_NOFOLLOW)
                }
            }
        }
    }

    /// Gives the file at `target`, a path below this directory, a second name here.
    package func createHardLink(_ name: [UInt8], to target: [UInt8], in other: OpenDirectory)
        throws(FileFailure)
    {
        try systemCall("link", path(name)) {
            unsafe withName(target) { target in
                unsafe withName(name) { unsafe linkat(other.descriptor, target, descriptor, $0, 0) }
            }
        }
    }

    /// The extended attributes of the directory itself, sorted by name.
    package func attributes() throws(FileFailure) -> [(name: [UInt8], value: [UInt8])] {
        try readAttributes(descriptor, path)
    }

    /// Sets owner, attributes, mode and time of the directory itself, in the order in which none undoes another.
    package func set(_ metadata: FileMetadata) throws(FileFailure) {
        _ = try setMetadata(descriptor, path, metadata)
    }

    /// Sets owner and group of the directory itself.
    package func setOwner(_ owner: UInt32, group: UInt32) throws(FileFailure) {
        try systemCall("set the owner of", path) { fchown(descriptor, owner, group) }
    }

    private func open(_ name: [UInt8], _ flags: CInt) throws(FileFailure) -> CInt {
        try systemCall("open", path(name)) {
            unsafe withName(name) { unsafe cfiles_openat(descriptor, $0, flags, 0) }
        }
    }

    /// The path of a name in here, for messages.
    private func path(_ name: some Collection<UInt8>) -> [UInt8] {
        path + [UInt8(ascii: "/")] + name
    }
}

/// A path that the system is asked about again and again: one buffer, a directory and a name that changes.
package struct ZeroTerminatedPath: ~Copyable {
    /// The bytes, the last of them zero.
    fileprivate var bytes: [UInt8] = [0]
    private var directoryCount = 0

    /// An empty path.
    package init() {}

    /// Names a directory by its path below the root, empty for the root.
    package mutating func setDirectory(_ path: ArraySlice<UInt8>) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: path)
        if !path.isEmpty { bytes.append(UInt8(ascii: "/")) }
        directoryCount = bytes.count
        bytes.append(contentsOf: [UInt8(ascii: "."), 0])
    }

    /// Names an entry of the directory: `count` bytes of `names`, from `start`.
    package mutating func setName(_ names: Span<UInt8>, _ start: Int, _ count: Int) {
        bytes.removeLast(bytes.count - directoryCount)
        unsafe names.withUnsafeBufferPointer { names in
            unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: names[start..<(start + count)]))
        }
        bytes.append(0)
    }

    /// Whether the system takes a path of this length (`PATH_MAX`).
    package var isShort: Bool { bytes.count <= 4096 }
}

/// Opens by a call that takes flags, for reading, and leaves the time of the last access alone where we may: to look at
/// something is no reason for the kernel to write its inode.
private func openWithoutTrace(
    _ flags: CInt, _ open: (CInt) throws(FileFailure) -> CInt
) throws(FileFailure) -> CInt {
    let flags = flags | O_RDONLY | O_CLOEXEC
    do {
        return try open(flags | noAccessTime)
    } catch {
        // Only the owner may.
        guard error.reason == .notPermitted else { throw error }
        return try open(flags)
    }
}

/// `O_NOATIME` of `<fcntl.h>`, which needs `_GNU_SOURCE`.
private let noAccessTime: CInt = 0o1000000
