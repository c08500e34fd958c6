internal import Archive
internal import Cryptography
internal import FileTree
internal import Git
internal import Programs
package import SnapshotModel
package import SystemPackage

extension StoreFile {
    /// What a file says of itself at its beginning; nothing of it is checked yet.
    package struct Head: Sendable {
        /// The system.
        package var system: String
        /// The text of its system file.
        package var text: [UInt8]
    }

    /// The beginning of a file.
    ///
    /// Throws an `ArchiveError` for what is no such file.
    package static func head(of path: FilePath) throws -> Head {
        var reader = try TarReader.open(path)
        guard let top = try reader.next(), let file = try reader.next(),
            let system = system(top), file.name == "\(top.name)/\(systemFile)"
        else { throw foreign(path, "it does not begin with a system file") }
        return Head(system: system, text: try reader.contents(file, limit: 1 << 20))
    }

    /// Brings everything that a file holds into a store of the same system.
    ///
    /// Each member is compared with its checksum and every object with its id, and everything that a snapshot needs must be
    /// there, before the first reference moves. No configuration and no index of the file is used. Throws a ``StoreFailure``
    /// with code `refused` when a snapshot is here already and is another, or when history there is no part of ours.
    package static func read(
        _ path: FilePath, into store: SnapshotStore, of system: String, holding lock: WriterLock,
        progress: @Sendable (String) -> Void
    ) async throws -> [SnapshotID] {
        let scratch = try Scratch(in: store.localDirectory)
        defer { withExtendedLifetime(scratch) {} }
        progress("reading \(path)")
        let names = try unpack(path, system, to: scratch.path)
        progress("checking every object")
        for name in try Files.names(scratch.path) {
            let outcome = try await SourceTransfer.git(
                ["index-pack", scratch.path.appending(String(decoding: name, as: UTF8.self)).string], [],
                in: SourceTransfer.nowhere(scratch.path), alternates: []
            ).run()
            guard outcome.status == 0 else {
                if ProgramFailure.saysDiskIsFull(outcome.errorOutput) {
                    throw ProgramFailure("git index-pack in \(scratch.path): \(outcome.errorOutput)")
                }
                throw damaged(path, "holds objects that are not what their names say", outcome)
            }
        }
        try Files.syncFileSystem(scratch.path)
        try await SourceTransfer.install(
            from: scratch.path, in: store.path.appending("objects").appending("pack"))
        let missing = try await SourceTransfer.git(
            ["rev-list", "--objects", "--quiet", "--stdin"], names.map(\.target.description), in: store.path,
            alternates: []
        ).run()
        guard missing.status == 0 else {
            throw damaged(path, "lacks objects that its snapshots need", missing)
        }
        return try move(names, path, store, system)
    }

    // MARK: -

    private static let textLimit = 1 << 24

    private static func system(_ top: TarReader.Member) -> String? {
        guard top.isDirectory, top.name.hasSuffix(".git"), !top.name.contains("/") else { return nil }
        let system = String(top.name.dropLast(4))
        return system.isEmpty || system.hasPrefix("-") || system.hasPrefix(".") ? nil : system
    }

    /// Puts the packs into a directory and returns the references.
    private static func unpack(
        _ path: FilePath, _ system: String, to directory: FilePath
    ) throws -> [Reference] {
        var reader = try TarReader.open(path)
        guard let top = try reader.next(), Self.system(top) == system else {
            throw foreign(path, "it is not of the system '\(system)'")
        }
        var digests: [String: String] = [:]
        var references: [UInt8]?
        var sums: [UInt8]?
        while let member = try reader.next() {
            guard sums == nil else { throw foreign(path, "something follows \(Self.sums)") }
            guard member.name.hasPrefix("\(top.name)/") else {
                throw foreign(path, "'\(member.name)' is in it")
            }
            let name = String(member.name.dropFirst(top.name.count + 1))
            if member.isDirectory {
                guard directories.contains(name) else { throw foreign(path, "'\(name)' is in it") }
                continue
            }
            if name == Self.sums {
                sums = try reader.contents(member, limit: textLimit)
                continue
            }
            var hash = SHA256()
            if let pack = packName(name) {
                guard try member.size < Files.freeSpace(directory) - 1 << 24 else {
                    throw ArchiveError(
                        .tooLarge, path, "there is no room for '\(name)', which has \(member.size) bytes")
                }
                // An index is made anew; what the file has for one is only compared with its checksum.
                let isKept = pack.hasSuffix(".pack")
                let file = isKept ? try OpenDirectory(directory).createFile(Array(pack.utf8)) : nil
                try unsafe reader.read(member) { bytes in
                    unsafe hash.update(bytes)
                    try unsafe file?.write(bytes)
                }
            } else {
                guard ["HEAD", "config", Self.references, systemFile].contains(name) else {
                    throw foreign(path, "'\(name)' is in it")
                }
                let contents = try reader.contents(member, limit: textLimit)
                hash.update(contents)
                if name == Self.references { references = contents }
            }
            digests[name] = hex(hash.finish())
        }
        guard let sums, let references else {
            throw ArchiveError(.damaged, path, "it is cut off: its end, \(Self.sums), is missing")
        }
        let expected = digests.map { "\($0.value)  \($0.key)" }.sorted()
        let listed = String(decoding: sums, as: UTF8.self).split(separator: "\n").map(String.init).sorted()
        guard listed == expected else {
            let odd = Set(listed).symmetricDifference(expected).sorted().first ?? ""
            throw ArchiveError(
                .damaged, path,
                "what is in it is not what \(Self.sums) says: \(printable(odd.utf8.dropFirst(66)))")
        }
        return try Self.references(references, path, system)
    }

