internal import Clibgit2

/// A failure of the git repository.
package struct GitError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong, in terms that a caller can act on; a struct, so that adding one breaks no caller.
    package struct Code: Hashable, Sendable {
        let rawValue: Int32

        /// No such object, reference or repository.
        package static let notFound = Code(rawValue: GIT_ENOTFOUND.rawValue)
        /// It is there already.
        package static let exists = Code(rawValue: GIT_EEXISTS.rawValue)
        /// Somebody else moved the reference.
        package static let modified = Code(rawValue: GIT_EMODIFIED.rawValue)
        /// Another process holds a lock of git.
        package static let locked = Code(rawValue: GIT_ELOCKED.rawValue)
        /// Git takes no such name.
        package static let invalid = Code(rawValue: GIT_EINVALIDSPEC.rawValue)
        /// An object, pack or index is not what its name or checksum says.
        package static let damaged = Code(rawValue: -1000)
        /// The system refused a read or a write.
        package static let system = Code(rawValue: -1001)
    }

    /// What went wrong.
    package var code: Code
    /// What was being done, and to what.
    package var operation: String
    /// Why it failed.
    package var reason: String

    /// A failure.
    package init(_ code: Code, _ operation: String, _ reason: String) {
        self.code = code
        self.operation = operation
        self.reason = reason
    }

    /// Whether what was to be read is lost: missing, or not what its name or checksum says.
    package var isLoss: Bool { code == .notFound || code == .damaged }

    /// One line: what failed and why.
    package var description: String { "cannot \(operation): \(reason)" }
}

/// Runs one libgit2 call and turns a negative status into a ``GitError``.
///
/// The message belongs to the thread, so it is read here, before anything can suspend.
@inline(__always)
func check(_ status: Int32, _ operation: @autoclosure () -> String) throws(GitError) {
    guard status < 0 else { return }
    throw lastError(status, operation())
}

@inline(never)
private func lastError(_ status: Int32, _ operation: String) -> GitError {
    defer { unsafe libgit2.git_error_clear() }
    // libgit2 may fail without leaving words.
    let words = unsafe libgit2.git_error_last().map { unsafe String(cString: $0.pointee.message) }
    return GitError(
        .init(rawValue: status), operation, words ?? "libgit2 gave status \(status) and no reason")
}
