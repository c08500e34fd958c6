/// One captured path with its metadata and its class: one line of a manifest.
package struct Entry: Hashable, Sendable {
    /// What kind of file it is.
    package enum Kind: Hashable, Sendable {
        /// A directory.
        case directory
        /// A regular file.
        case file
        /// A symbolic link and what it points to.
        case link(target: [UInt8])
    }

    /// A time of the file system.
    package struct Time: Hashable, Comparable, Sendable {
        /// Seconds since 1970, negative before.
        package var seconds: Int64
        /// Nanoseconds, 0 to 999,999,999.
        package var nanoseconds: Int64

        /// A time.
        package init(seconds: Int64, nanoseconds: Int64) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }

        /// Orders by time.
        package static func < (left: Time, right: Time) -> Bool {
            (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
        }
    }

    /// An extended attribute; ACLs are attributes too (`system.posix_acl_access`).
    package struct Attribute: Hashable, Sendable {
        /// The full name, with its namespace.
        package var name: [UInt8]
        /// The value.
        package var value: [UInt8]

        /// An attribute.
        package init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// Where it is, below the component's root.
    package var path: EntryPath
    /// What it is.
    package var kind: Kind
    /// Permission bits with set-user-id, set-group-id and sticky: the low 12 bits of `st_mode`.
    package var mode: UInt16
    /// The owner's number.
    package var owner: UInt32
    /// The group's number.
    package var group: UInt32
    /// The owner's name, empty when the host has none for the number.
    package var ownerName: String
    /// The group's name, empty when the host has none for the number.
    package var groupName: String
    /// When the contents last changed.
    package var modified: Time
    /// Bytes of a regular file, 0 for others.
    package var size: Int64
    /// What names a regular file's contents, empty for others: their SHA-256, or for a sealed file a keyed digest that says
    /// nothing to who has not the store's sealing key.
    package var digest: [UInt8]
    /// SHA-256 of what the store holds of a sealed file, empty for what is in clear.
    package var sealedDigest: [UInt8]
    /// What it is to the people who run the system.
    package var entryClass: EntryClass
    /// The first path, in manifest order, of the file that this one is a hard link to.
    package var hardLink: EntryPath?
    /// Whether the file has holes.
    package var isSparse: Bool
    /// Extended attributes, sorted by name.
    package var attributes: [Attribute]

    /// Whether the store holds the contents sealed.
    package var isSealed: Bool { !sealedDigest.isEmpty }

    /// An entry in clear, without links, holes and attributes.
    package init(
        path: EntryPath, kind: Kind, mode: UInt16, owner: UInt32, group: UInt32, ownerName: String,
        groupName: String, modified: Time, size: Int64, digest: [UInt8], entryClass: EntryClass
    ) {
        self.path = path
        self.kind = kind
        self.mode = mode
        self.owner = owner
        self.group = group
        self.ownerName = ownerName
        self.groupName = groupName
        self.modified = modified
        self.size = size
        self.digest = digest
        sealedDigest = []
        self.entryClass = entryClass
        hardLink = nil
        isSparse = false
        attributes = []
    }
}
