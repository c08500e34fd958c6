internal import Glibc
package import SystemPackage

/// A file in memory, read-only, as long as this lives.
@safe package final class MappedFile: Sendable {
    /// The file's bytes, at least one.
    ///
    /// They never change while they are here: git and we only ever add whole files and remove names. That, and that
    /// nobody writes to them, makes it safe to share.
    package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
    /// Where it was.
    package let path: FilePath
    private let memory: Memory

    /// Where the bytes are.
    private enum Memory {
        /// In memory of our own.
        case copied
        /// Where the kernel mapped the file, which may be kept open.
        case mapped(CInt?)
    }

    /// A shorter file is read: to map it, to take in its pages and to have all processors forget the mapping costs more than
    /// its bytes, and a store has two such files for each night.
    private static let mappedSize = 1 << 15

    /// Takes a file into memory; throws when it is not there, and when it is empty.
    ///
    /// With `staysOpen` a large file is kept open too, so that ``copy(from:into:)`` need not go through the mapping.
    package init(_ path: FilePath, staysOpen: Bool = false) throws(FileFailure) {
        let descriptor = try Files.openForReading(path)
        var isKept = false
        defer { if !isKept { close(descriptor) } }
        var status = stat()
        try systemCall("look at", path.byteArray) { unsafe fstat(descriptor, &status) }
        let count = Int(status.st_size)
        guard count > 0 else { throw FileFailure("map", path, .invalidArgument) }
        self.path = path
        guard count >= Self.mappedSize else {
            unsafe bytes = UnsafeRawBufferPointer(try Self.copy(descriptor, count, path))
            memory = .copied
            return
        }
        let start = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let start = unsafe start, unsafe start != MAP_FAILED else {
            throw FileFailure("map", path, Errno(rawValue: errno))
        }
        unsafe bytes = UnsafeRawBufferPointer(start: start, count: count)
        isKept = staysOpen
        memory = .mapped(staysOpen ? descriptor : nil)
    }

    deinit {
        switch memory {
        case .copied: unsafe bytes.deallocate()
        case .mapped(let descriptor):
            unsafe munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
            if let descriptor { close(descriptor) }
        }
    }

    @unsafe private static func copy(
        _ descriptor: CInt, _ count: Int, _ path: FilePath
    ) throws(FileFailure) -> UnsafeMutableRawBufferPointer {
        // Tables of eight bytes are read from it.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        do throws(FileFailure) {
            guard try unsafe readAll(into: copy, from: descriptor, at: 0, path: path) == count else {
                throw FileFailure("read", path, .ioError)
            }
        } catch {
            unsafe copy.deallocate()
            throw error
        }
        return unsafe copy
    }

    /// Fills `buffer` with the bytes from `offset` on, of which there must be enough.
    ///
    /// From the open file, where it is kept: for a few bytes here and there, of which a mapping would take in sixteen pages
    /// or two megabytes each time.
    @unsafe package func copy(
        from offset: Int, into buffer: UnsafeMutableRawBufferPointer
    ) throws(FileFailure) {
        guard case .mapped(let descriptor?) = memory else {
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
        guard case .mapped = memory else { return }
        // Only advice.
        unsafe madvise(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, MADV_DONTNEED)
    }
}
