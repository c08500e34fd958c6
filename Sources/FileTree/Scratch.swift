internal import Glibc
package import SystemPackage

/// A directory for what is needed for a while; it goes away with this, and after a kill whoever cleans up takes it away.
///
/// It is locked as long as it is used, so that nobody takes it from a living process, whatever its process number.
package final class Scratch: Sendable {
    /// Where it is.
    package let path: FilePath
    private let descriptor: CInt
    private static let prefix = "scratch-"

    /// Makes one in a directory, for us alone.
    package init(in directory: FilePath) throws(FileFailure) {
        path = directory.appending("\(Self.prefix)\(UInt64.random(in: 0...UInt64.max))")
        try Files.makeDirectory(path, mode: 0o700)
        descriptor = try Files.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        do {
            try Files.lock(descriptor, path)
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit {
        // What could not be removed is found by the next cleaning.
        try? Files.removeTree(path)
        close(descriptor)
    }

    /// Removes those in a directory that nobody uses any more.
    package static func removeAbandoned(in directory: FilePath) throws(FileFailure) {
        guard try Files.isDirectory(directory) else { return }
        for name in try Files.names(directory) where name.starts(with: prefix.utf8) {
            let path = directory.appending(String(decoding: name, as: UTF8.self))
            let descriptor = try Files.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            defer { close(descriptor) }
            do {
                try Files.lock(descriptor, path)
            } catch  where error.reason == .wouldBlock {
                continue
            }
            try Files.removeTree(path)
        }
    }
}
