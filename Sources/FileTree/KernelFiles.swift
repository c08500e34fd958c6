internal import Cfiles
internal import Glibc
package import SystemPackage

/// Files that are none: what the kernel shows of itself, and lets be set, below `/proc` and `/sys`.
extension Files {
    /// Writes into a file that is there, in one call: each call is an order of its own.
    package static func set(_ path: FilePath, to text: String) throws(FileFailure) {
        let descriptor = try open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)
        defer { close(descriptor) }
        try write(Array(text.utf8), to: descriptor, path: path)
    }

    /// What kind of file system a path is on: the number that `linux/magic.h` has for it.
    package static func fileSystemKind(_ path: FilePath) throws(FileFailure) -> UInt32 {
        UInt32(
            try systemCall("ask for the file system of", path.byteArray) {
                unsafe path.withPlatformString { unsafe cfiles_file_system($0) }
            })
    }

    /// An extended attribute of what stands at a path; nil when it has none of that name.
    package static func attribute(_ name: String, of path: FilePath) throws(FileFailure) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: 4096)
        do {
            let count = try systemCall("read an extended attribute of", path.byteArray) {
                unsafe path.withPlatformString { path in
                    unsafe value.withUnsafeMutableBytes {
                        unsafe getxattr(path, name, $0.baseAddress, $0.count)
                    }
                }
            }
            return Array(value.prefix(count))
        } catch  where error.reason == .noData || error.reason == .notSupported {
            return nil
        }
    }
}

extension OpenDirectory {
    /// Bytes that are in use on the file system that the directory is on.
    package func usedSpace() throws(FileFailure) -> Int64 {
        let status = try fileSystem()
        return (Int64(status.f_blocks) - Int64(status.f_bfree)) * Int64(status.f_frsize)
    }
}
