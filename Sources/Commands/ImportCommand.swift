internal import Archive
internal import ArgumentParser
internal import Configuration
internal import FileTree
internal import GitStore
internal import SnapshotModel
internal import SystemPackage

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make a store from a file that 'export' wrote, or add it to a store of the same system.",
        discussion: """
            Every member is compared with its checksum and every object with its name before anything is taken. A file that \
            is truncated, damaged, or anything but a store is refused as a whole. Needs no system file.

            EXAMPLE
              understudy import acme.tar.zst /var/lib/understudy/acme.git

            EXIT STATUS
              0   the store holds what the file holds
              1   the file cannot be read, or the disk is full
              6   the file is damaged, truncated, or not a store
              7   refused: something in it contradicts what is in the store
              10  something other than a store is at the path
              11  another process writes to the store
              64  wrong usage
            """)

    @Argument(help: "The file.", completion: .file())
    var file: String

    @Argument(
        help: "The store: a store, an empty directory, or a path where nothing is yet.",
        completion: .directory
    )
    var directory: String

    @OptionGroup var options: Options

    private struct Result: Encodable {
        var store: String
        var system: String
        var snapshots: [String]
    }

    func run() async throws {
        let output = try Output(options)
        let path = try absolute(FilePath(file))
        let place = try absolute(FilePath(directory))
        let head = try StoreFile.head(of: path)
        let (_, brought) = try await Self.read(path, head.system, into: place, output)
        output.endProgress()
        let result = Result(
            store: place.string, system: head.system, snapshots: brought.map(\.description))
        try output.result(result) {
            brought.isEmpty
                ? "everything in it is in \(place) already"
                : "\(place) got \(counted(brought.count, "snapshot")) of \(head.system): "
                    + brought.map(\.description).joined(separator: ", ")
        }
    }

    /// Brings a file into the store at a place, made where there is none; one that was made for a bad file goes away again.
    static func read(
        _ path: FilePath, _ system: String, into place: FilePath, _ output: Output
    ) async throws -> (lock: WriterLock, brought: [SnapshotID]) {
        try requireLibgit2()
        guard isName(system) else {
            throw ArchiveError(.unsupported, path, "it is of a system with a name that cannot be one")
        }
        let isNew = try !Files.exists(place)
        let store = try Arrival.makeStore(at: place, system)
        do {
            let lock = try store.lock(purpose: "understudy import")
            let brought = try await StoreFile.read(
                path, into: store, of: system, holding: lock, progress: { output.progress($0) })
            return (lock, brought)
        } catch {
            // The first failure is the one to tell.
            if isNew { try? Files.removeTree(place) }
            throw error
        }
    }
}
