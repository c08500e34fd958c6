internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// The files of a home on disk with their classes, in the order of a walk that follows no link.
struct HomeFiles {
    /// A file, directory or link.
    struct Found {
        var path: EntryPath
        var place: FilePath
        var status: FileStatus
        var entryClass: EntryClass
    }

    let home: FilePath
    private let matcher = Classification.Matcher(JenkinsClasses.home)

    init(home: FilePath) {
        self.home = home
    }

    /// Visits everything below the home; a directory is entered when `visit` says so.
    func walk(_ visit: (Found) throws -> Bool) throws {
        try walk(.root, home, matcher.start, visit)
    }

    private func walk(
        _ path: EntryPath, _ place: FilePath, _ state: Classification.Matcher.State,
        _ visit: (Found) throws -> Bool
    ) throws {
        for name in try Files.names(place) {
            let path = path.appending(name)
            let place = FilePath(bytes: place.byteArray + [UInt8(ascii: "/")] + name)
            guard let status = try Files.status(place) else { continue }
            let isDirectory = status.kind == .directory
            let (entryClass, state) = matcher.step(state, name: name[...], isDirectory: isDirectory)
            let found = Found(path: path, place: place, status: status, entryClass: entryClass)
            if try visit(found), isDirectory { try walk(path, place, state, visit) }
        }
    }
}

extension HomeFiles.Found {
    /// Whether Jenkins reads it as a configuration in XML: what people may put beside is not.
    var isConfiguration: Bool {
        status.kind == .file && entryClass == .config && path.bytes.suffix(4).elementsEqual(".xml".utf8)
            && !path.isAtOrBelow(EntryPath("userContent"))
    }

    /// Whether it is the directory `builds` of an item.
    var isBuilds: Bool { status.kind == .directory && HomeFiles.isBuilds(path) }
}

extension HomeFiles {
    /// Whether a directory is `builds` of an item: of `jobs/NAME`, nested as items nest, not of a job that is called so.
    static func isBuilds(_ path: EntryPath) -> Bool {
        let names = path.components.map { String(decoding: $0, as: UTF8.self) }
        guard names.last == "builds", names.first == "jobs" else { return false }
        var index = 0
        while index < names.count - 1 {
            switch names[index] {
            case "jobs", "branches", "promotions", "modules": index += 2
            // The axes of a matrix are directories in directories.
            case "configurations": return index + 1 < names.count - 1
            default: return false
            }
        }
        return index == names.count - 1
    }
}
