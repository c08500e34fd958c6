internal import Cryptography
internal import FileTree
package import Git
package import Sealing
package import SnapshotModel
internal import SystemPackage

extension SnapshotStore {
    /// The key under which this store seals; it lies beside the objects, and is no part of what git hands on.
    private var sealingKeyFile: FilePath { localDirectory.appending("sealing-key") }

    /// The store's sealing key on this host, nil when it has none yet.
    package func localSealingKey() throws -> SealingKey? {
        guard let text = try Files.readIfPresent(sealingKeyFile, limit: 1 << 10) else { return nil }
        guard let key = SealingKey(text: text) else {
            throw StoreFailure(
                .damaged, "\(sealingKeyFile) is not a sealing key",
                hint: "remove it: the next snapshot makes another, and seals everything anew")
        }
        return key
    }

    /// Keeps a sealing key on this host, durably.
    package func keep(_ key: SealingKey, holding lock: WriterLock) throws {
        try Files.replace(sealingKeyFile, with: key.text, mode: 0o600)
    }

    /// What seals as a component of a snapshot was sealed, nil when nothing of it is.
    ///
    /// The key is that of the snapshot, which one of the identities opens; without identities that of this host, if it is
    /// the same. Throws a ``SealingFailure`` with code `noKeyFits` when there is no such key.
    package func sealer(
        of component: CapturedComponent, in tree: ObjectID, identities: [Identity]?, with reader: ObjectReader
    ) throws -> Sealer? {
        guard let sealing = component.sealing else { return nil }
        let recipients = sealing.recipients.compactMap { Recipient($0) }
        guard !recipients.isEmpty, recipients.count == sealing.recipients.count else {
            throw damaged(component, "it names recipients that are none")
        }
        guard let identities else {
            guard let key = try localSealingKey(), key.id == sealing.key else {
                throw SealingFailure(
                    .noKeyFits,
                    "the key under which '\(component.name)' was sealed is not on this host, so its secrets cannot be compared",
                    hint: "give the recovery key: --identity FILE")
            }
            return Sealer(key, recipients: recipients)
        }
        guard let entry = try reader.entry(CapturedComponent.Sealing.keyName, of: tree) else {
            throw damaged(component, "the snapshot does not hold it")
        }
        let sealed = try reader.contents(entry.id, .blob, limit: Self.longestText)
        guard hex(SHA256.digest(sealed)) == sealing.keyDigest else {
            throw damaged(component, "its SHA-256 is not the one in snapshot.json")
        }
        let text: [UInt8]
        do {
            text = try AgeReader(identities: identities).open(sealed)
        } catch let error as SealingFailure where error.code == .noKeyFits {
            throw SealingFailure(
                .noKeyFits, "none of the identities given opens '\(component.name)' of this snapshot",
                hint:
                    "it is sealed to \(sealing.recipients.joined(separator: ", ")): give the identity of one of them"
            )
        }
        guard let key = SealingKey(text: text), key.id == sealing.key else {
            throw damaged(component, "it is another key than snapshot.json says")
        }
        return Sealer(key, recipients: recipients)
    }

    private func damaged(_ component: CapturedComponent, _ reason: String) -> StoreFailure {
        StoreFailure(
            .damaged, "the sealing key of '\(component.name)' is damaged: \(reason)",
            hint: "'understudy verify --all' says what else is; restore another snapshot")
    }
}

extension ReaderLane {
    /// Opens a sealed file and hands its contents to `body`, piece by piece; each piece of what is sealed goes to `sealed`
    /// before.
    ///
    /// A large file is a run of age files, one for each chunk. Throws a ``SealingFailure`` for what cannot be opened.
    @unsafe package func open(
        _ contents: StoredRoot.Contents, with identities: [Identity],
        sealed: (UnsafeRawBufferPointer) -> Void,
        _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        precondition(contents.isSealed, "what is in clear is not opened")
        for blob in try blobs(of: contents) {
            let file = AgeReader(identities: identities)
            try unsafe read(blob, .blob, checks: false) { bytes in
                unsafe sealed(bytes)
                try unsafe file.update(bytes, body)
            }
            try unsafe file.finish(body)
        }
    }

    /// The whole contents of a file, in clear or sealed; for files of which it is known that they are not large.
    package func contents(of contents: StoredRoot.Contents, opening identities: [Identity]) throws -> [UInt8]
    {
        guard contents.isSealed else { return try self.contents(of: contents) }
        var bytes: [UInt8] = []
        try unsafe open(contents, with: identities, sealed: { _ in }) { unsafe bytes.append(contentsOf: $0) }
        return bytes
    }
}
