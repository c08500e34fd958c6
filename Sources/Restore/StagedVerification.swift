internal import Capture
internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

/// Reads what was staged back from the disk, as if it were live, and compares it with the snapshot.
struct StagedVerification {
    private let component: StagedComponent
    private let driver: any Driver
    private let system: DeliverySystem
    private let store: SnapshotStore
    private let stored: StoredSnapshot
    private let written: [String: WrittenFiles]
    private let reader: ObjectReader
    private let sealer: Sealer?
    private let scratch: FilePath
    private let hasOtherOwners: Bool

    init(
        _ component: StagedComponent, driver: any Driver, system: DeliverySystem, store: SnapshotStore,
        stored: StoredSnapshot, written: [String: WrittenFiles], sealer: Sealer?, reader: ObjectReader,
        scratch: FilePath, hasOtherOwners: Bool
    ) {
        self.scratch = scratch
        self.hasOtherOwners = hasOtherOwners
        self.sealer = sealer
        self.component = component
        self.driver = driver
        self.system = system
        self.store = store
        self.stored = stored
        self.written = written
        self.reader = reader
    }

    /// Throws a ``RestoreFailure`` that names the first paths that differ.
    ///
    /// The trees must be the same to the last bit. Where the classes of the policy or of the driver were others when the
    /// snapshot was taken, or we may not set owners, the entries are compared one by one without those.
    func run(_ notes: inout [String]) async throws {
        let captured = component.captured
        // What is no directory was compared by its driver when it was staged.
        guard !component.roots.isEmpty else { return }
        let capture = SystemCapture(system, store: store)
        guard let described = system.components.first(where: { $0.component.name == captured.name }),
            let state = capture.state(captured.name, of: stored, reader)
        else { return }
        let places = Dictionary(component.roots.map { ($0.root.name, $0.staged) }) { first, _ in first }
        let relocated = driver.relocated(to: places)
        let sink = Rehearsal(reader)
        var locks: [String: [UInt8]] = [:]
        for name in captured.locks.keys { locks[name] = try state.source.lock(name) }
        let again = try await ComponentCapture(
            described.component, driver: relocated, sink: sink, options: system.options, sealer: sealer,
            local: scratch, written: written, takesWhatIsKept: true
        ).run(previous: locks)
        guard again.tree != state.tree else {
            notes.append("\(captured.name): captured again, it has the snapshot's own tree \(state.tree)")
            return
        }
        let difference = try Difference(
            from: state, to: ComponentState(again, sink: sink, reader: reader, identities: nil),
            driver: driver)
        let wrong = difference.files.filter { !isExplained($0) }
        let others =
            again.faults.map(\.failure.description)
            + again.captured.locks.filter { captured.locks[$0.key] != $0.value }.keys.sorted()
        guard wrong.isEmpty, others.isEmpty else {
            let names =
                wrong.prefix(5).map { "\($0.root)/\($0.path) (\($0.change.rawValue) \($0.detail))" } + others
            throw RestoreFailure(
                .verification,
                "\(captured.name): what was staged is not what the snapshot holds: \(names.joined(separator: ", "))",
                hint:
                    "nothing was changed; run the restore again, and 'understudy verify' if it happens twice")
        }
        notes.append(
            "\(captured.name): captured again, every file equals the snapshot; only owners or classes differ, of "
                + counted(difference.files.count, "entry"))
    }

    private func isExplained(_ file: FileChange) -> Bool {
        // Another class, or another version of the leak scanner, may seal what was in clear, or the other way round.
        var allowed: Set<FileChange.Aspect> = [.entryClass, .sealing]
        if Accounts.ownNumbers.user != 0 || hasOtherOwners { allowed.insert(.owner) }
        return file.differsOnly(in: allowed)
    }
}
