package import Capture
internal import Drivers
internal import FileTree
package import GitStore
internal import SnapshotModel
internal import SystemPackage

/// Takes the last restore back: exchanges the trees again and starts what was running.
package struct Undo: Sendable {
    /// What an undoing would do, and did.
    package struct Report: Sendable, Encodable {
        /// The snapshot whose restore is taken back.
        package var snapshot: String
        /// The paths that are exchanged.
        package var paths: [String]
        /// The components that are started again.
        package var started: [String]
    }

    private let system: DeliverySystem
    private let store: SnapshotStore

    /// An undoing in a system and its store.
    package init(_ system: DeliverySystem, store: SnapshotStore) {
        self.system = system
        self.store = store
    }

    /// Says what would be done.
    ///
    /// Throws a ``RestoreFailure`` when there is nothing that can be taken back.
    package func plan() throws -> Report {
        let journal = try lastRestore()
        return Report(snapshot: journal.snapshot, paths: journal.places.map(\.live), started: journal.running)
    }

    /// Takes the last restore back.
    package func run(holding lock: WriterLock, progress: @Sendable (String) -> Void) async throws -> Report {
        var journal = try lastRestore()
        let components = Set(journal.places.map(\.component))
        for (component, driver) in system.components.reversed() where components.contains(component.name) {
            guard let lifecycle = driver.lifecycle, try await lifecycle.isRunning() else { continue }
            progress("stopping \(component.name)")
            try await lifecycle.stop()
        }
        journal.phase = .exchanging
        try journal.write(store.localDirectory)
        progress("exchanging")
        for place in journal.places.reversed() { try Journal.exchange(place, restored: false) }
        journal.phase = .undone
        try journal.write(store.localDirectory)
        for (component, driver) in system.components where journal.running.contains(component.name) {
            guard let lifecycle = driver.lifecycle else { continue }
            progress("starting \(component.name)")
            try await lifecycle.start()
            try await lifecycle.waitUntilReady(limit: .seconds(180))
        }
        try journal.removeStaging()
        return Report(snapshot: journal.snapshot, paths: journal.places.map(\.live), started: journal.running)
    }

    private func lastRestore() throws -> Journal {
        guard let journal = try Journal.read(store.localDirectory), journal.phase == .done else {
            throw RestoreFailure(
                .refused, "there is no restore that can be taken back",
                hint: "'understudy snapshots' lists the states that can be restored")
        }
        for place in journal.places where try !Journal.isExchanged(place) {
            throw RestoreFailure(
                .refused, "\(place.live) is not the tree that the restore of \(journal.snapshot) put there",
                hint: "somebody replaced it since; restore the snapshot of before instead")
        }
        return journal
    }
}
