internal import FileTree
internal import FoundationEssentials
internal import Git
internal import Programs
package import SnapshotModel
internal import SystemPackage

/// Another repository that holds a copy of the store: a git remote of it.
package struct Remote: Hashable, Sendable {
    /// The name under which git knows it.
    package var name: String
    /// Where it is.
    package var url: String

    /// A remote.
    package init(name: String, url: String) {
        self.name = name
        self.url = url
    }

    /// Where it is, without a user's password.
    package var shownURL: String {
        guard let scheme = url.firstRange(of: "://"), let at = url[scheme.upperBound...].firstIndex(of: "@"),
            url[scheme.upperBound..<at].contains(":")
        else { return printable(url.utf8) }
        let user = url[scheme.upperBound..<at].prefix { $0 != ":" }
        return printable("\(url[..<scheme.upperBound])\(user):…\(url[at...])".utf8)
    }
}

/// What a remote was seen to hold; kept on this host, beside the store.
///
/// It is also a memory: what the remote held once and does not any more was dropped there, or rolled back.
package struct RemoteView: Codable, Hashable, Sendable {
    /// When, in seconds since 1970.
    package var time: Int64
    /// The last history commit, nil when there is none.
    package var history: String?
    /// The commits of the snapshots, by their ids.
    package var snapshots: [String: String]
    /// The last records of each kind of evidence.
    package var evidence: [String: String]

    /// Those of the snapshots of a store that the remote does not hold, oldest first.
    package func lacks(of snapshots: [SnapshotReference]) -> [SnapshotID] {
        snapshots.map(\.id).filter { self.snapshots[$0.description] == nil }
    }
}

