internal import FileTree
internal import Glibc
internal import SystemPackage

/// The one place of a writer, held by `flock` until this goes away or the process dies.
///
/// The file holds the writer's name while it writes, and nothing after it came to its end.
package final class WriterLock: Sendable {
    private let descriptor: CInt
    private let path: FilePath
    /// Whether the writer before this one was killed, or was stopped by a loss of power: this one cleans up after it.
    let followsCut: Bool

    init(_ path: FilePath, purpose: String, store: FilePath) throws {
        descriptor = try Files.openLock(path)
        do throws(FileFailure) {
            try Self.take(descriptor, path)
        } catch {
            // Who holds it may not have written its name yet: then there is no name to tell.
            let who = try Self.name(in: path)
            close(descriptor)
            guard error.reason == .wouldBlock else { throw error }
            throw StoreFailure(
                .locked, "the store \(store) is being written by \(who)",
                hint: "wait until it is done; the lock goes away with the process, never by hand")
        }
        self.path = path
        let isOlderThanSystem =
            try Files.status(path).map { $0.modified.seconds < Self.startOfSystem } ?? false
        followsCut = try Files.readIfPresent(path).map { !$0.isEmpty || isOlderThanSystem } ?? false
        let name = "\(purpose), process \(getpid())\n"
        try Files.setContents(of: descriptor, Array(name.utf8), path)
    }

    deinit {
        // A name that stays makes the next writer look for leftovers and find none.
        try? Files.setContents(of: descriptor, [], path)
        close(descriptor)
    }

    /// Takes the lock, once more a moment later where somebody has it: who looks whether it is held has it for that moment.
    private static func take(_ descriptor: CInt, _ path: FilePath) throws(FileFailure) {
        do throws(FileFailure) {
            try Files.lock(descriptor, path)
        } catch {
            guard error.reason == .wouldBlock else { throw error }
            usleep(20_000)
            try Files.lock(descriptor, path)
        }
    }

    private static func name(in path: FilePath) throws(FileFailure) -> String {
        let name = try Files.readIfPresent(path).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return name.isEmpty ? "another process" : name.trimmingSuffix { $0 == "\n" }
    }

    /// Who has the lock at a path, and since when in seconds since 1970; nil where nobody has.
    static func holder(of path: FilePath) throws(FileFailure) -> (name: String, since: Int64)? {
        guard try Files.isLocked(path), let status = try Files.status(path) else { return nil }
        return (try name(in: path), status.modified.seconds)
    }

    /// When this system was started, in seconds since 1970: what was written before and not synced may be lost.
    private static var startOfSystem: Int64 {
        var now = timespec()
        var running = timespec()
        // Neither fails for a clock that every Linux has.
        _ = unsafe (clock_gettime(CLOCK_REALTIME, &now), clock_gettime(CLOCK_BOOTTIME, &running))
        return Int64(now.tv_sec - running.tv_sec)
    }
}

extension String {
    fileprivate func trimmingSuffix(_ isTrimmed: (Character) -> Bool) -> String {
        var text = self
        while let last = text.last, isTrimmed(last) { text.removeLast() }
        return text
    }
}
