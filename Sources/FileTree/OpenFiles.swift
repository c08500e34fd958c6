internal import Glibc
package import SystemPackage

/// Processes that have files open.
package enum OpenFiles {
    /// A process with a file open at a path or below it.
    package struct Holder: Hashable, Sendable {
        /// The process.
        package var process: Int32
        /// The name of its program.
        package var name: String
    }

    /// The other processes that have what is at `path`, or something below it, open, as `/proc` tells; one that we may not look into is
    /// passed over, since it belongs to somebody else.
    package static func holders(of path: FilePath) throws(FileFailure) -> [Holder] {
        let own = path.byteArray
        let prefix = own + [UInt8(ascii: "/")]
        var holders: [Holder] = []
        for name in try Files.names("/proc") {
            guard let process = Int32(String(decoding: name, as: UTF8.self)), process != getpid() else {
                continue
            }
            let directory = FilePath("/proc/\(process)")
            // A process may end, or be another user's, while we look: then it holds nothing that we could name.
            guard let descriptors = try? Files.names(directory.appending("fd")) else { continue }
            let isHolder = descriptors.contains { descriptor in
                let link = directory.appending("fd").appending(String(decoding: descriptor, as: UTF8.self))
                // As above.
                guard let target = try? Files.linkTarget(link) else { return false }
                return target == own || target.starts(with: prefix)
            }
            guard isHolder else { continue }
            // As above.
            let words = (try? Files.read(directory.appending("comm"))) ?? []
            holders.append(
                Holder(process: process, name: String(decoding: words.filter { $0 > 0x20 }, as: UTF8.self)))
        }
        return holders
    }
}
