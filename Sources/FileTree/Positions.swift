internal import Glibc
package import SystemPackage

/// Writes all bytes to a place of an open file; `path` is for failures.
@unsafe package func writeAll(
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

/// Reads `count` bytes from a place of an open file, fewer where it ends before; `path` is for failures.
func readAll(_ count: Int, from descriptor: CInt, at offset: Int64, path: FilePath) throws(FileFailure)
    -> [UInt8]
{
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
        guard read > 0 else { break }
        done += read
    }
    bytes.removeLast(count - done)
    return bytes
}
