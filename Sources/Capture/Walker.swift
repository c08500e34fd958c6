internal import FileTree
internal import Git
internal import SnapshotModel
internal import SystemPackage

/// By what files are read: the same for all threads of a walk.
struct ReadingRules: Sendable {
    let sink: any ObjectSink
    /// Classes whose contents are needed again before the sink can be read.
    let keeps: Set<EntryClass>
    /// What was just written by ourselves and need not be read; nil in a snapshot.
    let written: WrittenFiles?
    /// What may stay in clear although it looks like a secret, by path.
    let allowedInClear: [[UInt8]: Set<[UInt8]>]
    /// What changed after this may change again without its times showing it.
    let settledBefore: (seconds: Int64, nanoseconds: Int64)

    /// What may stay in clear in one file.
    func allowed(_ name: [UInt8], in node: DirectoryNode) -> Set<[UInt8]> {
        allowedInClear.isEmpty ? [] : allowedInClear[node.path(of: name)] ?? []
    }
}

/// One thread of a walk: what it has at hand, and what it makes of names.
final class Walker {
    let reader: FileReader
    let manifest: ManifestWriter.Lane
    let names = NameList()
    var path = ZeroTerminatedPath()
    /// What is being listed; it keeps its room.
    var table = EntryTable()
    var found = CapturedTree.Found()
    /// What this thread goes on with itself while no other is idle.
    var own: [RootCapture.Work] = []
    private let rules: ReadingRules

    init(_ reader: FileReader, _ manifest: ManifestWriter.Lane, _ rules: ReadingRules) {
        self.reader = reader
        self.manifest = manifest
        self.rules = rules
    }

    /// What stands for a name without reading it; nil for a file that must be read, and for what is not captured.
    func item(
        _ name: [UInt8], _ status: FileStatus, _ entryClass: EntryClass, in node: DirectoryNode,
        _ directory: OpenDirectory
    ) throws(FileFailure) -> (record: EntryRecord, extra: EntryExtra)? {
        var extra = EntryExtra()
        switch status.kind {
        case .directory:
            preconditionFailure("directories are not items")
        case .link:
            var record = EntryRecord(status, .link, entryClass)
            extra.target = try directory.linkTarget(name)
            record.id = try reader.add(.blob, extra.target)
            record.settle(before: rules.settledBefore)
            return (record, extra)
        case .socket, .fifo, .device:
            let path = EntryPath(node.path(of: name)).description
            found.notCaptured.append(.init(path: path, reason: "a \(status.kind)"))
            return nil
        case .file:
            guard !rules.keeps.contains(entryClass), let file = rules.written?.find(status) else {
                return nil
            }
            var record = EntryRecord(status, .file, entryClass)
            record.id = file.id
            record.digest = file.digest
            record.flags = file.flags
            extra.attributes = file.attributes
            extra.sealedDigest = file.sealedDigest
            return (record, extra)
        }
    }

    /// What stands for a file that is read from a frozen copy.
    func frozen(
        _ copy: FilePath, _ name: [UInt8], _ status: FileStatus, _ directory: OpenDirectory
    ) throws(FileFailure) -> (record: EntryRecord, extra: EntryExtra) {
        reader.keepsContents = false
        let contents = try reader.read(OpenFile(copy), .database).contents
        var extra = EntryExtra()
        extra.attributes = try directory.file(name).attributes().map {
            Entry.Attribute(name: $0.name, value: $0.value)
        }
        var record = EntryRecord(status, .file, .database)
        record.set(contents)
        record.flags.insert(.isFrozen)
        extra.sealedDigest = contents.sealedDigest
        return (record, extra)
    }

    /// Reads files of a directory, and puts what they became into its table.
    func read(_ files: ArraySlice<UnreadFile>, in directory: OpenDirectory, of node: DirectoryNode) throws {
        var read: [ReadFile] = []
        for file in files {
            do throws(FileFailure) {
                read.append(try self.read(file, in: directory, of: node))
            } catch {
                read.append(ReadFile(index: file.index, record: nil))
                note(error, at: file.name, in: node)
            }
            if let failure = reader.sinkFailure { throw failure }
        }
        lookAtDatabases(of: files, in: directory, of: node)
        node.set(read)
    }

    /// Notes databases that changed since they were listed, when they or their logs were read: with a log that was read before
    /// or after, such a one may be of no one moment.
    private func lookAtDatabases(
        of files: ArraySlice<UnreadFile>, in directory: OpenDirectory, of node: DirectoryNode
    ) {
        for (name, listed) in node.databases where files.contains(where: { $0.name.starts(with: name) }) {
            // What cannot be looked at any more has changed.
            let now = try? directory.statusIfThere(name)
            if let now, listed.hasTimes(of: EntryRecord(now)) { continue }
            found.torn.append(EntryPath(node.path(of: name)))
            found.moving.append(EntryPath(node.path))
        }
    }

    private func read(
        _ file: UnreadFile, in directory: OpenDirectory, of node: DirectoryNode
    ) throws(FileFailure) -> ReadFile {
        reader.keepsContents = rules.keeps.contains(file.entryClass)
        let result = try reader.read(
            try directory.file(file.name), file.entryClass, seen: file.status,
            allowed: rules.allowed(file.name, in: node))
        var record = EntryRecord(result.status, .file, file.entryClass)
        record.set(result.contents)
        var extra = EntryExtra()
        extra.attributes = result.attributes
        extra.sealedDigest = result.contents.sealedDigest
        // What the store holds sealed was told when it was sealed first.
        if let leak = result.leak, !rules.sink.holds(record.id) {
            let path = EntryPath(node.path(of: file.name)).description
            found.leaks.append(.init(path: path, reason: leak.words))
        }
        if result.isTorn {
            found.torn.append(EntryPath(node.path(of: file.name)))
        } else {
            record.settle(before: rules.settledBefore)
        }
        return ReadFile(index: file.index, record: record, extra: extra)
    }

    /// Notes what kept a name from being captured.
    func note(_ failure: FileFailure, at name: some Collection<UInt8>, in node: DirectoryNode) {
        if failure.reason == .noSuchFileOrDirectory {
            // It went away after it was listed: the directory moved.
            found.moving.append(EntryPath(node.path))
        } else {
            let path = EntryPath(node.path(of: name)).description
            found.unreadable.append(.init(path: path, reason: "\(failure)"))
        }
    }
}
