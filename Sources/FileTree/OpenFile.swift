internal import Cfiles
internal import Glibc
package import SystemPackage

/// An open regular file; it closes when it goes out of scope.
package struct OpenFile: ~Copyable {
    private let descriptor: CInt
    private let path: [UInt8]

    init(descriptor: CInt, path: [UInt8]) {
        self.descriptor = descriptor
        self.path = path
    }

    /// Opens a file for reading by its path, following links; throws `invalidArgument` for what is no regular file.
    package init(_ path: FilePath) throws(FileFailure) {
        descriptor = try Files.openForReading(path).descriptor
        self.path = path.byteArray
    }

    deinit {
        close(descriptor)
    }

    /// The file's status now.
    package borrowing func status() throws(FileFailure) -> FileStatus {
        var status = stat()
        try systemCall("look at", path) { unsafe fstat(descriptor, &status) }
        return FileStatus(status)
    }

    /// Sets owner and group of the file.
    package borrowing func setOwner(_ owner: UInt32, group: UInt32) throws(FileFailure) {
        try systemCall("set the owner of", path) { fchown(descriptor, owner, group) }
    }

    /// Reads until `buffer` is full or the file ends, and returns how many bytes that was.
    @unsafe package borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileFailure) -> Int
    {
        var filled = 0
        while filled < buffer.count {
            let count = try systemCall("read", path) {
                unsafe Glibc.read(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
            }
            guard count > 0 else { break }
            filled += count
        }
        return filled
    }

    /// All that is to come; throws `fileTooLarge` when that is more than `limit` bytes, and `invalidArgument` for what is no
    /// regular file.
    package borrowing func contents(limit: Int) throws(FileFailure) -> [UInt8] {
        let status = try status()
        guard status.kind == .file else {
            throw FileFailure.notRegular(path)
        }
        return try readAll(descriptor, path, expecting: status.size, limit: limit)
    }

    /// Goes back to the start.
    package borrowing func rewind() throws(FileFailure) {
        try systemCall("seek in", path) { lseek(descriptor, 0, SEEK_SET) }
    }

    /// Whether the file has a hole before its end.
    package borrowing func hasHole(size: Int64) throws(FileFailure) -> Bool {
        let hole = try systemCall("look for holes in", path) { cfiles_next_hole(descriptor, 0) }
        try systemCall("seek in", path) { lseek(descriptor, 0, SEEK_SET) }
        return Int64(hole) < size
    }

    /// Writes all bytes at the current place.
    @unsafe package borrowing func write(_ bytes: UnsafeRawBufferPointer) throws(FileFailure) {
        var written = 0
        while written < bytes.count {
            written += try systemCall("write", path) {
                unsafe Glibc.write(
                    descriptor, bytes.baseAddress?.advanced(by: written),
                    min(bytes.count - written, largestWrite))
            }
        }
    }

    /// Takes the first `count` bytes from some pieces, of which none is empty, and writes them at the current place.
    @unsafe package borrowing func write(
        _ pieces: inout [UnsafeRawBufferPointer], count: Int
    ) throws(FileFailure) {
        var left = count
        while left > 0 {
            var vectors = unsafe [iovec]()
            var size = 0
            for index in unsafe pieces.indices.prefix(mostPieces) where size < min(left, largestWrite) {
                let part = unsafe min(pieces[index].count, min(left, largestWrite) - size)
                unsafe vectors.append(
                    iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: pieces[index].baseAddress), iov_len: part)
                )
                size += part
            }
            var written = try systemCall("write", path) {
                unsafe writev(descriptor, vectors, CInt(vectors.count))
            }
            left -= written
            while written > 0, let first = unsafe pieces.first {
                let part = min(written, first.count)
                written -= part
                if part == first.count {
                    unsafe pieces.removeFirst()
                } else {
                    unsafe pieces[0] = UnsafeRawBufferPointer(rebasing: first[part...])
                }
            }
        }
    }

    /// Moves on without writing: what is left out reads as zeros and takes no space.
    package borrowing func skip(_ count: Int) throws(FileFailure) {
        try systemCall("seek in", path) { lseek(descriptor, off_t(count), SEEK_CUR) }
    }

    /// Sets the file's length, for a file that ends in a hole.
    package borrowing func truncate(to size: Int64) throws(FileFailure) {
        try systemCall("set the size of", path) { ftruncate(descriptor, off_t(size)) }
    }

    /// The extended attributes, sorted by name.
    package borrowing func attributes() throws(FileFailure) -> [(name: [UInt8], value: [UInt8])] {
        try readAttributes(descriptor, path)
    }

    /// Sets owner, attributes, mode and time, in the order in which none undoes another, and looks at the result.
    package borrowing func set(_ metadata: FileMetadata) throws(FileFailure) -> FileStatus {
        try setMetadata(descriptor, path, metadata)
    }
}

/// Reads a file to its end, which is expected after so many bytes.
func readAll(
    _ descriptor: CInt, _ path: [UInt8], expecting size: Int64, limit: Int
) throws(FileFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(limit, Int(size)) + 1)
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = try systemCall("read", path) {
            unsafe chunk.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
        }
        guard count > 0 else { return bytes }
        guard bytes.count + count <= limit else { throw FileFailure("read", path, .fileTooLarge) }
        bytes.append(contentsOf: chunk[..<count])
    }
}

/// Pieces that one call may write (`IOV_MAX`).
private let mostPieces = 1024

