package import SystemPackage

/// Why an archive could not be read or written.
package struct ArchiveError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    package enum Kind: Hashable, Sendable {
        /// The file could not be opened, read or written.
        case inaccessible
        /// The file is no archive of the kind that was expected, or is cut off before its central directory.
        case notAnArchive
        /// The archive is damaged: sizes, checksums or structure do not fit together.
        case damaged
        /// What was asked for holds more bytes than the caller allows.
        case tooLarge
        /// The contents do not fit into a zip archive of the plain kind, a name is not one, or a member is none that is taken.
        case unsupported
    }

    /// What kind of failure it is.
    package var kind: Kind
    /// The archive.
    package var path: FilePath
    /// What failed and why, in one line.
    package var reason: String

    /// A failure.
    package init(_ kind: Kind, _ path: FilePath, _ reason: String) {
        self.kind = kind
        self.path = path
        self.reason = reason
    }

    /// One line: which archive, and why.
    package var description: String {
        let name = path.string.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "?" : String($0) }
        return "\(name.joined()): \(reason)"
    }
}
