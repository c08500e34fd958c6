/// A canary, or what follows from it, could not be done; nothing of production was touched.
package struct CanaryFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure, for the exit status.
    package enum Code: Sendable {
        /// The experiment broke.
        case failed
        /// It was refused: drift, expiry, policy, a change that cannot be made.
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
