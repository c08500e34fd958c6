/// Something could not be sealed, or not be opened.
package struct SealingFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong, in terms that decide the exit status.
    package enum Code: Hashable, Sendable {
        /// There is no identity to open with, or none that fits.
        case noKeyFits
        /// What should be opened was changed, cut off, or is no age file.
        case damaged
        /// A key, or a file of keys, is not spelled as one.
        case malformed
    }

    /// What went wrong.
    package var code: Code
    /// What failed, and why; never anything of what is secret.
    package var description: String
    /// What to do.
    package var hint: String

    /// A failure.
    package init(_ code: Code, _ description: String, hint: String) {
        self.code = code
        self.description = description
        self.hint = hint
    }

    static func damaged(_ reason: String) -> SealingFailure {
        SealingFailure(
            .damaged, "the age file is damaged: \(reason)",
            hint: "'understudy verify --all' says what is whole; use another copy of it")
    }
}
