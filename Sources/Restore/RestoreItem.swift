internal import SnapshotModel

/// One thing of a system that can be restored by itself: `file:/etc/nginx/nginx.conf`, `repository:sources/tools.git`,
/// `job:folder/deploy`, `plugin:git`, `builder:deploy`.
package struct RestoreItem: Hashable, Sendable, CustomStringConvertible {
    /// What it is.
    package enum Kind: String, CaseIterable, Sendable {
        /// A file, link or directory with all in it, by its path on the host.
        case file
        /// A git repository, by the name that `show` and `diff` give it.
        case repository
        /// A job of a CI tool with its builds, by its full name.
        case job
        /// A plugin of a CI tool: an archive with its marks, or a package of its environment.
        case plugin
        /// A builder of a CI tool whose configuration is a program: the files that define it.
        case builder
    }

    /// What it is.
    package let kind: Kind
    /// Its name.
    package let name: String

    /// The item that `text` names, nil when it names none.
    package init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":"), let kind = Kind(rawValue: String(text[..<colon])) else {
            return nil
        }
        name = String(text[colon...].dropFirst())
        self.kind = kind
        guard !name.isEmpty, kind != .file || name.hasPrefix("/") else { return nil }
    }

    /// As it is given.
    package var description: String { "\(kind.rawValue):\(printable(name.utf8))" }
}
