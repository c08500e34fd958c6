internal import FileTree
internal import Glibc
internal import SnapshotModel
package import SystemPackage

/// That a night has begun: a file in the store's directory, there and locked as long as the night runs.
///
/// The lock goes away with the process, so a file that nobody has locked is of a night that did not end.
package final class NightMark: Sendable {
    private let descriptor: CInt
    private let path: FilePath

    private init(_ descriptor: CInt, _ path: FilePath) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    private static func path(_ local: FilePath) -> FilePath { local.appending("nightly.begun") }

    /// Marks a night that begins, and says what became of the one before: that it did not end, or has not yet.
    ///
    /// While another night runs there is no mark. Throws a `FileFailure` when it cannot be kept.
    package static func begin(
        _ local: FilePath, now: Int64
    ) throws -> (mark: NightMark?, problem: NightReport.Problem?) {
        try Files.makeDirectories(local, mode: 0o700)
        let path = path(local)
        let before = try Files.status(path)
        let mark = NightMark(try Files.openLock(path), path)
        guard try mark.lock() else { return (nil, before.map(stillRuns)) }
        do {
            try Files.setContents(of: mark.descriptor, Array("\(now)\n".utf8), path)
            try Files.sync(mark.descriptor, path)
            try Files.syncDirectory(local)
        } catch {
            // The first failure is the one to tell; half a mark would say of this night that it died.
            try? Files.remove(path)
            throw error
        }
        return (mark, before.map(died))
    }

    /// That the last night began and did not end; nil when it did, or still runs.
    package static func look(_ local: FilePath) throws -> NightReport.Problem? {
        let path = path(local)
        guard let status = try Files.status(path) else { return nil }
        let mark: NightMark
        do throws(FileFailure) {
            mark = NightMark(try Files.openForReading(path).descriptor, path)
        } catch {
            // It ended meanwhile.
            guard error.reason == .noSuchFileOrDirectory else { throw error }
            return nil
        }
        return try mark.lock() && Files.exists(path) ? died(status) : nil
    }

    /// The night has ended, and its report is kept.
    package func end() throws { try Files.remove(path) }

    private func lock() throws(FileFailure) -> Bool {
        do throws(FileFailure) {
            try Files.lock(descriptor, path)
            return true
        } catch {
            guard error.reason == .wouldBlock else { throw error }
            return false
        }
    }

    private static func died(_ status: FileStatus) -> NightReport.Problem {
        .init(
            "night",
            "the night that began at \(CivilTime(seconds: status.modified.seconds).iso8601) did not end: it was killed, or the "
                + "host went down",
            hint: "read the host's journal of that night (journalctl), and run 'understudy nightly'",
            cause: "did not end")
    }

    private static func stillRuns(_ status: FileStatus) -> NightReport.Problem {
        .init(
            "night",
            "the night that began at \(CivilTime(seconds: status.modified.seconds).iso8601) still runs",
            hint: "find out what it waits for, or schedule nights further apart", cause: "still runs")
    }
}
