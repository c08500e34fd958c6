internal import Cfiles
internal import Glibc
package import SystemPackage

/// What `lstat` says of a path, as far as anyone here asks.
package struct FileStatus: Hashable, Sendable {
    /// What kind of file stands at a path.
    package enum Kind: Hashable, Sendable {
        case directory, file, link, socket, fifo, device
    }

    /// The kind.
    package var kind: Kind
    /// The low 12 bits of the mode.
    package var mode: UInt16
    /// The owner's number.
    package var owner: UInt32
    /// The group's number.
    package var group: UInt32
    /// Bytes.
    package var size: Int64
    /// Blocks of 512 bytes that are allocated.
    package var blocks: Int64
    /// The device that holds the file.
    package var device: UInt64
    /// The file's number on the device.
    package var inode: UInt64
    /// Names that the file has.
    package var links: UInt64
    /// Seconds and nanoseconds of the last change of the contents.
    package var modified: (seconds: Int64, nanoseconds: Int64) { (modifiedSeconds, modifiedNanoseconds) }
    /// Seconds and nanoseconds of the last change of contents or metadata.
    package var changed: (seconds: Int64, nanoseconds: Int64) { (changedSeconds, changedNanoseconds) }

    /// What a file system of ext2's kind calls the directory in which its check keeps what it found, and its inode there.
    package static let lostAndFound = "lost+found"
    private static let lostAndFoundInode: UInt64 = 11
    /// Whether it is that directory, by its inode: it belongs to the file system.
    package var isLostAndFound: Bool { kind == .directory && inode == Self.lostAndFoundInode }

    private var modifiedSeconds: Int64
    private var modifiedNanoseconds: Int64
    private var changedSeconds: Int64
    private var changedNanoseconds: Int64

    init(_ status: stat) {
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFDIR: .directory
            case S_IFREG: .file
            case S_IFLNK: .link
            case S_IFSOCK: .socket
            case S_IFIFO: .fifo
            default: .device
            }
        mode = UInt16(status.st_mode & 0o7777)
        owner = status.st_uid
        group = status.st_gid
        size = Int64(status.st_size)
        blocks = Int64(status.st_blocks)
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        links = UInt64(status.st_nlink)
        modifiedSeconds = Int64(status.st_mtim.tv_sec)
        modifiedNanoseconds = Int64(status.st_mtim.tv_nsec)
        changedSeconds = Int64(status.st_ctim.tv_sec)
        changedNanoseconds = Int64(status.st_ctim.tv_nsec)
    }
}

