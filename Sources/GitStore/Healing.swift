package import Git
internal import FileTree
internal import Programs
internal import SystemPackage

/// Replaces damaged and missing objects by good ones from the store's git remotes, and damaged packs by whole ones.
///
/// What another pack of the store holds whole is taken from there. The rest is fetched by the stock `git` program into a
/// repository of its own, read from there, compared with its id. All is written into a new pack of the store, which is looked
/// into first, so the good copy wins.
package struct Healing {
    /// What was done, and what was not.
    package struct Report: Sendable {
        /// The objects that were replaced.
        package var healed = 0
        /// Damaged files that were moved out of the way, by their new paths; and what else was done to files.
        package var files: [String] = []
        /// The remotes that objects came from, by name.
        package var remotes: [String] = []
        /// The remotes that could not be read, and so may have what could not be healed, by name.
        var unread: [String] = []
        /// What could not be healed, and why; empty when all is well.
        package var problems: [String] = []

        /// Whether anything was changed.
        package var hasHealed: Bool { healed > 0 || !files.isEmpty }

        /// For people, a line for each thing.
        package var words: [String] {
            let fetched =
                healed == 0
                ? []
                : [
                    "\(healed) damaged or missing objects were replaced from \(remotes.joined(separator: ", "))"
                ]
            return fetched + files + problems.map { "not healed: \($0)" }
        }

        /// Adds what another healing did.
        package mutating func add(_ other: Report) {
            healed += other.healed
            files += other.files
            remotes += other.remotes.filter { !remotes.contains($0) }
            problems += other.problems
        }
    }

    /// How far to look from a commit.
    package enum Reach: Sendable {
        /// Not beyond the commit itself.
        case commit
        /// Its tree and all files in it, and what keeps captured repositories with all before it: the parents but the first.
        case contents
        /// Its tree, and the same of all commits before it.
        case history
    }

    private let store: SnapshotStore

    /// A healing of a store.
    package init(_ store: SnapshotStore) {
        self.store = store
    }

    /// Heals everything within reach of commits.
    package func heal(
        _ commits: [ObjectID], _ reach: Reach, holding lock: WriterLock
    ) async throws -> Report {
        var report = Report()
        try await rebuildIndexes(&report)
        var wanted = try damaged(commits, reach)
        try healFromOtherPacks(&wanted, commits, reach, &report)
        guard !wanted.isEmpty else { return report }
        let remotes = try await Remotes(store).list()
        if remotes.isEmpty {
            report.problems.append(
                "\(wanted.count) objects are damaged or missing, and the store has no git remote to fetch them from"
            )
        }
        // Why, by the names of the remotes that could not be read.
        var failures: [String: String] = [:]
        for remote in remotes {
            let before = report.healed
            var asked: Set<ObjectID> = []
            // A tree that comes back may name further objects that are not there.
            while true {
                let open = wanted.filter { !asked.contains($0.key) }
                guard !open.isEmpty else { break }
                asked.formUnion(open.keys)
                if let reason = try await fetch(open, from: remote, &report) {
                    failures[remote.name] = reason
                }
                wanted = try damaged(commits, reach)
            }
            if report.healed > before { report.remotes.append(remote.name) }
        }
        if let first = wanted.keys.min(), !remotes.isEmpty {
            report.unread = failures.keys.sorted()
            report.problems += failures.sorted { $0.key < $1.key }.map {
                "git cannot fetch from the remote \($0.key): \($0.value)"
            }
            report.problems.append(
                Self.words(
                    wanted.count, first, read: remotes.map(\.name).filter { failures[$0] == nil },
                    unread: report.unread))
        }
        return report
    }

    /// That objects are damaged or missing, and of which remotes is known that they lack them.
    static func words(_ count: Int, _ first: ObjectID, read: [String], unread: [String]) -> String {
        "\(count) objects are damaged or missing"
            + (read.isEmpty ? "" : " and on none of the remotes \(read.joined(separator: ", "))")
            + ", the first is \(first)"
            + (unread.isEmpty
                ? "" : "; what is on \(unread.joined(separator: ", ")) is not known, which could not be read")
    }

    // MARK: What is damaged

    /// The objects within reach of commits that are damaged or missing, as far as what names them can be read.
    package func damaged(_ commits: [ObjectID], _ reach: Reach) throws -> [ObjectID: ObjectKind] {
        let lane = ReaderLane(try store.reader())
        var damaged: [ObjectID: ObjectKind] = [:]
        var seen: Set<ObjectID> = []
        var open: [(id: ObjectID, kind: ObjectKind)] = commits.map { ($0, .commit) }
        let snapshots = reach == .contents ? Set(commits) : []
        while let (id, kind) = open.popLast() {
            guard seen.insert(id).inserted else { continue }
            do {
                switch kind {
                case .commit:
                    // The commits and trees of captured repositories are not ours, and may be odd.
                    let commit = try Commit.references(lane.contents(id, .commit), of: id)
                    if reach != .commit {
                        open.append((commit.tree, .tree))
                        let parents = commit.parents.dropFirst(snapshots.contains(id) ? 1 : 0)
                        open += parents.map { ($0, .commit) }
                    }
                case .tree:
                    for reference in try Tree.references(lane.contents(id, .tree), of: id) {
                        open.append((reference.id, reference.isTree ? .tree : .blob))
                    }
                case .blob, .tag:
                    try unsafe lane.read(id, kind, checks: true) { _ in }
                }
            } catch let error as GitError where error.code != .system {
                damaged[id] = kind
            }
        }
        return damaged
    }

    // MARK: Other packs

    /// Takes what it can from packs that hold it whole, and are not looked into first.
    private func healFromOtherPacks(
        _ wanted: inout [ObjectID: ObjectKind], _ commits: [ObjectID], _ reach: Reach, _ report: inout Report
    ) throws {
        let before = report.healed
        // A tree that comes back may name further objects that are damaged.
        while !wanted.isEmpty {
            let reader = try store.reader()
            let copies = wanted.filter { reader.furtherCopy($0.key)?.kind == $0.value }
            guard !copies.isEmpty else { break }
            let missing = try write(copies, &report) { id, kind in
                guard let copy = reader.furtherCopy(id), copy.kind == kind else {
                    throw GitError(.notFound, "read \(kind.word) \(id)", "no other pack holds it")
                }
                return copy.contents
            }
            guard missing.count < copies.count else { break }
            wanted = try damaged(commits, reach)
        }
        if report.healed > before { report.remotes.append("another pack of the store") }
    }

    // MARK: Fetching

    /// Fetches what it can of what is wanted; returns why the remote could not be read, nil where it could.
    private func fetch(
        _ wanted: [ObjectID: ObjectKind], from remote: Remote, _ report: inout Report
    ) async throws -> String? {
        let scratch = try Scratch(in: store.localDirectory)
        defer { withExtendedLifetime(scratch) {} }
        let repository = scratch.path.appending("fetched.git")
        let place = ["--git-dir", repository.string]
        try await git(["init", "--quiet", "--bare", repository.string]).check("git init")
        try await git(place + ["remote", "add", "origin", "--", remote.url]).check("git remote add")
        let list = wanted.keys.sorted().map { "\($0)\n" }.joined()
        // Exactly the objects that are named, as a partial clone fetches what it lacks; a server that cannot leave out
        // what hangs below a tree sends it too, and one that hands out references only is asked for all of them.
        let byName = [
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=tree:0", "origin", "--stdin",
        ]
        // What became of it is seen in what is there afterwards.
        _ = try await git(place + byName, input: Array(list.utf8))
        let missing = try write(wanted, from: repository, &report)
        guard !missing.isEmpty else { return nil }
        let all = [
            "fetch", "--quiet", "--no-tags", "--no-filter", "--refetch", "origin", "+refs/*:refs/fetched/*",
        ]
        let outcome = try await git(place + all)
        guard try !write(missing, from: repository, &report).isEmpty, outcome.status != 0 else { return nil }
        return RemoteGit.reason(outcome.errorOutput)
    }

    private func write(
        _ wanted: [ObjectID: ObjectKind], from repository: FilePath, _ report: inout Report
    ) throws -> [ObjectID: ObjectKind] {
        let fetched = ReaderLane(try ObjectReader(repository))
        return try write(wanted, &report) { try fetched.contents($0, $1) }
    }

    /// Writes what `contents` gives into a pack of the store, and returns what was not there.
    private func write(
        _ wanted: [ObjectID: ObjectKind], _ report: inout Report,
        contents: (ObjectID, ObjectKind) throws -> [UInt8]
    ) throws -> [ObjectID: ObjectKind] {
        let pack = try PackWriter(try store.reader(), rewrites: true)
        let lane = pack.lane()
        var missing = wanted
        for (id, kind) in wanted.sorted(by: { $0.key < $1.key }) {
            do {
                _ = try lane.add(kind, try contents(id, kind))
                missing[id] = nil
            } catch let error as GitError where error.code != .system {
                // Not there: a remote may have it, and the report says it when none has.
                continue
            }
        }
        try lane.flush()
        report.healed += try pack.finish()
        return missing
    }

    // MARK: Files

    /// Makes damaged pack indexes again from their packs.
    private func rebuildIndexes(_ report: inout Report) async throws {
        for index in try ObjectReader.damagedIndexes(of: store.path) {
            let pack = FilePath(String(index.string.dropLast(".idx".count)) + ".pack")
            let scratch = try Scratch(in: store.localDirectory)
            defer { withExtendedLifetime(scratch) {} }
            let new = scratch.path.appending("new.idx")
            let outcome = try await git(["index-pack", "-o", new.string, pack.string])
            // Else the pack is damaged too: what is in it counts as missing, and it is put aside when all that was healed.
            guard outcome.status == 0 else { continue }
            try Files.replace(index, with: Files.read(new, limit: .max), mode: 0o444)
            report.files.append("\(index) was damaged and is made again from its pack")
        }
    }

    /// Writes what is whole in damaged packs into a new one, and moves the damaged ones into `understudy/damaged`, so
    /// that `git fsck` finds nothing; to be called when everything that is wanted was healed.
    package func retireDamagedPacks(_ report: inout Report, holding lock: WriterLock) throws {
        let place = store.localDirectory.appending("damaged")
        let cut = try Repack.halfPutAside(of: store.path, in: place)
        try Repack.putAside(cut, of: store.path, to: place)
        report.files += cut.map { "the damaged pack \($0) lies in \(place) now; remove it when you like" }
        let reader = try store.reader()
        let damaged = try reader.objectsOfDamagedPacks()
        guard !damaged.isEmpty else { return }
        let inodes = try damaged.map { try Files.status($0.path)?.inode }
        let pack = try PackWriter(reader, rewrites: true)
        let lane = pack.lane()
        for id in Set(damaged.flatMap(\.ids)).sorted() {
            // Else nothing that a reference of ours reaches: those were healed before. It stays in the file that is put aside.
            guard let object = try whole(id, reader) else { continue }
            _ = try lane.add(object.kind, object.contents)
        }
        try lane.flush()
        _ = try pack.finish()
        try Files.makeDirectories(place, mode: 0o700)
        var replaced: [FilePath] = []
        for (file, inode) in zip(damaged.map(\.path), inodes) {
            // The new pack took its place when it has its name: it holds the same objects.
            guard try Files.status(file)?.inode == inode else {
                report.files.append("the damaged pack \(file) was replaced")
                continue
            }
            replaced.append(file)
            report.files.append(
                "the damaged pack \(file) was replaced and lies in \(place) now; remove it when you like")
        }
        try Repack.putAside(replaced, of: store.path, to: place)
    }

    /// An object as any of the packs holds it whole, nil where none does.
    private func whole(_ id: ObjectID, _ reader: ObjectReader) throws -> (
        kind: ObjectKind, contents: [UInt8]
    )? {
        do {
            let object = try reader.object(id)
            if ObjectID.of(object.kind, object.contents) == id { return object }
        } catch let error as GitError where error.code != .system {
            // Damaged where it is looked for first.
        }
        return reader.furtherCopy(id)
    }

    private func git(_ arguments: [String], input: [UInt8] = []) async throws -> Program.Outcome {
        try await RemoteGit.program(nil, arguments, input: input).run()
    }
}

extension Program.Outcome {
    fileprivate func check(_ operation: String) throws {
        guard status == 0 else { throw ProgramFailure("\(operation): \(errorOutput)") }
    }
}
