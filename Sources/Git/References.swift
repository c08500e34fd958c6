internal import FileTree
package import SystemPackage

/// A reference and what it points to.
package struct Reference: Hashable, Sendable {
    /// The full name.
    package var name: String
    /// The object.
    package var target: ObjectID

    /// A reference.
    package init(name: String, target: ObjectID) {
        self.name = name
        self.target = target
    }
}

/// The references of a repository, in git's own files: one file for each, and `packed-refs`, which stock git makes.
///
/// Every command begins with them and a snapshot ends with one; libgit2 would read all certificates of the system first. The
/// files are as gitrepository-layout(5) and git-pack-refs(1) describe them.
package struct References: Sendable {
    private let repository: FilePath
    private var packedPath: FilePath { repository.appending("packed-refs") }

    /// The references of the repository at `path`.
    package init(_ path: FilePath) {
        repository = path
    }

    // MARK: - Reading

    /// What a reference points to, nil when there is none of that name; a symbolic one is followed.
    package func target(of name: String) throws -> ObjectID? {
        var name = name
        // As many as git follows.
        for _ in 0..<5 {
            // The file first: who packs references writes the packed ones before he removes it.
            switch try contents(of: name) {
            case nil: return try packed()[name]
            case .target(let id): return id
            case .symbolic(let other): name = other
            }
        }
        throw GitError(.damaged, "look up \(name)", "it points to itself, through others")
    }

    /// The references whose names begin with `prefix`, sorted by name.
    package func list(_ prefix: String) throws -> [Reference] {
        var targets: [String: ObjectID] = [:]
        let directory = prefix.lastIndex(of: "/").map { String(prefix[..<$0]) } ?? prefix
        try collect(directory, prefix, into: &targets) { name in
            throw GitError(.damaged, "read the reference \(name)", "it points to another reference")
        }
        for (name, target) in try packed() where name.hasPrefix(prefix) && targets[name] == nil {
            targets[name] = target
        }
        return targets.map { Reference(name: $0.key, target: $0.value) }.sorted { $0.name < $1.name }
    }

    /// Every reference of any kind, and HEAD where it names no branch: what all that must live on hangs on.
    ///
    /// Symbolic references are passed over: what they point to is a reference itself. Throws for one that cannot be read.
    package func tips() throws -> [Reference] {
        var targets: [String: ObjectID] = [:]
        // The files first, as for one reference: what is packed meanwhile is found in `packed-refs`.
        try collect("refs", "refs/", into: &targets) { _ in }
        targets.merge(try packed()) { loose, _ in loose }
        targets["HEAD"] = try target(of: "HEAD")
        return targets.map { Reference(name: $0.key, target: $0.value) }
    }

    /// The names right in a directory of references, some twice, those of directories in it among them.
    ///
    /// No reference is read, so that it takes little where there are many.
    package func names(in directory: String) throws -> [String] {
        let prefix = directory + "/"
        let path = repository.appending(directory)
        // The files first, as for one reference: what is packed meanwhile is found in `packed-refs`.
        let loose =
            try Files.isDirectory(path)
            ? Files.names(path).filter(Self.isName).map { String(decoding: $0, as: UTF8.self) } : []
        return loose
            + (try packed().keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) })
    }

    /// Whether git takes a file of this name for a reference: no lock, and nothing that begins with a dot, such as what NFS keeps of
    /// removed files (`loose_fill_ref_dir` in git's `refs/files-backend.c`).
    private static func isName(_ bytes: [UInt8]) -> Bool {
        bytes.first != UInt8(ascii: ".") && !bytes.suffix(5).elementsEqual(".lock".utf8)
    }

    private func collect(
        _ directory: String, _ prefix: String, into targets: inout [String: ObjectID],
        symbolic: (String) throws -> Void
    ) throws {
        let path = repository.appending(directory)
        guard try Files.isDirectory(path) else { return }
        for bytes in try Files.names(path) where Self.isName(bytes) {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw GitError(.damaged, "list the references of \(directory)", "a name there is no UTF-8")
            }
            let name = "\(directory)/\(text)"
            if try Files.status(repository.appending(name))?.kind == .directory {
                try collect(name, prefix, into: &targets, symbolic: symbolic)
            } else if name.hasPrefix(prefix), let contents = try contents(of: name) {
                switch contents {
                case .target(let id): targets[name] = id
                case .symbolic: try symbolic(name)
                }
            }
        }
    }

    private enum Contents {
        case target(ObjectID)
        case symbolic(String)
    }

    /// What the file of a reference says, nil when it has none.
    private func contents(of name: String) throws -> Contents? {
        let path = repository.appending(name)
        guard let status = try Files.status(path), status.kind != .directory,
            let bytes = try Files.readIfPresent(path, limit: 1 << 16)
        else { return nil }
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") }
        if line.starts(with: "ref:".utf8) {
            return .symbolic(
                String(decoding: line.dropFirst(4).drop { $0 == UInt8(ascii: " ") }, as: UTF8.self))
        }
        guard let id = ObjectID(hex: line.prefix(40)), line.count == 40 else {
            throw GitError(.damaged, "read the reference \(name)", "\(path) holds no object id")
        }
        return .target(id)
    }

    /// The references of `packed-refs`.
    private func packed() throws -> [String: ObjectID] {
        guard let bytes = try Files.readIfPresent(packedPath) else { return [:] }
        var targets: [String: ObjectID] = [:]
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            // The header, and what an annotated tag points to.
            if line.first == UInt8(ascii: "#") || line.first == UInt8(ascii: "^") { continue }
            guard let id = ObjectID(hex: line.prefix(40)), line.count > 41 else {
                throw GitError(.damaged, "read \(packedPath)", "a line in it is no reference")
            }
            targets[String(decoding: line.dropFirst(41), as: UTF8.self)] = id
        }
        return targets
    }

    // MARK: - Writing

    /// Points a reference at an object, if it still points at `expected` (nil: if it is not there), durably.
    ///
    /// Throws `exists` or `modified` when somebody else was faster, `locked` while another process holds git's own lock of it.
    package func set(_ name: String, to target: ObjectID, expecting expected: ObjectID?) throws {
        guard Self.isValid(name) else {
            throw GitError(.invalid, "set the reference '\(name)'", "git takes no such name")
        }
        let path = repository.appending(name)
        let lock = repository.appending(name + ".lock")
        try Files.makeDirectoriesDurably(path.removingLastComponent())
        do throws(FileFailure) {
            try Files.createDurably(lock, Array("\(target)\n".utf8), mode: 0o644)
        } catch {
            guard error.reason == .fileExists else {
                // It is ours, and holds half a name or none.
                try? Files.remove(lock)
                throw error
            }
            throw GitError(
                .locked, "set \(name)", "another git process holds \(lock), or was killed while it did")
        }
        do {
            try check(name, expected)
            try Files.rename(lock, to: path)
        } catch {
            // The first failure is the one to tell.
            try? Files.remove(lock)
            throw error
        }
        try Files.syncDirectory(path.removingLastComponent())
    }

    /// Throws when a reference is not what it was expected to be; the caller holds its lock.
    private func check(_ name: String, _ expected: ObjectID?) throws {
        let current = try target(of: name)
        guard current == expected else {
            throw GitError(
                expected == nil ? .exists : .modified, "set \(name)",
                "it points to \(current.map(\.description) ?? "nothing")")
        }
        if current == nil { try makeRoom(for: name) }
    }

    /// Makes room for a reference that is new: a directory of its name, which the last one below it left, goes.
    ///
    /// Throws when a packed reference is named like a directory of `name`, or lies below it: no file would say so.
    private func makeRoom(for name: String) throws {
        let path = repository.appending(name)
        if try Files.status(path)?.kind == .directory { try Files.removeDirectoryIfEmpty(path) }
        let packed = try packed()
        guard !packed.isEmpty else { return }
        let other = packed.keys.first { $0.hasPrefix(name + "/") || name.hasPrefix($0 + "/") }
        guard let other else { return }
        throw GitError(.exists, "set \(name)", "\(other) is in its way")
    }

    /// Whether git takes a name, by git-check-ref-format(1).
    static func isValid(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count > 1, parts[0].elementsEqual("refs".utf8), name.utf8.last != UInt8(ascii: ".") else {
            return false
        }
        let refused = Set(" ~^:?*[\\\u{7f}".utf8)
        guard !name.utf8.contains(where: { $0 < 0x20 || refused.contains($0) }) else { return false }
        guard !name.contains(".."), !name.contains("@{") else { return false }
        return parts.allSatisfy { part in
            !part.isEmpty && part.first != UInt8(ascii: ".") && !part.suffix(5).elementsEqual(".lock".utf8)
        }
    }
}
