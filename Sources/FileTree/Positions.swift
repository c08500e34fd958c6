internal import Glibc
package import SystemPackage

/// Bytes that one call writes at most.
///
/// Linux takes memory for what a call writes in pieces as large as it can find. From two megabytes on a hypervisor may have taken
/// them back while they were free, and gives them again page by page, at several times the price; smaller ones are at hand. On
/// other machines it makes no difference.
let largestWrite = 1 << 20

/// Writes all bytes to a place of an open file; `path` is for failures.
@unsafe package func writeAll(
    _ bytes: UnsafeRawBufferPointer, to descriptor: CInt, at offset: Int64, path: FilePath
) throws(FileFailure) {
    var done = 0
    while done < bytes.count {
        done += try systemCall("write", path.byteArray) {
            unsafe pwrite(
                descriptor, bytes.baseAddress?.advanced(by: done), min(bytes.count - done, largestWrite),
                off_t(offset) + done)
        }
    }
}

/// Fills `buffer` from a place of an open file and returns how many bytes that was, fewer where it ends before; `path` is for
/// failures.
@unsafe package func readAll(
    into buffer: UnsafeMutableRawBufferPointer, from descriptor: CInt, at offset: Int64, path: FilePath
) throws(FileFailure) -> Int {
    var done = 0
    while done < buffer.count {
        let count = try systemCall("read", path.byteArray) {
            unsafe pread(
                descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, off_t(offset) + done)
        }
        guard count > 0 else { break }
        done += count
    }
    return done
}

/// Reads `count` bytes from a place of an open file, fewer where it ends before; `path` is for failures.
func readAll(_ count: Int, from descriptor: CInt, at offset: Int64, path: FilePath) throws(FileFailure)
    -> [UInt8]
{
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    let done = try unsafe span.withUnsafeMutableBytes { (buffer) throws(FileFailure) in
        try unsafe readAll(into: buffer, from: descriptor, at: offset, path: path)
    }
    bytes.removeLast(count - done)
    return bytes
}
