internal import Capture
package import Drivers
internal import FileTree
internal import Git
package import GitStore
internal import Sealing
internal import SnapshotModel
package import SystemPackage

/// Writes a component of a snapshot into a directory of its own, as it would stand at its own places: what a shadow is
/// started from.
///
/// Only reads the store and touches nothing of production.
package struct Materialisation: Sendable {
    private let origin: OpenedStore

    /// A materialisation of what is in `origin`.
    package init(_ origin: OpenedStore) {
        self.origin = origin
    }

    /// Writes a component to `directory/<root>`; what is rebuilt stays to be made, from the artifacts that lie beside.
    ///
    /// Every file is compared with the manifest while it is written. With `verifies` what is rebuilt is made too, and all
    /// of it is read back through the driver and compared with the snapshot's tree. Throws a ``RestoreFailure``, or a `SealingFailure` when no identity
    /// opens it.
    package func write(
        _ component: String, of stored: StoredSnapshot, to directory: FilePath, verifies: Bool,
        progress: @escaping @Sendable (String) -> Void
    ) async throws -> (staged: StagedComponent, notes: [String]) {
        let request = RestoreRequest(
            components: [component], destination: directory, starts: false, resumesWork: false,
            allowsPartial: true, author: "")
        let plan = try await RestorePlanner(origin)
            .plan(stored, request)
        if let refusal = plan.refusals.first {
            throw RestoreFailure(.refused, refusal.reason, hint: refusal.hint)
        }
        var staging = Staging(
            origin.system, store: origin.store, reader: origin.reader, stored: stored, plan: plan,
            scratch: directory,
            resumesWork: false, progress: progress)
        for root in plan.roots {
            try Files.makeDirectories(FilePath(root.root.path).removingLastComponent(), mode: 0o700)
        }
        for captured in plan.components {
            let places = origin.system.driver(of: captured.name)?.places() ?? []
            try await staging.write(
                captured,
                to: plan.roots.map { planned in
                    let own = places.first { $0.name == planned.root.name }?.path
                    let captured = captured.roots.first { $0.name == planned.root.name }?.path
                    let root = Root(
                        name: planned.root.name, path: own ?? captured ?? planned.root.path,
                        kind: planned.root.kind)
                    return .init(root: root, staged: FilePath(planned.root.path), live: nil)
                })
        }
        var notes: [String] = []
        if verifies {
            try await staging.rebuild(keepsArtifacts: true)
            notes = try await staging.verify()
        }
        guard let staged = staging.components.first else {
            throw RestoreFailure(
                .refused, "the snapshot \(stored.reference.id) has no component '\(component)'",
                hint: "'understudy show \(stored.reference.id)' lists what it has")
        }
        return (staged, notes)
    }
}
