internal import Clibarchive
package import SystemPackage

/// Reads a `.tar.zst` that anybody may have made, as a stream: plain files and directories with plain names, each once.
///
/// Nothing is unpacked by its own name: whoever reads says where a member goes. Links, devices, names that lead out and
/// names that come twice are refused, and so are archives that unpack to much more than they are.
@safe package struct TarReader: ~Copyable {
    /// One member.
    package struct Member: Hashable, Sendable {
        /// Its name, without a final `/`.
        package var name: String
        /// Whether it is a directory.
        package var isDirectory: Bool
        /// The bytes of a file, as its header has it; no more are read.
        package var size: Int64
    }

    /// What is allowed.
    package struct Limits: Sendable {
        /// Members.
        package var members = 10_000
        /// How many bytes may come of one compressed byte, on the whole and after the first 256 MiB.
        package var ratio: Int64 = 100

        /// The usual limits.
        package init() {}
    }

    private let handle: OpaquePointer
    private let file: FileDescriptor
    private let path: FilePath
    private let limits: Limits
    private var names: Set<String> = []

    /// Opens an archive.
    ///
    /// Throws an ``ArchiveError`` when the file cannot be read or is no such archive.
    package static func open(_ path: FilePath, limits: Limits = Limits()) throws(ArchiveError) -> TarReader {
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
        } catch {
            throw ArchiveError(.inaccessible, path, "cannot open it: \(error)")
        }
        guard let handle = unsafe libarchive.archive_read_new() else {
            // Only read from: there is nothing that closing could lose.
            try? file.close()
            throw ArchiveError(.inaccessible, path, "out of memory")
        }
        let reader = unsafe TarReader(handle: handle, file: file, path: path, limits: limits)
        let isSetUp =
            unsafe libarchive.archive_read_support_filter_zstd(handle) == ARCHIVE_OK
            && libarchive.archive_read_support_format_tar(handle) == ARCHIVE_OK
            // To the end of the file: what is cut off after the last member is noticed too.
            && libarchive.archive_read_set_format_option(handle, "tar", "read_concatenated_archives", "1")
                == ARCHIVE_OK
        guard isSetUp else { throw reader.failure(.inaccessible, "set up for") }
        // What can be opened and not be read as an archive is damaged, or none.
        let status = unsafe libarchive.archive_read_open_fd(handle, file.rawValue, 1 << 16)
        guard status == ARCHIVE_OK else {
            throw reader.failure(
                unsafe libarchive.archive_errno(handle) == wrongFormat ? .notAnArchive : .damaged, "open")
        }
        return reader
    }

    private init(handle: OpaquePointer, file: FileDescriptor, path: FilePath, limits: Limits) {
        unsafe self.handle = handle
        self.file = file
        self.path = path
        self.limits = limits
    }

    deinit {
        _ = unsafe libarchive.archive_read_free(handle)
        // As above.
        try? file.close()
    }

    /// Goes to the next member, nil at the end of the archive.
    ///
    /// Throws an ``ArchiveError`` with kind `damaged` for what is cut off or broken, `unsupported` for a member that no archive of
    /// ours has.
    package mutating func next() throws(ArchiveError) -> Member? {
        var found: OpaquePointer?
        let status = unsafe libarchive.archive_read_next_header(handle, &found)
        if status == ARCHIVE_EOF { return nil }
        guard status == ARCHIVE_OK, let entry = unsafe found else { throw failure(.damaged, "read") }
        guard let text = unsafe libarchive.archive_entry_pathname(entry),
            var name = unsafe String(validatingCString: text)
        else {
            throw refused("a member has no name, or one that is not UTF-8")
        }
        let kind = unsafe libarchive.archive_entry_filetype(entry)
        let isDirectory = kind == directoryKind
        if isDirectory, name.hasSuffix("/") { name.removeLast() }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }), name.utf8.count < 4096 else {
            throw refused("the name '\(name)' leads elsewhere")
        }
        let isLink =
            unsafe libarchive.archive_entry_hardlink(entry) != nil
            || libarchive.archive_entry_symlink(entry) != nil
        guard kind == regularFileKind || isDirectory, !isLink,
            unsafe libarchive.archive_entry_sparse_count(entry) == 0
        else {
            throw refused("'\(name)' is a link, a device or a file with holes")
        }
        guard names.insert(name).inserted else { throw refused("'\(name)' is in it twice") }
        guard names.count <= limits.members else {
            throw refused("it has more than \(limits.members) members")
        }
        let size = unsafe libarchive.archive_entry_size(entry)
        guard unsafe libarchive.archive_entry_size_is_set(entry) != 0, size >= 0, !isDirectory || size == 0
        else {
            throw refused("'\(name)' has no size")
        }
        return Member(name: name, isDirectory: isDirectory, size: size)
    }

    /// Hands the contents of the current member to `body`, piece by piece.
    package mutating func read(_ member: Member, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        var size: Int64 = 0
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe libarchive.archive_read_data(handle, $0.baseAddress, $0.count)
            }
            guard count >= 0 else { throw failure(.damaged, "read '\(member.name)' of") }
            if count == 0 { break }
            size += Int64(count)
            let (raw, compressed) = unsafe (
                libarchive.archive_filter_bytes(handle, 0), libarchive.archive_filter_bytes(handle, -1)
            )
            guard raw < 1 << 28 || raw / limits.ratio < compressed else {
                throw ArchiveError(
                    .tooLarge, path,
                    "it unpacks to more than \(limits.ratio) times what it is: that is no store")
            }
            try unsafe buffer.withUnsafeBytes {
                try unsafe body(UnsafeRawBufferPointer(rebasing: $0[..<count]))
            }
        }
        guard size == member.size else {
            throw ArchiveError(
                .damaged, path, "'\(member.name)' has \(size) bytes, and its header says \(member.size)")
        }
    }

    /// The contents of the current member; throws an ``ArchiveError`` with kind `tooLarge` when they are more than `limit`.
    package mutating func contents(_ member: Member, limit: Int) throws -> [UInt8] {
        guard member.size <= Int64(limit) else {
            throw ArchiveError(
                .tooLarge, path, "'\(member.name)' has \(member.size) bytes, and may have \(limit)")
        }
        var contents: [UInt8] = []
        try unsafe read(member) { unsafe contents.append(contentsOf: $0) }
        return contents
    }

    private func refused(_ reason: String) -> ArchiveError {
        let plain = reason.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "?" : String($0) }
        return ArchiveError(.unsupported, path, plain.joined())
    }

    private func failure(_ kind: ArchiveError.Kind, _ operation: String) -> ArchiveError {
        let text = unsafe libarchive.archive_error_string(handle)
        let reason = unsafe text.map { unsafe String(cString: $0) } ?? "no reason given"
        return ArchiveError(kind, path, "cannot \(operation) the archive: \(reason)")
    }
}
