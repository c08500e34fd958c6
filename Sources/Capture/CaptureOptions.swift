package import SnapshotModel

/// What is captured differently than the drivers' own tables say.
package struct CaptureOptions: Sendable {
    /// Rows that come before the drivers' own, by component.
    package var rules: [String: [Classification.Rule]]
    /// Classes that are left out.
    package var leftOut: Set<EntryClass>
    /// Whether a snapshot is refused when a file holds what looks like a secret and its class is none.
    package var refusesLeaks: Bool
    /// Contents that only look like secrets, by component, root and path (`home/config.xml`): their SHA-256.
    package var allowedInClear: [String: [String: Set<[UInt8]>]]

    /// Nothing different.
    package init(
        rules: [String: [Classification.Rule]] = [:], leftOut: Set<EntryClass> = [],
        refusesLeaks: Bool = false,
        allowedInClear: [String: [String: Set<[UInt8]>]] = [:]
    ) {
        self.rules = rules
        self.leftOut = leftOut
        self.refusesLeaks = refusesLeaks
        self.allowedInClear = allowedInClear
    }
}
