internal import Cfiles
internal import Glibc
package import SystemPackage

/// A file in memory, read-only, as long as this lives.
///
/// A part of it that cannot be read, because the disk does not give it or somebody cut the file, is zeros, and standard error
/// says so: for who compares what he reads with a digest. Linux would end the process without a word.
@safe package final class MappedFile: Sendable {
    /// The file's bytes, at least one.
    ///
    /// They never change while they are here: git and we only ever add whole files and remove names. That, and that
    /// nobody writes to them, makes it safe to share.
    package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
    /// Where it was.
    package let path: FilePath
    // Written before anything else sees it, and never again.
    private nonisolated(unsafe) let memory: Memory

    /// Where the bytes are.
    @unsafe private enum Memory {
        /// In memory of our own.
        case copied
        /// Where the kernel mapped the file, which may be kept open.
        case mapped(OpaquePointer, CInt?)
    }

    /// A shorter file is read: to map it, to take in its pages and to have all processors forget the mapping costs more than
    /// its bytes, and a store has two such files for each night.
    private static let mappedSize = 1 << 15

    /// Takes a file into memory; throws when it is not there, and when it is empty.
    ///
    /// With `staysOpen` a large file is kept open too, so that ``copy(from:into:)`` need not go through the mapping.
    package init(_ path: FilePath, staysOpen: Bool = false) throws(FileFailure) {
        let (descriptor, status) = try Files.openForReading(path)
        var isKept = false
        defer { if !isKept { close(descriptor) } }
        let count = Int(status.size)
        guard count > 0 else { throw FileFailure("map", path, .invalidArgument) }
        self.path = path
        if count < Self.mappedSize, let copy = unsafe Self.copy(descriptor, count, path) {
            unsafe bytes = UnsafeRawBufferPointer(copy)
            unsafe memory = .copied
            return
        }
        let words = "understudy: \(Self.loss(of: path)): what is lost of it counts as damaged\n"
        let mapping = unsafe cfiles_map(descriptor, UInt(count), words)
        guard let mapping = unsafe mapping else { throw FileFailure("map", path, Errno(rawValue: errno)) }
        unsafe bytes = UnsafeRawBufferPointer(start: cfiles_start(mapping), count: count)
        isKept = staysOpen
        unsafe memory = .mapped(mapping, staysOpen ? descriptor : nil)
    }

    deinit {
        switch unsafe memory {
        case .copied: unsafe bytes.deallocate()
        case .mapped(let mapping, let descriptor):
            unsafe cfiles_unmap(mapping)
            if let descriptor { close(descriptor) }
        }
    }

    /// The bytes of a file, nil when not all can be read.
    @unsafe private static func copy(
        _ descriptor: CInt, _ count: Int, _ path: FilePath
    ) -> UnsafeMutableRawBufferPointer? {
        // Tables of eight bytes are read from it.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        if unsafe (try? readAll(into: copy, from: descriptor, at: 0, path: path)) == count {
            return unsafe copy
        }
        unsafe copy.deallocate()
        return nil
    }

    private static func loss(of path: FilePath) -> FileFailure { FileFailure("read", path, .ioError) }

    /// Has the process end when a part of the file is lost from now on, and say what to do; false when one is lost already.
    ///
    /// For who has checked it, and believes it.
    package func mustNotLose(hint: String) -> Bool {
        guard case .mapped(let mapping, _) = unsafe memory else { return true }
        let words = "error: \(Self.loss(of: path))\nhint: \(hint)\n"
        return unsafe cfiles_end_when_lost(mapping, words, EXIT_FAILURE) != 0
    }

    /// Fills `buffer` with the bytes from `offset` on, of which there must be enough.
    ///
    /// From the open file, where it is kept: for a few bytes here and there, of which a mapping would take in sixteen pages
    /// or two megabytes each time.
    @unsafe package func copy(
        from offset: Int, into buffer: UnsafeMutableRawBufferPointer
    ) throws(FileFailure) {
        guard case .mapped(_, let descriptor?) = unsafe memory else {
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
        guard case .mapped = unsafe memory else { return }
        // Only advice.
        unsafe madvise(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, MADV_DONTNEED)
    }
}
