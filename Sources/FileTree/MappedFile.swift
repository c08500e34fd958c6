internal import Glibc
package import SystemPackage

/// A file in memory, read-only, as long as this lives.
@safe package final class MappedFile: Sendable {
    /// The file's bytes, at least one.
    ///
    /// They never change while they are mapped: git and we only ever add whole files and remove names. That, and that
    /// the mapping is read-only, makes it safe to share.
    package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
    /// Where it was.
    package let path: FilePath
    /// The open file, where it is kept.
    private let descriptor: CInt?

    /// Maps a file; throws when it is not there, and when it is empty.
    ///
    /// With `staysOpen` the file is kept open too, so that ``copy(from:into:)`` need not go through the mapping.
    package init(_ path: FilePath, staysOpen: Bool = false) throws(FileFailure) {
        let descriptor = try Files.openForReading(path)
        var isKept = false
        defer { if !isKept { close(descriptor) } }
        var status = stat()
        try systemCall("look at", path.byteArray) { unsafe fstat(descriptor, &status) }
        let count = Int(status.st_size)
        guard count > 0 else { throw FileFailure("map", path, .invalidArgument) }
        let start = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let start = unsafe start, unsafe start != MAP_FAILED else {
            throw FileFailure("map", path, Errno(rawValue: errno))
        }
        unsafe bytes = UnsafeRawBufferPointer(start: start, count: count)
        self.path = path
        isKept = staysOpen
        self.descriptor = staysOpen ? descriptor : nil
    }

    deinit {
        unsafe munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
        if let descriptor { close(descriptor) }
    }

    /// Fills `buffer` with the bytes from `offset` on, of which there must be enough.
    ///
    /// From the open file, where it is kept: for a few bytes here and there, of which a mapping would take in sixteen pages
    /// or two megabytes each time.
    @unsafe package func copy(
        from offset: Int, into buffer: UnsafeMutableRawBufferPointer
    ) throws(FileFailure) {
        guard let descriptor else {
            unsafe buffer.copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + buffer.count)]))
            return forget()
        }
        guard
            try unsafe readAll(into: buffer, from: descriptor, at: Int64(offset), path: path) == buffer.count
        else { throw FileFailure("read", path, .ioError) }
    }

    /// Takes what was read of it out of this process's memory; it is still in the file, and in the system's cache.
    package func forget() {
        // Only advice.
        unsafe madvise(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, MADV_DONTNEED)
    }
}
