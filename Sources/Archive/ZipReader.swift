internal import Clibarchive
package import SystemPackage

/// One open zip archive, gone through entry by entry in the order of its central directory.
///
/// Errors end the reading; none is taken for the end of the archive or of an entry.
@safe package struct ZipReader: ~Copyable {
    private let handle: OpaquePointer
    private let path: FilePath
    private var entry: OpaquePointer?
    private var name = ""
    private var count = 0
    /// The archive itself, when it is in memory.
    private let memory: UnsafeMutableRawBufferPointer?

    /// How many entries an archive may have: what is hostile ends here.
    private static let entryLimit = 1 << 20

    /// Opens a file.
    package static func open(_ path: FilePath) throws(ArchiveError) -> ZipReader {
        let reader = try unsafe ZipReader(made(path), path, nil)
        let status = unsafe path.withPlatformString {
            unsafe libarchive.archive_read_open_filename(reader.handle, $0, 1 << 14)
        }
        guard status == ARCHIVE_OK else { throw reader.unopened() }
        return reader
    }

    /// Opens an archive that is in memory; `name` stands for it in errors.
    package static func open(_ bytes: [UInt8], called name: FilePath) throws(ArchiveError) -> ZipReader {
        let handle = try unsafe made(name)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        unsafe memory.copyBytes(from: bytes)
        let reader = unsafe ZipReader(handle, name, memory)
        let status = unsafe libarchive.archive_read_open_memory(handle, memory.baseAddress, memory.count)
        guard status == ARCHIVE_OK else { throw reader.unopened() }
        return reader
    }

    private init(_ handle: OpaquePointer, _ path: FilePath, _ memory: UnsafeMutableRawBufferPointer?) {
        unsafe self.handle = handle
        self.path = path
        unsafe entry = nil
        unsafe self.memory = memory
    }

    /// A reader of zip archives alone, before it is opened.
    @unsafe private static func made(_ path: FilePath) throws(ArchiveError) -> OpaquePointer {
        guard let handle = unsafe libarchive.archive_read_new() else {
            throw ArchiveError(.inaccessible, path, "out of memory")
        }
        // Only the reader that starts from the central directory: the streaming one takes a cut file for a whole one.
        guard unsafe libarchive.archive_read_support_format_zip_seekable(handle) == ARCHIVE_OK else {
            _ = unsafe libarchive.archive_read_free(handle)
            throw ArchiveError(.inaccessible, path, "cannot read zip archives")
        }
        return unsafe handle
    }

    deinit {
        _ = unsafe libarchive.archive_read_free(handle)
        unsafe memory?.deallocate()
    }

    /// Goes to the next regular file and returns its name, nil at the end of the archive.
    ///
    /// A name that is no UTF-8 has U+FFFD in it.
    package mutating func next() throws(ArchiveError) -> String? {
        while try nextEntry() {
            count += 1
            guard count <= Self.entryLimit else {
                throw ArchiveError(.tooLarge, path, "it has more than \(Self.entryLimit) entries")
            }
            guard let entry = unsafe entry, unsafe libarchive.archive_entry_filetype(entry) == regularFile
            else {
                continue
            }
            if let text = unsafe libarchive.archive_entry_pathname_utf8(entry) {
                name = unsafe String(cString: text)
            } else if let bytes = unsafe libarchive.archive_entry_pathname(entry) {
                name = unsafe String(cString: bytes)
            } else {
                continue
            }
            return name
        }
        return nil
    }

    private mutating func nextEntry() throws(ArchiveError) -> Bool {
        for _ in 0..<retryLimit {
            let status = unsafe libarchive.archive_read_next_header(handle, &entry)
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

    /// The bytes of the entry that ``next()`` named; throws when there are more than `limit`.
    package mutating func contents(limit: Int) throws(ArchiveError) -> [UInt8] {
        var contents: [UInt8] = []
        while let chunk = try read() {
            guard contents.count + chunk.count <= limit else {
                throw ArchiveError(.tooLarge, path, "entry \(name) holds more than \(limit) bytes")
            }
            contents.append(contentsOf: chunk)
        }
        return contents
    }

    /// The first bytes of the entry that ``next()`` named: `count`, or all when it has fewer.
    package mutating func start(_ count: Int) throws(ArchiveError) -> [UInt8] {
        var start: [UInt8] = []
        while start.count < count, let chunk = try read(count - start.count) { start += chunk }
        return start
    }

    /// Some more bytes of the entry, nil at its end.
    private func read(_ limit: Int = 1 << 14) throws(ArchiveError) -> [UInt8]? {
        var chunk = [UInt8](repeating: 0, count: limit)
        for _ in 0..<retryLimit {
            let count = unsafe chunk.withUnsafeMutableBytes {
                unsafe libarchive.archive_read_data(handle, $0.baseAddress, $0.count)
            }
            if count == 0 { return nil }
            if count > 0 { return Array(chunk.prefix(count)) }
            // A warning about data is a checksum or a size that does not fit: the bytes are not to be trusted.
            guard count == Int(ARCHIVE_RETRY) else { break }
        }
        throw failure(.damaged, "read entry \(name) of")
    }

    private func unopened() -> ArchiveError {
        // A file that opens and has no central directory fails here too.
        let isFormat = unsafe libarchive.archive_errno(handle) == wrongFormat
        return failure(isFormat ? .notAnArchive : .inaccessible, "open")
    }

    private func failure(_ kind: ArchiveError.Kind, _ operation: String) -> ArchiveError {
        let text = unsafe libarchive.archive_error_string(handle)
        let reason = unsafe text.map { unsafe String(cString: $0) } ?? "no reason given"
        return ArchiveError(kind, path, "cannot \(operation) the archive: \(reason)")
    }
}

private let retryLimit = 100
/// `ARCHIVE_ERRNO_FILE_FORMAT`, which is `EILSEQ`.
let wrongFormat: CInt = 84
/// `AE_IFREG`, a cast that Swift cannot import.
private let regularFile: UInt32 = 0o100000