    private static func packName(_ name: String) -> String? {
        guard name.hasPrefix("objects/pack/pack-") else { return nil }
        let file = name.dropFirst("objects/pack/".count)
        guard file.hasSuffix(".pack") || file.hasSuffix(".idx") else { return nil }
        let digits = file.dropFirst(5).prefix { $0 != "." }
        return digits.count == 40
            && digits.utf8.allSatisfy {
                ("0"..."9").contains(UnicodeScalar($0)) || ("a"..."f").contains(UnicodeScalar($0))
            }
            && file.utf8.count == 45 + (file.hasSuffix(".pack") ? 5 : 4) ? String(file) : nil
    }

    private static func references(
        _ text: [UInt8], _ path: FilePath, _ system: String
    ) throws -> [Reference] {
        try String(decoding: text, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
            line in
            let words = line.split(separator: " ", maxSplits: 1)
            let prefix = "refs/snapshots/\(system)/"
            guard words.count == 2, let id = ObjectID(hex: words[0].utf8),
                words[1] == "refs/heads/\(system)"
                    || words[1].hasPrefix(prefix)
                        && SnapshotID(String(words[1].dropFirst(prefix.count))) != nil
            else { throw foreign(path, "it has the reference '\(line)'") }
            return Reference(name: String(words[1]), target: id)
        }
    }

    /// Moves the references: history first, and only forward; snapshots only where there is none of the name.
    private static func move(
        _ names: [Reference], _ path: FilePath, _ store: SnapshotStore, _ system: String
    ) throws -> [SnapshotID] {
        let prefix = "refs/snapshots/\(system)/"
        let snapshots = names.filter { $0.name.hasPrefix(prefix) }.sorted { $0.name < $1.name }
        for snapshot in snapshots {
            if let own = try store.reference(snapshot.name), own != snapshot.target {
                throw StoreFailure(
                    .refused, "\(snapshot.name) is \(own) here and \(snapshot.target) in \(path)",
                    hint: "somebody changed one of them: import into a directory of its own, and compare")
            }
        }
        if let history = names.first(where: { !$0.name.hasPrefix(prefix) }) {
            let own = try store.reference(history.name)
            let isOurs = try store.chain(own, holds: history.target)
            let isNewer = try own.map { try store.chain(history.target, holds: $0) } ?? true
            guard isOurs || isNewer else {
                throw StoreFailure(
                    .refused, "the history in \(path) is no part of that in \(store.path)",
                    hint: "import it into a directory of its own")
            }
            if !isOurs { try store.setReference(history.name, to: history.target, expecting: own) }
        }
        let held = snapshots.compactMap { snapshot in
            SnapshotID(String(snapshot.name.dropFirst(prefix.count))).map {
                SnapshotReference(id: $0, commit: snapshot.target)
            }
        }
        try store.keepAbsent(before: held, of: system)
        var brought: [SnapshotID] = []
        for snapshot in held {
            let name = "\(prefix)\(snapshot.id)"
            guard try store.reference(name) == nil else { continue }
            try store.setReference(name, to: snapshot.commit, expecting: nil)
            brought.append(snapshot.id)
        }
        // Those too that an import brought which was cut before it could say so.
        try store.forgetAbsent(held.map(\.id))
        return brought
    }

    private static func damaged(
        _ path: FilePath, _ reason: String, _ outcome: Program.Outcome
    ) -> StoreFailure {
        StoreFailure(
            .damaged, "\(path) \(reason): \(printable(outcome.errorOutput.utf8.prefix(200)))",
            hint: "export it again; 'sha256sum' compares it with what 'understudy export' printed")
    }

    private static func foreign(_ path: FilePath, _ reason: String) -> ArchiveError {
        ArchiveError(
            .unsupported, path, "it is not a store that 'understudy export' wrote: \(printable(reason.utf8))")
    }
}
