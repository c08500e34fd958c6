internal import Cfiles
internal import Glibc
package import SystemPackage

/// A socket that stands at a path, held open: who speaks to ``place`` speaks to it, whatever comes to stand at the path meanwhile.
package final class SocketFile: Sendable {
    private let descriptor: CInt
    /// A path that leads to the socket, for this process and those of its user, as long as this object lives.
    package let place: FilePath

    /// Opens what stands at a path, following no link; throws `notSocket` for anything but a socket.
    package init(_ path: FilePath) throws(FileFailure) {
        let descriptor = try systemCall("look at", path.byteArray) {
            unsafe path.withPlatformString { unsafe cfiles_hold($0) }
        }
        self.descriptor = descriptor
        place = FilePath("/proc/\(getpid())/fd/\(descriptor)")
        var status = stat()
        try systemCall("look at", path.byteArray) { unsafe fstat(descriptor, &status) }
        guard FileStatus(status).kind == .socket else { throw FileFailure("speak to", path, .notSocket) }
    }

    deinit {
        close(descriptor)
    }
}
