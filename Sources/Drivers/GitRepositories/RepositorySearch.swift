internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// Finds the git repositories below a directory.
///
/// A directory that cannot be looked into is passed over here: the walk that captures the files names it.
enum RepositorySearch {
    /// A git directory, or a working tree whose repository is elsewhere; nil as the reason says that its objects are captured as
    /// objects, else it is why they are captured as files, if at all.
    typealias Found = (path: EntryPath, reason: Reason?)

    /// Why the objects of a repository do not go into the store as objects.
    enum Reason {
        /// They are captured as files.
        case asFiles(String)
        /// They, or the references, are behind the link of this name, and not captured: `git-new-workdir` makes such.
        case behindLink(String)
        /// They, or the whole repository of a working tree, are at a place that the file or link of this name says: in a linked
        /// working tree, or a submodule.
        case elsewhere(String, FilePath)
    }

    /// A path without links on the way, as far as it exists.
    static func resolved(_ path: FilePath) -> FilePath {
        // A place that is not there, or that nobody like us can come to, is told as it is written.
        (try? Files.resolved(path)) ?? path.lexicallyNormalized()
    }

    /// How many repositories a directory consists of: 0 when there is anything else in it but their files.
    static func count(in path: FilePath, depth: Int) throws -> Int {
        if isRepository(path) || isRepository(path.appending(".git")) { return 1 }
        if try place(named: ".git", in: path, after: "gitdir: ") != nil { return 1 }
        guard depth > 0 else { return 0 }
        var count = 0
        for name in try Files.names(path) {
            let child = path.pushing(FilePath(bytes: name))
            guard try Files.status(child)?.kind == .directory else { continue }
            let found = try self.count(in: child, depth: depth - 1)
            guard found > 0 else { return 0 }
            count += found
        }
        return count
    }

    /// Git takes no file that is longer for one that says where a repository is.
    private static let longestPointer = 1 << 20

    /// Whether git takes the directory for a repository: it has HEAD, objects and refs, or links to them.
    private static func isRepository(_ path: FilePath) -> Bool {
        guard let head = status(path.appending("HEAD")), head.kind == .file || head.kind == .link
        else { return false }
        return ["objects", "refs"].allSatisfy { name in
            let kind = status(path.appending(name))?.kind
            return kind == .directory || kind == .link
        }
    }

    /// What stands at a path; nil also where that cannot be looked at.
    private static func status(_ path: FilePath) -> FileStatus? {
        // What cannot be looked at is named by the walk.
        try? Files.status(path)
    }

    /// The directory that has the objects and references of a git directory without its own; nil for any other.
    private static func commonDirectory(_ directory: FilePath) -> FilePath? {
        guard status(directory.appending("HEAD")) != nil else { return nil }
        // As with the status.
        return try? place(named: "commondir", in: directory, after: "")
    }

    /// The place that a file says after some words (gitrepository-layout(5)), or that a link leads to; nil where there is neither.
    private static func place(
        named name: String, in directory: FilePath, after words: String
    ) throws(FileFailure) -> FilePath? {
        let file = directory.appending(name)
        guard let status = try Files.status(file) else { return nil }
        if status.kind == .link { return directory.pushing(FilePath(bytes: try Files.linkTarget(file))) }
        guard status.kind == .file, status.size < longestPointer else { return nil }
        let text = try Files.read(file)
        let place = text.dropFirst(words.utf8.count).prefix { $0 >= 0x20 }
        return text.starts(with: words.utf8) && !place.isEmpty
            ? directory.pushing(FilePath(bytes: place)) : nil
    }

    /// All that is below `root`, whose name is `name`, in the order of a walk.
    static func all(in root: FilePath, called name: String) -> [Found] {
        var found: [Found] = []
        search(root, .root, &found)
        // In `sources.lock` a repository is a line, and the root's name a word of it.
        guard name.utf8.contains(where: { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\n") }) else {
            return found
        }
        return found.map {
            ($0.path, $0.reason ?? .asFiles("the path of its directory has a tab or a line break"))
        }
    }

    private static func search(_ directory: FilePath, _ path: EntryPath, _ found: inout [Found]) {
        if let place = commonDirectory(directory) {
            found.append((path, Reason.elsewhere("commondir", place)))
        }
        if isRepository(directory) {
            let link = ["objects", "refs", "packed-refs"].first {
                status(directory.appending($0))?.kind == .link
            }
            found.append(
                (path, link.map(Reason.behindLink) ?? reasonAgainst(directory, path).map(Reason.asFiles)))
            // The git directories of submodules are all else that can be in a git directory.
            let modules = directory.appending("modules")
            if status(modules)?.kind == .directory {
                search(modules, path.appending("modules"), &found)
            }
            let trees = directory.appending("worktrees")
            // As with the status.
            for name in (try? Files.names(trees)) ?? [] {
                guard let place = commonDirectory(trees.pushing(FilePath(bytes: name))) else { continue }
                let tree = path.appending("worktrees").appending(name)
                found.append((tree, Reason.elsewhere("commondir", place)))
            }
            return
        }
        // As with the status.
        if let place = try? place(named: ".git", in: directory, after: "gitdir: ") {
            found.append((path, Reason.elsewhere(".git", place)))
        }
        // As with the status.
        for name in (try? Files.names(directory)) ?? [] where !StagingName.isOne(name) {
            let child = directory.pushing(FilePath(bytes: name))
            guard status(child)?.kind == .directory else { continue }
            search(child, path.appending(name), &found)
        }
    }

    /// Why the objects of a repository cannot go into the store, nil when they can.
    private static func reasonAgainst(_ directory: FilePath, _ path: EntryPath) -> String? {
        let special = Set("*?(|)\t\n".utf8)
        if String(validating: path.bytes, as: UTF8.self) == nil
            || path.bytes.contains(where: special.contains)
        {
            return "its path has characters that mean something else in a pattern"
        }
        if let shallow = status(directory.appending("shallow")), shallow.size > 0 {
            return "it is a shallow clone, whose history has no beginning"
        }
        if status(directory.appending("reftable")) != nil {
            return "it keeps its references in reftables"
        }
        let config = RepositoryClasses.config(directory)
        if config.contains("objectformat") { return "its object format is not that of the store" }
        if config.contains("partialclone") || config.contains("promisor") {
            return "it is a partial clone, which lacks objects on purpose"
        }
        return nil
    }
}
