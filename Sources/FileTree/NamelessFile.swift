internal import Glibc
package import SystemPackage

/// A file that has no name any more, and goes away with this: room for what is needed for a while and may be too large for
/// memory.
package final class NamelessFile: Sendable {
    private let path: FilePath
    private let descriptor: CInt

    /// Makes one on the file system of a directory.
    package init(in directory: FilePath) throws(FileFailure) {
        path = Files.temporary(beside: directory.appending("nameless"))
        descriptor = try Files.createExclusively(path, mode: 0o600)
        do {
            try Files.remove(path)
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit {
        close(descriptor)
    }

    /// Writes bytes from `offset` on; several threads may write to different places at once.
    @unsafe package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileFailure) {
        try unsafe writeAll(bytes, to: descriptor, at: offset, path: path)
    }

    /// Reads `count` bytes from `offset` on; throws when they were not written.
    package func read(_ count: Int, at offset: Int64) throws(FileFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let from = done
            let read = try systemCall("read", path.byteArray) {
                unsafe bytes.withUnsafeMutableBytes {
                    unsafe pread(
                        descriptor, $0.baseAddress?.advanced(by: from), count - from, off_t(offset) + from)
                }
            }
            guard read > 0 else { throw FileFailure("read", path, .ioError) }
            done += read
        }
        return bytes
    }
}

/// Writes all bytes to a place of an open file.
@unsafe func writeAll(
    _ bytes: UnsafeRawBufferPointer, to descriptor: CInt, at offset: Int64, path: FilePath
) throws(FileFailure) {
    var done = 0
    while done < bytes.count {
        done += try systemCall("write", path.byteArray) {
            unsafe pwrite(
                descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset) + done)
        }
    }
}
