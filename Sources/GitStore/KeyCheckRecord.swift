internal import FileTree
internal import FoundationEssentials
package import SnapshotModel
internal import SystemPackage

/// When a recovery key was last seen to open a snapshot; kept on this host, beside the store.
package struct KeyCheckRecord: Codable, Hashable, Sendable {
    /// The snapshot.
    package var snapshot: SnapshotID
    /// The public halves of the keys that were tried.
    package var recipients: [String]
    /// Seconds since 1970.
    package var time: Int64

    /// A record.
    package init(snapshot: SnapshotID, recipients: [String], time: Int64) {
        self.snapshot = snapshot
        self.recipients = recipients
        self.time = time
    }
}

extension SnapshotStore {
    private var keyCheckFile: FilePath { localDirectory.appending("key-check.json") }

    /// The last check of a recovery key, nil when there was none.
    package func keyCheck() throws -> KeyCheckRecord? {
        guard let bytes = try Files.readIfPresent(keyCheckFile, limit: 1 << 16) else { return nil }
        do {
            return try JSONDecoder().decode(KeyCheckRecord.self, from: Data(bytes))
        } catch {
            throw StoreFailure(
                .damaged, "\(keyCheckFile) cannot be read: \(error)",
                hint: "remove it and run 'understudy key check' again")
        }
    }

    /// Keeps a check.
    package func keepKeyCheck(_ record: KeyCheckRecord) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try Files.makeDirectories(localDirectory, mode: 0o700)
        try Files.replace(keyCheckFile, with: Array(try encoder.encode(record)), mode: 0o600)
    }
}