/// The git remotes of a store: their names and addresses are in the store's own configuration, as git keeps them.
package struct Remotes: Sendable {
    private let store: SnapshotStore

    /// The remotes of a store.
    package init(_ store: SnapshotStore) {
        self.store = store
    }

    /// All remotes that have an address, by name.
    package func list() async throws -> [Remote] {
        let outcome = try await config(["--null", "--get-regexp", #"^remote\..*\.url$"#]).run()
        // Status 1 says that nothing fits.
        guard outcome.status != 1 else { return [] }
        guard outcome.status == 0 else {
            throw ProgramFailure("git config --file \(file): \(RemoteGit.reason(outcome.errorOutput))")
        }
        // `remote.NAME.url`, a line break, the URL, a zero byte.
        return outcome.output.split(separator: "\0").map { line in
            let key = line.prefix { $0 != "\n" }
            let name = key.dropFirst("remote.".count).dropLast(".url".count)
            return Remote(name: String(name), url: String(line.dropFirst(key.count + 1)))
        }.sorted { $0.name < $1.name }
    }

    /// The remotes of these names, all when there are none.
    ///
    /// Throws a ``StoreFailure`` when one is not there, or there is none at all.
    package func named(_ names: [String]) async throws -> [Remote] {
        let all = try await list()
        guard !all.isEmpty else {
            throw StoreFailure(
                .refused, "the store has no remote",
                hint: "'understudy remote add NAME URL' adds one: a git server, or the path of a directory")
        }
        for name in names where !all.contains(where: { $0.name == name }) {
            throw StoreFailure(
                .refused, "the store has no remote '\(printable(name.utf8))'",
                hint: "it has \(all.map(\.name).joined(separator: ", "))")
        }
        return names.isEmpty ? all : all.filter { names.contains($0.name) }
    }

    /// Adds a remote, which need not be there yet, and gives it as it is kept: a directory by its whole path.
    @discardableResult package func add(_ remote: Remote) async throws -> Remote {
        guard Self.isName(remote.name) else {
            throw StoreFailure(
                .refused, "'\(printable(remote.name.utf8))' cannot name a remote",
                hint: "use letters, digits, '.', '_' and '-', and a letter or digit first")
        }
        try Self.checkAddress(remote.url)
        var remote = remote
        // Git's own rule: a colon before the first slash makes it no path. Nights run elsewhere than who typed it.
        if !remote.url.prefix(while: { $0 != "/" }).contains(":") {
            remote.url = try Files.resolved(".").pushing(FilePath(remote.url)).lexicallyNormalized().string
        }
        guard try await !list().contains(where: { $0.name == remote.name }) else {
            throw StoreFailure(
                .refused, "there is a remote '\(remote.name)' already",
                hint: "'understudy remote remove \(remote.name)' takes it away first")
        }
        // No fetch specification: what a copy holds never becomes references that keep objects of this store alive.
        try await config(["remote.\(remote.name).url", remote.url]).runSuccessfully()
        return remote
    }

    /// Refuses what cannot be the address of a repository, or holds a password.
    static func checkAddress(_ url: String) throws {
        guard Remote(name: "", url: url).shownURL == url else {
            throw StoreFailure(
                .refused, "the address holds a password, or what no address holds",
                hint: "leave the password to a credential helper of git, or use ssh")
        }
        guard !url.isEmpty, !url.hasPrefix("-"), !url.contains("::") else {
            throw StoreFailure(
                .refused, "'\(url)' is not the address of a git repository",
                hint: "give ssh://…, https://…, HOST:PATH or the path of a directory")
        }
    }

    /// Takes a remote away; what it holds stays there.
    package func remove(_ name: String) async throws {
        _ = try await named([name])
        try await config(["--remove-section", "remote.\(name)"]).runSuccessfully()
        try Files.remove(viewFile(name))
    }

    // MARK: What was seen

    /// What a remote held when it was last looked at, nil when it never was.
    package func view(_ name: String) throws -> RemoteView? {
        try readView(viewFile(name))
    }

    private func readView(_ file: FilePath) throws -> RemoteView? {
        guard let bytes = try Files.readIfPresent(file, limit: 1 << 26) else { return nil }
        do {
            return try JSONDecoder().decode(RemoteView.self, from: Data(bytes))
        } catch {
            throw StoreFailure(
                .damaged, "\(file) cannot be read: \(error)",
                hint: "remove it: the next push or pull writes it anew")
        }
    }

    /// What a remote held when it was looked at before and does not hold in `view`, as words.
    func lost(_ view: RemoteView, of name: String) throws -> [String] {
        guard let before = try self.view(name) else { return [] }
        var lost = before.snapshots.sorted { $0.key < $1.key }.compactMap { id, commit -> String? in
            guard let now = view.snapshots[id] else { return "the snapshot \(id) is not there any more" }
            return commit == now ? nil : "the snapshot \(id) is another than it was"
        }
        if let old = before.history, let words = try words(of: view.history, gone: old) {
            lost.append("the history \(words)")
        }
        for (kind, old) in before.evidence.sorted(by: { $0.key < $1.key }) {
            if view.evidence[kind] == nil {
                lost.append("the evidence of \(kind) is not there any more")
            } else if let words = try words(of: view.evidence[kind], gone: old) {
                lost.append("the evidence of \(kind) \(words)")
            }
        }
        return lost
    }

    /// What to say of a chain of commits that ended with `old` and ends with an older one of it now, or is gone; nil when it
    /// does not.
    private func words(of now: String?, gone old: String) throws -> String? {
        let words = "does not go to \(old) any more"
        guard let now else { return words }
        guard now != old, let id = ObjectID(hex: old.utf8), let end = ObjectID(hex: now.utf8),
            case let reader = try store.reader(), reader.contains(id)
        else { return nil }
        // Mostly it went on, which a few commits say.
        guard try !reader.contains(end) || !store.line(end, downTo: id).meetsEnd else { return nil }
        let line = try store.line(id, downTo: end)
        if let loss = line.loss { return "may not go to \(old) any more (\(loss))" }
        return line.meetsEnd ? words : nil
    }

    /// The snapshots that any remote held when it was last looked at.
    func snapshots() throws -> Set<SnapshotID> {
        let directory = store.localDirectory.appending("remotes")
        guard try Files.isDirectory(directory) else { return [] }
        var found: Set<SnapshotID> = []
        for name in try Files.names(directory) where name.suffix(5).elementsEqual(".json".utf8) {
            guard let view = try readView(directory.appending(String(decoding: name, as: UTF8.self))) else {
                continue
            }
            found.formUnion(view.snapshots.keys.compactMap { SnapshotID($0) })
        }
        return found
    }

    /// Keeps what a remote was seen to hold.
    func keep(_ view: RemoteView, of name: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try Files.makeDirectories(viewFile(name).removingLastComponent(), mode: 0o700)
        try Files.replace(viewFile(name), with: Array(try encoder.encode(view)), mode: 0o600)
    }

    /// Asks a remote what it holds of a system now.
    package func look(at remote: Remote, system: String, now: Int64) async throws -> RemoteView {
        let prefixes = [
            "refs/heads/\(system)", "refs/snapshots/\(system)/*", "refs/evidence/\(system)/*",
        ]
        try await RemoteGit.refuseForeign(store.path)
        let outcome = try await RemoteGit.program(
            store.path, ["ls-remote", "--quiet", remote.name] + prefixes
        ).run()
        guard outcome.status == 0 else {
            throw RemoteGit.failure("read the remote", remote, outcome)
        }
        var view = RemoteView(time: now, snapshots: [:], evidence: [:])
        for line in outcome.output.split(separator: "\n") {
            let words = line.split(separator: "\t", maxSplits: 1)
            guard words.count == 2, ObjectID(hex: words[0].utf8) != nil else { continue }
            let (id, name) = (String(words[0]), String(words[1]))
            let last = String(name.split(separator: "/").last ?? "")
            if name == "refs/heads/\(system)" {
                view.history = id
            } else if name == "refs/evidence/\(system)/\(last)" {
                view.evidence[last] = id
            } else if name == "refs/snapshots/\(system)/\(last)", SnapshotID(last) != nil {
                view.snapshots[last] = id
            }
        }
        return view
    }

    // MARK: -

    private var file: FilePath { store.path.appending("config") }

    private func viewFile(_ name: String) -> FilePath {
        // A name that somebody gave with stock git may hold what a file's name cannot.
        let safe = name.utf8.map {
            Self.isPlain($0) ? String(UnicodeScalar($0)) : "%" + String($0, radix: 16)
        }
        return store.localDirectory.appending("remotes").appending(safe.joined() + ".json")
    }

    private func config(_ arguments: [String]) -> Program {
        // Git starts nowhere but in a directory, and ours may be gone.
        Program(
            "git", ["config", "--file", file.string] + arguments,
            directory: file.isAbsolute ? FilePath("/") : nil,
            outputLimit: 1 << 22)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !".-_".utf8.contains(first), name.utf8.count <= 100 else {
            return false
        }
        return name.utf8.allSatisfy(isPlain) && !name.contains("..") && !name.hasSuffix(".lock")
    }
}
