internal import Capture
internal import GitStore
internal import SnapshotModel

/// A snapshot of what a restore, or its undoing, is about to take away.
///
/// A lost or broken system cannot be captured, and must be restorable all the same: what is not saved is told.
struct SafetySnapshot {
    /// Its id, nil when nothing could be captured.
    private(set) var id: SnapshotID?
    /// Why nothing could be captured.
    private(set) var failure: (any Error)?
    /// What it lacks, and what becomes of that.
    private(set) var notes: [String] = []
    /// The databases and tools of which it has nothing, and why.
    private(set) var unsaved: [String] = []

    /// Takes one of these components; `fate` is what becomes of what it lacks: `is gone`.
    ///
    /// It does not tell that it lacks what is in `absent`, which was not there, or is told otherwise: components, and roots as
    /// `component/root`.
    init(
        of components: Set<String>, _ system: DeliverySystem, in store: SnapshotStore, message: String,
        author: String, fate: String, passingOver absent: Set<String> = [], holding lock: WriterLock
    ) async {
        // A request that names none is for all of them.
        guard !components.isEmpty else { return }
        do {
            let saved = try await SystemCapture(system, store: store).take(
                .init(message: message, components: components, author: author, isSafety: true),
                holding: lock, progress: { _ in }
            ).snapshot
            id = saved.id
            let captured = saved.components.filter {
                components.contains($0.name) && !absent.contains($0.name)
            }
            func words(_ component: CapturedComponent, _ problem: CapturedComponent.Problem) -> String {
                "\(component.name): \(problem.path) (\(problem.reason))"
            }
            unsaved = captured.flatMap { component in
                component.unreadable.filter(\.isWholeDatabase).map { words(component, $0) }
            }
            let lacking = captured.flatMap { component in
                let unread = component.unreadable.filter { problem in
                    !absent.contains {
                        problem.path.hasSuffix("/.") && $0 + "/." == "\(component.name)/\(problem.path)"
                    }
                }
                return unread.map { words(component, $0) }
                    + component.torn.map { "\(component.name): \($0) (it changed while it was read)" }
            }
            guard !lacking.isEmpty else { return }
            notes.append(
                "\(saved.id), which saves what was there, lacks \(counted(lacking.count, "part")) of it, and that \(fate): "
                    + "\(lacking.prefix(3).joined(separator: "; "))\(lacking.count > 3 ? "; …" : "")")
        } catch {
            failure = error
            notes.append("what was there could not be captured, and \(fate): \(error)")
        }
    }
}
