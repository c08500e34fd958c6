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
        let bytes = try readAll(count, from: descriptor, at: offset, path: path)
        guard bytes.count == count else { throw FileFailure("read", path, .ioError) }
        return bytes
    }
}
