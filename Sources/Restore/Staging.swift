internal import Capture
internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

/// Writes components of a snapshot to where they are staged, and reads them back.
struct Staging {
    private let system: DeliverySystem
    private let store: SnapshotStore
    private let reader: ObjectReader
    private let stored: StoredSnapshot
    private let plan: RestorePlan
    private let scratch: FilePath
    private let resumesWork: Bool
    private let progress: @Sendable (String) -> Void
    /// What was written to each root, by component and root.
    private var written: [String: WrittenFiles] = [:]
    /// The components that are staged, in the order in which they were.
    private(set) var components: [StagedComponent] = []

    /// A staging that follows a plan; artifacts are unpacked below `scratch`.
    init(
        _ system: DeliverySystem, store: SnapshotStore, reader: ObjectReader, stored: StoredSnapshot,
        plan: RestorePlan, scratch: FilePath, resumesWork: Bool,
        progress: @escaping @Sendable (String) -> Void
    ) {
        self.system = system
        self.store = store
        self.reader = reader
        self.stored = stored
        self.plan = plan
        self.scratch = scratch
        self.resumesWork = resumesWork
        self.progress = progress
    }

    /// Writes the files, the objects of repositories and the artifacts of one component; those to `artifacts`, or to a
    /// directory of ours.
    mutating func write(
        _ captured: CapturedComponent, to roots: [StagedComponent.StagedRoot],
        artifacts place: FilePath? = nil
    ) async throws {
        guard let tree = stored.tree(of: captured.name) else {
            preconditionFailure("the plan holds components that the snapshot has")
        }
        for root in roots where root.root.kind != .rebuilt {
            progress("staging \(captured.name)/\(root.root.name)")
            let name = "\(captured.name)/\(root.root.name)"
            guard let content = plan.contents[name], let owners = plan.owners[name] else {
                preconditionFailure("the plan holds the contents of every root that is not rebuilt")
            }
            let writer = TreeWriter(
                content, reader: reader, owners: owners,
                opening: plan.openings[captured.name], only: root.only)
            do {
                written[name] = try writer.write(to: root.staged)
            } catch let error as FileFailure
                where error.reason == .noSpace || error.reason == .diskQuotaExceeded
            {
                throw RestoreFailure(
                    .failed, "the disk is full: \(error)",
                    hint:
                        "nothing was changed; free some space beside \(root.root.path) and run the restore again"
                )
            }
        }
        try await SourceRestore(store, reader: reader).run(captured, in: tree, roots)
        let artifacts = place ?? scratch.appending("artifacts-\(captured.name)")
        // Left by a restore that was killed; in a directory of people's nothing is ours to remove, and the roots are there by now.
        if place == nil { try Files.removeTree(artifacts) }
        try Files.makeDirectories(artifacts, mode: 0o700)
        try ArtifactWriter(reader, opening: plan.openings[captured.name], format: stored.snapshot.format)
            .write(captured, in: tree, to: artifacts)
        var component = StagedComponent(
            captured: captured, roots: roots, artifacts: artifacts, resumesWork: resumesWork,
            capturedHost: stored.snapshot.host)
        component.packages = plan.roots.filter { $0.component == captured.name }.flatMap(\.packages)
        components.append(component)
    }

    /// Lets the driver make what is rebuilt of the component that was written last; then its artifacts are dropped, unless
    /// somebody still needs them.
    func rebuild(keepsArtifacts: Bool = false) async throws {
        guard let component = components.last else { return }
        if component.roots.contains(where: { $0.root.kind == .rebuilt }) {
            progress("rebuilding \(component.captured.name)")
            try await system.driver(of: component.captured.name)?.rebuild(component)
        }
        if let artifacts = component.artifacts, !keepsArtifacts { try Files.removeTree(artifacts) }
    }

    /// Drops the artifacts of the component that was written last.
    func removeArtifacts() throws {
        if let artifacts = components.last?.artifacts { try Files.removeTree(artifacts) }
    }

    /// Reads everything that was written back through the drivers, and says what it found.
    ///
    /// Throws a ``RestoreFailure`` that names the first paths that differ from the snapshot.
    func verify() async throws -> [String] {
        var notes: [String] = []
        for component in components {
            progress("verifying \(component.captured.name)")
            guard let driver = system.driver(of: component.captured.name) else { continue }
            try await StagedVerification(
                component, driver: driver, system: system, store: store, stored: stored, written: written,
                sealer: plan.openings[component.captured.name]?.sealer, reader: reader,
                scratch: scratch.appending("staged"), hasOtherOwners: !plan.accounts.isEmpty
            ).run(&notes)
        }
        return notes
    }
}
