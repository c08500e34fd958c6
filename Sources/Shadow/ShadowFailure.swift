/// A shadow could not be had, or could not be trusted.
package struct ShadowFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What failed, on which program or place, and why.
    package var description: String
    /// What to do.
    package var hint: String

    /// A failure.
    package init(_ description: String, hint: String) {
        self.description = description
        self.hint = hint
    }
}
