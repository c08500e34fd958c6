internal import Glibc
package import SystemPackage

/// A file on its way to a path, where it replaces what may stand there: for what is too large to be in memory whole, and can
/// be made again, so that nobody waits for the disk.
///
/// It is seen by nobody before ``commit()``; one that is dropped before leaves nothing.
@safe package final class ReplacementFile: Sendable {
    private let path: FilePath
    private let temporary: FilePath
    private let descriptor: CInt

    /// Begins a file that is to stand at `path`, beside which it is made.
    package init(_ path: FilePath) throws(FileFailure) {
        self.path = path
        temporary = Files.temporary(beside: path)
        descriptor = try Files.createExclusively(temporary, mode: 0o600)
    }

    deinit {
        close(descriptor)
        // Gone when it was committed. A kill leaves it too, and the next cleaning finds both.
        unsafe temporary.withPlatformString { _ = unsafe unlink($0) }
    }

    /// Writes bytes from `offset` on, over what may be there.
    @unsafe package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileFailure) {
        try unsafe writeAll(bytes, to: descriptor, at: offset, path: temporary)
    }

    /// Gives the file its name.
    ///
    /// What stands there is removed first, so that for a moment there is none: ext4 begins to write out a file that is
    /// renamed over another (`auto_da_alloc`), and every sync that comes after waits for it.
    package func commit() throws(FileFailure) {
        try Files.remove(path)
        try Files.rename(temporary, to: path)
    }
}
