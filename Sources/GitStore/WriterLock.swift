internal import FileTree
internal import Glibc
internal import SystemPackage

/// The one place of a writer, held by `flock` until this goes away or the process dies.
package final class WriterLock: Sendable {
    private let descriptor: CInt

    init(_ path: FilePath, purpose: String, store: FilePath) throws {
        descriptor = try Files.openLock(path)
        do throws(FileFailure) {
            try Files.lock(descriptor, path)
        } catch {
            // Who holds it may not have written its name yet: then there is no name to tell.
            let holder = try Files.readIfPresent(path).map { String(decoding: $0, as: UTF8.self) } ?? ""
            close(descriptor)
            guard error.reason == .wouldBlock else { throw error }
            let who = holder.isEmpty ? "another process" : holder.trimmingSuffix { $0 == "\n" }
            throw StoreFailure(
                .locked, "the store \(store) is being written by \(who)",
                hint: "wait until it is done; the lock goes away with the process, never by hand")
        }
        let name = "\(purpose), process \(getpid())\n"
        try Files.setContents(of: descriptor, Array(name.utf8), path)
    }

    deinit {
        close(descriptor)
    }
}

extension String {
    fileprivate func trimmingSuffix(_ isTrimmed: (Character) -> Bool) -> String {
        var text = self
        while let last = text.last, isTrimmed(last) { text.removeLast() }
        return text
    }
}
