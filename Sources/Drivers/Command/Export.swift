internal import Cryptography
internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// What a capture command left in its directory: the contents of regular files by their paths, and nothing else.
struct Export {
    /// The files, sorted: the path below the directory, and where they are.
    private(set) var files: [(name: String, path: FilePath)] = []
    /// What cannot be kept, and why.
    private(set) var refused: [CapturedComponent.Problem] = []

    /// Reads the names in a directory and all below it.
    init(_ directory: FilePath) throws {
        try add(directory, below: "")
        files.sort { $0.name < $1.name }
    }

    private mutating func add(_ directory: FilePath, below place: String) throws {
        for bytes in try Files.names(directory) {
            let path = directory.pushing(FilePath(bytes: bytes))
            guard let name = String(validating: bytes, as: UTF8.self), !bytes.contains(UInt8(ascii: "\n"))
            else {
                refused.append(
                    .init(path: place + printable(bytes), reason: "its name is not UTF-8 text of one line"))
                continue
            }
            switch try Files.status(path)?.kind {
            case .directory?: try add(path, below: place + name + "/")
            case .file?: files.append((place + name, path))
            case let kind?:
                refused.append(
                    .init(path: place + name, reason: "it is a \(kind), and only regular files are kept"))
            case nil:
                refused.append(.init(path: place + name, reason: "it went away after the command had ended"))
            }
        }
    }

    /// The paths whose contents are not those of another export, or that only one of the two has.
    func differences(from other: Export) throws -> [String] {
        let mine = Dictionary(files.map { ($0.name, $0.path) }) { first, _ in first }
        let others = Dictionary(other.files.map { ($0.name, $0.path) }) { first, _ in first }
        return try Set(mine.keys).union(others.keys).sorted().filter { name in
            guard let one = mine[name], let two = others[name] else { return true }
            return try Self.digest(one) != Self.digest(two)
        }
    }

    private static func digest(_ path: FilePath) throws -> [UInt8] {
        var hash = SHA256()
        let file = try OpenFile(path)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { unsafe buffer.deallocate() }
        while true {
            let count = try unsafe file.read(into: buffer)
            unsafe hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            guard count == buffer.count else { return hash.finish() }
        }
    }
}