/// Whole files and directories by path, for everything that is not a walk.
package enum Files {
    /// The status of what stands at a path, not following a link there; nil when nothing does.
    package static func status(_ path: FilePath) throws(FileFailure) -> FileStatus? {
        var status = stat()
        do {
            try systemCall("look at", path.byteArray) {
                unsafe path.withPlatformString { unsafe lstat($0, &status) }
            }
        } catch  where error.reason == .noSuchFileOrDirectory || error.reason == .notDirectory {
            return nil
        }
        return FileStatus(status)
    }

    /// Whether anything stands at a path.
    package static func exists(_ path: FilePath) throws(FileFailure) -> Bool {
        try status(path) != nil
    }

    /// Whether a directory stands at a path, following links.
    package static func isDirectory(_ path: FilePath) throws(FileFailure) -> Bool {
        var status = stat()
        do {
            try systemCall("look at", path.byteArray) {
                unsafe path.withPlatformString { unsafe stat($0, &status) }
            }
        } catch  where error.reason == .noSuchFileOrDirectory || error.reason == .notDirectory {
            return false
        }
        return FileStatus(status).kind == .directory
    }

    /// Why whom we act as can make and exchange nothing in a directory, following links; nil when nothing is against it.
    package static func obstacle(toWritingIn directory: FilePath) throws(FileFailure) -> Errno? {
        try obstacle(W_OK | X_OK, directory)
    }

    /// Why whom we act as cannot read a file, or list a directory, following links; nil when nothing is against it.
    package static func obstacle(toReading path: FilePath) throws(FileFailure) -> Errno? {
        try obstacle(R_OK, path)
    }

    private static func obstacle(_ access: CInt, _ path: FilePath) throws(FileFailure) -> Errno? {
        do {
            try systemCall("look at", path.byteArray) {
                unsafe path.withPlatformString { unsafe faccessat(AT_FDCWD, $0, access, AT_EACCESS) }
            }
            return nil
        } catch  where error.reason == .permissionDenied || error.reason == .readOnlyFileSystem {
            return error.reason
        } catch  where error.reason == .notPermitted {
            // Containers of older versions forbid the question, and not what is asked.
            return nil
        }
    }

    /// What stands at a path, or the nearest directory above it that does: where it would be made.
    package static func nearest(to path: FilePath) throws(FileFailure) -> FilePath {
        var path = path
        while try !exists(path), path.lastComponent != nil { path.removeLastComponent() }
        return path
    }

    /// The first link on the way from a directory to a relative path below it, which counts too; nil when there is none.
    package static func link(on path: FilePath, below directory: FilePath) throws(FileFailure) -> FilePath? {
        var way = FilePath()
        for component in path.components {
            way.append(component)
            if try status(directory.pushing(way))?.kind == .link { return way }
        }
        return nil
    }

    /// The contents of a regular file; throws when it holds more than `limit` bytes, and `invalidArgument` for what is no
    /// regular file.
    package static func read(_ path: FilePath, limit: Int = 1 << 30) throws(FileFailure) -> [UInt8] {
        let (descriptor, status) = try openForReading(path)
        defer { close(descriptor) }
        return try readAll(descriptor, path.byteArray, expecting: status.size, limit: limit)
    }

    /// The contents of a regular file, nil when nothing stands at the path.
    package static func readIfPresent(_ path: FilePath, limit: Int = 1 << 30) throws(FileFailure) -> [UInt8]?
    {
        do {
            return try read(path, limit: limit)
        } catch  where error.reason == .noSuchFileOrDirectory || error.reason == .notDirectory {
            return nil
        }
    }

    private static let temporaryPrefix = ".understudy-"
    private static let temporarySuffix = ".tmp"

    /// Whether a name is that of a file on its way to replace another; after a kill it stays.
    package static func isTemporary(_ name: [UInt8]) -> Bool {
        name.starts(with: temporaryPrefix.utf8) && name.suffix(4).elementsEqual(temporarySuffix.utf8)
    }

    /// The path of a file that is to replace the one at `path`.
    static func temporary(beside path: FilePath) -> FilePath {
        path.removingLastComponent().appending(
            "\(temporaryPrefix)\(UInt64.random(in: 0...UInt64.max))\(temporarySuffix)")
    }

    /// Replaces the file at a path, or makes it: a new file is written, synced, renamed over the old one, and the
    /// directory is synced; with an owner and group it has these before it has its name.
    package static func replace(
        _ path: FilePath, with bytes: [UInt8], mode: UInt16 = 0o644, owner: Accounts.Numbers? = nil
    ) throws(FileFailure) {
        try replace(path, with: bytes, mode: mode, owner: owner, isDurable: true)
    }

    /// Replaces a file that can be made again, or makes it: in one step, but without waiting for the disk.
    package static func replaceWithoutSync(_ path: FilePath, with bytes: [UInt8]) throws(FileFailure) {
        try replace(path, with: bytes, mode: 0o600, owner: nil, isDurable: false)
    }

    private static func replace(
        _ path: FilePath, with bytes: [UInt8], mode: UInt16, owner: Accounts.Numbers?, isDurable: Bool
    ) throws(FileFailure) {
        let temporary = temporary(beside: path)
        do throws(FileFailure) {
            let descriptor = try open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
            try fill(descriptor, with: bytes, mode, owner, isDurable: isDurable, path: temporary)
            try rename(temporary, to: path)
        } catch {
            // The first failure is the one to tell, of the file that was asked for; the temporary one is removed as well as can be.
            unsafe temporary.withPlatformString { _ = unsafe unlink($0) }
            throw FileFailure(error.operation, path, error.reason)
        }
        if isDurable { try syncDirectory(path.removingLastComponent()) }
    }

    /// Writes a new file and closes it.
    private static func fill(
        _ descriptor: CInt, with bytes: [UInt8], _ mode: UInt16, _ owner: Accounts.Numbers?, isDurable: Bool,
        path: FilePath
    ) throws(FileFailure) {
        defer { close(descriptor) }
        try write(bytes, to: descriptor, path: path)
        if let owner {
            try systemCall("set the owner of", path.byteArray) { fchown(descriptor, owner.user, owner.group) }
        }
        try systemCall("set the mode of", path.byteArray) { fchmod(descriptor, mode_t(mode)) }
        if isDurable { try sync(descriptor, path) }
    }

    /// The names in a directory, sorted by bytes, without `.` and `..`.
    package static func names(_ path: FilePath) throws(FileFailure) -> [[UInt8]] {
        let descriptor = try open(path.isEmpty ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(descriptor) }
        return try namesInDirectory(descriptor, path: path.byteArray).sorted {
            $0.lexicographicallyPrecedes($1)
        }
    }

    /// Makes a directory; one that is there already is as good, anything else there is a failure.
    package static func makeDirectory(_ path: FilePath, mode: UInt16 = 0o755) throws(FileFailure) {
        do {
            try systemCall("make the directory", path.byteArray) {
                unsafe path.withPlatformString { unsafe mkdir($0, mode_t(mode)) }
            }
        } catch  where error.reason == .fileExists {
            guard try isDirectory(path) else { throw FileFailure("make the directory", path, .fileExists) }
        }
    }

    /// Makes a directory and those above it.
    package static func makeDirectories(_ path: FilePath, mode: UInt16 = 0o755) throws(FileFailure) {
        guard try !isDirectory(path) else { return }
        let parent = path.removingLastComponent()
        if parent != path && !parent.isEmpty { try makeDirectories(parent, mode: mode) }
        try makeDirectory(path, mode: mode)
    }

    /// Makes a directory and those above it, so that a power loss takes none of them away again.
    package static func makeDirectoriesDurably(_ path: FilePath) throws(FileFailure) {
        guard try !isDirectory(path) else { return }
        let parent = path.removingLastComponent()
        try makeDirectoriesDurably(parent)
        try makeDirectory(path)
        try syncDirectory(parent)
    }

    /// Makes a symbolic link.
    package static func makeLink(_ path: FilePath, to target: [UInt8]) throws(FileFailure) {
        let target = FilePath(bytes: target)
        try systemCall("make the link", path.byteArray) {
            unsafe target.withPlatformString { target in
                unsafe path.withPlatformString { unsafe symlink(target, $0) }
            }
        }
    }

    /// Gives a file a second name; throws `improperLink` where the two are on different mounts, also of one file system.
    package static func addName(_ name: FilePath, to file: FilePath) throws(FileFailure) {
        try systemCall("give a second name to", file.byteArray) {
            unsafe file.withPlatformString { file in
                unsafe name.withPlatformString { unsafe Glibc.link(file, $0) }
            }
        }
    }

    /// What a symbolic link points to.
    package static func linkTarget(_ path: FilePath) throws(FileFailure) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4097)
        let count = try systemCall("read the link", path.byteArray) {
            unsafe buffer.withUnsafeMutableBytes { buffer in
                guard let base = buffer.baseAddress else { return -1 }
                return unsafe path.withPlatformString {
                    unsafe readlink($0, base.assumingMemoryBound(to: CChar.self), buffer.count)
                }
            }
        }
        return Array(buffer[..<count])
    }

    /// Gives a path another name in one step, replacing a file that is there.
    package static func rename(_ path: FilePath, to new: FilePath) throws(FileFailure) {
        try systemCall("rename", path.byteArray) {
            unsafe path.withPlatformString { old in
                unsafe new.withPlatformString { unsafe Glibc.rename(old, $0) }
            }
        }
    }

    /// Gives a path another name in one step, and fails when something is there.
    package static func renameWithoutReplacing(_ path: FilePath, to new: FilePath) throws(FileFailure) {
        try renameat2(path, new, flags: 1)
    }

    /// Lets two paths change places in one step.
    package static func exchange(_ one: FilePath, _ other: FilePath) throws(FileFailure) {
        try renameat2(one, other, flags: 2)
    }

    private static func renameat2(_ one: FilePath, _ other: FilePath, flags: UInt32) throws(FileFailure) {
        try systemCall(flags == 2 ? "exchange" : "rename", one.byteArray) {
            unsafe one.withPlatformString { one in
                unsafe other.withPlatformString {
                    unsafe cfiles_renameat2(AT_FDCWD, one, AT_FDCWD, $0, flags)
                }
            }
        }
    }

    /// Removes a directory if nothing is in it; nothing there is as good.
    package static func removeDirectoryIfEmpty(_ path: FilePath) throws(FileFailure) {
        do {
            try systemCall("remove", path.byteArray) { unsafe path.withPlatformString { unsafe rmdir($0) } }
        } catch  where error.reason == .noSuchFileOrDirectory || error.reason == .directoryNotEmpty {}
    }

    /// Removes a file or link; nothing there is as good.
    package static func remove(_ path: FilePath) throws(FileFailure) {
        do {
            try systemCall("remove", path.byteArray) { unsafe path.withPlatformString { unsafe unlink($0) } }
        } catch  where error.reason == .noSuchFileOrDirectory {}
    }

    /// Sets owner and group of what stands at a path, not following a link.
    package static func setOwner(_ path: FilePath, owner: UInt32, group: UInt32) throws(FileFailure) {
        try systemCall("set the owner of", path.byteArray) {
            unsafe path.withPlatformString { unsafe lchown($0, owner, group) }
        }
    }

    /// Sets the permission bits of what stands at a path.
    package static func setMode(_ path: FilePath, _ mode: UInt16) throws(FileFailure) {
        try systemCall("set the mode of", path.byteArray) {
            unsafe path.withPlatformString { unsafe chmod($0, mode_t(mode)) }
        }
    }

    /// Makes the names in a directory survive a power loss.
    package static func syncDirectory(_ path: FilePath) throws(FileFailure) {
        let descriptor = try open(path.isEmpty ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(descriptor) }
        try sync(descriptor, path)
    }

    /// Makes everything on the file system that holds `path` survive a power loss.
    package static func syncFileSystem(_ path: FilePath) throws(FileFailure) {
        let descriptor = try open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(descriptor) }
        try systemCall("sync the file system of", path.byteArray) { cfiles_syncfs(descriptor) }
    }

    /// Free bytes that we may use on the file system that holds `path`.
    package static func freeSpace(_ path: FilePath) throws(FileFailure) -> Int64 {
        var status = statvfs()
        try systemCall("ask for the free space of", path.byteArray) {
            unsafe path.withPlatformString { unsafe statvfs($0, &status) }
        }
        return Int64(status.f_bavail) * Int64(status.f_frsize)
    }

    /// An absolute path without `.`, `..` and links, of something that exists.
    package static func resolved(_ path: FilePath) throws(FileFailure) -> FilePath {
        let resolved = unsafe path.withPlatformString { unsafe realpath($0, nil) }
        guard let resolved = unsafe resolved else {
            throw FileFailure("resolve", path, Errno(rawValue: errno))
        }
        defer { unsafe free(resolved) }
        return unsafe FilePath(platformString: resolved)
    }

    static func open(_ path: FilePath, _ flags: CInt, _ mode: UInt16 = 0) throws(FileFailure) -> CInt {
        try systemCall("open", path.byteArray) {
            unsafe path.withPlatformString { unsafe cfiles_openat(AT_FDCWD, $0, flags, UInt32(mode)) }
        }
    }

    static func write(_ bytes: [UInt8], to descriptor: CInt, path: FilePath) throws(FileFailure) {
        var written = 0
        while written < bytes.count {
            written += try systemCall("write", path.byteArray) {
                unsafe bytes.withUnsafeBytes {
                    unsafe Glibc.write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written)
                }
            }
        }
    }
}

