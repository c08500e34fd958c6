internal import FileTree
internal import SnapshotModel

/// The references, reflogs and indexes of a captured repository, read from its captured files.
///
/// Facts: gitrepository-layout(5), git-pack-refs(1), gitformat-index(5).
struct RepositoryState {
    /// What it needs of its objects.
    private(set) var tips = SourceTips()
    private let repository: SourceRepository
    private let source: any FileSource

    init(_ repository: SourceRepository, _ source: any FileSource) throws {
        self.repository = repository
        self.source = source
        var references: [String: String] = [:]
        try readPacked(into: &references)
        try readLoose(in: "refs", into: &references)
        try readDirectory("", into: &references)
        for (name, isDirectory) in try names("worktrees") where isDirectory {
            try readDirectory("worktrees/\(String(decoding: name, as: UTF8.self))/", into: &references)
        }
        for (name, value) in references.sorted(by: { $0.key < $1.key }) {
            tips.listing += Array("\(value) \(name)\n".utf8)
            if !value.hasPrefix("ref:") { tips.references.append(.init(id: value, name: name)) }
        }
    }

    /// HEAD, the other heads, reflogs and index of one working tree; `prefix` is empty or ends in a slash.
    private mutating func readDirectory(_ prefix: String, into references: inout [String: String]) throws {
        for (name, isDirectory) in try names(prefix) {
            let text = String(decoding: name, as: UTF8.self)
            if isDirectory {
                if text == "logs" { try readLogs(prefix + text) }
                // The references of a linked working tree are its own; those of the repository are read already.
                if text == "refs", !prefix.isEmpty { try readLoose(in: prefix + text, into: &references) }
            } else if text == "HEAD" {
                try readReference(prefix + text, into: &references)
            } else if text.hasSuffix("_HEAD") {
                try remember(prefix + text)
            } else if text == "index" || text.hasPrefix("sharedindex.") {
                try readIndex(prefix + text)
            }
        }
    }

    private mutating func readPacked(into references: inout [String: String]) throws {
        guard let bytes = try contents("packed-refs") else { return }
        for line in bytes.split(separator: newline)
        where line.first != UInt8(ascii: "#") && line.first != UInt8(ascii: "^") {
            guard line.count > 41, let id = objectID(line.prefix(40)) else {
                tips.problems.append(
                    problem(
                        "packed-refs",
                        "it has the line '\(printable(line.prefix(100)))', which is no reference"))
                continue
            }
            references[printable(line.dropFirst(41))] = id
        }
    }

    private mutating func readLoose(in directory: String, into references: inout [String: String]) throws {
        for (name, isDirectory) in try names(directory) {
            let path = "\(directory)/\(String(decoding: name, as: UTF8.self))"
            if isDirectory {
                try readLoose(in: path, into: &references)
            } else {
                try readReference(path, into: &references)
            }
        }
    }

    private mutating func readReference(_ path: String, into references: inout [String: String]) throws {
        guard let bytes = try contents(path) else { return }
        let line = bytes.prefix { $0 != newline }
        if line.starts(with: "ref:".utf8) {
            references[path] = "ref:" + printable(line.dropFirst(4).drop { $0 == UInt8(ascii: " ") })
        } else if let id = objectID(line.prefix(40)) {
            references[path] = id
        } else {
            tips.problems.append(
                problem(path, bytes.isEmpty ? "the reference is empty" : "it holds no reference"))
        }
    }

    /// `ORIG_HEAD` and its like: a line may begin with an id.
    private mutating func remember(_ path: String) throws {
        for line in try contents(path)?.split(separator: newline) ?? [] {
            if let id = objectID(line.prefix(40)) { tips.remembered.append(.init(id: id, name: path)) }
        }
    }

    private mutating func readLogs(_ directory: String) throws {
        for (name, isDirectory) in try names(directory) {
            let path = "\(directory)/\(String(decoding: name, as: UTF8.self))"
            if isDirectory {
                try readLogs(path)
                continue
            }
            for line in try contents(path)?.split(separator: newline) ?? [] where line.count > 81 {
                for part in [line.prefix(40), line.dropFirst(41).prefix(40)] {
                    guard let id = objectID(part), id != SourcesLock.none else { continue }
                    tips.remembered.append(.init(id: id, name: path))
                }
            }
        }
    }

    private mutating func readIndex(_ path: String) throws {
        guard let bytes = try contents(path) else { return }
        guard let ids = IndexFile.objects(bytes) else {
            tips.problems.append(problem(path, "it is no index of version 2 to 4"))
            return
        }
        tips.staged += ids.filter { $0 != IndexFile.emptyBlob }.map { .init(id: $0, name: path) }
        if ids.contains(IndexFile.emptyBlob) {
            tips.remembered.append(.init(id: IndexFile.emptyBlob, name: path))
        }
    }

    private func problem(_ path: String, _ reason: String) -> CapturedComponent.Problem {
        .init(path: "\(repository.name)/\(path)", reason: reason)
    }

    private func path(_ text: String) -> EntryPath {
        let names = text.utf8.split(separator: UInt8(ascii: "/"))
        return names.reduce(repository.path) { $0.appending(Array($1)) }
    }

    private func names(_ directory: String) throws -> [(name: [UInt8], isDirectory: Bool)] {
        try source.names(root: repository.root, directory: path(directory))
    }

    /// The contents of a captured file; what cannot be read of it any more is a problem.
    private mutating func contents(_ file: String) throws -> [UInt8]? {
        do {
            return try source.contents(root: repository.root, path: path(file))
        } catch let failure as FileFailure {
            tips.problems.append(problem(file, failure.description))
            return nil
        }
    }
}

private let newline = UInt8(ascii: "\n")

/// The id that 40 hexadecimal digits spell, nil for anything else.
private func objectID(_ bytes: some Collection<UInt8>) -> String? {
    let isID =
        bytes.count == 40
        && bytes.allSatisfy {
            ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
                || ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "f"))
        }
    return isID ? String(decoding: bytes, as: UTF8.self) : nil
}
