/// A canary or a promotion could not be done; nothing of production was exchanged.
package struct CanaryFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure, for the exit status.
    package enum Code: Sendable {
        /// The experiment broke.
        case failed
        /// It was refused: drift, expiry, policy, a change that cannot be made. A promotion may have stopped production, and has
        /// started it again.
        case refused
    }

    /// What kind of failure.
    package var code: Code
    /// What failed, on which item, and why.
    package var description: String
    /// What to do.
    package var hint: String

    /// A failure.
    package init(_ code: Code, _ description: String, hint: String) {
        self.code = code
        self.description = description
        self.hint = hint
    }
}