extension Files {
    /// Opens a new file for reading and writing; the caller closes the descriptor.
    package static func createExclusively(_ path: FilePath, mode: UInt16) throws(FileFailure) -> CInt {
        try open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
    }

    /// Opens a regular file for reading, following links, and looks at it; the caller closes the descriptor.
    ///
    /// Throws `invalidArgument` for anything else: it does not wait for somebody to open the other end of a pipe.
    package static func openForReading(
        _ path: FilePath
    ) throws(FileFailure) -> (descriptor: CInt, status: FileStatus) {
        let descriptor = try open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        do throws(FileFailure) {
            var status = stat()
            try systemCall("look at", path.byteArray) { unsafe fstat(descriptor, &status) }
            let found = FileStatus(status)
            guard found.kind == .file else {
                throw FileFailure.notRegular(path.byteArray)
            }
            return (descriptor, found)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Asks the system to start writing a range to the disk; only a hint, so its failure means nothing.
    package static func startWriteback(_ descriptor: CInt, offset: Int64, count: Int) {
        _ = cfiles_start_writeback(descriptor, Int(offset), count)
    }

    /// Writes a new file and syncs it; its name is durable only when its directory is synced too.
    package static func createDurably(_ path: FilePath, _ bytes: [UInt8], mode: UInt16) throws(FileFailure) {
        let descriptor = try create(path, bytes, mode: mode)
        defer { close(descriptor) }
        try sync(descriptor, path)
    }

    /// Writes a new file, and has the system begin to write it to the disk; the caller closes the descriptor.
    package static func create(_ path: FilePath, _ bytes: [UInt8], mode: UInt16) throws(FileFailure) -> CInt {
        let descriptor = try createExclusively(path, mode: mode)
        do throws(FileFailure) {
            try write(bytes, to: descriptor, path: path)
        } catch {
            close(descriptor)
            throw error
        }
        startWriteback(descriptor, offset: 0, count: bytes.count)
        return descriptor
    }

    /// Says when an open file was changed last, in seconds since 1970.
    package static func setModified(
        _ descriptor: CInt, _ path: FilePath, seconds: Int64
    ) throws(FileFailure) {
        let times = changeTime((seconds, 0))
        try systemCall("set the time of", path.byteArray) {
            unsafe times.span.withUnsafeBufferPointer { unsafe futimens(descriptor, $0.baseAddress) }
        }
    }

    /// Makes what was written to an open file survive a power loss.
    package static func sync(_ descriptor: CInt, _ path: FilePath) throws(FileFailure) {
        try systemCall("sync", path.byteArray) { fsync(descriptor) }
    }

    /// Opens a lock file, making it when it is not there; the caller closes the descriptor.
    package static func openLock(_ path: FilePath) throws(FileFailure) -> CInt {
        try open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }

    /// Takes the lock of an open file without waiting; throws `wouldBlock` when another process has it.
    package static func lock(_ descriptor: CInt, _ path: FilePath) throws(FileFailure) {
        try systemCall("lock", path.byteArray) { cfiles_lock(descriptor) }
    }

    /// Whether another process has the lock of a file; false where there is no file.
    package static func isLocked(_ path: FilePath) throws(FileFailure) -> Bool {
        guard try exists(path) else { return false }
        let descriptor = try open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        defer { close(descriptor) }
        do throws(FileFailure) {
            try systemCall("look at the lock of", path.byteArray) { cfiles_try_lock(descriptor) }
            return false
        } catch {
            guard error.reason == .wouldBlock else { throw error }
            return true
        }
    }

    /// Makes `bytes` the whole contents of an open file.
    ///
    /// What was there goes last: where a disk is full, it stays.
    package static func setContents(of descriptor: CInt, _ bytes: [UInt8], _ path: FilePath)
        throws(FileFailure)
    {
        try systemCall("seek in", path.byteArray) { lseek(descriptor, 0, SEEK_SET) }
        try write(bytes, to: descriptor, path: path)
        try systemCall("set the size of", path.byteArray) { ftruncate(descriptor, off_t(bytes.count)) }
    }
}
