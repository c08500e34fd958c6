internal import ArgumentParser
internal import Capture
internal import FileTree
internal import Git
internal import GitStore
internal import SnapshotModel
internal import SystemPackage

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write snapshots, with a whole store around them, into one file for the shelf.",
        discussion: """
            The file is a .tar.zst of a bare git repository with checksums at its end; 'tar --zstd -xf' unpacks it, and \
            'sha256sum -c SHA256SUMS' checks it. 'import' and 'restore --from FILE' read it. What is sealed stays \
            sealed; evidence of restores is not in it. Exporting temporarily needs the same amount of space in the store.

            EXAMPLE
              understudy export latest acme.tar.zst
              understudy export latest 2026-10-31 acme.tar.zst

            EXIT STATUS
              0   the file was written
              1   there is no such snapshot, something is at the path already, or the disk
                  is full
              6   the store is damaged
              7   refused: secrets are in clear
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "The snapshots, then the file; the latest snapshot when only a file is given.")
    var arguments: [String]

    @OptionGroup var options: Options

    func validate() throws {
        guard let file = arguments.last,
            file == "latest" || file.hasPrefix("latest~") || SnapshotID(file) != nil
        else { return }
        throw ValidationError(
            "'\(file)' names a snapshot: the file comes last, as in 'export latest acme.tar.zst'.")
    }

    private struct Result: Encodable {
        var file: String
        var snapshots: [String]
        var bytes: Int64
        var sha256: String
    }

    func run() async throws {
        let session = try Session(options)
        try PushCommand.refuseWithoutRecipients(session)
        let store = try session.store()
        let path = try absolute(FilePath(arguments[arguments.count - 1]))
        let ids = arguments.count == 1 ? ["latest"] : Array(arguments.dropLast())
        let chosen = try ids.map { try store.snapshot($0, of: session.system.name) }
        let snapshots = Set(chosen).sorted { $0.id < $1.id }
        try store.refuseWhatIsInClear(snapshots, purpose: "exported")
        let reader = try store.reader()
        for snapshot in snapshots {
            guard let history = try store.commit(snapshot.commit, with: reader).parents.first else {
                continue
            }
            try store.refuseHistoryInClear(
                history, downTo: nil, purpose: "exported", isSealing: PushCommand.isSealing)
        }
        let written = try await StoreFile.write(
            snapshots, of: session.system.name, in: store, to: path, progress: { session.output.progress($0) }
        )
        session.output.endProgress()
        let result = Result(
            file: path.string, snapshots: snapshots.map(\.id.description), bytes: written.bytes,
            sha256: written.digest)
        try session.output.result(result) {
            "wrote \(path): \(result.snapshots.joined(separator: ", ")), \(shown(bytes: result.bytes))\n"
                + "  SHA-256 \(result.sha256)"
        }
    }
}
