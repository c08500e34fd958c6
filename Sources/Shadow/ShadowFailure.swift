/// A shadow could not be had, or could not be trusted.
package struct ShadowFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure, for the exit status.
    package enum Code: Sendable {
        /// It broke.
        case failed
        /// It was refused before anything ran.
        case refused
        /// A program did not end in time.
        case timedOut
    }

    /// What kind of failure.
    package var code: Code
    /// What failed, on which program or place, and why.
    package var description: String
    /// What to do.
    package var hint: String

    /// A failure.
    package init(_ description: String, hint: String, code: Code = .failed) {
        self.code = code
        self.description = description
        self.hint = hint
    }
}
