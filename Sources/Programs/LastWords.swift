internal import Cfiles

/// What is said on standard error when Ctrl-C, SIGTERM or a lost terminal ends this process: it ends as it would without,
/// but not without a word of what it leaves.
package enum LastWords {
    /// Has this said from now on, until something else is to be.
    package static func set(_ words: String, hint: String) {
        unsafe cfiles_say_when_interrupted("\ninterrupted: \(words)\nhint: \(hint)\n")
    }

    /// Has nothing said any more.
    package static func clear() { unsafe cfiles_say_when_interrupted("") }
}
