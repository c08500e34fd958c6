package import Git
package import SnapshotModel

/// A snapshot that was taken, or would be.
package struct TakenSnapshot: Sendable {
    /// Its commit, nil when it was only rehearsed.
    package var commit: ObjectID?
    /// What it says of itself.
    package var snapshot: Snapshot
    /// What changed since the last one, in the users' words; empty for the first.
    package var changes: [Change]
    /// How many files of each class differ that ``changes`` does not speak of.
    package var otherFiles: [String: Int]
    /// Whether something could not be read for it or for the last one, so that nobody knows what changed there.
    package var isBlind: Bool
    /// Whether it is the system's first.
    package var isFirst: Bool
    /// Packs and objects of the store that cannot be read, and why: it is whole without them, and earlier ones may not be.
    package var lostPacks: [String] = []
}

/// A snapshot that the policy does not allow; nothing was taken.
package struct CaptureRefusal: Error, Sendable, CustomStringConvertible {
    /// What is refused, and why.
    package var description: String
    /// What to do.
    package var hint: String

    init(_ description: String, hint: String) {
        self.description = description
        self.hint = hint
    }
}
