internal import Capture
internal import Drivers
internal import Git
package import GitStore
internal import Judge
package import Restore
internal import Sealing
internal import SnapshotModel

/// What of a change is sealed where it is kept: the files of a class that is, and those that look as if they held a secret.
package struct ChangeSealing {
    private let sealer: Sealer
    private let classifications: [String: Classification]

    /// The sealing of a component in the snapshot that a change of it is held against; nil when nothing of that is sealed.
    ///
    /// Throws a ``SealingFailure`` when the snapshot's key can neither be opened nor is on this host.
    package init?(
        of component: String, in stored: StoredSnapshot, of origin: OpenedStore
    ) throws {
        guard let captured = stored.snapshot.components.first(where: { $0.name == component }),
            let tree = stored.tree(of: component), let driver = origin.system.driver(of: component),
            let sealer = try origin.store.sealer(
                of: captured, in: tree, identities: origin.identities, with: origin.reader)
        else { return nil }
        self.sealer = sealer
        var classifications: [String: Classification] = [:]
        for place in driver.places() {
            classifications[place.name] = driver.classification(of: place.name).extended(
                by: origin.system.options.rules[component] ?? [])
        }
        self.classifications = classifications
    }

    /// The age file of a file's contents; nil for what is kept as it is.
    func sealed(_ file: ComponentChange.File, _ contents: [UInt8]) throws -> [UInt8]? {
        let entryClass = classifications[file.root]?.entryClass(of: EntryPath(file.path), isDirectory: false)
        let leak = unsafe contents.withUnsafeBytes { unsafe LeakScanner.find($0) }
        return entryClass?.isSealed == true || leak != nil ? try sealer.seal(contents) : nil
    }
}
