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
        while true {
            let path = directory.appending("\(Self.prefix)\(UInt64.random(in: 0...UInt64.max))")
            try Files.makeDirectory(path, mode: 0o700)
            // Whoever cleans up may take it for abandoned until it is locked.
            guard let descriptor = try Self.lock(path) else { continue }
            guard try Files.exists(path) else {
                close(descriptor)
                continue
            }
            self.path = path
            self.descriptor = descriptor
            return
        }
    }

    /// Opens and locks one; nil when it is gone, or somebody else has it.
    private static func lock(_ path: FilePath) throws(FileFailure) -> CInt? {
        let descriptor: CInt
        do {
            descriptor = try Files.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        } catch  where error.reason == .noSuchFileOrDirectory {
            return nil
        }
        do {
            try Files.lock(descriptor, path)
            return descriptor
        } catch {
            close(descriptor)
            guard error.reason == .wouldBlock else { throw error }
            return nil
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
            guard let descriptor = try lock(path) else { continue }
            defer { close(descriptor) }
            try Files.removeTree(path)
        }
    }
}
