import Drivers
import SnapshotModel

/// What a snapshot holds of a component: texts and locks in memory, the same files in every root.
struct CapturedTexts: FileSource {
    /// The files and their contents, by path.
    var files: [String: String] = [:]
    /// The locks.
    var locks: [Lock] = []

    func names(root: String, directory: EntryPath) throws -> [(name: [UInt8], isDirectory: Bool)] {
        let prefix = directory.isRoot ? "" : "\(directory)/"
        var names: [String: Bool] = [:]
        for path in files.keys where path.hasPrefix(prefix) {
            let rest = path.dropFirst(prefix.count)
            names[String(rest.prefix { $0 != "/" })] = rest.contains("/")
        }
        return names.sorted { $0.key < $1.key }.map { (Array($0.key.utf8), $0.value) }
    }

    func contents(root: String, path: EntryPath) throws -> [UInt8]? {
        files["\(path)"].map { Array($0.utf8) }
    }

    func lock(_ name: String) throws -> [UInt8]? { locks.first { $0.name == name }?.contents }
}
