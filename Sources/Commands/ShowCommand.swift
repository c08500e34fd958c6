internal import ArgumentParser
internal import Capture
internal import Drivers
internal import Git
internal import GitStore
internal import Sealing
internal import SnapshotModel

struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show what a snapshot holds, or one of its files.",
        discussion: """
            EXAMPLE
              understudy show latest
              understudy show latest jenkins/files/home/config.xml

            EXIT STATUS
              0   it was shown
              1   there is no such snapshot or path
              6   the snapshot is damaged
              10  there is no store
              12  the file is sealed, and no identity opens it
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "The snapshot: an id, a unique prefix, latest, latest~N, a date.")
    var id: String

    @Argument(help: "A path in the snapshot, as git spells it.")
    var path: String?

    @OptionGroup var identity: IdentityOption

    @OptionGroup var options: Options

    private struct Result: Encodable {
        struct Item: Encodable {
            var component: String
            var kind: String
            var name: String
            var version: String?
            var detail: String
        }

        var snapshot: Snapshot
        var commit: String
        var items: [Item]
        /// How many files of a component would tell of more items, and are sealed.
        var sealedFiles: [String: Int]
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let reader = try store.reader()
        let stored = try store.read(try store.snapshot(id, of: session.system.name), with: reader)
        if let path { return try show(path, stored, reader, session) }
        let capture = SystemCapture(session.system, store: store)
        var items: [Result.Item] = []
        var sealed: [String: Int] = [:]
        for captured in stored.snapshot.components {
            guard let state = capture.state(captured.name, of: stored, reader),
                let driver = session.system.driver(of: captured.name)
            else { continue }
            let inventory = try driver.inventory(of: state.source)
            if !inventory.sealed.isEmpty { sealed[captured.name] = inventory.sealed.count }
            items += inventory.items.map {
                .init(
                    component: captured.name, kind: $0.kind, name: $0.name, version: $0.version,
                    detail: $0.detail)
            }
        }
        items.sort { ($0.component, $0.kind, $0.name) < ($1.component, $1.kind, $1.name) }
        let result = Result(
            snapshot: stored.snapshot, commit: stored.reference.commit.description, items: items,
            sealedFiles: sealed)
        try session.output.result(result) { words(result) }
    }

    private func words(_ result: Result) -> String {
        let snapshot = result.snapshot
        var lines = [
            "snapshot \(snapshot.id)  \(snapshot.status.rawValue)  \(snapshot.started) to \(snapshot.finished) on \(snapshot.host)",
            "commit   \(result.commit)",
        ]
        for component in snapshot.components {
            let version = component.version.map { " \($0)" } ?? ""
            lines.append("\n\(component.name) (\(component.driver)\(version))")
            lines += component.roots.map { "  \($0.name): \($0.path)" }
            lines.append(
                table(
                    component.classes.sorted { $0.key < $1.key }.map {
                        ["  \($0.key)", counted($0.value.entries, "entry"), shown(bytes: $0.value.bytes)]
                    }))
            lines += component.torn.map { "  torn: \($0)" }
            lines += component.unreadable.map { "  unreadable: \($0.path): \($0.reason)" }
            lines += component.notes.map { "  note: \($0)" }
            lines += component.obstacleWords.map { "  \($0)" }
            if let count = result.sealedFiles[component.name] {
                lines.append(
                    "  sealed: \(counted(count, "file")) that would tell of more items ('understudy show ID PATH --identity FILE')"
                )
            }
            let items = result.items.filter { $0.component == component.name }
            for kind in Set(items.map(\.kind)).sorted() {
                let these = items.filter { $0.kind == kind }
                let names = these.prefix(options.verbose ? Int.max : 12).map {
                    printable($0.name.utf8) + ($0.version.map { " \($0)" } ?? "")
                }
                let more = names.count < these.count ? ", … (--verbose lists all)" : ""
                lines.append(
                    "  \(counted(these.count, kind)): \(names.joined(separator: ", "))\(more)"
                )
            }
        }
        return lines.joined(separator: "\n")
    }

    private func show(_ path: String, _ stored: StoredSnapshot, _ reader: ObjectReader, _ session: Session)
        throws
    {
        let names = path.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
        guard let entry = try entry(names, stored, reader) else {
            throw CommandFailure(
                .failed, "the snapshot \(stored.reference.id) holds no '\(path)'",
                hint: "'understudy show \(id) DIRECTORY' lists what is in a directory", path: path)
        }
        let component = names.first.map { String(decoding: $0, as: UTF8.self) } ?? ""
        let hasSealed = stored.snapshot.components.contains { $0.name == component && $0.sealing != nil }
        let parts = StoredName.withoutSuffixes(
            entry.name, isTree: entry.mode == .tree, hasSealed: hasSealed)
        if entry.mode == .tree, !parts.isChunked {
            let listed = try reader.tree(entry.id).map {
                printable(StoredName.decoded($0.name)) + ($0.mode == .tree ? "/" : "")
            }
            return try session.output.result(listed) { listed.joined(separator: "\n") }
        }
        let contents = StoredRoot.Contents(
            id: entry.id, isChunked: parts.isChunked, isSealed: parts.isSealed)
        guard parts.isSealed else {
            return try unsafe ReaderLane(reader).read(contents, checks: true) {
                try unsafe session.output.bytes(Array($0))
            }
        }
        guard let identities = try identity.read() else {
            throw SealingFailure(
                .noKeyFits, "'\(path)' is sealed, and no identity was given",
                hint: "give the recovery key: --identity FILE, or $UNDERSTUDY_IDENTITY")
        }
        try unsafe ReaderLane(reader).open(contents, with: identities, sealed: { _ in }) {
            try unsafe session.output.bytes(Array($0))
        }
    }

    /// What stands at a path, with or without what is ours at the end of its name.
    private func entry(
        _ names: [[UInt8]], _ stored: StoredSnapshot, _ reader: ObjectReader
    ) throws -> TreeEntry? {
        guard let last = names.last else { return nil }
        let (sealed, chunks) = (StoredName.sealedSuffix, StoredName.chunksSuffix)
        for suffix in [[], sealed, chunks, sealed + chunks] {
            if let entry = try reader.entry(names.dropLast() + [last + suffix], of: stored.commit.tree) {
                return entry
            }
        }
        return nil
    }
}
