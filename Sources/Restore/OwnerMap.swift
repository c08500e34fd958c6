internal import FileTree
package import SnapshotModel

/// Who owns restored files: by name where this host knows the name, else by number; ourselves when we may not choose.
package struct OwnerMap: Sendable {
    private let isRoot: Bool
    private let owner: UInt32
    private let group: UInt32
    private let users: [String: UInt32]
    private let groups: [String: UInt32]

    /// The names in the snapshot that this host does not know, of users and of groups; nobody but root asks for them.
    package let unknownUsers: Set<String>
    /// As above, groups.
    package let unknownGroups: Set<String>

    /// The owners of a root's entries on this host, where some are called otherwise.
    package init(_ survey: Manifest.Survey, calling accounts: [String: String] = [:]) {
        (owner, group) = Accounts.ownNumbers
        isRoot = owner == 0
        var users: [String: UInt32] = [:]
        var groups: [String: UInt32] = [:]
        if isRoot {
            for name in survey.users { users[name] = Accounts.userNumber(accounts[name] ?? name) }
            for name in survey.groups { groups[name] = Accounts.groupNumber(accounts[name] ?? name) }
        }
        self.users = users
        self.groups = groups
        unknownUsers = isRoot ? survey.users.filter { !$0.isEmpty && users[$0] == nil } : []
        unknownGroups = isRoot ? survey.groups.filter { !$0.isEmpty && groups[$0] == nil } : []
    }

    func metadata(of entry: Entry) -> FileMetadata {
        let ids = ids(of: entry)
        return FileMetadata(
            owner: ids.owner, group: ids.group, mode: entry.mode,
            attributes: entry.attributes.map { ($0.name, $0.value) },
            modified: (entry.modified.seconds, entry.modified.nanoseconds))
    }

    func ids(of entry: Entry) -> (owner: UInt32, group: UInt32) {
        guard isRoot else { return (owner, group) }
        return (users[entry.ownerName] ?? entry.owner, groups[entry.groupName] ?? entry.group)
    }
}
