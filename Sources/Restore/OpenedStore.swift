package import Capture
package import Git
package import GitStore
package import Sealing

/// A store as a reader has it, with the system that its snapshots are of and what opens them: where restores, shadows and
/// proposed changes come from.
package struct OpenedStore: Sendable {
    /// The system as it is described now.
    package var system: DeliverySystem
    /// The store.
    package var store: SnapshotStore
    /// Reads its objects.
    package var reader: ObjectReader
    /// What opens what is sealed; nil when nobody gave anything.
    package var identities: [Identity]?

    /// A store that is open.
    package init(
        _ system: DeliverySystem, store: SnapshotStore, reader: ObjectReader, identities: [Identity]?
    ) {
        self.system = system
        self.store = store
        self.reader = reader
        self.identities = identities
    }

    /// What compares its snapshots with what is there now.
    var capture: SystemCapture { SystemCapture(system, store: store, identities: identities) }
}
