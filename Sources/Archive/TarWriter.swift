internal import Clibarchive
package import SystemPackage

/// Writes a `.tar.zst` as a stream: regular files and directories, compressed by several threads.
@safe package struct TarWriter: ~Copyable {
    private let handle: OpaquePointer
    private let path: FilePath
    private let time: Int64

    /// Begins an archive in an open file; `path` is its name in messages, `time` the date of every member in seconds since 1970.
    package static func begin(
        _ file: FileDescriptor, path: FilePath, time: Int64
    ) throws(ArchiveError) -> TarWriter {
        guard let handle = unsafe libarchive.archive_write_new() else {
            throw ArchiveError(.inaccessible, path, "out of memory")
        }
        let writer = unsafe TarWriter(handle: handle, path: path, time: time)
        try writer.check(unsafe libarchive.archive_write_set_format_pax_restricted(handle), "begin")
        try writer.check(unsafe libarchive.archive_write_add_filter_zstd(handle), "begin")
        // What is put in is compressed already; and a libarchive that knows no threads uses one.
        _ = unsafe libarchive.archive_write_set_filter_option(handle, "zstd", "compression-level", "3")
        _ = unsafe libarchive.archive_write_set_filter_option(handle, "zstd", "threads", "4")
        // The last block as long as it is: nobody reads this from a tape.
        try writer.check(unsafe libarchive.archive_write_set_bytes_in_last_block(handle, 1), "begin")
        try writer.check(unsafe libarchive.archive_write_open_fd(handle, file.rawValue), "open")
        return writer
    }

    private init(handle: OpaquePointer, path: FilePath, time: Int64) {
        unsafe self.handle = handle
        self.path = path
        self.time = time
    }

    deinit {
        _ = unsafe libarchive.archive_write_free(handle)
    }

    /// Adds a directory.
    package mutating func addDirectory(_ name: String) throws(ArchiveError) {
        try header(name, kind: directoryKind, mode: 0o755, size: 0)
    }

    /// Adds a file that holds these bytes.
    package mutating func add(_ name: String, contents: [UInt8]) throws(ArchiveError) {
        try header(name, kind: regularFileKind, mode: 0o644, size: contents.count)
        guard !contents.isEmpty else { return }
        let written = unsafe contents.withUnsafeBytes {
            unsafe libarchive.archive_write_data(handle, $0.baseAddress, $0.count)
        }
        guard written == contents.count else { throw failure("write") }
    }

    /// Adds a file with the contents of another, piece by piece; each piece goes to `read` before.
    package mutating func add(
        _ name: String, file: FilePath, read: (UnsafeRawBufferPointer) -> Void
    ) throws {
        let source = try FileDescriptor.open(file, .readOnly, options: [.closeOnExec, .noFollow])
        // Only read from: there is nothing that closing could lose.
        defer { try? source.close() }
        let size = Int(try source.seek(offset: 0, from: .end))
        try source.seek(offset: 0, from: .start)
        try header(name, kind: regularFileKind, mode: 0o444, size: size)
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        var left = size
        while left > 0 {
            let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe source.read(into: $0) }
            guard count > 0, count <= left else {
                throw ArchiveError(.inaccessible, file, "it changed while it was read")
            }
            try unsafe buffer.withUnsafeBytes { whole in
                let bytes = unsafe UnsafeRawBufferPointer(rebasing: whole[..<count])
                unsafe read(bytes)
                try unsafe write(bytes)
            }
            left -= count
        }
    }

    /// Writes the end; the file is not closed and not synced.
    package consuming func finish() throws(ArchiveError) {
        try check(unsafe libarchive.archive_write_close(handle), "finish")
    }

    private func header(_ name: String, kind: UInt32, mode: UInt16, size: Int) throws(ArchiveError) {
        guard let entry = unsafe libarchive.archive_entry_new() else {
            throw ArchiveError(.inaccessible, path, "out of memory")
        }
        defer { unsafe libarchive.archive_entry_free(entry) }
        unsafe libarchive.archive_entry_set_pathname(entry, name)
        unsafe libarchive.archive_entry_set_filetype(entry, kind)
        unsafe libarchive.archive_entry_set_perm(entry, mode_t(mode))
        unsafe libarchive.archive_entry_set_size(entry, Int64(size))
        unsafe libarchive.archive_entry_set_mtime(entry, time_t(time), 0)
        unsafe libarchive.archive_entry_set_uid(entry, 0)
        unsafe libarchive.archive_entry_set_gid(entry, 0)
        try check(unsafe libarchive.archive_write_header(handle, entry), "write")
    }

    @unsafe private func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        guard bytes.count > 0 else { return }
        let written = unsafe libarchive.archive_write_data(handle, bytes.baseAddress, bytes.count)
        guard written == bytes.count else { throw failure("write") }
    }

    private func check(_ status: CInt, _ operation: String) throws(ArchiveError) {
        guard status == ARCHIVE_OK else { throw failure(operation) }
    }

    private func failure(_ operation: String) -> ArchiveError {
        let text = unsafe libarchive.archive_error_string(handle)
        var reason = unsafe text.map { unsafe String(cString: $0) } ?? "no reason given"
        // Of a write that failed it only says so, and keeps the system's reason beside it.
        let number = unsafe libarchive.archive_errno(handle)
        if number > 0 { reason += ": \(Errno(rawValue: number))" }
        return ArchiveError(.inaccessible, path, "cannot \(operation) the archive: \(reason)")
    }
}

/// `AE_IFREG` and `AE_IFDIR`, casts that Swift cannot import.
let regularFileKind: UInt32 = 0o100000
let directoryKind: UInt32 = 0o040000
