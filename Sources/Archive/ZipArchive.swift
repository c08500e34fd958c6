internal import Clibarchive
package import SystemPackage

/// Entries of zip archives, read one at a time without unpacking the rest.
///
/// libarchive goes through the central directory at the end of the file, so a wanted entry near the front of a large
/// archive costs two seeks. A file that is cut off has no central directory and is refused.
package enum ZipArchive {
    /// The contents of the first entry of a name, nil when the archive has none.
    ///
    /// The name is ASCII: what libarchive makes of others depends on the locale. Throws an ``ArchiveError`` when the file is no zip archive, when the entry is damaged, or when it holds more
    /// than `limit` bytes, whatever its header claims.
    package static func contents(
        of name: String, in path: FilePath, limit: Int = 1 << 20
    ) throws(ArchiveError) -> [UInt8]? {
        var reader = try Reader.open(path)
        while try reader.nextEntry() {
            if reader.isCurrent(name) { return try reader.contents(name, limit: limit) }
        }
        return nil
    }
}

/// One open archive.
@safe private struct Reader: ~Copyable {
    private let handle: OpaquePointer
    private let path: FilePath
    private var entry: OpaquePointer?

    private init(handle: OpaquePointer, path: FilePath) {
        unsafe self.handle = handle
        self.path = path
        unsafe entry = nil
    }

    static func open(_ path: FilePath) throws(ArchiveError) -> Reader {
        guard let handle = unsafe archive_read_new() else {
            throw ArchiveError(.inaccessible, path, "out of memory")
        }
        let reader = unsafe Reader(handle: handle, path: path)
        // Only the reader that starts from the central directory: the streaming one takes a cut file for a whole one.
        guard unsafe archive_read_support_format_zip_seekable(handle) == ARCHIVE_OK else {
            throw reader.failure(.inaccessible, "set up for")
        }
        let status = unsafe path.withPlatformString {
            unsafe archive_read_open_filename(handle, $0, 1 << 14)
        }
        guard status == ARCHIVE_OK else {
            // A file that opens and has no central directory fails here too.
            let isFormat = unsafe archive_errno(handle) == wrongFormat
            throw reader.failure(isFormat ? .notAnArchive : .inaccessible, "open")
        }
        return reader
    }

    deinit {
        unsafe archive_read_free(handle)
    }

    /// Goes to the next entry, false at the end of the archive.
    mutating func nextEntry() throws(ArchiveError) -> Bool {
        for _ in 0..<retryLimit {
            let status = unsafe archive_read_next_header(handle, &entry)
            switch status {
            case ARCHIVE_OK: return true
            // The entry is usable; what libarchive warns of is a name that our locale cannot show.
            case ARCHIVE_WARN: return true
            case ARCHIVE_EOF: return false
            case ARCHIVE_RETRY: continue
            case ARCHIVE_FAILED: throw failure(.damaged, "read an entry of")
            default:
                throw failure(.damaged, "read")
            }
        }
        throw failure(.damaged, "read, after \(retryLimit) tries,")
    }

    /// Whether the current entry is a regular file of this name.
    func isCurrent(_ name: String) -> Bool {
        guard let entry = unsafe entry, unsafe archive_entry_filetype(entry) == regularFileKind else {
            return false
        }
        if let text = unsafe archive_entry_pathname_utf8(entry) {
            return unsafe String(cString: text) == name
        }
        guard let bytes = unsafe archive_entry_pathname(entry) else { return false }
        return unsafe String(cString: bytes) == name
    }

    /// The bytes of the current entry.
    func contents(_ name: String, limit: Int) throws(ArchiveError) -> [UInt8] {
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 14)
        var retries = 0
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes {
                unsafe archive_read_data(handle, $0.baseAddress, $0.count)
            }
            if count == 0 { return contents }
            if count > 0 {
                guard contents.count + count <= limit else {
                    throw ArchiveError(.tooLarge, path, "entry \(name) holds more than \(limit) bytes")
                }
                contents.append(contentsOf: chunk[..<count])
                continue
            }
            retries += 1
            guard count == Int(ARCHIVE_RETRY), retries < retryLimit else {
                // A warning about data is a checksum or a size that does not fit: the bytes are not to be trusted.
                throw failure(.damaged, "read entry \(name) of")
            }
        }
    }

    private func failure(_ kind: ArchiveError.Kind, _ operation: String) -> ArchiveError {
        let text = unsafe archive_error_string(handle)
        let reason = unsafe text.map { unsafe String(cString: $0) } ?? "no reason given"
        return ArchiveError(kind, path, "cannot \(operation) the archive: \(reason)")
    }
}

private let retryLimit = 100
/// `ARCHIVE_ERRNO_FILE_FORMAT`, which is `EILSEQ`.
let wrongFormat: CInt = 84