/// What `futimens` sets: the time of the last change, and not that of the last access.
///
/// An access that is not after the last change has the kernel write the inode again at the first reading (`relatime`).
func changeTime(_ modified: (Int64, Int64)) -> [2 of timespec] {
    [
        timespec(tv_sec: 0, tv_nsec: leaveTime),
        timespec(tv_sec: Int(modified.0), tv_nsec: Int(modified.1)),
    ]
}

/// `UTIME_OMIT` of `<sys/stat.h>`, which is no plain number there.
private let leaveTime = (1 << 30) - 2

/// What a manifest knows of a file or directory beside its contents.
package struct FileMetadata: Sendable {
    /// The owner's number.
    package var owner: UInt32
    /// The group's number.
    package var group: UInt32
    /// The low 12 bits of the mode.
    package var mode: UInt16
    /// Extended attributes, sorted by name.
    package var attributes: [(name: [UInt8], value: [UInt8])]
    /// Seconds and nanoseconds of the last change of the contents.
    package var modified: (Int64, Int64)

    /// Metadata.
    package init(
        owner: UInt32, group: UInt32, mode: UInt16, attributes: [(name: [UInt8], value: [UInt8])],
        modified: (Int64, Int64)
    ) {
        self.owner = owner
        self.group = group
        self.mode = mode
        self.attributes = attributes
        self.modified = modified
    }
}

/// Sets what a manifest knows of an open file or directory, and takes away attributes that it does not: a directory may hand
/// down its access list.
///
/// The time first: nothing else changes it, and mostly it is all that is not as it should be, so that one look is enough.
/// Owner before mode, because a change of owner clears set-user-id; owner before attributes, because it clears capabilities;
/// mode after the attributes, because an ACL sets the group bits of the mode.
///
/// Returns the status afterwards. Throws `invalidArgument` when the file system took everything and kept something else.
func setMetadata(
    _ descriptor: CInt, _ path: [UInt8], _ metadata: FileMetadata
) throws(FileFailure) -> FileStatus {
    let times = changeTime(metadata.modified)
    try systemCall("set the time of", path) {
        unsafe times.span.withUnsafeBufferPointer { unsafe futimens(descriptor, $0.baseAddress) }
    }
    var status = stat()
    func look() throws(FileFailure) { try systemCall("look at", path) { unsafe fstat(descriptor, &status) } }
    func hasAttributes(_ attributes: [(name: [UInt8], value: [UInt8])]) -> Bool {
        attributes.elementsEqual(metadata.attributes, by: ==)
    }
    try look()
    let attributes = try readAttributes(descriptor, path)
    let isOwned = status.st_uid == metadata.owner && status.st_gid == metadata.group
    if isOwned, hasAttributes(attributes), status.st_mode & 0o7777 == mode_t(metadata.mode) {
        return FileStatus(status)
    }
    if !isOwned {
        try systemCall("set the owner of", path) { fchown(descriptor, metadata.owner, metadata.group) }
    }
    for (name, _) in attributes where !metadata.attributes.contains(where: { $0.name == name }) {
        try systemCall("remove an extended attribute that was handed down to", path) {
            unsafe withName(name) { unsafe fremovexattr(descriptor, $0) }
        }
    }
    for attribute in metadata.attributes {
        try systemCall("set an extended attribute of", path) {
            unsafe withName(attribute.name) { name in
                unsafe attribute.value.withUnsafeBytes {
                    unsafe fsetxattr(descriptor, name, $0.baseAddress, $0.count, 0)
                }
            }
        }
    }
    try systemCall("set the mode of", path) { fchmod(descriptor, mode_t(metadata.mode)) }
    try look()
    // A file that has none is mostly of another owner, and needs no second list.
    let hasNone = attributes.isEmpty && metadata.attributes.isEmpty
    guard hasAttributes(hasNone ? attributes : try readAttributes(descriptor, path)) else {
        throw FileFailure("keep the extended attributes of", path, .invalidArgument)
    }
    return FileStatus(status)
}

/// The extended attributes of an open file or directory, sorted by name; none where the file system has none.
func readAttributes(
    _ descriptor: CInt, _ path: [UInt8]
) throws(FileFailure) -> [(name: [UInt8], value: [UInt8])] {
    let names: [UInt8]
    do {
        names = try unsafe growing("list the extended attributes of", path) {
            unsafe flistxattr(descriptor, $0, $1)
        }
    } catch  where error.reason == .notSupported {
        return []
    }
    var attributes: [(name: [UInt8], value: [UInt8])] = []
    for name in names.split(separator: 0) {
        let value = try unsafe growing("read an extended attribute of", path) { buffer, size in
            unsafe withName(Array(name)) { unsafe fgetxattr(descriptor, $0, buffer, size) }
        }
        attributes.append((Array(name), value))
    }
    return attributes.sorted { $0.name.lexicographicallyPrecedes($1.name) }
}

/// Calls a function that fills a buffer, with the size it asks for, until the size fits.
private func growing(
    _ operation: StaticString, _ path: [UInt8], _ call: (UnsafeMutablePointer<CChar>?, Int) -> Int
) throws(FileFailure) -> [UInt8] {
    while true {
        let size = try systemCall(operation, path) { call(nil, 0) }
        guard size > 0 else { return [] }
        var buffer = [CChar](repeating: 0, count: size)
        do {
            let count = try systemCall(operation, path) {
                unsafe buffer.withUnsafeMutableBufferPointer { unsafe call($0.baseAddress, $0.count) }
            }
            return buffer[..<count].map { UInt8(bitPattern: $0) }
        } catch  where error.reason == .outOfRange {
            // It grew in between.
            continue
        }
    }
}
