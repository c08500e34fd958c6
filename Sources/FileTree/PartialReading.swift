internal import Glibc
package import SystemPackage

/// Files that are not read whole: larger than memory, or growing.
extension Files {
    /// Hands a regular file of any size to `body` piece by piece, until it wants no more: each piece begins with the last
    /// `overlap` bytes of the one before it, and brings `size` more, or what there is.
    package static func readPieces(
        _ path: FilePath, size: Int, overlap: Int, _ body: (ArraySlice<UInt8>) throws -> Bool
    ) throws {
        let descriptor = try open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: overlap + size)
        var kept = 0
        while true {
            var filled = kept
            while filled < kept + size {
                let (from, room) = (filled, kept + size - filled)
                let count = try systemCall("read", path.byteArray) {
                    unsafe buffer.withUnsafeMutableBytes {
                        unsafe Glibc.read(descriptor, $0.baseAddress?.advanced(by: from), room)
                    }
                }
                guard count > 0 else { break }
                filled += count
            }
            guard filled > kept, try body(buffer[..<filled]) else { return }
            kept = min(overlap, filled)
            buffer.replaceSubrange(..<kept, with: Array(buffer[(filled - kept)..<filled]))
        }
    }

    /// What was written to a file since it was last looked at, `limit` bytes at most.
    ///
    /// `inode` and `offset` say which file that was and how far it was read; another file at the path, and one that became
    /// shorter, is read from its beginning. Nil when nothing is at the path.
    package static func readNew(
        _ path: FilePath, since inode: UInt64?, _ offset: Int64, limit: Int
    ) throws(FileFailure) -> (inode: UInt64, offset: Int64, bytes: [UInt8])? {
        let descriptor: CInt
        do {
            descriptor = try open(path, O_RDONLY | O_CLOEXEC)
        } catch  where error.reason == .noSuchFileOrDirectory {
            return nil
        }
        defer { close(descriptor) }
        var status = stat()
        try systemCall("look at", path.byteArray) { unsafe fstat(descriptor, &status) }
        let goesOn = UInt64(status.st_ino) == inode && Int64(status.st_size) >= offset
        let start = goesOn ? offset : 0
        let wanted = max(0, min(limit, Int(Int64(status.st_size) - start)))
        let bytes = try readAll(wanted, from: descriptor, at: start, path: path)
        return (UInt64(status.st_ino), start + Int64(bytes.count), bytes)
    }
}
