package import FileTree
package import SystemPackage

/// The store could not do what was asked of it.
package struct StoreFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong, in terms that decide the exit status.
    package enum Code: Hashable, Sendable {
        /// There is no store at the path.
        case noStore
        /// The store was made by a newer version.
        case newerFormat
        /// Something in the store is not what its name or digest says.
        case damaged
        /// Another process writes to the store.
        case locked
        /// No snapshot, or more than one, fits what was asked for.
        case noSuchSnapshot
        /// Somebody else moved a reference.
        case raced
        /// What was asked for would not be safe.
        case refused
        /// Another repository cannot be reached, or did not do what it was asked.
        case failed
    }

    /// What went wrong.
    package var code: Code
    /// What failed, on which path or item, and why.
    package var description: String
    /// What to do.
    package var hint: String

    /// A failure.
    package init(_ code: Code, _ description: String, hint: String) {
        self.code = code
        self.description = description
        self.hint = hint
    }

    /// That nothing can be written to a store, because its file system is mounted read-only.
    package static func readOnly(_ failure: FileFailure, _ store: FilePath) -> StoreFailure {
        StoreFailure(
            .failed, "the store cannot be written to: \(failure)",
            hint:
                "mount it writable; or restore from it into a store and with a system file of their own: "
                + "'understudy restore --from \(store) --store NEW.git --system NEW.yaml'")
    }
}
