internal import FileTree
package import Git
package import Programs
package import SnapshotModel
package import SystemPackage

/// Brings the objects of captured repositories into the store, and back out of it.
///
/// The `git` program does it, always in a repository of ours, to which the other's `objects` directory is only an
/// alternate: no configuration, hook or index of the captured repository is ever read.
package struct SourceTransfer: Sendable {
    /// A repository whose objects are wanted.
    package struct Request: Sendable {
        /// What it needs.
        package var tips: SourceTips
        /// Its `objects` directory.
        package var objects: FilePath

        /// A request.
        package init(_ tips: SourceTips, from objects: FilePath) {
            self.tips = tips
            self.objects = objects
        }
    }

    /// What came of taking a repository's objects.
    package struct Taken: Sendable {
        /// The commit that keeps the objects, given to the lane.
        package var keepAlive: ObjectID
        /// What is missing, by the reference that needs it, and why.
        package var damaged: [(name: String, reason: String)]
        /// What the repository only remembered and does not have any more.
        package var forgotten: Int
    }

    private let store: SnapshotStore
    private let reader: ObjectReader

    /// A transfer from and to a store; `reader` must see what the last snapshot reached.
    package init(_ store: SnapshotStore, reader: ObjectReader) {
        self.store = store
        self.reader = reader
    }

    private var incoming: FilePath { store.localDirectory.appending("incoming") }

    // MARK: - Into the store

    /// Brings what the requests name and the store does not have yet into it, durably.
    ///
    /// `known` are commits whose history the store has. The results are in the order of the requests.
    package func take(
        _ requests: [Request], known: [ObjectID], into lane: any ObjectLane
    ) async throws -> [Taken] {
        var taken: [Taken] = []
        var rest = requests[...]
        while !rest.isEmpty {
            // The directories of a batch are told in one variable, for which Linux has 128 KiB.
            var size = 0
            let batch = rest.prefix {
                size += $0.objects.string.utf8.count + 8
                return size < 1 << 16
            }
            rest = rest.dropFirst(max(1, batch.count))
            taken += try await take(batch.isEmpty ? requests[..<1] : batch, known, lane)
        }
        return taken
    }

    private func take(
        _ requests: ArraySlice<Request>, _ known: [ObjectID], _ lane: any ObjectLane
    ) async throws -> [Taken] {
        let objects = requests.map(\.objects)
        let kinds = try await kinds(requests.map(\.tips), objects)
        var broken: [String: String] = [:]
        do {
            try await pack(Set(kinds.keys), known, objects)
        } catch {
            // One object that is missing far below fails all: the sound tips are found, and the others named.
            broken = try await self.broken(of: kinds.keys.sorted(), known, objects)
            guard !broken.isEmpty else { throw error }
            try await pack(Set(kinds.keys).subtracting(broken.keys), known, objects)
        }
        var taken: [Taken] = []
        for tips in requests.map(\.tips) {
            let needed = tips.references + tips.staged
            let damaged = needed.compactMap { tip -> (name: String, reason: String)? in
                guard kinds[tip.id] != nil else { return (tip.name, "the object \(tip.id) is missing") }
                return broken[tip.id].map { (tip.name, $0) }
            }
            func sound(_ tips: [SourceTips.Tip]) -> Set<String> {
                Set(tips.map(\.id)).filter { kinds[$0] != nil && broken[$0] == nil }
            }
            let roots = sound(tips.references + tips.remembered)
            let staged = sound(tips.staged).subtracting(roots)
            let loose = try await unreachable(staged, from: roots.filter { kinds[$0] == "commit" })
            taken.append(
                Taken(
                    keepAlive: try keepAlive(roots.union(loose), kinds, into: lane), damaged: damaged,
                    forgotten: Set(tips.remembered.map(\.id)).count - sound(tips.remembered).count))
        }
        return taken
    }

    /// Removes what a killed transfer left.
    package func removeLeftovers() throws {
        try Files.removeTree(incoming)
    }

    /// The kinds of the objects that are there, in the store or in one of the repositories.
    private func kinds(_ tips: [SourceTips], _ objects: [FilePath]) async throws -> [String: String] {
        let ids = Set(tips.flatMap { $0.references + $0.remembered + $0.staged }.map(\.id)).sorted()
        guard !ids.isEmpty else { return [:] }
        let outcome = try await git(
            ["cat-file", "--batch-check=%(objectname) %(objecttype)", "--buffer"], ids, alternates: objects
        ).runSuccessfully()
        var kinds: [String: String] = [:]
        for line in outcome.output.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[1] != "missing" { kinds[String(words[0])] = String(words[1]) }
        }
        return kinds
    }

    /// Makes a pack of what is new, checks every object of it, and makes it part of the store, durably.
    private func pack(_ tips: Set<String>, _ known: [ObjectID], _ objects: [FilePath]) async throws {
        guard !tips.isEmpty else { return }
        try Files.makeDirectories(incoming, mode: 0o700)
        try await Self.pack(
            tips.sorted() + known.map { "^\($0)" }, of: store.path, alternates: objects, into: incoming
        ).runSuccessfully()
        try await Self.install(from: incoming, in: store.path.appending("objects").appending("pack"))
        try removeLeftovers()
    }

    /// Checks packs byte by byte and moves them to where git looks for them; the index last, because it makes them seen.
    ///
    /// Each gets the name that its own checksum gives it, whatever it is called: it never takes the place of another pack, but
    /// for that of a damaged copy of itself.
    static func install(from directory: FilePath, in packs: FilePath) async throws {
        let names = try Files.names(directory).map { String(decoding: $0, as: UTF8.self) }
        for name in names where name.hasSuffix(".idx") {
            try await git(
                ["verify-pack", directory.appending(name).string], [], in: nowhere(directory), alternates: []
            ).runSuccessfully()
            let base = name.dropLast(4)
            let own = try ObjectReader.packName(directory.appending(base + ".pack"))
            for kind in [".pack", ".rev", ".idx"] where names.contains(base + kind) {
                try Files.rename(directory.appending(base + kind), to: packs.appending(own + kind))
            }
        }
        try Files.syncDirectory(packs)
    }

    /// What is wrong with those of the tips that do not have everything that they need.
    private func broken(
        of tips: [String], _ known: [ObjectID], _ objects: [FilePath]
    ) async throws -> [String: String] {
        guard !tips.isEmpty else { return [:] }
        let outcome = try await git(
            ["rev-list", "--verify-objects", "--quiet", "--stdin"], tips + known.map { "^\($0)" },
            alternates: objects
        ).run()
        // An object of another id it only tells, and ends with 0.
        let errors = outcome.errorOutput.split(whereSeparator: \.isNewline).filter {
            $0.hasPrefix("error: ") || $0.hasPrefix("fatal: ")
        }
        guard outcome.status != 0 || !errors.isEmpty else { return [:] }
        guard tips.count > 1 else {
            return [tips[0]: printable((errors.first ?? "git could not read it").utf8)]
        }
        let half = tips.count / 2
        let left = try await broken(of: Array(tips[..<half]), known, objects)
        return left.merging(try await broken(of: Array(tips[half...]), known, objects)) { first, _ in first }
    }

    /// Those of the objects that the commits do not reach.
    private func unreachable(_ ids: Set<String>, from commits: Set<String>) async throws -> Set<String> {
        guard !ids.isEmpty else { return [] }
        let outcome = try await git(
            ["rev-list", "--objects", "--no-object-names", "--stdin"],
            ids.sorted() + commits.sorted().map { "^\($0)" }
        ).runSuccessfully()
        return Set(outcome.output.split(separator: "\n").map(String.init)).intersection(ids)
    }

    /// The commit that keeps the objects: its parents are the commits among them; its tree has `objects/` with trees and
    /// files, and `tags/` with the contents of annotated tags, because in git only a reference can hold a tag.
    ///
    /// It is the same commit for the same objects, whenever and wherever. `kinds` says what the tips are; tags alone are read,
    /// and what they point to.
    private func keepAlive(
        _ tips: Set<String>, _ kinds: [String: String], into lane: any ObjectLane
    ) throws -> ObjectID {
        // What was just taken came after `reader` was opened.
        let reader = tips.contains { kinds[$0] == ObjectKind.tag.word } ? try store.reader() : reader
        var commits: Set<ObjectID> = []
        var objects: [TreeEntry] = []
        var tags: [TreeEntry] = []
        var left = tips.compactMap { ObjectID(hex: $0.utf8) }
        var seen = Set(left)
        while let id = left.popLast() {
            switch try ObjectKind(word: kinds["\(id)"] ?? "") ?? reader.object(id).kind {
            case .commit: commits.insert(id)
            case .tree: objects.append(TreeEntry("\(id)", .tree, id))
            case .blob: objects.append(TreeEntry("\(id)", .file, id))
            case .tag:
                let contents = try reader.contents(id, .tag)
                tags.append(TreeEntry("\(id)", .file, try lane.add(.blob, contents)))
                let target = try Self.target(ofTag: contents, id)
                if seen.insert(target).inserted { left.append(target) }
            }
        }
        var entries: [TreeEntry] = []
        if !objects.isEmpty {
            entries.append(TreeEntry("objects", .tree, try lane.add(.tree, Tree.contents(objects))))
        }
        if !tags.isEmpty {
            entries.append(TreeEntry("tags", .tree, try lane.add(.tree, Tree.contents(tags))))
        }
        let tree = try lane.add(.tree, Tree.contents(entries))
        return try lane.add(
            .commit,
            Commit.keepingAlive(commits.sorted(), tree: tree, "objects of a captured repository").contents)
    }

    private static func target(ofTag contents: [UInt8], _ id: ObjectID) throws -> ObjectID {
        let line = contents.prefix { $0 != UInt8(ascii: "\n") }
        guard line.starts(with: "object ".utf8), let target = ObjectID(hex: line.dropFirst(7)) else {
            throw GitError(.damaged, "read tag \(id)", "its first line names no object")
        }
        return target
    }

    // MARK: - Out of the store

    /// Gives everything that a keep-alive commit keeps to the repository whose git directory is at `repository`, and
    /// checks there that nothing is missing.
    package func give(_ keepAlive: ObjectID, to repository: FilePath, checkingIn scratch: FilePath)
        async throws
    {
        let commit = try store.commit(keepAlive, with: reader)
        let tree = try reader.tree(commit.tree)
        func entries(_ name: String) throws -> [TreeEntry] {
            try tree.first { $0.name == Array(name.utf8) }.map { try reader.tree($0.id) } ?? []
        }
        let packs = repository.appending("objects").appending("pack")
        try Files.makeDirectories(packs)
        var tips = commit.parents.map(\.description) + (try entries("objects").map(\.id.description))
        if !tips.isEmpty {
            let staging = packs.appending("incoming")
            try Files.makeDirectory(staging)
            try await Self.pack(tips, of: store.path, into: staging).runSuccessfully()
            try await Self.install(from: staging, in: packs)
            try Files.removeTree(staging)
        }
        let tags = try entries("tags")
        if !tags.isEmpty {
            let pack = try PackWriter(ObjectReader(repository))
            let lane = pack.lane()
            for tag in tags {
                let id = try lane.add(.tag, try reader.contents(tag.id, .blob))
                guard id.description.utf8.elementsEqual(tag.name) else {
                    throw GitError(
                        .damaged, "restore the tag \(printable(tag.name))", "its contents are those of \(id)")
                }
                tips.append(id.description)
            }
            try lane.flush()
            _ = try pack.finish()
        }
        guard !tips.isEmpty else { return }
        // An empty repository of ours to ask in, so that the restored one's configuration is not obeyed.
        if try !Files.exists(scratch) { _ = try Repository(creatingBareAt: scratch) }
        try await Self.git(
            ["rev-list", "--objects", "--quiet", "--stdin"], tips, in: scratch,
            alternates: [repository.appending("objects")]
        ).runSuccessfully()
    }

    // MARK: - Verification

    /// What `git fsck` found missing or damaged, in its own words, none when all is there.
    ///
    /// Of an object that is whole and of bad form, as some tools of long ago wrote them, it says so and fails: the captured
    /// repository has it like that, and gets it back like that.
    package static func damage(_ outcome: Program.Outcome) -> [String] {
        guard outcome.status != 0 else { return [] }
        let lines = (outcome.output + "\n" + outcome.errorOutput).split(separator: "\n")
        let damage = lines.filter { !isOfForm($0) }
        // A signal leaves no words.
        guard !damage.isEmpty || lines.isEmpty || outcome.status >= 128 else { return [] }
        return damage.isEmpty
            ? ["git fsck ended with status \(outcome.status)"] : damage.map { printable($0.utf8) }
    }

    /// Whether a line is like `error in commit ID: badTimezone: …`, and not like `error in tree ID: broken links`.
    private static func isOfForm(_ line: Substring) -> Bool {
        let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        let words = parts[0].split(separator: " ")
        guard parts.count == 3, words.count == 4, ["error", "warning"].contains(words[0]), words[1] == "in",
            ObjectKind(word: String(words[2])) != nil, ObjectID(hex: words[3].utf8) != nil
        else { return false }
        return parts[1].dropFirst().allSatisfy { $0.isLetter || $0.isNumber }
    }

    // MARK: - The program

    private func git(_ arguments: [String], _ lines: [String] = [], alternates: [FilePath] = []) -> Program {
        Self.git(arguments, lines, in: store.path, alternates: alternates)
    }

    /// Makes a pack in a directory of what `revisions` reach, one that is called `pack-…`, with its index.
    ///
    /// The directory is git's own for objects meanwhile: git begins a pack there and only renames it, which it cannot out of
    /// another file system, and what it leaves when the disk is full goes with the directory.
    static func pack(
        _ revisions: [String], of repository: FilePath, alternates: [FilePath] = [], into directory: FilePath
    ) -> Program {
        git(
            ["pack-objects", "--revs", "--quiet", "--non-empty", directory.appending("pack").string],
            revisions, in: repository, alternates: [repository.appending("objects")] + alternates,
            objects: directory)
    }

    /// Where no repository is: for what git is to look at by itself.
    ///
    /// It compares an object with the copy that a repository has, and fails when that one is damaged.
    static func nowhere(_ directory: FilePath) -> FilePath { directory.appending("no-repository") }

    static func git(
        _ arguments: [String], _ lines: [String], in repository: FilePath, alternates: [FilePath],
        objects: FilePath? = nil
    ) -> Program {
        var environment = [
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1",
        ]
        if let objects { environment["GIT_OBJECT_DIRECTORY"] = objects.string }
        if !alternates.isEmpty {
            // A colon separates alternates, unless the path is quoted as in C.
            environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = alternates.map {
                "\"" + $0.string.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
            }.joined(separator: ":")
        }
        return Program(
            "git",
            ["--git-dir=\(repository)", "-c", "core.fsync=all", "-c", "core.hooksPath=/dev/null"] + arguments,
            environment: environment,
            input: Array(lines.joined(separator: "\n").utf8) + (lines.isEmpty ? [] : [10]),
            limit: .seconds(6 * 3600), outputLimit: 1 << 28)
    }
}

extension Commit {
    /// A commit that only keeps its parents and its tree from being collected; the same for the same ones, always.
    static func keepingAlive(_ parents: [ObjectID], tree: ObjectID, _ subject: String) -> Commit {
        Commit(
            tree: tree, parents: parents, author: "Understudy <understudy@localhost>", time: 0,
            message: "keep \(subject)")
    }
}
